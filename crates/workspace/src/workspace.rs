//! One working tree: its layers, its writable place, and how it comes about and goes.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, chmodat, chownat, fstat, mkdirat, statat};
use rustix::io::Errno;

use crate::backend::Backend;
use crate::changes::{self, Change};
use crate::error::{At, TreeError};
use crate::layer::Layer;
use crate::mount::{MountPlan, Overlay, Privilege};
use crate::remove::remove_tree;
use crate::transfer::{Like, Transfer, owner_of};
use crate::union::{Entry, Kind, Union, Walk, open_file, siblings};
use crate::written::{Stamp, Written};
use crate::{beneath, parallel};

/// What a workspace is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceSpec {
    /// Where the tree will be seen. Made, with its parents, when missing; must be empty.
    pub dir: PathBuf,
    /// The trees it shows, lowest first. Of equal paths only the topmost counts.
    pub layers: Vec<Layer>,
    /// A directory for the workspace's own use, made when missing, on the file system that takes
    /// what the job writes. Not inside a layer, nor above one.
    pub scratch: PathBuf,
    /// How the tree comes about.
    pub backend: Backend,
}

/// A prepared working tree.
///
/// Known limit of [`Backend::OverlayUser`], from the kernel (in a user namespace overlayfs cannot
/// recognise a file it has copied up by its origin): after `ln a b` of a file of a layer, what is
/// written to `a` in place may be seen through `b` with the old length while the job runs.
///
/// Invariant: nothing done through it reaches a layer. Overlay: the layers are read-only below.
/// Reflink and copy: every file is a new inode, never a hard link.
#[derive(Debug)]
pub struct Workspace {
    spec: WorkspaceSpec,
    /// For a written-out tree: what it was then.
    written: Option<Written>,
}

impl Workspace {
    /// Makes the workspace: for an overlay a few empty directories, otherwise the whole tree.
    ///
    /// # Errors
    ///
    /// A layer that cannot be read, `dir` not empty, more than 500 layers for an overlay, or a file
    /// that cannot be written. What was
    /// made so far stays; [`Workspace::discard_at`] removes it.
    pub fn prepare(mut spec: WorkspaceSpec) -> Result<Self, TreeError> {
        drop_covered_layers(&mut spec.layers);
        if spec.backend.is_overlay() && spec.layers.len() > OVERLAY_LAYERS_MAX {
            let action = "stack more than 500 layers at";
            return Err(TreeError::new(action, &spec.dir, Errno::TOOBIG));
        }
        make_dir_all(&spec.dir)?;
        make_dir_all(&spec.scratch)?;
        let mut entries = std::fs::read_dir(&spec.dir).at("read directory", &spec.dir)?;
        if entries.next().is_some() {
            return Err(TreeError::new(
                "use as a workspace",
                &spec.dir,
                Errno::NOTEMPTY,
            ));
        }
        let mut workspace = Workspace {
            spec,
            written: None,
        };
        if workspace.spec.backend.is_overlay() {
            workspace.make_overlay_dirs()?;
        } else {
            workspace.written = Some(workspace.write_out()?);
        }
        Ok(workspace)
    }

    /// What it was made of, without covered layers.
    pub fn spec(&self) -> &WorkspaceSpec {
        &self.spec
    }

    /// What the process that is to see the tree must do. For the copying backends this is only to
    /// change its directory.
    pub fn plan(&self) -> MountPlan {
        let privilege = match self.spec.backend {
            Backend::OverlayRoot => Privilege::Own,
            Backend::OverlayUser => Privilege::UserNamespace,
            Backend::Reflink | Backend::Copy => {
                return MountPlan {
                    dir: self.spec.dir.clone(),
                    overlay: None,
                };
            }
        };
        let mut layers: Vec<PathBuf> = self
            .spec
            .layers
            .iter()
            .map(|layer| layer.path.clone())
            .collect();
        if layers.is_empty() {
            layers.push(self.empty_layer());
        }
        let (upper, work) = (self.upper_dir(), self.spec.scratch.join("work"));
        MountPlan {
            dir: self.spec.dir.clone(),
            overlay: Some(Overlay {
                privilege,
                layers,
                upper,
                work,
            }),
        }
    }

