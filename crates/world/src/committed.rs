//! The tree of the last commit, for runs that shall not see uncommitted changes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::checkout::Checkout;
use crate::git::{GitError, fields, git, git_with};

/// Writes the project's files as they are in the last commit into the empty directory `into`.
///
/// # Errors
/// There is no commit, or git or this process cannot write.
pub fn write_committed(checkout: &Checkout, into: &Path) -> Result<(), GitError> {
    let index = into.with_extension("index");
    let variables = [("GIT_INDEX_FILE", index.as_os_str())];
    git_with(&checkout.root, &["read-tree", "HEAD"], &variables)?;
    let listed = fields(&git_with(&checkout.root, &["ls-files", "-z"], &variables)?);
    // Git writes paths from the top of the repository; the project's own tree may begin below it.
    let whole = into.with_extension("whole");
    let prefix = format!("--prefix={}/", whole.display());
    for some in listed.chunks(1000) {
        let options = ["checkout-index", "--force", &prefix, "--"].map(str::to_owned);
        let asked: Vec<String> = options.into_iter().chain(some.iter().cloned()).collect();
        git_with(&checkout.root, &asked, &variables)?;
    }
    let inner = git(&checkout.root, &["rev-parse", "--show-prefix"])?;
    let inner = String::from_utf8_lossy(&inner)
        .trim_end_matches(['\n', '/'])
        .to_owned();
    let moved = if listed.is_empty() {
        Ok(())
    } else {
        fs::rename(whole.join(inner), into)
    };
    let _ = fs::remove_dir_all(&whole);
    let _ = fs::remove_file(&index);
    moved.map_err(GitError::Move)
}

/// Paths git tracks in the project, relative to its root, sorted; `None` where there is no repository.
///
/// # Errors
/// The repository cannot be read.
pub fn tracked_paths(checkout: &Checkout) -> Result<Option<Vec<PathBuf>>, GitError> {
    if checkout.top.is_none() {
        return Ok(None);
    }
    let listed = git(&checkout.root, &["ls-files", "-z", "--cached"])?;
    let mut paths: Vec<PathBuf> = fields(&listed).into_iter().map(PathBuf::from).collect();
    paths.sort_unstable();
    paths.dedup();
    Ok(Some(paths))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_last_commit_is_written_without_later_changes() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let run = |args: &[&str]| {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=A", "-c", "user.email=a@example.com"])
                .args(args);
            assert!(
                git.current_dir(dir.path())
                    .status()
                    .expect("git is here")
                    .success()
            );
        };
        run(&["init", "--quiet", "--initial-branch", "main"]);
        for at in ["", "sub/"] {
            let path = dir.path().join(at);
            std::fs::create_dir_all(&path).expect("writable");
            std::fs::write(path.join(".gitlab-ci.yml"), "old").expect("writable");
            std::fs::write(path.join("file"), "old").expect("writable");
        }
        run(&["add", "--all"]);
        run(&["commit", "--quiet", "--message", "first"]);
        std::fs::write(dir.path().join("file"), "new").expect("writable");
        std::fs::write(dir.path().join("untracked"), "new").expect("writable");
        for (at, expected) in [
            ("", vec![".gitlab-ci.yml", "file", "sub"]),
            ("sub", vec![".gitlab-ci.yml", "file"]),
        ] {
            let root = dir.path().join(at).canonicalize().expect("it exists");
            let checkout = Checkout::find(&root, ".gitlab-ci.yml").expect("it has one");
            let out = tempfile::tempdir().expect("a temporary directory");
            let into = out.path().join("tree");
            std::fs::create_dir(&into).expect("writable");
            write_committed(&checkout, &into).expect("there is a commit");
            let names = std::fs::read_dir(&into).expect("readable");
            let mut names: Vec<_> = names
                .flatten()
                .map(|e| e.file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            assert_eq!(names, expected, "in {at:?}");
            let content = std::fs::read_to_string(into.join("file")).expect("readable");
            assert_eq!(content, "old");
        }
    }
}
