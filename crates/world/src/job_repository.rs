//! The repository a job sees: a `.git` of its own that borrows the objects of the user's.
//!
//! Scripts ask git for versions and differences, so a work tree without `.git` would break them; the user's own `.git` must not
//! be theirs to write. Objects are reached through alternates, which git only reads; refs are copied the way a fetch from a
//! server would leave them; HEAD is detached at the commit, as GitLab Runner leaves it. The index holds the commit's tree, so
//! that uncommitted changes show as such.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::address::without_credentials;
use crate::checkout::Checkout;
use crate::git::{GitError, git};

/// The repository for jobs could not be made.
#[derive(Debug, Error)]
pub enum JobRepositoryError {
    /// Git refused.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file could not be written.
    #[error("write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Makes `into/.git`. Returns whether there is one now: not without a commit, and not for a project below the top of its repository,
/// whose tree alone would show everything else as deleted.
pub fn job_repository(checkout: &Checkout, into: &Path) -> Result<bool, JobRepositoryError> {
    let sha = checkout.head.as_ref().and_then(|head| head.sha.as_deref());
    let (Some(sha), Some(top)) = (sha, &checkout.top) else {
        return Ok(false);
    };
    if top.canonicalize().ok() != checkout.root.canonicalize().ok() {
        return Ok(false);
    }
    let facts = Facts::read(checkout)?;
    let dir = into.join(".git");
    write(&dir.join("HEAD"), &format!("{sha}\n"))?;
    write(
        &dir.join("config"),
        &facts.config(checkout.remote.as_deref()),
    )?;
    write(
        &dir.join("objects/info/alternates"),
        &format!("{}\n", facts.objects),
    )?;
    let refs = dir.join("refs/heads");
    fs::create_dir_all(&refs).map_err(|source| failed(&refs, source))?;
    write(&dir.join("packed-refs"), &packed_refs(checkout)?)?;
    if facts.shallow {
        let shallow = Path::new(&facts.common).join("shallow");
        let content = fs::read_to_string(&shallow).map_err(|source| failed(&shallow, source))?;
        write(&dir.join("shallow"), &content)?;
    }
    let git_dir = format!("--git-dir={}", dir.display());
    git(into, &[&*git_dir, "--work-tree=.", "read-tree", "HEAD"])?;
    Ok(true)
}

/// What must be known of the user's repository.
struct Facts {
    objects: String,
    common: String,
    shallow: bool,
    format: String,
}

impl Facts {
    fn read(checkout: &Checkout) -> Result<Facts, GitError> {
        let asked = [
            "rev-parse",
            "--path-format=absolute",
            "--git-path",
            "objects",
            "--git-common-dir",
            "--is-shallow-repository",
            "--show-object-format",
        ];
        let answer = git(&checkout.root, &asked)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let mut lines = answer.lines().map(str::to_owned);
        let mut next = || lines.next().unwrap_or_default();
        Ok(Facts {
            objects: next(),
            common: next(),
            shallow: next() == "true",
            format: next(),
        })
    }