    /// The directory with what the job wrote, of an overlay.
    pub fn upper(&self) -> Option<PathBuf> {
        self.spec.backend.is_overlay().then(|| self.upper_dir())
    }

    /// The tree as it is now, seen from outside.
    ///
    /// # Errors
    ///
    /// A directory that cannot be opened.
    pub fn union(&self) -> Result<Union, TreeError> {
        if self.spec.backend.is_overlay() {
            Union::of_overlay(&self.spec.layers, &self.upper_dir())
        } else {
            Union::of_plain(&self.spec.dir)
        }
    }

    /// The tree as it was before the job.
    ///
    /// # Errors
    ///
    /// A layer that cannot be opened.
    pub fn base(&self) -> Result<Union, TreeError> {
        Union::of_layers(&self.spec.layers)
    }

    /// What differs from the layers: exactly, by path, with every path below a deleted directory.
    ///
    /// A file whose size, mode and times say nothing but whose inode was touched is compared byte
    /// by byte, so a file rewritten with the same content and mtime is no change, and one whose
    /// mtime was set back is one. Times and links counts of directories are no changes; owners are
    /// not compared. With an overlay the cost follows what the job wrote, otherwise it is an
    /// `lstat` of everything.
    ///
    /// # Errors
    ///
    /// A directory or file that cannot be read.
    pub fn changes(&self) -> Result<Vec<Change>, TreeError> {
        let (base, now) = (self.base()?, self.union()?);
        match &self.written {
            None => changes::in_upper(&base, &now),
            Some(written) => written.changes(&base, &now),
        }
    }

    /// Removes the tree and the scratch directory. No process may be in it any more.
    ///
    /// # Errors
    ///
    /// Something that cannot be removed.
    pub fn discard(self) -> Result<(), TreeError> {
        Workspace::discard_at(&self.spec.dir, &self.spec.scratch)
    }

    /// As [`Workspace::discard`], for what is left of a workspace of another process.
    ///
    /// # Errors
    ///
    /// Something that cannot be removed.
    pub fn discard_at(dir: &Path, scratch: &Path) -> Result<(), TreeError> {
        remove_tree(dir)?;
        remove_tree(scratch)
    }

    fn upper_dir(&self) -> PathBuf {
        self.spec.scratch.join("upper")
    }

    fn empty_layer(&self) -> PathBuf {
        self.spec.scratch.join("empty")
    }

    fn make_overlay_dirs(&self) -> Result<(), TreeError> {
        let mut dirs = vec![self.upper_dir(), self.spec.scratch.join("work")];
        if self.spec.layers.is_empty() {
            dirs.push(self.empty_layer());
        }
        for dir in dirs {
            mkdirat(CWD, &dir, DIR_MODE).at("make directory", &dir)?;
            // Whatever the umask: the upper directory's mode is the tree's.
            chmodat(CWD, &dir, DIR_MODE, AtFlags::empty()).at("make directory", &dir)?;
        }
        Ok(())
    }

    fn write_out(&self) -> Result<Written, TreeError> {
        let base = self.base()?;
        let Walk {
            entries,
            unreadable,
            ..
        } = base.walk(Path::new(""))?;
        if let Some(path) = unreadable.first() {
            return Err(TreeError::new("read directory", path, Errno::ACCESS));
        }
        let transfer = match self.spec.backend {
            Backend::Copy => Transfer::copying(),
            _ => Transfer::new(),
        };
        write_tree(&base, &entries, &self.spec.dir, &transfer)
    }
}

/// The kernel's `OVL_MAX_STACK`; the copying backends have no such bound.
const OVERLAY_LAYERS_MAX: usize = 500;

/// The mode of directories nobody else has a say in.
pub(crate) const DIR_MODE: Mode = Mode::from_raw_mode(0o755);

