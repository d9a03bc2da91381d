//! Write points: every place where a crash leaves something half done. Tests stop or kill there.
//!
//! Outside tests [`reach`] is an empty function.

use crate::error::Result;

/// A place between two writes.
#[cfg_attr(
    not(test),
    expect(unreachable_pub, reason = "an error variant of tests holds it")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The object's directory exists in staging, empty.
    ObjectMade,
    /// The job's tree has been moved into the object.
    TreeMoved,
    /// The manifest has been written, the object is complete but private.
    ManifestWritten,
    /// The object is in `trees/`, the index does not know it.
    Adopted,
    /// The rows are written, the transaction is open.
    RowsWritten,
    /// The transaction is committed.
    Committed,
    /// The file system is synced, the index does not know.
    Synced,
    /// Rows have been deleted, the directories are still in `trees/`.
    RowsDeleted,
    /// A new manifest, with content digests, lies beside the old one.
    DigestsWritten,
}

#[cfg(test)]
impl Point {
    pub(crate) const ALL: [Self; 9] = [
        Self::ObjectMade,
        Self::TreeMoved,
        Self::ManifestWritten,
        Self::Adopted,
        Self::RowsWritten,
        Self::Committed,
        Self::Synced,
        Self::RowsDeleted,
        Self::DigestsWritten,
    ];
}

#[cfg(not(test))]
#[inline(always)]
pub(crate) fn reach(_point: Point) -> Result<()> {
    Ok(())
}

#[cfg(test)]
pub(crate) use armed::{Action, arm, reach};

#[cfg(test)]
mod armed {
    use super::{Point, Result};
    use crate::error::StoreError;
    use std::cell::Cell;

    /// What happens when the armed point is reached.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Action {
        /// The operation returns an error.
        Fail,
        /// The process dies by SIGKILL, with no destructor run.
        Kill,
    }

    thread_local! {
        static ARMED: Cell<Option<(Point, Action)>> = const { Cell::new(None) };
    }

    /// Arms one point for this thread; `None` disarms.
    pub(crate) fn arm(point: Option<(Point, Action)>) {
        ARMED.set(point);
    }

    pub(crate) fn reach(point: Point) -> Result<()> {
        match ARMED.get() {
            Some((armed, Action::Fail)) if armed == point => Err(StoreError::Injected(point)),
            Some((armed, Action::Kill)) if armed == point => {
                let _ = rustix::process::kill_process(
                    rustix::process::getpid(),
                    rustix::process::Signal::KILL,
                );
                std::process::abort()
            }
            _ => Ok(()),
        }
    }
}
