//! Taking selected files out of a workspace into a plain tree of the store.

use std::ffi::{CStr, OsStr};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Mode as FileMode, OFlags, chmodat, fremovexattr, linkat, mkdirat, renameat,
    statat,
};
use rustix::io::Errno;

use crate::changes::{Change, What};
use crate::error::{At, TreeError};
use crate::layer::Content;
use crate::listing::list;
use crate::transfer::{Like, Transfer};
use crate::union::{Entry, Kind, OPAQUE, Origin, Union, open_file, siblings};
use crate::workspace::{Workspace, c_name};
use crate::{beneath, parallel};

/// What may be done to the files a job has written. Files of layers are never moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Take them away: the job is over and nobody else wants them. Whole directories move in one
    /// step.
    Move,
    /// Share them by hard link: the job is over, and they may be collected again.
    Link,
    /// Duplicate them (cloning where the file system can): the job may go on writing.
    Copy,
}

/// What was brought into the staging directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Collected {
    /// Regular files.
    pub files: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Directories that were selected; their parents are made too but not counted.
    pub dirs: u64,
    /// Bytes of the regular files.
    pub bytes: u64,
    /// Selected paths left out, in order.
    pub refused: Vec<Refused>,
    /// Entries of directories that moved whole, in order of path: what the walk saw of them is what is in the staging directory now.
    pub whole: Vec<Entry>,
}

/// A selected path that was left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct Refused {
    /// Relative to the root of the tree.
    pub path: PathBuf,
    /// The reason.
    pub why: Why,
}

/// Why a path was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Not in the tree, or reached only through a symbolic link.
    #[error("no such file")]
    Missing,
    /// A named pipe.
    #[error("a named pipe cannot be stored")]
    Fifo,
    /// A socket.
    #[error("a socket cannot be stored")]
    Socket,
    /// A device.
    #[error("a device cannot be stored")]
    Device,
    /// Its owner may not read it, so that nobody could restore it.
    #[error("it cannot be read")]
    Unreadable,
}

/// Brings the entries at `paths` into the directory `into`, which is made when missing, as a plain
/// tree: modes and mtimes as they were, links as links, no overlay marks.
///
/// A directory stands for itself, not for what is in it; parents are made with the modes they
/// have. Files from layers are hard-linked when the layer is [`Content::Stored`], otherwise
/// duplicated. A file with several names in a written-out tree is always duplicated, as one of the
/// names may be outside (a package manager's store). With [`Mode::Move`] what moved is missing
/// from `union` afterwards.
///
/// # Errors
///
/// A file that cannot be read or written. What was collected so far stays in `into`.
pub fn collect(
    union: &Union,
    paths: &[PathBuf],
    into: &Path,
    mode: Mode,
) -> Result<Collected, TreeError> {
    let (entries, refused) = look_up(union, paths)?;
    take_entries(union, entries, refused, into, mode)
}

/// As [`collect`], for entries a look at `union` has just given, so that nothing is looked at twice.
///
/// # Errors
///
/// As [`collect`].
pub fn collect_entries(
    union: &Union,
    mut entries: Vec<Entry>,
    into: &Path,
    mode: Mode,
) -> Result<Collected, TreeError> {
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    entries.dedup_by(|a, b| a.path == b.path);
    take_entries(union, entries, Vec::new(), into, mode)
}

/// Brings what the job added or changed, as far as `selected` says so, into `into`, and returns
/// the deleted paths among the selected ones too.
///
/// # Errors
///
/// As [`collect`] and [`Workspace::changes`].
pub fn collect_delta(
    workspace: &Workspace,
    selected: impl Fn(&Change) -> bool,
    into: &Path,
    mode: Mode,
) -> Result<(Collected, Vec<PathBuf>), TreeError> {
    let changes = workspace.changes()?.into_iter().filter(selected);
    let (deleted, present): (Vec<_>, Vec<_>) =
        changes.partition(|change| change.what == What::Deleted);
    let paths = |changes: Vec<Change>| changes.into_iter().map(|c| c.path).collect::<Vec<_>>();
    let collected = collect(&workspace.union()?, &paths(present), into, mode)?;
    Ok((collected, paths(deleted)))
}

