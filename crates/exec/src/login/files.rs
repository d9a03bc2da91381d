//! The files a login shell reads, by what tells that one has changed.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Files of the system.
const OF_SYSTEM: [&str; 4] = [
    "/etc/profile",
    "/etc/profile.d",
    "/etc/bash.bashrc",
    "/etc/bashrc",
];
/// Files below the home directory; what profiles commonly read in turn is among them.
const OF_USER: [&str; 6] = [
    ".bash_profile",
    ".bash_login",
    ".profile",
    ".bashrc",
    ".bash_aliases",
    ".cargo/env",
];

/// Files and what they were like when somebody looked.
#[derive(Debug)]
pub(crate) struct Files {
    seen: Vec<(PathBuf, Option<Stamp>)>,
}

/// Differs when a file was written, replaced, or made.
#[derive(PartialEq, Eq, Debug)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Files {
    pub(super) fn of(home: Option<PathBuf>) -> Self {
        let mut paths: Vec<PathBuf> = OF_SYSTEM.iter().map(PathBuf::from).collect();
        // The directory tells of new files, each file of what it says.
        let listed = std::fs::read_dir("/etc/profile.d");
        paths.extend(
            listed
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path()),
        );
        if let Some(home) = home {
            paths.extend(OF_USER.iter().map(|name| home.join(name)));
        }
        let seen = paths.into_iter().map(|path| {
            let stamp = stamp(&path);
            (path, stamp)
        });
        Self {
            seen: seen.collect(),
        }
    }

    pub(super) fn are_unchanged(&self) -> bool {
        self.seen.iter().all(|(path, seen)| stamp(path) == *seen)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    Some(Stamp {
        device: found.dev(),
        inode: found.ino(),
        size: found.len(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    })
}
