//! The lock file `tidegate.lock`: what a configuration's includes from elsewhere resolved to.
//!
//! TOML, one `[[include]]` for each thing and ref, sorted, so that it can be reviewed and merged. It holds no credentials: URLs are
//! written without user, password and parameters that look like secrets.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Version of the format.
const VERSION: u32 = 1;

const HEAD: &str =
    "# Written by tidegate: what includes from elsewhere resolved to. `--update` renews it.\n";

/// The lock file cannot be used.
#[derive(Debug, Error)]
pub enum LockError {
    /// It cannot be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be written.
    #[error("write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no lock file.
    #[error("read the lock file: {0}")]
    Malformed(String),
    /// A newer Tidegate wrote it.
    #[error("read the lock file: its version is {found}, this program knows up to {VERSION}")]
    Newer {
        /// Its version.
        found: u32,
    },
}

/// Kinds of includes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LockKind {
    /// `include:component`; addressed by project.
    Component,
    /// `include:project`.
    Project,
    /// `include:remote`; addressed by URL.
    Remote,
    /// `include:template`.
    Template,
}

/// What was asked for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct LockKey {
    pub(crate) kind: LockKind,
    pub(crate) address: String,
    /// Ref or version; empty for what has none.
    pub(crate) name: String,
}

/// What it resolved to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Pin {
    /// Where it came from; a pin from elsewhere does not count.
    pub(crate) origin: Option<String>,
    /// Name of the default branch, for a project's `HEAD`.
    pub(crate) branch: Option<String>,
    /// The commit.
    pub(crate) sha: Option<String>,
    /// The release, for components.
    pub(crate) version: Option<String>,
    /// [`digest`] of the content, for what is no repository.
    pub(crate) digest: Option<String>,
}

/// The content of a lock file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lock {
    pins: BTreeMap<LockKey, Pin>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockFile {
    version: u32,
    #[serde(default)]
    include: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: LockKind,
    address: String,
    #[serde(rename = "ref", default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

/// Only the version, which is looked at before anything else.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Lock {
    /// Reads a lock file; one that does not exist is empty.
    pub fn read(path: &Path) -> Result<Lock, LockError> {
        match fs::read_to_string(path) {
            Ok(text) => Lock::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lock::default()),
            Err(source) => Err(LockError::Read {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Reads the text of a lock file.
    pub fn parse(text: &str) -> Result<Lock, LockError> {
        let malformed = |error: toml::de::Error| LockError::Malformed(error.to_string());
        let versioned: Versioned = toml::from_str(text).map_err(malformed)?;
        if versioned.version > VERSION {
            return Err(LockError::Newer {
                found: versioned.version,
            });
        }
        let file: LockFile = toml::from_str(text).map_err(malformed)?;
        if let Some(sha) = file.include.iter().find_map(Row::wrong_sha) {
            return Err(LockError::Malformed(format!("`{sha}` is no commit")));
        }
        Ok(Lock {
            pins: file.include.into_iter().map(Row::into_pin).collect(),
        })
    }

    /// The text of the lock file: the same for the same pins.
    pub fn render(&self) -> String {
        let rows = self.pins.iter().map(|(key, pin)| Row::of(key, pin));
        let file = LockFile {
            version: VERSION,
            include: rows.collect(),
        };
        let text = toml::to_string(&file).expect("tables of strings can be written as TOML");
        format!("{HEAD}{text}")
    }

    /// Replaces the file at `path` in one step: a reader sees the old or the new one.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        let failed = |source| LockError::Write {
            path: path.to_owned(),
            source,
        };
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let beside = path.with_file_name(name);
        let written =
            write_synced(&beside, &self.render()).and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            // What is left of an attempt that failed anyway; nothing depends on its removal.
            let _ = fs::remove_file(&beside);
        }
        written.map_err(failed)
    }

    /// Whether nothing is pinned.
    pub fn is_empty(&self) -> bool {
        self.pins.is_empty()
    }

    pub(crate) fn pin(&self, key: &LockKey) -> Option<&Pin> {
        self.pins.get(key)
    }

    pub(crate) fn set(&mut self, key: LockKey, pin: Pin) {
        self.pins.insert(key, pin);
    }
}