fn take_entries(
    union: &Union,
    entries: Vec<Entry>,
    refused: Vec<Refused>,
    into: &Path,
    mode: Mode,
) -> Result<Collected, TreeError> {
    std::fs::create_dir_all(into).at("make directory", into)?;
    let staging = beneath::open_root(into).at("open directory", into)?;
    let mut collected = Collected {
        refused,
        ..Collected::default()
    };
    let mut kept = Vec::with_capacity(entries.len());
    for entry in entries {
        match refusal(&entry) {
            Some(why) => collected.refused.push(Refused {
                path: entry.path,
                why,
            }),
            None => {
                collected.count(&entry);
                kept.push(entry);
            }
        }
    }
    collected.refused.sort_by(|a, b| a.path.cmp(&b.path));
    let collector = Collector {
        union,
        staging,
        mode,
        transfer: Transfer::new(),
    };
    let mut known = collector.run(&kept)?.into_iter().peekable();
    let mut at = 0;
    kept.retain(|_| {
        let passed = |range: &Range<usize>| range.end <= at;
        while known.next_if(passed).is_some() {}
        let is_whole = known.peek().is_some_and(|range| range.contains(&at));
        at += 1;
        is_whole
    });
    collected.whole = kept;
    Ok(collected)
}

/// Up to so many paths are looked up one by one.
const LOOK_UPS_MAX: usize = 512;

/// The entries at `paths`, in order of path and each once.
///
/// For many paths one walk is cheaper than as many look-ups; for fewer it may not be, since the walk
/// visits everything below what they have in common.
fn look_up(union: &Union, paths: &[PathBuf]) -> Result<(Vec<Entry>, Vec<Refused>), TreeError> {
    let mut wanted: Vec<&PathBuf> = paths.iter().collect();
    wanted.sort_unstable();
    wanted.dedup();
    let (mut entries, mut refused) = (Vec::with_capacity(wanted.len()), Vec::new());
    let mut add = |path: &Path, entry: Option<Entry>| match entry {
        Some(entry) => entries.push(entry),
        None => refused.push(Refused {
            path: path.to_path_buf(),
            why: Why::Missing,
        }),
    };
    if wanted.len() <= LOOK_UPS_MAX {
        for path in wanted {
            add(path, union.lookup(path)?);
        }
    } else {
        let mut all = union.walk(&common_parent(&wanted))?.into_iter().peekable();
        for path in wanted {
            while all.next_if(|entry| entry.path < *path).is_some() {}
            let found = all.next_if(|entry| entry.path == *path);
            // The walk leaves its own starting point out.
            let found = if found.is_none() {
                union.lookup(path)?
            } else {
                found
            };
            add(path, found);
        }
    }
    Ok((entries, refused))
}

fn common_parent(sorted: &[&PathBuf]) -> PathBuf {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return PathBuf::new();
    };
    let pairs = first.components().zip(last.components());
    let common = pairs.take_while(|(a, b)| a == b).map(|(a, _)| a);
    common.collect()
}

fn refusal(entry: &Entry) -> Option<Why> {
    match entry.kind {
        Kind::Fifo => Some(Why::Fifo),
        Kind::Socket => Some(Why::Socket),
        Kind::Device => Some(Why::Device),
        Kind::File if entry.mode & 0o400 == 0 => Some(Why::Unreadable),
        Kind::File | Kind::Dir | Kind::Symlink => None,
    }
}

impl Collected {
    fn count(&mut self, entry: &Entry) {
        match entry.kind {
            Kind::Dir => self.dirs += 1,
            Kind::Symlink => self.symlinks += 1,
            _ => {
                self.files += 1;
                self.bytes += entry.size;
            }
        }
    }
}

struct Collector<'a> {
    union: &'a Union,
    staging: OwnedFd,
    mode: Mode,
    transfer: Transfer,
}

