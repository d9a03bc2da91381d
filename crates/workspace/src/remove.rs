//! Removing a tree a job has left, whatever it left.

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, chmodat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;

use crate::error::{At, TreeError};
use crate::listing::list;

/// Removes the file or directory at `path` with all that is in it. Nothing there is no error.
///
/// The tree is first renamed to a hidden name beside it, so that `path` is free at once and an
/// interrupted removal leaves nothing under the name. Symbolic links are removed, never followed;
/// directories without permissions are opened up; a mount point inside is an error. Trees deeper
/// than the number of open files allows are taken apart by moving deep parts up.
///
/// # Errors
///
/// The first path that could not be removed.
pub fn remove_tree(path: &Path) -> Result<(), TreeError> {
    let stat = match statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        stat => stat.at("look at", path)?,
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return unlinkat(CWD, path, AtFlags::empty()).at("remove", path);
    }
    let doomed = free_name_beside(path)?;
    renameat(CWD, path, CWD, &doomed).at("rename before removal", path)?;
    let top = open_dir(CWD.as_fd(), &doomed).at("open directory", &doomed)?;
    let mut removal = Removal {
        top,
        top_path: doomed.clone(),
        moved: 0,
    };
    removal.empty()?;
    drop(removal);
    unlinkat(CWD, &doomed, AtFlags::REMOVEDIR).at("remove directory", &doomed)
}

/// How many directories are held open below one another.
const DEPTH_MAX: usize = 64;

struct Removal {
    top: OwnedFd,
    top_path: PathBuf,
    /// Deep directories moved into `top` so far.
    moved: u64,
}

impl Removal {
    /// Removes everything in `top`, including what is moved there meanwhile.
    fn empty(&mut self) -> Result<(), TreeError> {
        loop {
            let before = self.moved;
            // Not a duplicate, which would share the place up to which the directory is read.
            let top =
                open_dir(self.top.as_fd(), Path::new(".")).at("open directory", &self.top_path)?;
            let path = self.top_path.clone();
            self.empty_dir(top, &path, 0)?;
            if self.moved == before {
                return Ok(());
            }
        }
    }

    fn empty_dir(&mut self, dir: OwnedFd, path: &Path, depth: usize) -> Result<(), TreeError> {
        for (name, kind) in list(&dir, path)? {
            let at = path.join(OsStr::from_bytes(name.to_bytes()));
            if kind != FileType::Directory {
                unlinkat(&dir, &name, AtFlags::empty()).at("remove", &at)?;
            } else if depth >= DEPTH_MAX {
                // A directory that may not be written cannot be given another parent.
                open_dir(dir.as_fd(), Path::new(OsStr::from_bytes(name.to_bytes())))
                    .at("open directory", &at)?;
                self.move_up(&dir, &name).at("rename before removal", &at)?;
            } else {
                let inner = open_dir(dir.as_fd(), Path::new(OsStr::from_bytes(name.to_bytes())))
                    .at("open directory", &at)?;
                self.empty_dir(inner, &at, depth + 1)?;
                unlinkat(&dir, &name, AtFlags::REMOVEDIR).at("remove directory", &at)?;
            }
        }
        Ok(())
    }

    fn move_up(&mut self, dir: &OwnedFd, name: &CStr) -> Result<(), Errno> {
        loop {
            let free = format!(".deep-{}", self.moved);
            self.moved += 1;
            match renameat(dir, name, &self.top, &free) {
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                answer => return answer,
            }
        }
    }
}

/// Opens a directory to empty it, giving its owner all rights when they are missing.
fn open_dir(parent: impl AsFd, name: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = openat(&parent, name, flags | OFlags::PATH, Mode::empty())?;
    let mode = rustix::fs::fstat(&handle)?.st_mode;
    if mode & 0o700 != 0o700 && !rustix::process::geteuid().is_root() {
        // By way of the handle, so that no link put in its place can be meant.
        let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
        chmodat(CWD, path, Mode::RWXU, AtFlags::empty())?;
    }
    openat(&handle, ".", flags | OFlags::RDONLY, Mode::empty())
}

fn free_name_beside(path: &Path) -> Result<PathBuf, TreeError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let parent = path.parent().unwrap_or(Path::new(""));
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!(
            ".removed-{}-{count}",
            rustix::process::getpid().as_raw_nonzero()
        );
        let free = parent.join(name);
        match statat(CWD, &free, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(free),
            Err(errno) => return Err(errno).at("look at", &free),
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn closed_directories_and_links_are_removed_and_no_link_is_followed() {
        let tmp = tempfile::tempdir().unwrap();
        let kept = tmp.path().join("kept");
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("file"), "x").unwrap();
        let tree = tmp.path().join("tree");
        fs::create_dir_all(tree.join("closed/inner")).unwrap();
        fs::write(tree.join("closed/inner/file"), "x").unwrap();
        symlink(&kept, tree.join("link")).unwrap();
        symlink("nowhere", tree.join("closed/dangling")).unwrap();
        for dir in ["closed/inner", "closed"] {
            fs::set_permissions(tree.join(dir), Permissions::from_mode(0o0)).unwrap();
        }

        remove_tree(&tree).unwrap();

        let left: Vec<_> = fs::read_dir(tmp.path())
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        assert_eq!(left, std::slice::from_ref(&kept));
        assert!(kept.join("file").exists());
    }

    #[test]
    fn a_missing_tree_is_removed_already() {
        let tmp = tempfile::tempdir().unwrap();
        remove_tree(&tmp.path().join("nothing")).unwrap();
    }

    #[test]
    fn a_tree_deeper_than_paths_and_descriptors_reach_is_removed() {
        let tmp = tempfile::tempdir().unwrap();
        let tree = tmp.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let mut at = openat(CWD, &tree, flags, Mode::empty()).unwrap();
        for _ in 0..3000 {
            rustix::fs::mkdirat(&at, "deeper", Mode::RWXU).unwrap();
            at = openat(&at, "deeper", flags, Mode::empty()).unwrap();
        }
        drop(at);
        remove_tree(&tree).unwrap();
        assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 0);
    }
}
