//! Walks a tree that is about to be adopted: checks it, cleans it, and says what it holds.
//!
//! Only `lstat` touches the files; reading contents would take longer than all the rest.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::iter::Peekable;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::error::{IoContext, Result, StoreError};
use crate::manifest::{ManifestEntry, Node, PathFault, safe_path};
use crate::overlay;
use crate::view::{Seen, Totals, View};

/// What a tree will be used for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role<'a> {
    /// The lowest layer: a deletion has nothing to refer to, so marks are removed.
    Base,
    /// A layer above these.
    Delta(View<'a>),
}

/// What a walk found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scanned {
    /// What the layer itself holds.
    pub(crate) own: Totals,
    /// What it hides or replaces in the layers below.
    pub(crate) hidden: Totals,
}

/// Walks `root` in manifest order, giving every path to `visit`. Directories that are `known` of a base are taken as they are.
///
/// Sockets and pipes are removed, as GitLab's archiver skips them (reference `runner.md` §4.4);
/// so are deletions of what the layers below do not have. Device nodes are an error.
pub(crate) fn scan(
    root: &Path,
    role: Role<'_>,
    known: Vec<ManifestEntry>,
    visit: &mut dyn FnMut(ManifestEntry) -> Result<()>,
) -> Result<Scanned> {
    let mut walk = Walk {
        role,
        known: known.into_iter().peekable(),
        visit,
        found: Scanned::default(),
    };
    walk.directory(root, &PathBuf::new(), matches!(role, Role::Base))?;
    Ok(walk.found)
}

struct Walk<'a> {
    role: Role<'a>,
    known: Peekable<std::vec::IntoIter<ManifestEntry>>,
    visit: &'a mut dyn FnMut(ManifestEntry) -> Result<()>,
    found: Scanned,
}

impl Walk<'_> {
    /// `detached`: nothing of the layers below shows through here.
    fn directory(&mut self, full: &Path, relative: &Path, detached: bool) -> Result<()> {
        for (name, meta) in sorted_entries(full)? {
            let full = full.join(&name);
            let relative = relative.join(&name);
            self.path(full, relative, meta, detached)?;
        }
        Ok(())
    }

    fn path(
        &mut self,
        full: PathBuf,
        relative: PathBuf,
        meta: Metadata,
        detached: bool,
    ) -> Result<()> {
        let kind = meta.file_type();
        if kind.is_dir() {
            return self.subdirectory(&full, relative, &meta, detached);
        }
        if kind.is_socket() || kind.is_fifo() {
            return fs::remove_file(&full).at("remove", &full);
        }
        let hidden = match self.role {
            Role::Delta(below) if !detached => below.measure(&relative)?,
            _ => Totals::default(),
        };
        if overlay::is_whiteout(&meta) {
            // An empty directory counts nothing, but deleting it has to be recorded.
            if !self.shows_below(&relative, detached)? {
                return fs::remove_file(&full).at("remove", &full);
            }
            self.found.hidden = self.found.hidden.plus(hidden);
            return (self.visit)(record(relative, Node::Whiteout, &meta));
        }
        let node = if kind.is_symlink() {
            Node::Symlink {
                target: fs::read_link(&full).at("read the link", &full)?,
            }
        } else if kind.is_file() {
            Node::File {
                size: meta.len(),
                digest: None,
            }
        } else {
            return Err(StoreError::Path {
                path: relative,
                fault: PathFault::Device,
            });
        };
        self.found.own.add(&meta);
        self.found.hidden = self.found.hidden.plus(hidden);
        (self.visit)(record(relative, node, &meta))
    }

    fn subdirectory(
        &mut self,
        full: &Path,
        relative: PathBuf,
        meta: &Metadata,
        detached: bool,
    ) -> Result<()> {
        if self.take_known(&relative)? {
            return Ok(());
        }
        if overlay::is_redirected(full)? {
            return Err(StoreError::Path {
                path: relative,
                fault: PathFault::Redirected,
            });
        }
        let below = match self.role {
            Role::Delta(below) if !detached => below.at(&relative)?.map(|seen| (below, seen)),
            _ => None,
        };
        // The kernel marks every directory made in a merged one, so most marks hide nothing.
        let marked = overlay::is_opaque(full)?;
        let opaque = marked && below.is_some();
        if marked && !opaque {
            overlay::clear_opaque(full)?;
        }
        let merges = matches!(&below, Some((_, Seen::Directory { .. })) if !opaque);
        if let Some((below, _)) = below
            && !merges
        {
            self.found.hidden = self.found.hidden.plus(below.measure(&relative)?);
        }
        if opaque {
            overlay::make_opaque(full)?;
        }
        (self.visit)(record(relative.clone(), Node::Directory { opaque }, meta))?;
        self.directory(full, &relative, !merges)
    }

    /// Whether the directory is known with all that is in it; then that is all there is to it.
    fn take_known(&mut self, directory: &Path) -> Result<bool> {
        let is_it = |entry: &ManifestEntry| entry.path == directory;
        if !matches!(self.role, Role::Base) || !self.known.peek().is_some_and(is_it) {
            return Ok(false);
        }
        while let Some(entry) = self
            .known
            .next_if(|entry| entry.path.starts_with(directory))
        {
            if !matches!(entry.node, Node::Directory { .. }) {
                self.found.own.files += 1;
            }
            if let Node::File { size, .. } = entry.node {
                self.found.own.bytes += size;
            }
            (self.visit)(entry)?;
        }
        Ok(true)
    }

    fn shows_below(&self, relative: &Path, detached: bool) -> Result<bool> {
        match self.role {
            Role::Delta(below) if !detached => Ok(below.at(relative)?.is_some()),
            _ => Ok(false),
        }
    }
}

/// The manifest entry of a path, from its `lstat`.
pub(crate) fn record(path: PathBuf, node: Node, meta: &Metadata) -> ManifestEntry {
    // A whiteout's own mode and time mean nothing; zero keeps manifests comparable.
    let (mode, mtime) = match node {
        Node::Whiteout => (0, (0, 0)),
        _ => (
            meta.mode() & 0o7777,
            (meta.mtime(), meta.mtime_nsec() as u32),
        ),
    };
    debug_assert!(safe_path(&path).is_ok(), "names come from the kernel");
    ManifestEntry {
        path,
        node,
        mode,
        mtime,
    }
}

/// The names of a directory with their `lstat`, sorted bytewise.
pub(crate) fn sorted_entries(directory: &Path) -> Result<Vec<(OsString, Metadata)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).at("list", directory)? {
        let entry = entry.at("list", directory)?;
        let meta = entry.metadata().at("inspect", &entry.path())?;
        entries.push((entry.file_name(), meta));
    }
    entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(entries)
}