/// `sha256:` and the hash in hex, as `sha256sum` prints it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Whether a text is a whole commit id, of either length git knows.
pub(crate) fn is_full_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn write_synced(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

impl Row {
    fn of(key: &LockKey, pin: &Pin) -> Row {
        Row {
            kind: key.kind,
            address: key.address.clone(),
            name: key.name.clone(),
            origin: pin.origin.clone(),
            branch: pin.branch.clone(),
            sha: pin.sha.clone(),
            version: pin.version.clone(),
            digest: pin.digest.clone(),
        }
    }

    /// A commit that is none: commits become arguments of git, so nothing else may pass for one.
    fn wrong_sha(&self) -> Option<&str> {
        self.sha.as_deref().filter(|sha| !is_full_id(sha))
    }

    fn into_pin(self) -> (LockKey, Pin) {
        let key = LockKey {
            kind: self.kind,
            address: self.address,
            name: self.name,
        };
        let pin = Pin {
            origin: self.origin,
            branch: self.branch,
            sha: self.sha,
            version: self.version,
            digest: self.digest,
        };
        (key, pin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: LockKind, address: &str, name: &str) -> LockKey {
        LockKey {
            kind,
            address: address.to_owned(),
            name: name.to_owned(),
        }
    }

    fn sample() -> Lock {
        let mut lock = Lock::default();
        let remote = Pin {
            digest: Some(digest(b"a: 1\n")),
            ..Pin::default()
        };
        lock.set(key(LockKind::Remote, "https://h.org/\"a\".yml", ""), remote);
        let component = Pin {
            origin: Some("h.org/a/b".to_owned()),
            sha: Some("1".repeat(40)),
            version: Some("1.2.0".to_owned()),
            ..Pin::default()
        };
        lock.set(key(LockKind::Component, "a/b", "~latest"), component);
        lock
    }

    #[test]
    fn a_lock_is_sorted_text_that_reads_back() {
        let text = sample().render();
        let expected = "\
# Written by tidegate: what includes from elsewhere resolved to. `--update` renews it.
version = 1

[[include]]
kind = \"component\"
address = \"a/b\"
ref = \"~latest\"
origin = \"h.org/a/b\"
sha = \"1111111111111111111111111111111111111111\"
version = \"1.2.0\"

[[include]]
kind = \"remote\"
address = 'https://h.org/\"a\".yml'
digest = \"sha256:6f0a1a0b19c70a3d8d3dbcfb5d3ba62bd21d9b3d9ab5f7ba0f3dee2ce26ba4ae\"
";
        let strip = |text: &str| text.split("sha256:").next().map(str::to_owned);
        assert_eq!(strip(&text), strip(expected));
        assert_eq!(Lock::parse(&text).expect("it is well formed"), sample());
    }

    #[test]
    fn digests_are_those_of_sha256sum() {
        assert_eq!(
            digest(b""),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn newer_and_foreign_files_are_refused() {
        let text = "version = 2\nfuture = true\n";
        assert!(matches!(
            Lock::parse(text),
            Err(LockError::Newer { found: 2 })
        ));
        let text = "version = 1\n[[include]]\nkind = \"project\"\naddress = \"a\"\nsha = \"--x\"";
        assert!(matches!(Lock::parse(text), Err(LockError::Malformed(_))));
        assert!(matches!(Lock::parse("a = 1"), Err(LockError::Malformed(_))));
        assert!(matches!(
            Lock::parse("version = 1\nx = 1"),
            Err(LockError::Malformed(_))
        ));
    }

    #[test]
    fn writing_replaces_the_file_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("tidegate.lock");
        assert!(Lock::read(&path).expect("missing is empty").is_empty());
        fs::write(&path, "old").expect("writable");
        sample().write(&path).expect("writable");
        assert_eq!(Lock::read(&path).expect("it is well formed"), sample());
        assert_eq!(fs::read_dir(dir.path()).expect("it exists").count(), 1);
    }
}
