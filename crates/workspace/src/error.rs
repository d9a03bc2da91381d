//! The one error of tree work: what was attempted, on which path, and what the system said.

use std::io;
use std::path::{Path, PathBuf};

/// A file operation that failed. Completes the sentence "failed to …".
#[derive(Debug, thiserror::Error)]
#[error("{action} {}: {source}", path.display())]
pub struct TreeError {
    /// What was attempted, a verb phrase: `read directory`.
    pub action: &'static str,
    /// The path it was attempted on.
    pub path: PathBuf,
    /// The system's answer.
    #[source]
    pub source: io::Error,
}

impl TreeError {
    pub(crate) fn new(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        TreeError {
            action,
            path: path.to_path_buf(),
            source: source.into(),
        }
    }
}

/// Adds the action and the path to a bare system error.
pub(crate) trait At<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, TreeError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, TreeError> {
        self.map_err(|source| TreeError::new(action, path, source))
    }
}
