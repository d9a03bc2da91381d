//! Making a tree in an empty directory out of names nobody vouches for.
//!
//! Names are checked before anything is done, and every directory on the way is opened one by one without following links, so that
//! neither a climbing name nor a link made on the way leads out. Links are made last; bits that lend a user's rights are dropped.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, fchmod, futimens, mkdirat, openat, symlinkat,
    unlinkat, utimensat,
};
use rustix::io::Errno;

/// How much an archive may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files, unpacked.
    pub bytes: u64,
    /// Entries.
    pub entries: usize,
}

/// What came out of an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Files and links.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
}

/// An archive was not unpacked to its end; what was unpacked so far is in the directory.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is no zip, damaged, or packed in a way nobody reads.
    #[error("read the archive: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// It is not what it says it is.
    #[error("read the archive: it is damaged, {0}")]
    Damaged(String),
    /// A name that leads out of the directory, or through something that is no directory.
    #[error("unpack `{name}`: {why}")]
    Hostile {
        /// The entry.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It holds more than is allowed.
    #[error("unpack the archive: it holds more than {what}")]
    TooMuch {
        /// The limit.
        what: String,
    },
    /// A file could not be written.
    #[error("unpack `{name}`: {source}")]
    Io {
        /// The entry.
        name: String,
        /// The reason.
        source: io::Error,
    },
}

/// Seconds and nanoseconds since 1970.
pub(crate) type Time = (i64, u32);

/// A tree that is being made; [`Placer::finish`] makes the links and gives directories their modes.
pub(crate) struct Placer {
    root: OwnedFd,
    limits: Limits,
    unpacked: Unpacked,
    entries: usize,
    /// Name, target, mtime; made last.
    links: Vec<(PathBuf, PathBuf, Time)>,
    /// Modes and times, set last.
    directories: BTreeMap<PathBuf, (u32, Time)>,
}