/// Copies `entries`, all of `union` and in order, into the empty directory `into`.
fn write_tree(
    union: &Union,
    entries: &[Entry],
    into: &Path,
    transfer: &Transfer,
) -> Result<Written, TreeError> {
    let root = beneath::open_root(into).at("open directory", into)?;
    let dirs = || entries.iter().filter(|entry| entry.kind == Kind::Dir);
    for dir in dirs() {
        // As it will be where that can be, so that it need not be touched again.
        let mode = Mode::from_raw_mode(dir.mode) | Mode::RWXU;
        mkdirat(&root, &dir.path, mode).at("make directory", &dir.path)?;
    }
    let files: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.kind != Kind::Dir)
        .collect();
    let write = |entries: &&[&Entry]| write_siblings(union, entries, &root, transfer);
    let written = parallel::map(&siblings(&files), write)?;
    // Last, and deepest first: a directory may be closed to writing.
    let keeps_owner = rustix::process::geteuid().is_root();
    let mut made = Vec::new();
    for dir in dirs().rev() {
        made.push((dir.path.clone(), finish_dir(dir, &root, keeps_owner)?));
    }
    let top = fstat(&root).at("look at", into)?;
    made.push((PathBuf::new(), Stamp::of(&top)));
    Written::note(made, written.into_iter().flatten())
}

/// Copies files of one directory of one layer.
fn write_siblings(
    union: &Union,
    entries: &[&Entry],
    root: &OwnedFd,
    transfer: &Transfer,
) -> Result<Vec<(PathBuf, Stamp)>, TreeError> {
    let Some(first) = entries.first() else {
        return Ok(Vec::new());
    };
    let (from, _) = union.open_parent(first)?;
    let parent = first.path.parent().unwrap_or(Path::new(""));
    let to = beneath::open(root, parent, OFlags::PATH | OFlags::DIRECTORY)
        .at("open directory", parent)?;
    let write = |entry: &&Entry| {
        let name = c_name(&entry.path)?;
        let (from, to) = (from.as_fd(), to.as_fd());
        let like = Like::from(*entry);
        let made = match entry.kind {
            Kind::File => {
                open_file(from, &name).and_then(|file| transfer.file(file.as_fd(), like, to, &name))
            }
            Kind::Symlink => transfer
                .symlink(from, &name, like, to, &name)
                .and_then(|()| statat(to, &name, AtFlags::SYMLINK_NOFOLLOW)),
            // A layer of the store has none of these; nothing could be restored from it.
            Kind::Fifo | Kind::Socket | Kind::Device | Kind::Dir => Err(Errno::INVAL),
        };
        let made = made.at("copy", &entry.path)?;
        Ok((entry.path.clone(), Stamp::of(&made)))
    };
    entries.iter().map(write).collect()
}

/// Gives what was made for the directory `dir` its mode, and its owner where that is kept; returns what it is then.
fn finish_dir(dir: &Entry, root: &OwnedFd, keeps_owner: bool) -> Result<Stamp, TreeError> {
    let look = || statat(root, &dir.path, AtFlags::SYMLINK_NOFOLLOW).at("look at", &dir.path);
    let made = look()?;
    let is_others = keeps_owner && (made.st_uid, made.st_gid) != dir.owner;
    if is_others {
        let (uid, gid) = owner_of(dir.owner);
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        chownat(root, &dir.path, Some(uid), Some(gid), flags).at("set the owner of", &dir.path)?;
    }
    let differs = made.st_mode & 0o7777 != dir.mode;
    if differs {
        let mode = Mode::from_raw_mode(dir.mode);
        chmodat(root, &dir.path, mode, AtFlags::empty()).at("set the mode of", &dir.path)?;
    }
    let made = if is_others || differs { look()? } else { made };
    Ok(Stamp::of(&made))
}

/// overlayfs refuses one directory twice. The topmost one decides every path the lower one has, so
/// dropping the lower one changes nothing.
fn drop_covered_layers(layers: &mut Vec<Layer>) {
    let mut kept: Vec<Layer> = Vec::with_capacity(layers.len());
    for layer in layers.drain(..).rev() {
        if kept.iter().all(|above| above.path != layer.path) {
            kept.push(layer);
        }
    }
    kept.reverse();
    *layers = kept;
}

/// As `mkdir -p`, with [`DIR_MODE`] for the last one whatever the umask.
fn make_dir_all(dir: &Path) -> Result<(), TreeError> {
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(dir).at("make directory", dir)?;
    chmodat(CWD, dir, DIR_MODE, AtFlags::empty()).at("make directory", dir)
}

/// A path component as the system takes it.
pub(crate) fn c_name(path: &Path) -> Result<CString, TreeError> {
    let name = path.file_name().unwrap_or_default();
    CString::new(name.as_bytes())
        .map_err(|_| Errno::INVAL)
        .at("name", path)
}
