//! The base layer: an immutable picture of the user's tree.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, Stat, fstat, linkat, mkdirat, openat, statat};
use rustix::io::Errno;

use crate::error::{At, TreeError};
use crate::manifest::{Manifest, ManifestEntry};
use crate::transfer::{Like, Transfer};
use crate::union::{Kind, Time};
use crate::workspace::{DIR_MODE, c_name};
use crate::{beneath, parallel};

/// An earlier snapshot of the same tree.
#[derive(Debug, Clone, Copy)]
pub struct Previous<'a> {
    /// The directory that holds it.
    pub dir: &'a Path,
    /// What [`snapshot`] returned with it.
    pub manifest: &'a Manifest,
}

/// What [`snapshot`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Nothing has changed since the previous snapshot: it is to be used, and no directory was
    /// made. The manifest is then the previous one's.
    pub reused: bool,
    /// The files it holds.
    pub manifest: Manifest,
    /// Files that were copied or cloned.
    pub copied: u64,
    /// Files shared with the previous snapshot.
    pub linked: u64,
    /// Files left out, in order of path.
    pub skipped: Vec<Skipped>,
}

/// A listed file that a snapshot left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct Skipped {
    /// As it was listed.
    pub path: PathBuf,
    /// The reason.
    pub why: Why,
}

/// Why a listed file was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It is not there, or not any more.
    #[error("no such file")]
    Vanished,
    /// One of its directories is a symbolic link.
    #[error("it is behind a symbolic link")]
    BehindLink,
    /// It is a directory (a submodule).
    #[error("it is a directory")]
    Directory,
    /// A named pipe, socket or device.
    #[error("it is neither file, link nor directory")]
    Special,
    /// The user may not read it.
    #[error("it cannot be read")]
    Unreadable,
    /// The path is absolute or has `..` in it.
    #[error("it is not inside the tree")]
    Outside,
}

/// Takes a picture of `files` (paths relative to `source_root`, in any order) in the new directory
/// `into`, keeping modes and mtimes.
///
/// No symbolic link is followed: neither one that is listed (it is stored as a link) nor one on
/// the way to a listed file. Files that are the same as in `previous` are hard-linked from there;
/// when all are, and no others were in it, nothing is made (`reused`): that costs one `lstat` a
/// file. "The same" is size, mode, inode, mtime and ctime, of a file that had not changed just
/// before it was read.
///
/// # Errors
///
/// The tree or the new directory cannot be used. What was written so far stays in `into`.
pub fn snapshot(
    source_root: &Path,
    files: &[PathBuf],
    into: &Path,
    previous: Option<Previous<'_>>,
) -> Result<Snapshot, TreeError> {
    let source = beneath::open_root(source_root).at("open directory", source_root)?;
    let mut files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    files.sort_unstable();
    files.dedup();
    let seen = gather(look_at(&source, &files)?);
    if let Some(previous) = previous.filter(|previous| is_same(&seen.kept, previous.manifest)) {
        return Ok(Snapshot {
            reused: true,
            manifest: previous.manifest.clone(),
            copied: 0,
            linked: 0,
            skipped: seen.skipped,
        });
    }
    take(&source, seen, into, previous)
}

/// How many files of one directory a thread takes at a time.
const GROUP_MAX: usize = 256;

/// What came of one file.
enum Outcome {
    Kept(ManifestEntry, How),
    Skipped(Skipped),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Seen,
    Linked,
    Copied,
}

struct Gathered {
    kept: Vec<ManifestEntry>,
    skipped: Vec<Skipped>,
    linked: u64,
    copied: u64,
}

fn gather(outcomes: Vec<Vec<Outcome>>) -> Gathered {
    let mut all = Gathered {
        kept: Vec::new(),
        skipped: Vec::new(),
        linked: 0,
        copied: 0,
    };
    for outcome in outcomes.into_iter().flatten() {
        match outcome {
            Outcome::Kept(entry, how) => {
                all.linked += u64::from(how == How::Linked);
                all.copied += u64::from(how == How::Copied);
                all.kept.push(entry);
            }
            Outcome::Skipped(skipped) => all.skipped.push(skipped),
        }
    }
    all
}