impl Collector<'_> {
    /// Collects `entries`, which are in order of path. Returns the places of those whose directories moved whole, where a walk saw
    /// all that is in them.
    fn run(&self, entries: &[Entry]) -> Result<Vec<Range<usize>>, TreeError> {
        let mut known = Vec::new();
        let mut modes = Vec::new();
        let mut made = PathBuf::new();
        let mut singles = Vec::new();
        let mut rest = entries;
        while let Some((entry, after)) = rest.split_first() {
            rest = after;
            let parent = entry.path.parent().unwrap_or(Path::new(""));
            self.make_parents(parent, &mut made, &mut modes)?;
            if entry.kind != Kind::Dir {
                singles.push(entry);
                continue;
            }
            let inside = after
                .iter()
                .take_while(|inner| inner.path.starts_with(&entry.path));
            let inside = inside.count();
            let (inner, beyond) = after.split_at(inside);
            match self.move_whole(entry, inner)? {
                Moved::No => {
                    self.make_parents(&entry.path, &mut made, &mut modes)?;
                    continue;
                }
                Moved::Whole => {}
                Moved::WholeAsSeen => {
                    let end = entries.len() - beyond.len();
                    known.push(end - inner.len() - 1..end);
                }
            }
            rest = beyond;
        }
        parallel::map(&siblings(&singles), |entries| self.bring_siblings(entries))?;
        // Last and deepest first, since a directory may be closed to writing.
        for (path, mode) in modes.iter().rev() {
            chmodat(
                &self.staging,
                path,
                FileMode::from_raw_mode(*mode),
                AtFlags::empty(),
            )
            .at("set the mode of", path)?;
        }
        Ok(known)
    }

    /// Makes the directory `dir` of the staging tree with those above it. `made` is the one made
    /// last: since entries come in order, only what differs from it can be missing.
    fn make_parents(
        &self,
        dir: &Path,
        made: &mut PathBuf,
        modes: &mut Vec<(PathBuf, u32)>,
    ) -> Result<(), TreeError> {
        let mut at = PathBuf::new();
        for component in dir.components() {
            at.push(component);
            if made.starts_with(&at) {
                continue;
            }
            match mkdirat(&self.staging, &at, FileMode::RWXU) {
                Ok(()) => {
                    let mode = self.union.lookup(&at)?.map_or(0o755, |entry| entry.mode);
                    modes.push((at.clone(), mode));
                }
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno).at("make directory", &at),
            }
        }
        *made = dir.to_path_buf();
        Ok(())
    }

    /// Moves the directory `dir` as it is when the job has made all of it and `inner`, the
    /// selection inside it, is all that is in it. Creating and renaming single files is what costs
    /// (reference `peers.md` §7.4: renaming one directory takes no time, linking 50 000 files
    /// 0.2 s, more on ext4).
    fn move_whole(&self, dir: &Entry, inner: &[Entry]) -> Result<Moved, TreeError> {
        let movable = |entry: &Entry| {
            entry.origin == Origin::Upper && (entry.kind == Kind::Dir || !self.shares(entry))
        };
        if self.mode != Mode::Move || !movable(dir) || !inner.iter().all(movable) {
            return Ok(Moved::No);
        }
        let Some(root) = self.union.root_fd(Origin::Upper) else {
            return Ok(Moved::No);
        };
        let mut expected = inner.iter();
        let mut marked = Vec::new();
        let as_seen = was_all(dir, &mut expected, &mut marked) && expected.next().is_none();
        if !as_seen {
            (expected, marked) = (inner.iter(), Vec::new());
            if !holds_only(root, &dir.path, &mut expected, &mut marked)?
                || expected.next().is_some()
            {
                return Ok(Moved::No);
            }
        }
        match renameat(root, &dir.path, &self.staging, &dir.path) {
            Ok(()) => {}
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::XDEV | Errno::ACCESS) => {
                return Ok(Moved::No);
            }
            Err(errno) => return Err(errno).at("move", &dir.path),
        }
        for path in marked {
            remove_marks(&self.staging, &path)?;
        }
        Ok(if as_seen {
            Moved::WholeAsSeen
        } else {
            Moved::Whole
        })
    }

    /// Whether the inode may have a name outside of the tree, through which somebody may write to
    /// it. Nobody can link across the mount of an overlay, so there other names are in the upper
    /// directory, or in the store from an earlier `Link`.
    fn shares(&self, entry: &Entry) -> bool {
        entry.links > 1 && self.union.is_plain()
    }

    /// Brings files of one directory of one origin.
    fn bring_siblings(&self, entries: &[&Entry]) -> Result<(), TreeError> {
        let Some(first) = entries.first() else {
            return Ok(());
        };
        let (from, _) = self.union.open_parent(first)?;
        let parent = first.path.parent().unwrap_or(Path::new(""));
        let to = beneath::open(&self.staging, parent, OFlags::PATH | OFlags::DIRECTORY)
            .at("open directory", parent)?;
        entries
            .iter()
            .try_for_each(|entry| self.bring(entry, &from, &to))
    }

    fn bring(&self, entry: &Entry, from: &OwnedFd, to: &OwnedFd) -> Result<(), TreeError> {
        let name = c_name(&entry.path)?;
        let done = match self.way(entry) {
            Mode::Move => renameat(from, &name, to, &name),
            Mode::Link => linkat(from, &name, to, &name, AtFlags::empty()),
            Mode::Copy => return self.copy(entry, from, to, &name),
        };
        match done {
            // Another file system, too many links, links not permitted, or a directory the job has
            // closed to writing.
            Err(Errno::XDEV | Errno::MLINK | Errno::PERM | Errno::ACCESS) => {
                self.copy(entry, from, to, &name)
            }
            done => done.at("collect", &entry.path),
        }
    }

    fn way(&self, entry: &Entry) -> Mode {
        match entry.origin {
            Origin::Upper if self.shares(entry) => Mode::Copy,
            Origin::Upper => self.mode,
            Origin::Layer(_) => match self.union.content(entry.origin) {
                Content::Stored => Mode::Link,
                Content::Borrowed => Mode::Copy,
            },
        }
    }

    fn copy(
        &self,
        entry: &Entry,
        from: &OwnedFd,
        to: &OwnedFd,
        name: &CStr,
    ) -> Result<(), TreeError> {
        // Somebody may go on writing.
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW).at("look at", &entry.path)?;
        let like = Like::from(&stat);
        match entry.kind {
            Kind::Symlink => self
                .transfer
                .symlink(from.as_fd(), name, like, to.as_fd(), name),
            _ => {
                let file = open_file(from, name).at("open file", &entry.path)?;
                let made = self.transfer.file(file.as_fd(), like, to.as_fd(), name);
                made.map(|_| ())
            }
        }
        .at("copy", &entry.path)
    }
}

