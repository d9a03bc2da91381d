//! What can go wrong with a remote cache. Texts complete "failed to …" and hold no secrets.

use std::io;
use std::path::PathBuf;

use tidegate_store::StoreError;
use tidegate_workspace::TreeError;

use crate::pack::PackError;
use crate::place::UnpackError;

/// A remote cache could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The key, prefix or token would lead out of the project's place.
    #[error("name the remote cache `{0}`: it would lie outside of its project's place")]
    Name(String),
    /// A job of a ref that is not protected asked for a cache of protected refs.
    #[error("use the remote cache `{0}`: it is for protected refs only")]
    Protected(String),
    /// The settings allow reading only.
    #[error("change the remote cache: the settings say `access = \"read-only\"`")]
    ReadOnly,
    /// The settings name a place that cannot be used.
    #[error("use the remote cache: {0}")]
    Setup(String),
    /// It does not answer.
    #[error("reach the remote cache: {0}")]
    Unreachable(String),
    /// It refuses. A HEAD that is refused (403) may also mean that nothing is there.
    #[error("use the remote cache: access is denied ({0})")]
    Denied(String),
    /// It answers with an error.
    #[error("use the remote cache: {0}")]
    Failed(String),
    /// Nobody waits for it any more.
    #[error("save in the remote cache: the job is over")]
    Stopped,
    /// What it holds is not what was put there.
    #[error("read the remote cache `{key}`: it is damaged, {why}")]
    Damaged {
        /// The key.
        key: String,
        /// How.
        why: String,
    },
    /// A file of a shared directory, or of the staging area, cannot be used.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// It cannot be unpacked.
    #[error("{0}")]
    Unpack(#[from] UnpackError),
    /// It cannot be packed.
    #[error("{0}")]
    Pack(#[from] PackError),
    /// The tree cannot be read.
    #[error("{0}")]
    Tree(#[from] TreeError),
    /// The local store cannot be used.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// The result of every operation on a remote cache.
pub(crate) type Result<T> = std::result::Result<T, RemoteError>;

/// Says what was being done to which file.
pub(crate) trait At<T> {
    fn at(self, action: &'static str, path: &std::path::Path) -> Result<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &std::path::Path) -> Result<T> {
        self.map_err(|source| RemoteError::Io {
            action,
            path: path.to_owned(),
            source,
        })
    }
}