/// One `lstat` a file, one `open` a directory.
fn look_at(source: &OwnedFd, files: &[&Path]) -> Result<Vec<Vec<Outcome>>, TreeError> {
    let groups: Vec<&[&Path]> = files
        .chunk_by(|a, b| a.parent() == b.parent())
        .flat_map(|group| group.chunks(GROUP_MAX))
        .collect();
    let now = Time::now();
    parallel::map(&groups, |group| {
        let skip = |path: &Path, why| {
            Outcome::Skipped(Skipped {
                path: path.to_path_buf(),
                why,
            })
        };
        let dir = match open_group(source, group.first().copied().unwrap_or(Path::new(""))) {
            Ok(dir) => dir,
            Err(why) => return Ok(group.iter().map(|path| skip(path, why)).collect()),
        };
        let look = |path: &&Path| {
            let Some(name) = path.file_name() else {
                return Ok(skip(path, Why::Outside));
            };
            match statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => Ok(match unfit(&stat) {
                    Some(why) => skip(path, why),
                    None => {
                        let entry = ManifestEntry::new(path.to_path_buf(), &stat, now);
                        Outcome::Kept(entry, How::Seen)
                    }
                }),
                Err(Errno::NOENT | Errno::NOTDIR) => Ok(skip(path, Why::Vanished)),
                Err(Errno::ACCESS) => Ok(skip(path, Why::Unreadable)),
                Err(errno) => Err(errno).at("look at", path),
            }
        };
        group.iter().map(look).collect()
    })
}

/// Opens the directory that the files of a group share.
fn open_group(source: &OwnedFd, file: &Path) -> Result<OwnedFd, Why> {
    if !beneath::is_inside(file) {
        return Err(Why::Outside);
    }
    let parent = file.parent().unwrap_or(Path::new(""));
    beneath::open(source, parent, OFlags::PATH | OFlags::DIRECTORY).map_err(|errno| match errno {
        Errno::LOOP => Why::BehindLink,
        Errno::ACCESS => Why::Unreadable,
        // A link in place of the last directory is "not a directory" to the system.
        Errno::NOTDIR if leads_through_link(source, parent) => Why::BehindLink,
        _ => Why::Vanished,
    })
}

fn leads_through_link(source: &OwnedFd, dir: &Path) -> bool {
    let is_link = |dir: &Path| {
        let above = beneath::open(source, dir.parent()?, OFlags::PATH | OFlags::DIRECTORY).ok()?;
        let stat = statat(above, dir.file_name()?, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(Kind::of(&stat) == Kind::Symlink)
    };
    dir.ancestors().any(|dir| is_link(dir) == Some(true))
}

fn unfit(stat: &Stat) -> Option<Why> {
    match Kind::of(stat) {
        Kind::File | Kind::Symlink => None,
        Kind::Dir => Some(Why::Directory),
        Kind::Fifo | Kind::Socket | Kind::Device => Some(Why::Special),
    }
}

fn is_same(seen: &[ManifestEntry], previous: &Manifest) -> bool {
    let before = previous.entries();
    seen.len() == before.len() && seen.iter().zip(before).all(|(now, was)| now.is_still(was))
}

fn take(
    source: &OwnedFd,
    seen: Gathered,
    into: &Path,
    previous: Option<Previous<'_>>,
) -> Result<Snapshot, TreeError> {
    std::fs::create_dir_all(into).at("make directory", into)?;
    let target = beneath::open_root(into).at("open directory", into)?;
    make_dirs(&target, &seen.kept)?;
    let earlier = match previous {
        Some(previous) => {
            let dir = beneath::open_root(previous.dir).at("open directory", previous.dir)?;
            Some((dir, previous.manifest))
        }
        None => None,
    };
    let taker = Taker {
        source,
        target,
        earlier,
        transfer: Transfer::new(),
    };
    let groups: Vec<&[ManifestEntry]> = seen
        .kept
        .chunk_by(|a, b| a.path.parent() == b.path.parent())
        .flat_map(|group| group.chunks(GROUP_MAX))
        .collect();
    let mut taken = gather(parallel::map(&groups, |group| taker.take_group(group))?);
    taken.skipped.extend(seen.skipped);
    taken.skipped.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Snapshot {
        reused: false,
        manifest: Manifest::new(taken.kept),
        copied: taken.copied,
        linked: taken.linked,
        skipped: taken.skipped,
    })
}

/// Makes the directories of `files`, which are in order of path.
fn make_dirs(target: &OwnedFd, files: &[ManifestEntry]) -> Result<(), TreeError> {
    let mut made = PathBuf::new();
    for file in files {
        let parent = file.path.parent().unwrap_or(Path::new(""));
        if made.starts_with(parent) {
            continue;
        }
        let mut at = PathBuf::new();
        for component in parent.components() {
            at.push(component);
            if made.starts_with(&at) {
                continue;
            }
            match mkdirat(target, &at, DIR_MODE) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno).at("make directory", &at),
            }
        }
        made = parent.to_path_buf();
    }
    Ok(())
}

