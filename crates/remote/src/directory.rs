//! A directory shared by a team, laid out as GitLab's runner lays out its object store.
//!
//! A cache is one object, `[<prefix>/][runner/<token>/]project/<id>/<key>`, a zip under exactly that name (reference `runner.md`
//! §4.1, point 5), so that runners which see the same directory through an object store share caches with us. Protected and
//! other caches stay apart by the suffix of their keys, as in GitLab. An object is written beside its place and renamed, so
//! that it is there whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::pack::{PackError, Packed, pack};
use crate::unpack::{Limits, UnpackError, Unpacked, unpack};

/// Where the caches of one project are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedDirectory {
    project: PathBuf,
    limits: Limits,
}

/// What goes into the names of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Naming<'a> {
    /// The runner's `Path`, often empty.
    pub prefix: &'a str,
    /// Short token of the runner the caches belong to; `None` where runners share them (`Shared = true`).
    pub runner: Option<&'a str>,
    /// `CI_PROJECT_ID`.
    pub project: u64,
}

/// A shared cache could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The key, prefix or token would lead out of the project's place.
    #[error("name the shared cache `{0}`: it would lie outside of its project's directory")]
    Name(String),
    /// It cannot be read.
    #[error("read the shared cache {}: {source}", path.display())]
    Read {
        /// The object.
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
    /// It cannot be written.
    #[error("write the shared cache {}: {source}", path.display())]
    Write {
        /// The object.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// Makes the names of objects that are being written differ within this process.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

impl SharedDirectory {
    /// The place of a project below the directory `root`. Nothing is touched.
    ///
    /// # Errors
    /// [`RemoteError::Name`] for a prefix or token that climbs.
    pub fn new(
        root: &Path,
        naming: Naming<'_>,
        limits: Limits,
    ) -> Result<SharedDirectory, RemoteError> {
        let mut project = root.to_owned();
        if !naming.prefix.is_empty() {
            project.push(inner(naming.prefix.trim_matches('/'))?);
        }
        if let Some(token) = naming.runner {
            project.push("runner");
            project.push(inner(token)?);
        }
        project.push("project");
        project.push(naming.project.to_string());
        Ok(SharedDirectory { project, limits })
    }

    /// Whether there is a cache of this final key. Nothing is read of it.
    ///
    /// # Errors
    /// The directory cannot be looked into: then it is unknown.
    pub fn has(&self, key: &str) -> Result<bool, RemoteError> {
        let path = self.object(key)?;
        match fs::metadata(&path) {
            Ok(meta) => Ok(meta.is_file()),
            Err(source) if is_absent(&source) => Ok(false),
            Err(source) => Err(RemoteError::Read { path, source }),
        }
    }

    /// Unpacks the cache of this final key into the empty directory `into`; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read, or holds what no cache may hold.
    pub fn fetch(&self, key: &str, into: &Path) -> Result<Option<Unpacked>, RemoteError> {
        let path = self.object(key)?;
        let file = match File::open(&path) {
            Ok(file) if file.metadata().is_ok_and(|meta| meta.is_file()) => file,
            Ok(_) => return Ok(None),
            Err(source) if is_absent(&source) => return Ok(None),
            Err(source) => return Err(RemoteError::Read { path, source }),
        };
        Ok(Some(unpack(BufReader::new(file), into, self.limits)?))
    }

    /// Packs the directory `tree` as the cache of this final key, in the place of the one there may be.
    ///
    /// # Errors
    /// It cannot be packed or written; the older one stays.
    pub fn keep(&self, key: &str, tree: &Path) -> Result<Packed, RemoteError> {
        let path = self.object(key)?;
        let failed = |source| RemoteError::Write {
            path: path.clone(),
            source,
        };
        let parent = path.parent().unwrap_or(&self.project);
        fs::create_dir_all(parent).map_err(failed)?;
        let count = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let part = parent.join(format!(".part-{}-{count}", std::process::id()));
        let done = write(&part, tree).and_then(|packed| {
            fs::rename(&part, &path).map_err(failed)?;
            Ok(packed)
        });
        if done.is_err() {
            // What cannot be removed is no object: nobody looks for this name.
            let _ = fs::remove_file(&part);
        }
        done
    }

    fn object(&self, key: &str) -> Result<PathBuf, RemoteError> {
        Ok(self.project.join(inner(key)?))
    }
}

fn write(part: &Path, tree: &Path) -> Result<Packed, RemoteError> {
    let failed = |source| RemoteError::Write {
        path: part.to_owned(),
        source,
    };
    let file = File::create_new(part).map_err(failed)?;
    let mut buffered = BufWriter::new(file);
    let packed = pack(tree, &mut buffered)?;
    buffered.flush().map_err(failed)?;
    // Renaming a file whose content is not on the disk could leave an empty object after a power cut.
    buffered.get_ref().sync_all().map_err(failed)?;
    Ok(packed)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// A name that stays below where it is put.
fn inner(name: &str) -> Result<&Path, RemoteError> {
    let path = Path::new(name);
    let only_normal = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || name.contains('\0') || !only_normal {
        return Err(RemoteError::Name(name.escape_debug().to_string()));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: Limits = Limits {
        bytes: 1 << 20,
        entries: 100,
    };

    fn shared(root: &Path, runner: Option<&str>) -> SharedDirectory {
        let naming = Naming {
            prefix: "team/caches",
            runner,
            project: 7,
        };
        SharedDirectory::new(root, naming, PLENTY).unwrap()
    }

    fn tree(content: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("deps")).unwrap();
        fs::write(dir.path().join("deps/file"), content).unwrap();
        dir
    }

    #[test]
    fn objects_have_the_names_a_runner_gives_them() {
        let root = tempfile::tempdir().unwrap();
        let one = tree("one");
        shared(root.path(), None)
            .keep("k-non_protected", one.path())
            .unwrap();
        shared(root.path(), Some("abc"))
            .keep("a/b-protected", one.path())
            .unwrap();
        let at = |name: &str| root.path().join("team/caches").join(name).is_file();
        assert!(at("project/7/k-non_protected"));
        assert!(at("runner/abc/project/7/a/b-protected"));
    }

    #[test]
    fn what_one_keeps_another_finds() {
        let (root, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let here = shared(root.path(), None);
        assert!(!here.has("k").unwrap());
        assert_eq!(here.fetch("k", into.path()).unwrap(), None);
        here.keep("k", tree("one").path()).unwrap();
        here.keep("k", tree("second").path()).unwrap();
        let there = shared(root.path(), None);
        assert!(there.has("k").unwrap());
        let unpacked = there.fetch("k", into.path()).unwrap().unwrap();
        assert_eq!((unpacked.files, unpacked.bytes), (1, 6));
        let read = fs::read_to_string(into.path().join("deps/file")).unwrap();
        assert_eq!(read, "second");
        assert!(!shared(root.path(), Some("other")).has("k").unwrap());
    }

    #[test]
    fn protected_caches_are_other_objects() {
        let root = tempfile::tempdir().unwrap();
        let shared = shared(root.path(), None);
        shared.keep("k-protected", tree("secret").path()).unwrap();
        assert!(!shared.has("k-non_protected").unwrap());
    }

    #[test]
    fn keys_that_climb_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let shared = shared(root.path(), None);
        for key in ["../8/k", "a/../../x", "/etc/passwd", "", "."] {
            assert!(
                matches!(shared.has(key), Err(RemoteError::Name(_))),
                "{key}"
            );
            let kept = shared.keep(key, root.path());
            assert!(matches!(kept, Err(RemoteError::Name(_))), "{key}");
        }
    }

    #[test]
    fn a_failed_write_leaves_the_older_one_and_no_rest() {
        let root = tempfile::tempdir().unwrap();
        let shared = shared(root.path(), None);
        shared.keep("k", tree("one").path()).unwrap();
        shared
            .keep("k", Path::new("/nonexistent/tree"))
            .unwrap_err();
        assert!(shared.has("k").unwrap());
        let place = root.path().join("team/caches/project/7");
        assert_eq!(fs::read_dir(place).unwrap().count(), 1);
    }
}
