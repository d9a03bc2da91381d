//! Which files of a work tree the patterns of a cache or artifact mean (reference `runner.md` §4.5).

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use tidegate_glob::Doublestar;
use tidegate_workspace::{Entry, Kind};

/// What to look for.
pub(crate) struct Wanted<'a> {
    /// Patterns, expanded.
    pub(crate) paths: &'a [String],
    /// Patterns of what is left out, expanded.
    pub(crate) exclude: &'a [String],
    /// Files git does not track, ignored ones included; holds the sorted tracked paths.
    pub(crate) untracked: Option<&'a [PathBuf]>,
    /// The work tree as the job sees it, for absolute patterns.
    pub(crate) project_dir: &'a Path,
}

/// What was found, with what GitLab's runner says about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Paths relative to the work tree, sorted, directories included.
    pub(crate) paths: Vec<PathBuf>,
    /// Lines for the log; `true` marks a warning.
    pub(crate) said: Vec<(bool, String)>,
}

/// Finds what is wanted among the entries of a tree, which stand in order of path with directories before what is in them.
pub(crate) fn find(entries: &[Entry], wanted: &Wanted<'_>) -> Found {
    let mut said = Vec::new();
    let mut chosen: BTreeSet<usize> = BTreeSet::new();
    for path in wanted.paths {
        choose(entries, path, wanted.project_dir, &mut chosen, &mut said);
    }
    if let Some(tracked) = wanted.untracked {
        choose_untracked(entries, tracked, &mut chosen, &mut said);
    }
    for pattern in wanted.exclude {
        exclude(entries, pattern, &mut chosen, &mut said);
    }
    let paths = chosen
        .into_iter()
        .map(|at| entries[at].path.clone())
        .collect();
    Found { paths, said }
}

fn choose(
    entries: &[Entry],
    written: &str,
    project_dir: &Path,
    chosen: &mut BTreeSet<usize>,
    said: &mut Vec<(bool, String)>,
) {
    if written.is_empty() {
        said.push((true, "No matching files. Path is empty.".to_owned()));
        return;
    }
    let Some(pattern) = relative(written, project_dir) else {
        let text = "processPath: artifact path is not a subpath of project directory: ";
        said.push((true, format!("{text}{written}")));
        return;
    };
    let glob = match Doublestar::new(&pattern) {
        Ok(glob) => glob,
        Err(error) => {
            said.push((true, format!("{written}: {error}")));
            return;
        }
    };
    let mut count = 0;
    let mut below: Option<&Path> = None;
    for (at, entry) in entries.iter().enumerate() {
        let inside = below.is_some_and(|dir| entry.path.starts_with(dir));
        if !inside {
            below = None;
            let whole = pattern.is_empty();
            // The repository itself is only taken where it is asked for by name.
            if !whole && is_git(&entry.path) && !pattern.starts_with(".git") {
                continue;
            }
            if !whole && !glob.matches(&entry.path.to_string_lossy()) {
                continue;
            }
            if whole && is_git(&entry.path) {
                continue;
            }
            if entry.kind == Kind::Dir {
                below = Some(&entry.path);
            }
        }
        count += 1;
        chosen.insert(at);
    }
    if count == 0 {
        let hint =
            "no matching files. Ensure that the artifact path is relative to the working directory";
        said.push((
            true,
            format!("{written}: {hint} ({})", project_dir.display()),
        ));
    } else {
        said.push((
            false,
            format!("{written}: found {count} matching artifact files and directories"),
        ));
    }
}

fn choose_untracked(
    entries: &[Entry],
    tracked: &[PathBuf],
    chosen: &mut BTreeSet<usize>,
    said: &mut Vec<(bool, String)>,
) {
    let untracked = entries.iter().enumerate().filter(|(_, entry)| {
        entry.kind != Kind::Dir
            && !is_git(&entry.path)
            && tracked.binary_search(&entry.path).is_err()
    });
    let found: Vec<usize> = untracked.map(|(at, _)| at).collect();
    said.push(match found.len() {
        0 => (true, "untracked: no files".to_owned()),
        n => (false, format!("untracked: found {n} files")),
    });
    chosen.extend(found);
}

fn exclude(
    entries: &[Entry],
    pattern: &str,
    chosen: &mut BTreeSet<usize>,
    said: &mut Vec<(bool, String)>,
) {
    let Ok(glob) = Doublestar::new(pattern) else {
        said.push((true, format!("{pattern}: the pattern cannot be read")));
        return;
    };
    let before = chosen.len();
    chosen.retain(|at| !glob.matches(&entries[*at].path.to_string_lossy()));
    if chosen.len() < before {
        said.push((
            false,
            format!("{pattern}: excluded {} files", before - chosen.len()),
        ));
    }
}

