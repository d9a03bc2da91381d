//! Where jobs run: private directories and, with an overlay, the mounts on them, used again while jobs leave no trace in them.
//!
//! Making an overlay and taking it down costs more than a short job: a dozen files and directories of ours and as many of the
//! kernel's own, which it makes to find out what the file system can do. A job that wrote nothing leaves it as it was; the next
//! job with the same layers gets it then, and the supervisor too where that one found nothing changed. That nothing was written is
//! told by the change time of the writable layer's root: whatever is written below the work tree begins with a name in that
//! directory, and its own mode, owner and attributes count as well.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_exec::{Ground, Remains, Rested, ShellExecutor};
use tidegate_store::{Staging, Store, StoreError};
use tidegate_workspace::{Workspace, WorkspaceSpec, remove_tree};

/// Sites that wait for a job; clones are the same ones. At most as many as jobs ran at once, twice.
#[derive(Clone, Default)]
pub(crate) struct Sites {
    idle: Arc<Mutex<Vec<Site>>>,
}

/// A private directory, and what stands in it. Dropping it removes everything.
pub(crate) struct Site {
    /// Before what it stands in.
    rested: Option<Rested>,
    /// Before the directory: the mounts hold what is in it.
    standing: Option<Standing>,
    private: Staging,
}

struct Standing {
    /// Of a tree that is written out there are no mounts.
    ground: Option<Ground>,
    workspace: Arc<Workspace>,
    /// Of the writable layer, before any job.
    changed: Option<ChangeTime>,
}

/// A place for one job.
pub(crate) struct Place {
    pub(crate) workspace: Arc<Workspace>,
    pub(crate) ground: Option<Ground>,
    pub(crate) rested: Option<Rested>,
}

type ChangeTime = (i64, i64);

impl Sites {
    /// One that waits, or a new one.
    pub(crate) fn take(&self, store: &Store) -> Result<Site, StoreError> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(site) = idle.pop() {
            return Ok(site);
        }
        Ok(Site {
            private: store.staging()?,
            standing: None,
            rested: None,
        })
    }

    /// Keeps a site for the next job where the last one left no trace, else removes it.
    pub(crate) fn give_back(&self, mut site: Site, remains: Remains) {
        let in_order = remains.are_in_order();
        // A supervisor that goes removes what is in the site.
        site.rested = remains.rest();
        if in_order && site.is_as_new() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(site);
        }
    }
}

impl Site {
    /// A directory of its own.
    pub(crate) fn private(&self) -> &Path {
        self.private.path()
    }

    /// A work tree as specified, which no job has written to, and its mounts.
    pub(crate) fn stand(
        &mut self,
        executor: &ShellExecutor,
        spec: WorkspaceSpec,
    ) -> Result<Place, String> {
        let stands = |standing: &Standing| *standing.workspace.spec() == spec;
        if !self.standing.as_ref().is_some_and(stands) {
            self.clear();
            self.standing = Some(Standing::new(executor, spec)?);
        }
        let standing = self.standing.as_ref().ok_or("nothing stands")?;
        Ok(Place {
            workspace: Arc::clone(&standing.workspace),
            ground: standing.ground.clone(),
            rested: self.rested.take(),
        })
    }

    fn is_as_new(&self) -> bool {
        let untouched = self.standing.as_ref().is_some_and(Standing::is_untouched);
        let ours: &[&str] = match self.rested {
            Some(_) => &["scratch", "tmp"],
            None => &["scratch"],
        };
        untouched && holds_only(self.private(), ours)
    }

    fn clear(&mut self) {
        self.rested = None;
        if let Some(standing) = self.standing.take() {
            standing.remove();
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Standing {
    fn new(executor: &ShellExecutor, spec: WorkspaceSpec) -> Result<Self, String> {
        let scratch = spec.scratch.clone();
        let made = Self::make(executor, spec);
        if made.is_err() {
            // What was begun must not be in the way of the next attempt.
            let _ = remove_tree(&scratch);
        }
        made
    }

    fn make(executor: &ShellExecutor, spec: WorkspaceSpec) -> Result<Self, String> {
        let workspace = Workspace::prepare(spec).map_err(|error| error.to_string())?;
        let ground = match workspace.upper() {
            Some(_) => Some(
                executor
                    .ground(workspace.plan().to_args())
                    .map_err(|error| error.to_string())?,
            ),
            None => None,
        };
        // After mounting, which leaves marks of its own.
        let changed = workspace.upper().as_deref().and_then(change_time);
        Ok(Self {
            ground,
            workspace: Arc::new(workspace),
            changed,
        })
    }

    fn is_untouched(&self) -> bool {
        let now = self.workspace.upper().as_deref().and_then(change_time);
        now.is_some() && now == self.changed
    }

    fn remove(self) {
        // The mounts first: they hold the tree.
        drop(self.ground);
        remove(self.workspace);
    }
}

/// Removes a work tree in which nobody is any more; what cannot be removed is swept with the store's trash.
pub(crate) fn remove(workspace: Arc<Workspace>) {
    let overlay = workspace.spec().backend.is_overlay();
    let scratch = workspace.spec().scratch.clone();
    if !overlay && let Some(workspace) = Arc::into_inner(workspace) {
        let _ = workspace.discard();
    } else {
        // The shared path stays: other jobs may be in it.
        let _ = remove_tree(&scratch);
    }
}

fn change_time(path: &Path) -> Option<ChangeTime> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.ctime(), found.ctime_nsec()))
}

fn holds_only(directory: &Path, names: &[&str]) -> bool {
    let Ok(entries) = fs::read_dir(directory) else {
        return false;
    };
    let ours = |entry: fs::DirEntry| names.iter().any(|name| entry.file_name() == *name);
    entries.flatten().all(ours)
}
