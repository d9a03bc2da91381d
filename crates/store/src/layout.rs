//! The data directory: which name holds what, the format version, and what opening checks.
//!
//! ```text
//! format        "tidegate-store 1\n"
//! index.db      SQLite, WAL: every fact about what is stored
//! trees/NAME/   an adopted tree: `tree/` (a lower layer) beside `manifest-DIGEST`
//! runs/ID/      `events` and `logs/`
//! staging/OWNER/  private directories of one open store; OWNER.lock is held while it lives
//! trash/        directories renamed away, deleted later
//! mirrors/      bare copies of included projects; who fetches them writes them
//! builds/       empty directories where jobs see their trees, made by who runs them
//! ```

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::{IoContext, Result, StoreError};

/// The version of everything under the data directory.
pub(crate) const FORMAT: u32 = 1;
/// The name of the index.
pub(crate) const INDEX: &str = "index.db";
const FORMAT_FILE: &str = "format";
const FORMAT_WORD: &str = "tidegate-store";
const DIRECTORIES: [&str; 5] = ["trees", "runs", "staging", "trash", "mirrors"];

/// Paths below one data directory.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Checks the format of `root`, and makes the directory if there is none.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).at("resolve", root)?;
        let layout = Self { root };
        match layout.format()? {
            Some(FORMAT) => Ok(layout),
            Some(found) => Err(StoreError::Format {
                path: layout.root,
                found,
                supported: FORMAT,
            }),
            None => layout.create(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.root.join(INDEX)
    }

    pub(crate) fn trees(&self) -> PathBuf {
        self.root.join("trees")
    }

    /// The directory of an adopted object.
    pub(crate) fn object(&self, name: &str) -> PathBuf {
        self.root.join("trees").join(name)
    }

    /// The tree itself: what is handed out as a layer.
    pub(crate) fn tree(&self, name: &str) -> PathBuf {
        self.object(name).join("tree")
    }

    /// A manifest is named by its digest, so that two may lie side by side while the index
    /// changes from one to the other.
    pub(crate) fn manifest(&self, name: &str, digest: Digest) -> PathBuf {
        self.object(name).join(format!("manifest-{digest}"))
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    pub(crate) fn run(&self, id: u64) -> PathBuf {
        self.runs().join(id.to_string())
    }

    pub(crate) fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    pub(crate) fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    /// `None`: there is no `format` file.
    fn format(&self) -> Result<Option<u32>> {
        let path = self.root.join(FORMAT_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read", &path, error)),
        };
        let version = text
            .strip_prefix(FORMAT_WORD)
            .and_then(|rest| rest.trim().parse().ok())
            .ok_or_else(|| StoreError::FormatFile {
                path: self.root.clone(),
            })?;
        Ok(Some(version))
    }

    /// Makes the directories, then, last, the `format` file that says they are complete.
    ///
    /// Two processes may do this at once: every step can be repeated.
    fn create(self) -> Result<Self> {
        fs::create_dir_all(&self.root).at("create", &self.root)?;
        self.refuse_foreign()?;
        for name in DIRECTORIES {
            let path = self.root.join(name);
            fs::create_dir_all(&path).at("create", &path)?;
        }
        let temporary = self
            .root
            .join(format!("{FORMAT_FILE}.{}", std::process::id()));
        let mut file = fs::File::create(&temporary).at("create", &temporary)?;
        writeln!(file, "{FORMAT_WORD} {FORMAT}").at("write", &temporary)?;
        file.sync_all().at("sync", &temporary)?;
        let path = self.root.join(FORMAT_FILE);
        fs::rename(&temporary, &path).at("rename", &path)?;
        sync_directory(&self.root)?;
        Ok(self)
    }

    /// A data directory by mistake (`--data-dir ~`) must not be strewn with our files.
    fn refuse_foreign(&self) -> Result<()> {
        for entry in fs::read_dir(&self.root).at("list", &self.root)? {
            let name = entry.at("list", &self.root)?.file_name();
            let name = name.to_string_lossy();
            let ours = DIRECTORIES.contains(&&*name) || name.starts_with(FORMAT_FILE);
            if !ours {
                return Err(StoreError::NotAStore {
                    path: self.root.clone(),
                });
            }
        }
        Ok(())
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    fs::File::open(path)
        .and_then(|directory| directory.sync_all())
        .at("sync", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_format_is_refused_with_both_versions() {
        let dir = tempfile::tempdir().unwrap();
        Layout::open(dir.path()).unwrap();
        fs::write(dir.path().join("format"), "tidegate-store 7\n").unwrap();
        let error = Layout::open(dir.path()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("its format is 7"), "{text}");
        assert!(
            text.contains("reads format 1; use a newer Tidegate"),
            "{text}"
        );
    }

    #[test]
    fn an_older_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("format"), "tidegate-store 0\n").unwrap();
        let text = Layout::open(dir.path()).unwrap_err().to_string();
        assert!(text.contains("use an older Tidegate"), "{text}");
    }

    #[test]
    fn a_directory_of_other_files_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.tex"), "x").unwrap();
        let error = Layout::open(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_garbled_format_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("format"), "tidegate-store one").unwrap();
        let error = Layout::open(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::FormatFile { .. }), "{error}");
    }

    #[test]
    fn a_creation_that_stopped_half_way_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("trees")).unwrap();
        fs::write(dir.path().join("format.123"), "tide").unwrap();
        Layout::open(dir.path()).unwrap();
        assert!(dir.path().join("trash").is_dir());
    }
}
