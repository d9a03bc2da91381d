//! Opening paths inside a tree without ever leaving it.
//!
//! A job, or the user's own tree, may hold symbolic links to anywhere. Every path of a tree is
//! opened relative to the tree's root with no link followed, neither at the end nor on the way.
//! `openat2` does this in one call (Linux 5.6); where it is missing or forbidden by a seccomp
//! filter, one component is opened at a time.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

/// Opens a tree's root for use with the other functions. The path itself may hold links.
pub(crate) fn open_root(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// Opens `path` below `root`; the empty path is the root itself.
///
/// `ELOOP` when a component is a symbolic link, `EXDEV` when the path would leave the root.
pub(crate) fn open(root: impl AsFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    if path.as_os_str().is_empty() {
        return openat(root, ".", flags, Mode::empty());
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match openat2(&root, path, flags, Mode::empty(), resolve) {
        Err(Errno::NOSYS | Errno::PERM) => open_by_component(root, path, flags),
        answer => answer,
    }
}

/// Opens a directory below `root` for reading.
pub(crate) fn open_dir(root: impl AsFd, path: &Path) -> Result<OwnedFd, Errno> {
    open(root, path, OFlags::RDONLY | OFlags::DIRECTORY)
}

fn open_by_component(root: impl AsFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = openat(root, ".", step, Mode::empty())?;
    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        let name = match component {
            Component::Normal(name) => name,
            Component::CurDir => continue,
            _ => return Err(Errno::XDEV),
        };
        let last = components.peek().is_none();
        at = openat(&at, name, if last { flags } else { step }, Mode::empty())?;
    }
    Ok(at)
}

/// Whether `path` names something inside a tree: relative, and without `..`.
pub(crate) fn is_inside(path: &Path) -> bool {
    path.components()
        .all(|component| matches!(component, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_way_of_opening_follows_a_link_or_leaves_the_root() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join("dir")).unwrap();
        std::fs::write(tree.path().join("dir/file"), "x").unwrap();
        symlink("dir", tree.path().join("link")).unwrap();
        symlink("/etc", tree.path().join("out")).unwrap();
        let root = open_root(tree.path()).unwrap();
        let read = OFlags::RDONLY | OFlags::NOFOLLOW;

        for (path, found) in [
            ("dir/file", true),
            ("dir", true),
            ("link/file", false),
            ("link", false),
            ("out/passwd", false),
            ("../x", false),
            ("/etc/passwd", false),
        ] {
            let path = Path::new(path);
            assert_eq!(open(&root, path, read).is_ok(), found, "openat2 {path:?}");
            assert_eq!(
                open_by_component(&root, path, read).is_ok(),
                found,
                "steps {path:?}"
            );
        }
    }
}
