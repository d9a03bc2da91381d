//! Objects in a directory that machines share, say over NFS.
//!
//! An object is written beside its place, synced and renamed, so that it is there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::error::{At, RemoteError, Result};
use crate::objects::{ObjectFacts, Objects, Stop, Written};

/// A shared directory.
pub(crate) struct Directory {
    root: PathBuf,
}

/// Makes the names of objects that are being written differ within this process.
static WRITTEN: AtomicU64 = AtomicU64::new(0);
/// What the names of objects begin with that are being written.
const PART: &str = ".part-";

impl Directory {
    /// The directory `root`, which must be there: a missing one is rather a share that is not mounted than an empty cache.
    pub(crate) fn new(root: PathBuf) -> Directory {
        Directory { root }
    }

    /// The path of an object. Below the shared directory nothing may be a link: whoever can write there could lead others out.
    fn path(&self, name: &str) -> Result<PathBuf> {
        let mut path = self.root.clone();
        for part in name.split('/') {
            path.push(part);
            match fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_symlink() => {
                    let text = format!("{} is a symbolic link", path.display());
                    return Err(RemoteError::Failed(text));
                }
                // What is not there is told by who looks for it.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(path)
    }

    fn require_root(&self) -> Result<()> {
        match fs::metadata(&self.root) {
            Ok(meta) if meta.is_dir() => Ok(()),
            Ok(_) => Err(RemoteError::Unreachable(format!(
                "{} is no directory",
                self.root.display()
            ))),
            Err(error) => Err(RemoteError::Unreachable(format!(
                "{}: {error}",
                self.root.display()
            ))),
        }
    }

    fn open(&self, name: &str, most: u64) -> Result<Option<File>> {
        let path = self.path(name)?;
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if is_absent(&error) => {
                self.require_root()?;
                return Ok(None);
            }
            Err(error) => return Err(error).at("open", &path),
        };
        let meta = file.metadata().at("inspect", &path)?;
        if !meta.is_file() {
            return Ok(None);
        }
        if meta.len() > most {
            return Err(too_long(name, most));
        }
        Ok(Some(file))
    }

    /// Writes beside the place, then renames.
    fn replace(&self, name: &str, content: &mut dyn Read) -> Result<Written> {
        self.require_root()?;
        let path = self.path(name)?;
        let parent = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(parent).at("create", parent)?;
        let count = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let part = parent.join(format!("{PART}{}-{}-{count}", host(), std::process::id()));
        let done = write_part(&part, content).and_then(|written| {
            fs::rename(&part, &path).at("rename to", &path)?;
            Ok(written)
        });
        if done.is_err() {
            // What cannot be removed is no object: nobody looks for this name.
            let _ = fs::remove_file(&part);
        }
        done
    }

    fn walk(&self, prefix: &str, found: &mut Vec<ObjectFacts>) -> Result<()> {
        let directory = self.path(prefix)?;
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(error).at("list", &directory),
        };
        for entry in entries {
            let entry = entry.at("list", &directory)?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                continue;
            };
            if name.starts_with(PART) {
                continue;
            }
            let name = format!("{prefix}/{name}");
            let meta = entry.metadata().at("inspect", &entry.path())?;
            if meta.is_dir() {
                self.walk(&name, found)?;
            } else if meta.is_file() {
                found.push(facts(name, &meta));
            }
        }
        Ok(())
    }
}

impl Objects for Directory {
    fn facts(&self, name: &str) -> Result<Option<ObjectFacts>> {
        let path = self.path(name)?;
        match fs::metadata(&path) {
            Ok(meta) if meta.is_file() => Ok(Some(facts(name.to_owned(), &meta))),
            Ok(_) => Ok(None),
            Err(error) if is_absent(&error) => {
                self.require_root()?;
                Ok(None)
            }
            Err(error) => Err(error).at("inspect", &path),
        }
    }

    fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let Some(file) = self.open(name, most)? else {
            return Ok(None);
        };
        let mut content = Vec::new();
        let read = file.take(most.saturating_add(1)).read_to_end(&mut content);
        let read = read.at("read", Path::new(name))?;
        match read as u64 > most {
            true => Err(too_long(name, most)),
            false => Ok(Some(content)),
        }
    }

    fn download(&self, name: &str, into: &mut File, most: u64) -> Result<Option<u64>> {
        let Some(file) = self.open(name, most)? else {
            return Ok(None);
        };
        let copied = io::copy(&mut file.take(most), into).at("read", Path::new(name))?;
        Ok(Some(copied))
    }

    fn write(&self, name: &str, content: Vec<u8>) -> Result<Option<String>> {
        let written = self.replace(name, &mut content.as_slice())?;
        Ok(written.version)
    }

    fn upload(&self, name: &str, from: &mut File, _: &str, stop: Stop<'_>) -> Result<Written> {
        if stop() {
            return Err(RemoteError::Stopped);
        }
        from.rewind().at("read", Path::new("the packed cache"))?;
        self.replace(name, from)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectFacts>> {
        self.require_root()?;
        let mut found = Vec::new();
        self.walk(prefix, &mut found)?;
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name)?;
        match fs::remove_file(&path) {
            Err(error) if !is_absent(&error) => Err(error).at("remove", &path),
            _ => Ok(()),
        }
    }

    fn check(&self, _: &str) -> Result<()> {
        self.require_root()
    }
}

fn facts(name: String, meta: &fs::Metadata) -> ObjectFacts {
    ObjectFacts {
        name,
        bytes: meta.len(),
        modified: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        version: version(meta),
    }
}

/// Renaming keeps it, and every object is a file of its own.
fn version(meta: &fs::Metadata) -> String {
    let (seconds, nanoseconds) = (meta.mtime(), meta.mtime_nsec());
    format!("{}-{seconds}.{nanoseconds}-{}", meta.ino(), meta.len())
}

fn write_part(part: &Path, content: &mut dyn Read) -> Result<Written> {
    let mut file = File::create_new(part).at("create", part)?;
    let bytes = io::copy(content, &mut file).at("write", part)?;
    // Renaming a file whose content is not on the disk could leave an empty object after a power cut.
    file.sync_all().at("sync", part)?;
    let meta = file.metadata().at("inspect", part)?;
    Ok(Written {
        bytes,
        version: Some(version(&meta)),
    })
}

/// Tells machines apart that write to one directory with the same process number.
fn host() -> String {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_string_lossy();
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

pub(crate) fn too_long(name: &str, most: u64) -> RemoteError {
    RemoteError::Failed(format!("`{name}` is longer than {most} bytes"))
}
