//! What can go wrong with the data directory. Texts are fragments that complete "failed to …".

use std::io;
use std::path::{Path, PathBuf};

use crate::manifest::PathFault;

/// A failure of the store or of the disk below it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A system call failed.
    #[error("{action} {}", path.display())]
    Io {
        /// What was being done: a verb, as in "rename".
        action: &'static str,
        /// The file or directory it was done to.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The file system of the data directory is full, or over its disk quota.
    ///
    /// Nothing that was stored before is touched; `tidegate cache prune` makes room.
    #[error("write {}: no space left on the device of the data directory", path.display())]
    DiskFull {
        /// The file that could not be written.
        path: PathBuf,
    },
    /// The index, an SQLite database, failed.
    #[error("use the index of the store")]
    Index(#[source] rusqlite::Error),
    /// The directory holds files but was not made by Tidegate.
    #[error("open the store {}: the directory is not empty and holds no store", path.display())]
    NotAStore {
        /// The data directory.
        path: PathBuf,
    },
    /// The store was written in a format this version does not know.
    #[error(
        "open the store {}: its format is {found}, this version of Tidegate reads format \
         {supported}; use {} or another data directory",
        path.display(),
        if found > supported { "a newer Tidegate" } else { "an older Tidegate" }
    )]
    Format {
        /// The data directory.
        path: PathBuf,
        /// The version found on disk.
        found: u32,
        /// The only version this build reads and writes.
        supported: u32,
    },
    /// The `format` file is there but is not one of ours.
    #[error("open the store {}: its `format` file is not readable as one", path.display())]
    FormatFile {
        /// The data directory.
        path: PathBuf,
    },
    /// A tree holds something that no cache or artifact may hold.
    #[error("store {}: {fault}", path.display())]
    Path {
        /// The offending path, relative to its tree.
        path: PathBuf,
        /// Why it is refused.
        fault: PathFault,
    },
    /// What was found earlier has been evicted or removed since. Lease before relying on it.
    #[error("use {what}: it is no longer in the store")]
    Gone {
        /// For people: which entry.
        what: String,
    },
    /// What is on disk is not what the index says.
    #[error("read {what}: damaged, {why}")]
    Damaged {
        /// For people: which object.
        what: String,
        /// How it differs.
        why: String,
    },
    /// Another process writes this run.
    #[error("write run {run}: another process is writing it")]
    RunBusy {
        /// The run.
        run: u64,
    },
    /// A fault injected by a test.
    #[cfg(test)]
    #[error("pass the write point {0:?}: stopped by the test")]
    Injected(crate::failpoint::Point),
}

/// The result of every operation of the store.
pub type Result<T> = std::result::Result<T, StoreError>;

impl StoreError {
    /// Says what was being done to which file; a full disk becomes [`StoreError::DiskFull`].
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull {
                path: path.to_owned(),
            },
            _ => Self::Io {
                action,
                path: path.to_owned(),
                source,
            },
        }
    }
}

/// Adds the action and the path to an I/O result.
pub(crate) trait IoContext<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T, E: Into<io::Error>> IoContext<T> for std::result::Result<T, E> {
    fn at(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|error| StoreError::io(action, path, error.into()))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull {
                path: PathBuf::from(crate::layout::INDEX),
            },
            _ => Self::Index(error),
        }
    }
}
