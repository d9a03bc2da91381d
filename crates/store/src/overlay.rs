//! How a layer says "deleted": overlayfs's own marks, so that a layer is usable as it lies.
//!
//! * A *whiteout* is a character device 0/0: the path is deleted in the layers below. Anyone may
//!   make one (Linux 5.8).
//! * An *opaque* directory carries `overlay.opaque=y` in the `trusted` namespace (mounts by root)
//!   or the `user` namespace (mounts with `userxattr`): nothing below it shows through. Both are
//!   set where permitted, so that a layer saved by one kind of mount serves the other.
//!
//! Layers whose content is elsewhere (`redirect_dir=on`, `metacopy=on`) are recognised and
//! refused: mount with both off.
//!
//! Linux documentation, `filesystems/overlayfs`, "whiteouts and opaque directories".

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use crate::error::{IoContext, Result, StoreError};

const OPAQUE: [&str; 2] = ["trusted.overlay.opaque", "user.overlay.opaque"];
const REDIRECT: [&str; 2] = ["trusted.overlay.redirect", "user.overlay.redirect"];

pub(crate) fn is_whiteout(meta: &Metadata) -> bool {
    meta.file_type().is_char_device() && meta.rdev() == 0
}

/// Marks `path`, which must not exist, as deleted below.
pub(crate) fn make_whiteout(path: &Path) -> Result<()> {
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path,
        rustix::fs::FileType::CharacterDevice,
        rustix::fs::Mode::empty(),
        rustix::fs::makedev(0, 0),
    )
    .at("create a whiteout", path)
}

pub(crate) fn is_opaque(directory: &Path) -> Result<bool> {
    for name in OPAQUE {
        if attribute(directory, name)?.is_some_and(|value| value == b'y') {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn is_redirected(directory: &Path) -> Result<bool> {
    for name in REDIRECT {
        if attribute(directory, name)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Sets the mark in both namespaces, as far as this process may; one of them is required.
pub(crate) fn make_opaque(directory: &Path) -> Result<()> {
    let mut refused = None;
    let mut marked = false;
    for name in OPAQUE {
        match rustix::fs::lsetxattr(directory, name, b"y", XattrFlags::empty()) {
            Ok(()) => marked = true,
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if !marked => Err(error).at("mark as opaque", directory),
        _ => Ok(()),
    }
}

pub(crate) fn clear_opaque(directory: &Path) -> Result<()> {
    for name in OPAQUE {
        if attribute(directory, name)?.is_some() {
            rustix::fs::lremovexattr(directory, name).at("clear the opaque mark of", directory)?;
        }
    }
    Ok(())
}

/// The first byte of an extended attribute; `None`: it has none, or it cannot be seen by us.
fn attribute(path: &Path, name: &str) -> Result<Option<u8>> {
    let mut value = [0_u8; 256];
    match rustix::fs::lgetxattr(path, name, &mut value) {
        Ok(0) => Ok(None),
        Ok(_) => Ok(value.first().copied()),
        Err(Errno::RANGE) => Ok(Some(0)),
        Err(Errno::NODATA | Errno::NOTSUP | Errno::PERM) => Ok(None),
        Err(error) => Err(StoreError::io("read an attribute of", path, error.into())),
    }
}