impl Placer {
    /// Of a tree in the directory `into`, which is empty and belongs to nobody else.
    pub(crate) fn new(into: &Path, limits: Limits) -> Result<Placer, UnpackError> {
        let root = openat(
            CWD,
            into,
            OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let root = root.map_err(|errno| UnpackError::Io {
            name: into.display().to_string(),
            source: errno.into(),
        })?;
        Ok(Placer {
            root,
            limits,
            unpacked: Unpacked::default(),
            entries: 0,
            links: Vec::new(),
            directories: BTreeMap::new(),
        })
    }

    /// Makes a directory; its mode counts in the end.
    pub(crate) fn directory(
        &mut self,
        path: &Path,
        mode: u32,
        time: Time,
    ) -> Result<(), UnpackError> {
        self.count()?;
        self.open_directory(path, &path.display().to_string())?;
        self.directories
            .insert(path.to_owned(), (mode & 0o777, time));
        Ok(())
    }

    /// Makes a link in the end; its target may be anything that is a path.
    pub(crate) fn link(
        &mut self,
        path: PathBuf,
        target: PathBuf,
        time: Time,
    ) -> Result<(), UnpackError> {
        self.count()?;
        let bytes = target.as_os_str().as_encoded_bytes();
        if bytes.is_empty() || bytes.contains(&0) {
            return Err(hostile(
                &path.display().to_string(),
                "the link leads nowhere",
            ));
        }
        self.links.push((path, target, time));
        Ok(())
    }

    fn count(&mut self) -> Result<(), UnpackError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            let what = format!("{} entries", self.limits.entries);
            return Err(UnpackError::TooMuch { what });
        }
        Ok(())
    }

    /// Writes a file with all that `content` gives; the number of its bytes.
    pub(crate) fn file(
        &mut self,
        content: &mut impl Read,
        path: &Path,
        mode: u32,
        time: Time,
    ) -> Result<u64, UnpackError> {
        self.count()?;
        let name = &*path.display().to_string();
        let (parent, last) = self.parent(path, name)?;
        match unlinkat(&parent, last, AtFlags::empty()) {
            // Of entries with one name the last counts, as it does for GitLab's runner.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(name, errno.into())),
        }
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&parent, last, flags, Mode::RUSR | Mode::WUSR);
        let mut file = File::from(file.map_err(|errno| failed(name, errno.into()))?);
        let left = self.limits.bytes - self.unpacked.bytes;
        // What the archive says of its sizes is not believed.
        let written = io::copy(&mut content.take(left.saturating_add(1)), &mut file);
        let written = written.map_err(|source| failed(name, source))?;
        if written > left {
            let what = format!("{} bytes", self.limits.bytes);
            return Err(UnpackError::TooMuch { what });
        }
        self.unpacked.bytes += written;
        self.unpacked.files += 1;
        fchmod(&file, Mode::from_raw_mode(mode & 0o777))
            .map_err(|errno| failed(name, errno.into()))?;
        futimens(&file, &times(time)).map_err(|errno| failed(name, errno.into()))?;
        Ok(written)
    }

    /// The directory an entry is in, and the entry's own name.
    fn parent<'p>(
        &self,
        path: &'p Path,
        name: &str,
    ) -> Result<(OwnedFd, &'p std::ffi::OsStr), UnpackError> {
        let last = path.file_name();
        let last = last.ok_or_else(|| hostile(name, "it has no name"))?;
        let parent = self.open_directory(path.parent().unwrap_or(Path::new("")), name)?;
        Ok((parent, last))
    }

    /// Opens a directory, made where it is missing, without following a link anywhere.
    fn open_directory(&self, path: &Path, name: &str) -> Result<OwnedFd, UnpackError> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open =
            |parent: &OwnedFd, part: &std::ffi::OsStr| openat(parent, part, flags, Mode::empty());
        let mut at = openat(&self.root, ".", flags, Mode::empty())
            .map_err(|errno| failed(name, errno.into()))?;
        for part in path {
            match mkdirat(&at, part, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(name, errno.into())),
            }
            at = match open(&at, part) {
                Ok(next) => next,
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    return Err(hostile(
                        name,
                        "it lies below something that is no directory",
                    ));
                }
                Err(errno) => return Err(failed(name, errno.into())),
            };
        }
        Ok(at)
    }

    /// Makes the links, gives directories their modes and times, and tells what there is.
    pub(crate) fn finish(mut self) -> Result<Unpacked, UnpackError> {
        for (path, target, time) in std::mem::take(&mut self.links) {
            let name = path.display().to_string();
            let (parent, last) = self.parent(&path, &name)?;
            match unlinkat(&parent, last, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(&name, errno.into())),
            }
            symlinkat(&target, &parent, last).map_err(|errno| failed(&name, errno.into()))?;
            let set = utimensat(&parent, last, &times(time), AtFlags::SYMLINK_NOFOLLOW);
            set.map_err(|errno| failed(&name, errno.into()))?;
            self.unpacked.files += 1;
        }
        // Deepest first: a directory may be closed to those who look for what is in it.
        for (path, (mode, time)) in self.directories.iter().rev() {
            let name = path.display().to_string();
            let directory = self.open_directory(path, &name)?;
            // Its owner can always look into it and tidy up.
            let mode = Mode::from_raw_mode(mode | 0o700);
            fchmod(&directory, mode).map_err(|errno| failed(&name, errno.into()))?;
            futimens(&directory, &times(*time)).map_err(|errno| failed(&name, errno.into()))?;
        }
        Ok(self.unpacked)
    }
}

/// The name as a path that stays below the root.
pub(crate) fn safe(name: &str) -> Result<PathBuf, UnpackError> {
    if name.contains('\0') || name.contains('\\') {
        return Err(hostile(name, "a name holds NUL or a backslash"));
    }
    let path = Path::new(name);
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => {
                return Err(hostile(name, "the path is absolute"));
            }
            Component::ParentDir => return Err(hostile(name, "the path climbs")),
        }
    }
    Ok(clean)
}

fn times((seconds, nanoseconds): Time) -> Timestamps {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: i64::from(nanoseconds.min(999_999_999)) as _,
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

pub(crate) fn hostile(name: &str, why: &'static str) -> UnpackError {
    UnpackError::Hostile {
        name: name.escape_debug().to_string(),
        why,
    }
}

pub(crate) fn failed(name: &str, source: io::Error) -> UnpackError {
    UnpackError::Io {
        name: name.to_owned(),
        source,
    }
}