fn is_git(path: &Path) -> bool {
    path.components().next() == Some(Component::Normal(".git".as_ref()))
}

/// The pattern relative to the work tree, empty for the tree itself; `None` where it leads out of it.
fn relative(written: &str, project_dir: &Path) -> Option<String> {
    let inner = match written.strip_prefix('/') {
        None => written,
        Some(_) => {
            let root = project_dir.to_str()?.trim_end_matches('/');
            let rest = written.strip_prefix(root)?;
            if !rest.is_empty() && !rest.starts_with('/') {
                return None;
            }
            rest
        }
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in inner.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_workspace::{Origin, Time};

    fn entries(paths: &[&str]) -> Vec<Entry> {
        paths
            .iter()
            .map(|path| Entry {
                path: PathBuf::from(path.trim_end_matches('/')),
                kind: if path.ends_with('/') {
                    Kind::Dir
                } else {
                    Kind::File
                },
                size: 1,
                mode: 0o644,
                mtime: Time::default(),
                ctime: Time::default(),
                inode: 1,
                links: 1,
                origin: Origin::Upper,
            })
            .collect()
    }

    fn found(paths: &[&str], exclude: &[&str]) -> (Vec<String>, Vec<String>) {
        let tree = entries(&[
            ".git/",
            ".git/HEAD",
            "a.txt",
            "out/",
            "out/b",
            "out/sub/",
            "out/sub/c.o",
        ]);
        let owned = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        let (paths, exclude) = (owned(paths), owned(exclude));
        let wanted = Wanted {
            paths: &paths,
            exclude: &exclude,
            untracked: None,
            project_dir: Path::new("/builds/p"),
        };
        let found = find(&tree, &wanted);
        let shown = found
            .paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        (
            shown,
            found.said.into_iter().map(|(_, text)| text).collect(),
        )
    }

    #[test]
    fn a_directory_brings_everything_in_it() {
        for pattern in ["out", "out/", "./out", "/builds/p/out"] {
            let (paths, said) = found(&[pattern], &[]);
            assert_eq!(
                paths,
                ["out", "out/b", "out/sub", "out/sub/c.o"],
                "{pattern}"
            );
            assert_eq!(
                said,
                [format!(
                    "{pattern}: found 4 matching artifact files and directories"
                )]
            );
        }
    }

    #[test]
    fn patterns_match_files_and_directories() {
        assert_eq!(
            found(&["out/*"], &[]).0,
            ["out/b", "out/sub", "out/sub/c.o"]
        );
        assert_eq!(found(&["**/*.o"], &[]).0, ["out/sub/c.o"]);
    }

    #[test]
    fn excluded_files_are_left_out_and_counted() {
        let (paths, said) = found(&["out"], &["**/*.o"]);
        assert_eq!(paths, ["out", "out/b", "out/sub"]);
        assert_eq!(said[1], "**/*.o: excluded 1 files");
    }

    #[test]
    fn the_whole_tree_is_everything_but_the_repository() {
        let (paths, _) = found(&["."], &[]);
        assert_eq!(paths, ["a.txt", "out", "out/b", "out/sub", "out/sub/c.o"]);
        assert_eq!(found(&["**/HEAD"], &[]).0, Vec::<String>::new());
        assert_eq!(found(&[".git"], &[]).0, [".git", ".git/HEAD"]);
    }

    #[test]
    fn paths_out_of_the_tree_are_refused_and_missing_ones_named() {
        for pattern in ["../x", "/etc/passwd", "/builds/pp/x"] {
            let (paths, said) = found(&[pattern], &[]);
            assert!(paths.is_empty());
            let text = "processPath: artifact path is not a subpath of project directory: ";
            assert_eq!(said, [format!("{text}{pattern}")]);
        }
        let (_, said) = found(&["nope"], &[]);
        let text = "nope: no matching files. Ensure that the artifact path is relative to the working directory (/builds/p)";
        assert_eq!(said, [text]);
    }

    #[test]
    fn untracked_is_what_git_does_not_know() {
        let tree = entries(&[".git/", ".git/HEAD", "known", "new/", "new/file"]);
        let tracked = [PathBuf::from("known")];
        let wanted = Wanted {
            paths: &[],
            exclude: &[],
            untracked: Some(&tracked),
            project_dir: Path::new("/builds/p"),
        };
        let found = find(&tree, &wanted);
        assert_eq!(found.paths, [PathBuf::from("new/file")]);
        assert_eq!(found.said, [(false, "untracked: found 1 files".to_owned())]);
    }
}
