//! What a job did to its tree.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, statat};
use rustix::io::Errno;

use crate::beneath;
use crate::error::{At, TreeError};
use crate::listing::list;
use crate::union::{Entry, Kind, Origin, Union, Walk, is_whiteout};

/// One path that differs from the layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Relative to the root of the tree.
    pub path: PathBuf,
    /// How it differs.
    pub what: What,
    /// What it is now; for a deleted path, what it was.
    pub kind: Kind,
}

/// How a path differs from the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// It was not there.
    Added,
    /// It is of another kind, or has another content, target, mode or mtime.
    Modified,
    /// It is not there any more.
    Deleted,
}

/// The changes in the upper directory of an overlay; costs what the job wrote.
pub(crate) fn in_upper(base: &Union, now: &Union) -> Result<Vec<Change>, TreeError> {
    let mut changes = Vec::new();
    let mut dirs = vec![PathBuf::new()];
    while let Some(dir) = dirs.pop() {
        upper_dir(base, now, &dir, &mut dirs, &mut changes)?;
    }
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(changes)
}

/// Looks at one directory that is in the upper directory and in the layers.
fn upper_dir(
    base: &Union,
    now: &Union,
    dir: &Path,
    more: &mut Vec<PathBuf>,
    changes: &mut Vec<Change>,
) -> Result<(), TreeError> {
    let Some(root) = now.root_fd(Origin::Upper) else {
        return Ok(());
    };
    let fd = match beneath::open_dir(root, dir) {
        Ok(fd) => fd,
        // A directory the job closed, or deeper than paths reach: nothing in it can be collected.
        Err(Errno::ACCESS | Errno::NAMETOOLONG) => return Ok(()),
        Err(errno) => return Err(errno).at("read directory", dir),
    };
    if now.is_opaque(fd.as_fd()) {
        return whole(base, now, dir, changes);
    }
    let names = list(&fd, dir)?;
    let below_dir = Below::new(base, dir, names.len())?;
    for (name, _) in names {
        let path = dir.join(OsStr::from_bytes(name.to_bytes()));
        let stat = statat(&fd, &name, AtFlags::SYMLINK_NOFOLLOW).at("look at", &path)?;
        let before = below_dir.find(&path)?;
        if is_whiteout(&stat) {
            if let Some(before) = before {
                deleted(base, before, changes)?;
            }
            continue;
        }
        let entry = Entry::new(path.clone(), &stat, Origin::Upper);
        match before {
            None => added(now, entry, changes)?,
            Some(before) if before.kind == Kind::Dir && entry.kind == Kind::Dir => {
                if before.mode != entry.mode {
                    changes.push(Change::new(&entry, What::Modified));
                }
                more.push(path);
            }
            Some(before) => {
                if differs((base, &before), (now, &entry))? {
                    changes.push(Change::new(&entry, What::Modified));
                }
                below(base, &before, What::Deleted, changes)?;
                below(now, &entry, What::Added, changes)?;
            }
        }
    }
    Ok(())
}

/// One directory of the layers, to be asked for names.
enum Below<'a> {
    /// For a few names: the directories it is merged from.
    Asked {
        base: &'a Union,
        dir: &'a Path,
        roots: Vec<usize>,
    },
    /// For many: everything in it, in order of path.
    Listed(Vec<Entry>),
}

impl<'a> Below<'a> {
    fn new(base: &'a Union, dir: &'a Path, names: usize) -> Result<Self, TreeError> {
        let roots = base.directory(dir)?.unwrap_or_default();
        if names <= 16 {
            return Ok(Below::Asked { base, dir, roots });
        }
        base.children(dir, roots).map(Below::Listed)
    }

    fn find(&self, path: &Path) -> Result<Option<Entry>, TreeError> {
        match self {
            Below::Asked { base, dir, roots } => {
                let name = path.file_name().unwrap_or_default();
                Ok(base.find(roots, dir, name)?.map(|(entry, _)| entry))
            }
            Below::Listed(entries) => {
                let place = entries.binary_search_by(|entry| entry.path.as_path().cmp(path));
                Ok(place.ok().and_then(|place| entries.get(place)).cloned())
            }
        }
    }
}

