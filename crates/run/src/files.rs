//! Which files of a work tree the patterns of a cache or artifact mean (reference `runner.md` §4.5).

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use tidegate_glob::Doublestar;
use tidegate_workspace::{Entry, Kind, TreeError, Union};

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
    /// Sorted by path, directories included.
    pub(crate) entries: Vec<Entry>,
    /// How many entries each pattern means, in the order of the patterns.
    pub(crate) counts: Vec<u64>,
    /// Lines for the log; `true` marks a warning.
    pub(crate) said: Vec<(bool, String)>,
}

impl Wanted<'_> {
    /// Paths below which everything wanted is, none inside another; the empty path where it may be anywhere.
    pub(crate) fn roots(&self) -> Vec<PathBuf> {
        if self.untracked.is_some() {
            return vec![PathBuf::new()];
        }
        let patterns = self.paths.iter();
        let mut all: Vec<PathBuf> = patterns
            .filter_map(|written| relative(written, self.project_dir))
            .map(|pattern| literal_part(&pattern))
            .collect();
        all.sort_unstable();
        let mut roots: Vec<PathBuf> = Vec::new();
        for root in all {
            if !roots.last().is_some_and(|last| root.starts_with(last)) {
                roots.push(root);
            }
        }
        roots
    }

    /// The patterns one by one, for paths that are known; what they exclude and untracked files are left aside.
    pub(crate) fn meanings(&self) -> Vec<Meaning> {
        let patterns = self.paths.iter();
        patterns
            .map(|written| Meaning {
                pattern: relative(written, self.project_dir)
                    .filter(|_| !written.is_empty())
                    .and_then(|text| Some((Doublestar::new(&text).ok()?, text))),
            })
            .collect()
    }
}

/// One pattern.
pub(crate) struct Meaning {
    /// `None` where it can mean nothing.
    pattern: Option<(Doublestar, String)>,
}

impl Meaning {
    /// Whether the path, or a directory above it, is meant.
    pub(crate) fn includes(&self, path: &Path) -> bool {
        let Some((glob, text)) = &self.pattern else {
            return false;
        };
        if text.is_empty() || is_git(path) && !text.starts_with(".git") {
            return text.is_empty() && !is_git(path);
        }
        let mut above = path.ancestors().filter(|path| !path.as_os_str().is_empty());
        above.any(|path| glob.matches(&path.to_string_lossy()))
    }
}

/// Everything at and below `roots` in `union`, sorted by path.
pub(crate) fn entries_below(union: &Union, roots: &[PathBuf]) -> Result<Vec<Entry>, TreeError> {
    let mut entries = Vec::new();
    for root in roots {
        let walk = union.walk(root)?;
        if !root.as_os_str().is_empty()
            && let Some(mut entry) = union.lookup(root)?
        {
            entry.inside = walk.inside;
            entries.push(entry);
        }
        entries.extend(walk);
    }
    Ok(entries)
}

/// Finds what is wanted among the entries of a tree, which stand in order of path with directories before what is in them.
pub(crate) fn find(mut entries: Vec<Entry>, wanted: &Wanted<'_>) -> Found {
    let mut said = Vec::new();
    let mut chosen = Chosen {
        entries: BTreeSet::new(),
        excludes: Excludes::of(wanted, &mut said),
    };
    let paths = wanted.paths.iter();
    let counts = paths
        .map(|path| choose(&entries, path, wanted.project_dir, &mut chosen, &mut said))
        .collect();
    if let Some(tracked) = wanted.untracked {
        choose_untracked(&entries, tracked, &mut chosen, &mut said);
    }
    chosen.excludes.tell(&mut said);
    let mut at = 0;
    entries.retain(|_| {
        at += 1;
        chosen.entries.contains(&(at - 1))
    });
    Found {
        entries,
        counts,
        said,
    }
}

/// What is wanted so far: places in the list of entries.
struct Chosen {
    entries: BTreeSet<usize>,
    excludes: Excludes,
}

impl Chosen {
    /// Takes an entry unless it is excluded; whether it is taken. One that is met twice is counted twice.
    fn take(&mut self, at: usize, path: &Path) -> bool {
        let taken = !self.excludes.hit(path);
        if taken {
            self.entries.insert(at);
        }
        taken
    }
}

/// The patterns of what is left out, each with how much it left out.
struct Excludes(Vec<Exclude>);

struct Exclude {
    written: String,
    glob: Doublestar,
    hits: u64,
}

impl Excludes {
    /// Compiles the patterns. One that leads out of the tree ends the list: for the runner, nothing behind it counts.
    fn of(wanted: &Wanted<'_>, said: &mut Vec<(bool, String)>) -> Excludes {
        let mut excludes = Vec::new();
        for written in wanted.exclude {
            let Some(pattern) = relative(written, wanted.project_dir) else {
                let text = "isExcluded: artifact path is not a subpath of project directory: ";
                said.push((true, format!("{text}{written}")));
                break;
            };
            match Doublestar::new(&pattern) {
                Ok(glob) => excludes.push(Exclude {
                    written: written.clone(),
                    glob,
                    hits: 0,
                }),
                Err(error) => said.push((true, format!("{written}: {error}"))),
            }
        }
        Excludes(excludes)
    }

    /// Whether a pattern leaves the path out; the first that does counts it.
    fn hit(&mut self, path: &Path) -> bool {
        let path = path.to_string_lossy();
        let hit = self.0.iter_mut().find(|one| one.glob.matches(&path));
        match hit {
            Some(hit) => {
                hit.hits += 1;
                true
            }
            None => false,
        }
    }