/// What became of a directory that might be moved in one step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moved {
    No,
    Whole,
    /// Whole, and a walk had seen all that is in it.
    WholeAsSeen,
}

/// Whether the entries next in `expected` are all a walk saw in the directory `dir`, at any depth; adds the directories with overlay
/// marks to `marked`. Says no where no walk was in it.
fn was_all<'a>(
    dir: &Entry,
    expected: &mut std::slice::Iter<'a, Entry>,
    marked: &mut Vec<PathBuf>,
) -> bool {
    let Some(inside) = dir.inside else {
        return false;
    };
    if inside.marked {
        marked.push(dir.path.clone());
    }
    (0..inside.entries).all(|_| {
        let Some(entry) = expected.next() else {
            return false;
        };
        entry.path.parent() == Some(&dir.path)
            && (entry.kind != Kind::Dir || was_all(entry, expected, marked))
    })
}

/// Whether the directory `dir` holds just the entries next in `expected`, at any depth; adds the
/// directories with overlay marks to `marked`.
fn holds_only<'a>(
    root: BorrowedFd<'_>,
    dir: &Path,
    expected: &mut impl Iterator<Item = &'a Entry>,
    marked: &mut Vec<PathBuf>,
) -> Result<bool, TreeError> {
    let fd = match beneath::open_dir(root, dir) {
        Ok(fd) => fd,
        Err(Errno::ACCESS) => return Ok(false),
        Err(errno) => return Err(errno).at("read directory", dir),
    };
    let mut byte = [0u8; 1];
    if OPAQUE
        .iter()
        .any(|name| rustix::fs::fgetxattr(&fd, *name, &mut byte).is_ok())
    {
        marked.push(dir.to_path_buf());
    }
    let mut names = list(&fd, dir)?;
    names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    for (name, kind) in names {
        let path = dir.join(OsStr::from_bytes(name.to_bytes()));
        let Some(entry) = expected.next() else {
            return Ok(false);
        };
        let is_same_kind = match entry.kind {
            Kind::Dir => kind == FileType::Directory,
            Kind::Symlink => kind == FileType::Symlink,
            _ => kind == FileType::RegularFile,
        };
        if entry.path != path || !is_same_kind {
            return Ok(false);
        }
        if entry.kind == Kind::Dir && !holds_only(root, &path, expected, marked)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// As a layer, an opaque directory would hide what is below it.
fn remove_marks(staging: &OwnedFd, dir: &Path) -> Result<(), TreeError> {
    let fd = beneath::open_dir(staging, dir).at("open directory", dir)?;
    for name in OPAQUE {
        match fremovexattr(&fd, name) {
            Ok(()) | Err(Errno::NODATA | Errno::PERM | Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(errno).at("remove the overlay mark of", dir),
        }
    }
    Ok(())
}