/// Compares all of a directory that hides the one below.
fn whole(
    base: &Union,
    now: &Union,
    dir: &Path,
    changes: &mut Vec<Change>,
) -> Result<(), TreeError> {
    let (before, after) = (base.walk(dir)?, now.walk(dir)?);
    let before = Side {
        union: base,
        walk: before,
    };
    compare(
        before,
        Side {
            union: now,
            walk: after,
        },
        |change| changes.push(change),
    )
}

struct Side<'a> {
    union: &'a Union,
    walk: Walk,
}

/// Merges two ordered walks.
fn compare(
    before: Side<'_>,
    after: Side<'_>,
    mut report: impl FnMut(Change),
) -> Result<(), TreeError> {
    // Nothing is known of what is in a directory that was closed: it is not called deleted.
    let closed = after.walk.unreadable.clone();
    let in_closed = |entry: &Entry| closed.iter().any(|dir| entry.path.starts_with(dir));
    let mut old = before
        .walk
        .into_iter()
        .filter(|entry| !in_closed(entry))
        .peekable();
    let mut new = after.walk.into_iter().peekable();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.path.cmp(&new.path),
        };
        let was = if order.is_le() { old.next() } else { None };
        let is = if order.is_ge() { new.next() } else { None };
        match (was, is) {
            (Some(was), None) => report(Change::new(&was, What::Deleted)),
            (None, Some(is)) => report(Change::new(&is, What::Added)),
            (Some(was), Some(is)) => {
                if differs((before.union, &was), (after.union, &is))? {
                    report(Change::new(&is, What::Modified));
                }
            }
            (None, None) => {}
        }
    }
}

impl Change {
    pub(crate) fn new(entry: &Entry, what: What) -> Self {
        Change {
            path: entry.path.clone(),
            what,
            kind: entry.kind,
        }
    }
}

pub(crate) fn added(now: &Union, entry: Entry, changes: &mut Vec<Change>) -> Result<(), TreeError> {
    below(now, &entry, What::Added, changes)?;
    changes.push(Change::new(&entry, What::Added));
    Ok(())
}

pub(crate) fn deleted(
    base: &Union,
    entry: Entry,
    changes: &mut Vec<Change>,
) -> Result<(), TreeError> {
    below(base, &entry, What::Deleted, changes)?;
    changes.push(Change::new(&entry, What::Deleted));
    Ok(())
}

/// Reports everything inside `entry` when it is a directory.
pub(crate) fn below(
    union: &Union,
    entry: &Entry,
    what: What,
    changes: &mut Vec<Change>,
) -> Result<(), TreeError> {
    if entry.kind == Kind::Dir {
        let inside = union.walk(&entry.path)?;
        changes.extend(inside.entries.iter().map(|entry| Change::new(entry, what)));
    }
    Ok(())
}

fn same_stat(was: &Entry, is: &Entry) -> bool {
    was.kind == is.kind
        && was.mode == is.mode
        && (was.kind == Kind::Dir || was.size == is.size && was.mtime == is.mtime)
}

/// Whether two entries of one path differ; reads both only when nothing else tells.
pub(crate) fn differs(was: (&Union, &Entry), is: (&Union, &Entry)) -> Result<bool, TreeError> {
    if !same_stat(was.1, is.1) {
        return Ok(true);
    }
    match is.1.kind {
        Kind::Dir => Ok(false),
        Kind::Symlink => Ok(was.0.link_target(was.1)? != is.0.link_target(is.1)?),
        Kind::File => Ok(!same_content(was, is)?),
        Kind::Fifo | Kind::Socket | Kind::Device => Ok(true),
    }
}

fn same_content(was: (&Union, &Entry), is: (&Union, &Entry)) -> Result<bool, TreeError> {
    let (was_file, is_file) = (was.0.open_entry(was.1)?, is.0.open_entry(is.1)?);
    let (mut was_buffer, mut is_buffer) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut offset = 0;
    loop {
        let was_part = read_at(&was_file, &mut was_buffer, offset).at("read file", &was.1.path)?;
        let is_part = read_at(&is_file, &mut is_buffer, offset).at("read file", &is.1.path)?;
        if was_part != is_part {
            return Ok(false);
        }
        if was_part.is_empty() {
            return Ok(true);
        }
        offset += was_part.len() as u64;
    }
}

/// Fills the buffer unless the file ends.
fn read_at(file: impl AsFd, buffer: &mut [u8], offset: u64) -> Result<&[u8], Errno> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::io::pread(&file, rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(buffer.get(..filled).unwrap_or_default())
}