    fn config(&self, remote: Option<&str>) -> String {
        let mut text = String::from("[core]\n");
        let sha1 = self.format.is_empty() || self.format == "sha1";
        text.push_str(if sha1 {
            "\trepositoryformatversion = 0\n"
        } else {
            "\trepositoryformatversion = 1\n"
        });
        text.push_str("\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n");
        if !sha1 {
            text.push_str(&format!("[extensions]\n\tobjectformat = {}\n", self.format));
        }
        if let Some(url) = remote.map(without_credentials) {
            let url = url.replace('\\', "\\\\").replace('"', "\\\"");
            let fetch = "+refs/heads/*:refs/remotes/origin/*";
            text.push_str(&format!(
                "[remote \"origin\"]\n\turl = \"{url}\"\n\tfetch = {fetch}\n"
            ));
        }
        text
    }
}

/// Refs as a fetch leaves them: the remote's branches, else the local ones in their place, and all tags.
fn packed_refs(checkout: &Checkout) -> Result<String, GitError> {
    let format = "--format=%(objectname) %(refname)";
    let asked = [
        "for-each-ref",
        format,
        "refs/heads",
        "refs/remotes/origin",
        "refs/tags",
    ];
    let listed = git(&checkout.root, &asked)?;
    let listed = String::from_utf8_lossy(&listed);
    let mut refs = std::collections::BTreeMap::new();
    for line in listed.lines() {
        let Some((id, name)) = line.split_once(' ') else {
            continue;
        };
        if name == "refs/remotes/origin/HEAD" {
            continue;
        }
        match name.strip_prefix("refs/heads/") {
            // What the local branch points at is newer than what was last fetched of it.
            Some(branch) => refs.insert(format!("refs/remotes/origin/{branch}"), id),
            None => {
                refs.entry(name.to_owned()).or_insert(id);
                None
            }
        };
    }
    Ok(refs
        .iter()
        .map(|(name, id)| format!("{id} {name}\n"))
        .collect())
}

fn write(path: &Path, content: &str) -> Result<(), JobRepositoryError> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(|source| failed(parent, source))?;
    fs::write(path, content).map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> JobRepositoryError {
    JobRepositoryError::Write {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn run(dir: &Path, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
            .args(args);
        let output = git.current_dir(dir).output().expect("git is here");
        assert!(output.status.success(), "git {args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn repository() -> (tempfile::TempDir, Checkout) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        run(dir.path(), &["init", "--quiet", "--initial-branch", "main"]);
        fs::write(dir.path().join(".gitlab-ci.yml"), "a\n").expect("writable");
        run(dir.path(), &["add", "--all"]);
        run(dir.path(), &["commit", "--quiet", "--message", "first"]);
        run(dir.path(), &["tag", "v1"]);
        run(
            dir.path(),
            &[
                "remote",
                "add",
                "origin",
                "https://me:secret@example.com/a/b.git",
            ],
        );
        let root = dir.path().canonicalize().expect("it exists");
        let checkout = Checkout::find(&root, ".gitlab-ci.yml").expect("it has a configuration");
        (dir, checkout)
    }

    #[test]
    fn a_job_can_describe_and_compare() {
        let (_dir, checkout) = repository();
        let job = tempfile::tempdir().expect("a temporary directory");
        assert!(job_repository(&checkout, job.path()).expect("it is made"));
        fs::write(job.path().join(".gitlab-ci.yml"), "b\n").expect("writable");
        assert_eq!(run(job.path(), &["describe", "--tags"]), "v1");
        assert_eq!(run(job.path(), &["diff", "--name-only"]), ".gitlab-ci.yml");
        assert_eq!(
            run(job.path(), &["rev-parse", "origin/main"]),
            run(job.path(), &["rev-parse", "HEAD"])
        );
        assert_eq!(
            run(job.path(), &["rev-parse", "--abbrev-ref", "HEAD"]),
            "HEAD"
        );
    }

    #[test]
    fn credentials_of_the_remote_do_not_reach_the_job() {
        let (_dir, checkout) = repository();
        let job = tempfile::tempdir().expect("a temporary directory");
        assert!(job_repository(&checkout, job.path()).expect("it is made"));
        let config = fs::read_to_string(job.path().join(".git/config")).expect("it was written");
        assert!(!config.contains("secret"), "{config}");
        assert_eq!(
            run(job.path(), &["remote", "get-url", "origin"]),
            "https://example.com/a/b.git"
        );
    }

    #[test]
    fn a_directory_without_commits_has_no_repository() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::write(dir.path().join(".gitlab-ci.yml"), "a").expect("writable");
        let root = dir.path().canonicalize().expect("it exists");
        let checkout = Checkout::at(root, ".gitlab-ci.yml".to_owned());
        assert!(!job_repository(&checkout, dir.path()).expect("nothing to do"));
    }
}