    fn tell(&self, said: &mut Vec<(bool, String)>) {
        for one in self.0.iter().filter(|one| one.hits > 0) {
            let text = format!("{}: excluded {} files", one.written, one.hits);
            said.push((false, text));
        }
    }
}

/// What is said of a pattern that means so many entries.
pub(crate) fn found_line(pattern: &str, count: u64, project_dir: &Path) -> (bool, String) {
    if count == 0 {
        let hint =
            "no matching files. Ensure that the artifact path is relative to the working directory";
        let place = project_dir.display();
        return (true, format!("{pattern}: {hint} ({place})"));
    }
    let what = "matching artifact files and directories";
    (false, format!("{pattern}: found {count} {what}"))
}

fn choose(
    entries: &[Entry],
    written: &str,
    project_dir: &Path,
    chosen: &mut Chosen,
    said: &mut Vec<(bool, String)>,
) -> u64 {
    if written.is_empty() {
        said.push((true, "No matching files. Path is empty.".to_owned()));
        return 0;
    }
    let Some(pattern) = relative(written, project_dir) else {
        let text = "processPath: artifact path is not a subpath of project directory: ";
        said.push((true, format!("{text}{written}")));
        return 0;
    };
    let glob = match Doublestar::new(&pattern) {
        Ok(glob) => glob,
        Err(error) => {
            said.push((true, format!("{written}: {error}")));
            return 0;
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
        count += u64::from(chosen.take(at, &entry.path));
    }
    said.push(found_line(written, count, project_dir));
    count
}

fn choose_untracked(
    entries: &[Entry],
    tracked: &[PathBuf],
    chosen: &mut Chosen,
    said: &mut Vec<(bool, String)>,
) {
    let untracked = entries.iter().enumerate().filter(|(_, entry)| {
        entry.kind != Kind::Dir
            && !is_git(&entry.path)
            && tracked.binary_search(&entry.path).is_err()
    });
    let taken = untracked.filter(|(at, entry)| chosen.take(*at, &entry.path));
    said.push(match taken.count() {
        0 => (true, "untracked: no files".to_owned()),
        n => (false, format!("untracked: found {n} files")),
    });
}

fn is_git(path: &Path) -> bool {
    path.components().next() == Some(Component::Normal(".git".as_ref()))
}

/// The leading components of a pattern that mean just themselves.
fn literal_part(pattern: &str) -> PathBuf {
    let special = |part: &&str| part.contains(['*', '?', '[', '{', '\\']);
    pattern
        .split('/')
        .take_while(|part| !special(part))
        .collect()
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
                owner: (0, 0),
                mtime: Time::default(),
                ctime: Time::default(),
                inode: 1,
                links: 1,
                origin: Origin::Upper,
                inside: None,
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
        let found = find(tree, &wanted);
        let shown = found
            .entries
            .iter()
            .map(|entry| entry.path.display().to_string())
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
    fn what_is_excluded_is_not_counted_as_found() {
        let (paths, said) = found(&["out", "out/sub"], &["./out/b", "/builds/p/out/sub/**"]);
        assert_eq!(paths, ["out"]);
        assert_eq!(
            said,
            [
                "out: found 1 matching artifact files and directories",
                "out/sub: no matching files. Ensure that the artifact path is relative to the working directory (/builds/p)",
                "./out/b: excluded 1 files",
                "/builds/p/out/sub/**: excluded 4 files",
            ]
        );
    }

    #[test]
    fn behind_an_exclude_that_leads_out_of_the_tree_none_counts() {
        let (paths, said) = found(&["out"], &["out/b", "../x", "**/*.o"]);
        assert_eq!(paths, ["out", "out/sub", "out/sub/c.o"]);
        assert_eq!(
            said,
            [
                "isExcluded: artifact path is not a subpath of project directory: ../x",
                "out: found 3 matching artifact files and directories",
                "out/b: excluded 1 files",
            ]
        );
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
        let found = find(tree, &wanted);
        assert_eq!(found.entries, entries(&["new/file"]));
        assert_eq!(found.said, [(false, "untracked: found 1 files".to_owned())]);
    }

    #[test]
    fn only_what_a_pattern_can_mean_has_to_be_looked_at() {
        let roots = |patterns: &[&str]| {
            let paths: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
            let wanted = Wanted {
                paths: &paths,
                exclude: &[],
                untracked: None,
                project_dir: Path::new("/builds/p"),
            };
            let roots = wanted.roots();
            roots
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(roots(&["node_modules/"]), ["node_modules"]);
        assert_eq!(roots(&["a/b/*.o", "a/b-c/x", "a/b"]), ["a/b", "a/b-c/x"]);
        assert_eq!(roots(&["a", "**/*.o"]), [""]);
        assert_eq!(roots(&["../x"]), Vec::<String>::new());
    }

    #[test]
    fn a_pattern_means_the_same_of_one_path_as_of_a_whole_tree() {
        let all = [
            ".git",
            ".git/HEAD",
            "a.txt",
            "out",
            "out/b",
            "out/sub",
            "out/sub/c.o",
        ];
        for pattern in [
            "out",
            "out/",
            "out/*",
            "**/*.o",
            ".",
            ".git",
            "*",
            "nope",
            "",
            "../x",
            "out/sub/**",
        ] {
            let (expected, _) = found(&[pattern], &[]);
            let paths = [pattern.to_owned()];
            let wanted = Wanted {
                paths: &paths,
                exclude: &[],
                untracked: None,
                project_dir: Path::new("/builds/p"),
            };
            let meanings = wanted.meanings();
            let meant = all
                .iter()
                .filter(|path| meanings[0].includes(Path::new(path)));
            assert_eq!(
                meant.collect::<Vec<_>>(),
                expected.iter().collect::<Vec<_>>(),
                "{pattern}"
            );
        }
    }
}
