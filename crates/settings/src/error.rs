//! What can be wrong with a settings file.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A settings file cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// It cannot be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something in it is wrong.
    #[error("read {}:{line}:{column}: {}{message}{}", path.display(), told_key(key), told(suggestion))]
    Invalid {
        /// Which.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in letters, from 1.
        column: usize,
        /// The key it is about, with its sections: `run.jobs`.
        key: Option<String>,
        /// What is wrong.
        message: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
}

fn told_key(key: &Option<String>) -> String {
    key.as_ref()
        .map(|key| format!("`{key}`: "))
        .unwrap_or_default()
}

fn told(suggestion: &Option<String>) -> String {
    let name = suggestion.as_ref();
    name.map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}
