//! The files jobs see, watched.
//!
//! The system only says that something happened somewhere; what changed is found by comparing what is there with what was. So
//! neither an event that was lost nor one that means nothing (a file that was read, linked or written with what it held)
//! counts for more than it should. Only directories that hold files of the project are watched: those git ignores may be large.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::Wake;
use crate::command::machine::failed;
use crate::exit::Failure;
use crate::project::Project;

/// Nothing must happen for this long before a change counts as complete.
const QUIET: Duration = Duration::from_millis(150);
/// A change is complete after this long, even where something happens all the time.
const LONGEST: Duration = Duration::from_secs(3);

/// The files jobs see, as they were when last looked at.
pub(super) struct Tree {
    project: Project,
    root: PathBuf,
    /// Files and directories that do not count: what runs write themselves.
    own: Vec<PathBuf>,
    stamps: BTreeMap<PathBuf, Stamp>,
    watcher: RecommendedWatcher,
    directories: BTreeSet<PathBuf>,
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    mode: u32,
    inode: u64,
    modified: (i64, i64),
}

/// How a burst of changes ended.
#[derive(PartialEq, Eq)]
pub(super) enum Settled {
    /// Nothing happens any more.
    Quiet,
    /// The user interrupted.
    Stop,
}

/// Waits until a burst of changes is over.
pub(super) fn settled(wakes: &Receiver<Wake>) -> Settled {
    let began = Instant::now();
    while began.elapsed() < LONGEST {
        match wakes.recv_timeout(QUIET) {
            Ok(Wake::Touched) => {}
            Ok(Wake::Stop) => return Settled::Stop,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    Settled::Quiet
}

impl Tree {
    /// Looks at the project's files and watches their directories. `own` are files that runs write themselves.
    pub(super) fn watch(
        project: Project,
        mut own: Vec<PathBuf>,
        sender: Sender<Wake>,
    ) -> Result<Tree, Failure> {
        let root = project.checkout.root.clone();
        own.push(project.data_dir.clone());
        own.push(root.join("tidegate.lock"));
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let reading = event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_)));
            if !reading {
                // An error says that the process ends.
                let _ = sender.send(Wake::Touched);
            }
        });
        let mut tree = Tree {
            project,
            root,
            own,
            stamps: BTreeMap::new(),
            watcher: watcher.map_err(|error| failed("watch files", &error))?,
            directories: BTreeSet::new(),
        };
        tree.changed()?;
        Ok(tree)
    }

    /// How many files are watched.
    pub(super) fn len(&self) -> usize {
        self.stamps.len()
    }

    /// The files that are not what they were when this was last asked, relative to the project root.
    pub(super) fn changed(&mut self) -> Result<Vec<PathBuf>, Failure> {
        let mut files = self.files()?;
        if self.follow(&files)? {
            // What came into a new directory before it was watched is seen now.
            files = self.files()?;
        }
        let stamps: BTreeMap<PathBuf, Stamp> = files
            .into_iter()
            .filter_map(|path| Some((stamp(&self.root.join(&path))?, path)))
            .map(|(stamp, path)| (path, stamp))
            .collect();
        let before = std::mem::replace(&mut self.stamps, stamps);
        let differing = |path: &&PathBuf| before.get(*path) != self.stamps.get(*path);
        let all: BTreeSet<&PathBuf> = before.keys().chain(self.stamps.keys()).collect();
        Ok(all.into_iter().filter(differing).cloned().collect())
    }

    /// The files jobs see, without those that runs write.
    fn files(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut files = self.project.paths()?;
        files.retain(|path| {
            let path = self.root.join(path);
            !self.own.iter().any(|own| path.starts_with(own))
        });
        Ok(files)
    }

    /// Watches the directories of the files; returns whether there were new ones.
    fn follow(&mut self, files: &[PathBuf]) -> Result<bool, Failure> {
        let above = files.iter().flat_map(|file| file.ancestors().skip(1));
        let mut wanted: BTreeSet<PathBuf> = above.map(|above| self.root.join(above)).collect();
        wanted.insert(self.root.clone());
        wanted.retain(|directory| directory.is_dir());
        for gone in self.directories.difference(&wanted) {
            // The system has forgotten a directory that is gone already.
            let _ = self.watcher.unwatch(gone);
        }
        let new: Vec<PathBuf> = wanted.difference(&self.directories).cloned().collect();
        for directory in &new {
            self.start(directory)?;
        }
        self.directories = wanted;
        Ok(!new.is_empty())
    }

    fn start(&mut self, directory: &Path) -> Result<(), Failure> {
        let watched = self.watcher.watch(directory, RecursiveMode::NonRecursive);
        match watched {
            // It went away in the meantime.
            Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => Ok(()),
            Err(error) if matches!(error.kind, notify::ErrorKind::MaxFilesWatch) => {
                Err(failed("watch files", &error).hint(
                    "`sysctl fs.inotify.max_user_watches` says how many directories can be watched",
                ))
            }
            other => other.map_err(|error| failed("watch files", &error)),
        }
    }
}

/// `None` where there is no file.
fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::symlink_metadata(path).ok()?;
    Some(Stamp {
        size: found.size(),
        mode: found.mode(),
        inode: found.ino(),
        modified: (found.mtime(), found.mtime_nsec()),
    })
}
