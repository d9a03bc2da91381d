//! Writes several layers out as one tree: by hard links inside the store, by copies outside.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

use crate::artifact::Artifact;
use crate::entry::Entry;
use crate::error::{IoContext, Result, StoreError};
use crate::overlay;
use crate::view::{Seen, View, merged};

/// How files get into the new tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// Hard links: for trees of the store only, which nobody writes to.
    Link,
    /// Copies, which share blocks where the file system can.
    Copy,
}

/// What the new tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Product {
    /// A whole tree.
    Whole,
    /// A delta for the layers below those written: deletions stay marked.
    Delta,
}

impl Entry {
    /// Copies the merged tree into `target`, an existing directory that holds none of its paths.
    ///
    /// For those who cannot mount. Modes, times and links are kept, owners when permitted.
    pub fn copy_to(&self, target: &Path) -> Result<()> {
        materialise(&self.layers, target, Means::Copy, Product::Whole)
    }
}

impl Artifact {
    /// Copies the artifact into `target`, an existing directory that holds none of its paths.
    pub fn copy_to(&self, target: &Path) -> Result<()> {
        materialise(
            std::slice::from_ref(&self.tree),
            target,
            Means::Copy,
            Product::Whole,
        )
    }
}

/// Writes the merged tree of `layers`, topmost first, into the directory `target`.
pub(crate) fn materialise(
    layers: &[PathBuf],
    target: &Path,
    means: Means,
    product: Product,
) -> Result<()> {
    for (name, seen) in merged(layers)? {
        let target = target.join(name);
        match seen {
            Seen::Hidden if product == Product::Delta => overlay::make_whiteout(&target)?,
            Seen::Hidden => {}
            Seen::Leaf { path, meta } => place(&path, &meta, &target, means)?,
            Seen::Directory { parts, meta, cut } => {
                fs::create_dir(&target).at("create", &target)?;
                let inner = if cut { Product::Whole } else { product };
                materialise(&parts, &target, means, inner)?;
                if cut && product == Product::Delta {
                    overlay::make_opaque(&target)?;
                }
                dress(&target, &meta)?;
            }
        }
    }
    Ok(())
}

/// Makes the directories above `path` in a delta, like those they stand for in the layers below.
pub(crate) fn make_parents(below: View<'_>, delta: &Path, path: &Path) -> Result<()> {
    let mut parents: Vec<&Path> = path.ancestors().skip(1).collect();
    parents.pop();
    for parent in parents.into_iter().rev() {
        let target = delta.join(parent);
        match fs::create_dir(&target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            other => other.at("create", &target)?,
        }
        if let Some(Seen::Directory { meta, .. }) = below.at(parent)? {
            dress(&target, &meta)?;
        }
    }
    Ok(())
}

fn place(source: &Path, meta: &Metadata, target: &Path, means: Means) -> Result<()> {
    if means == Means::Link {
        match fs::hard_link(source, target) {
            Ok(()) => return Ok(()),
            // Too many links, or links to files of others are forbidden: then a copy it is.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::TooManyLinks | io::ErrorKind::PermissionDenied
                ) => {}
            Err(error) => return Err(StoreError::io("link", target, error)),
        }
    }
    if meta.file_type().is_symlink() {
        let text = fs::read_link(source).at("read the link", source)?;
        std::os::unix::fs::symlink(text, target).at("create the link", target)?;
    } else {
        fs::copy(source, target).at("copy to", target)?;
    }
    dress(target, meta)
}

/// Gives a new path owner, mode and time of the one it stands for.
fn dress(path: &Path, meta: &Metadata) -> Result<()> {
    match lchown(path, Some(meta.uid()), Some(meta.gid())) {
        // Only root may give files away; GitLab's extractor ignores it too (`runner.md` §4.4).
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        other => other.at("change the owner of", path)?,
    }
    if !meta.file_type().is_symlink() {
        fs::set_permissions(path, meta.permissions()).at("change the mode of", path)?;
    }
    let time = |seconds: i64, nanoseconds: i64| Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds as _,
    };
    let times = Timestamps {
        last_access: time(meta.atime(), meta.atime_nsec()),
        last_modification: time(meta.mtime(), meta.mtime_nsec()),
    };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).at("set times of", path)
}
