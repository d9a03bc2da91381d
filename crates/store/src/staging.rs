//! Private directories on the file system of the store, where trees are made before adoption.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::Store;
use crate::error::{IoContext, Result, StoreError};
use crate::manifest::{ManifestEntry, PathFault};

/// A private directory; dropping it moves what is left to the trash.
///
/// A job's writable overlay layer belongs here: saving it is then a rename. If the process dies,
/// the next one that writes to the store moves the directory to the trash.
#[derive(Debug)]
pub struct Staging {
    store: Store,
    path: PathBuf,
}

/// A directory directly below a [`Staging`]: what the store can adopt.
#[derive(Debug)]
pub struct StagedTree<'a> {
    path: PathBuf,
    known: Vec<ManifestEntry>,
    _staging: &'a Staging,
}

impl Store {
    /// A new private directory on the file system of the store.
    pub fn staging(&self) -> Result<Staging> {
        let path = self.owner()?.private_directory()?;
        Ok(Staging {
            store: self.clone(),
            path,
        })
    }
}

impl Staging {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory `name` in here, made if it does not exist, ready to be adopted.
    ///
    /// Adoption moves it away; nothing may write to it any more (unmount the overlay first).
    pub fn tree(&self, name: &str) -> Result<StagedTree<'_>> {
        let mut parts = Path::new(name).components();
        if !matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        ) {
            return Err(StoreError::Path {
                path: name.into(),
                fault: PathFault::Climbs,
            });
        }
        let path = self.path.join(name);
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // A link would let the store adopt a directory that is not ours.
                let meta = fs::symlink_metadata(&path).at("inspect", &path)?;
                if !meta.is_dir() {
                    return Err(StoreError::io(
                        "adopt",
                        &path,
                        io::ErrorKind::NotADirectory.into(),
                    ));
                }
            }
            other => other.at("create", &path)?,
        }
        Ok(StagedTree {
            path,
            known: Vec::new(),
            _staging: self,
        })
    }
}

impl StagedTree<'_> {
    /// Where to fill it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the caller has just seen in it, of whole directories: each comes before all that is in it, in order of path. What is known
    /// is not looked at again; it must bear no marks of an overlay.
    #[must_use]
    pub fn knowing(self, known: Vec<ManifestEntry>) -> Self {
        Self { known, ..self }
    }

    pub(crate) fn into_parts(self) -> (PathBuf, Vec<ManifestEntry>) {
        (self.path, self.known)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // An empty directory is not worth a sweep. What cannot be moved is swept when we are dead.
        if fs::remove_dir(&self.path).is_err() {
            let _ = self.store.throw_away(&self.path);
        }
    }
}