struct Taker<'a> {
    source: &'a OwnedFd,
    target: OwnedFd,
    earlier: Option<(OwnedFd, &'a Manifest)>,
    transfer: Transfer,
}

impl Taker<'_> {
    fn take_group(&self, group: &[ManifestEntry]) -> Result<Vec<Outcome>, TreeError> {
        let first = group
            .first()
            .map_or(Path::new(""), |entry| entry.path.as_path());
        let skip_all = |why| {
            let skip = |entry: &ManifestEntry| Skipped {
                path: entry.path.clone(),
                why,
            };
            group.iter().map(skip).map(Outcome::Skipped).collect()
        };
        let from = match open_group(self.source, first) {
            Ok(from) => from,
            Err(why) => return Ok(skip_all(why)),
        };
        let parent = first.parent().unwrap_or(Path::new(""));
        let to = beneath::open(&self.target, parent, OFlags::PATH | OFlags::DIRECTORY)
            .at("open directory", parent)?;
        group
            .iter()
            .map(|entry| self.take(entry, &from, &to))
            .collect()
    }

    fn take(
        &self,
        entry: &ManifestEntry,
        from: &OwnedFd,
        to: &OwnedFd,
    ) -> Result<Outcome, TreeError> {
        let name = c_name(&entry.path)?;
        if let Some(earlier) = self.link(entry, to, &name) {
            return Ok(Outcome::Kept(earlier, How::Linked));
        }
        let copied = match entry.kind {
            Kind::Symlink => self.copy_link(entry, from, to, &name),
            _ => self.copy_file(entry, from, to, &name)?,
        };
        let skip = |why| {
            Outcome::Skipped(Skipped {
                path: entry.path.clone(),
                why,
            })
        };
        match copied {
            Ok(entry) => Ok(Outcome::Kept(entry, How::Copied)),
            Err(Errno::NOENT | Errno::INVAL | Errno::LOOP) => Ok(skip(Why::Vanished)),
            Err(Errno::ACCESS) => Ok(skip(Why::Unreadable)),
            Err(Errno::NXIO | Errno::NODEV) => Ok(skip(Why::Special)),
            Err(errno) => Err(errno).at("copy", &entry.path),
        }
    }

    /// Links the file from the earlier snapshot when it is the same there.
    fn link(&self, entry: &ManifestEntry, to: &OwnedFd, name: &CString) -> Option<ManifestEntry> {
        let (dir, manifest) = self.earlier.as_ref()?;
        let earlier = manifest
            .get(&entry.path)
            .filter(|earlier| entry.is_still(earlier))?;
        // A failure (other file system, too many links, gone) only means a copy.
        linkat(dir, &entry.path, to, name, AtFlags::empty()).ok()?;
        Some(earlier.clone())
    }

    fn copy_link(
        &self,
        entry: &ManifestEntry,
        from: &OwnedFd,
        to: &OwnedFd,
        name: &CString,
    ) -> Result<ManifestEntry, Errno> {
        let now = Time::now();
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        self.transfer
            .symlink(from.as_fd(), name, Like::from(&stat), to.as_fd(), name)?;
        Ok(ManifestEntry::new(entry.path.clone(), &stat, now))
    }

    /// The inner error is about the user's file, the outer one about the snapshot.
    fn copy_file(
        &self,
        entry: &ManifestEntry,
        from: &OwnedFd,
        to: &OwnedFd,
        name: &CString,
    ) -> Result<Result<ManifestEntry, Errno>, TreeError> {
        // Not to hang on a pipe that took the file's place.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let now = Time::now();
        let opened = openat(from, name, flags, Mode::empty());
        let (file, stat) = match opened.and_then(|file| fstat(&file).map(|stat| (file, stat))) {
            Ok(found) => found,
            Err(errno) => return Ok(Err(errno)),
        };
        if Kind::of(&stat) != Kind::File {
            return Ok(Err(Errno::INVAL));
        }
        self.transfer
            .file(file.as_fd(), Like::from(&stat), to.as_fd(), name)
            .at("copy", &entry.path)?;
        let mut taken = ManifestEntry::new(entry.path.clone(), &stat, now);
        let after = fstat(&file).at("look at", &entry.path)?;
        // Written to meanwhile: the copy may be a mixture, so the next snapshot takes it anew.
        taken.settled &= Time::changed(&after) == taken.ctime;
        Ok(Ok(taken))
    }
}
