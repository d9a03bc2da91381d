//! Bytes under names: what a bucket and a shared directory have in common.

use std::fs::File;
use std::time::SystemTime;

use crate::error::Result;

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFacts {
    /// Its name, `/` between parts.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
    /// When it was written.
    pub modified: SystemTime,
    /// Differs where what is under the name was put there anew; compared only with what the same place said of it before.
    pub version: String,
}

/// An object that was put in its place.
pub(crate) struct Written {
    /// Bytes.
    pub(crate) bytes: u64,
    /// See [`ObjectFacts::version`]; `None` where the place does not say it.
    pub(crate) version: Option<String>,
}

/// Says whether nobody waits any more.
pub type Stop<'s> = &'s (dyn Fn() -> bool + Sync);

/// Where objects are. All methods block; names are relative, without empty or climbing parts.
pub(crate) trait Objects: Send + Sync {
    /// What is there; bounded by the time for questions.
    fn facts(&self, name: &str) -> Result<Option<ObjectFacts>>;
    /// The content, which may not be longer than `most`.
    fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>>;
    /// Writes the content to a file, which may not become longer than `most`.
    fn download(&self, name: &str, into: &mut File, most: u64) -> Result<Option<u64>>;
    /// Puts an object in the place of the one there may be; others see the old one or the new one. Its version, where the place
    /// says it.
    fn write(&self, name: &str, content: Vec<u8>) -> Result<Option<String>>;
    /// As [`Objects::write`], for a file read from where it stands; `key` is noted with it where that is possible.
    fn upload(&self, name: &str, from: &mut File, key: &str, stop: Stop<'_>) -> Result<Written>;
    /// All objects whose names begin with the directory `prefix`, sorted by name.
    fn list(&self, prefix: &str) -> Result<Vec<ObjectFacts>>;
    /// Removes an object; one that is not there is removed already.
    fn remove(&self, name: &str) -> Result<()>;
    /// Whether the place answers and lets us in; bounded by the time for questions.
    fn check(&self, prefix: &str) -> Result<()>;
}
