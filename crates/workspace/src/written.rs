//! What a written-out tree was when the job got it, and what the job did to it since.
//!
//! A kernel sets the change time of an inode and no program can: a file whose inode number and change time are the noted ones is
//! the file that was written, and a directory of which the same is true has the names it was given. So one `lstat` for each
//! path tells that nothing happened to it; only directories that were touched are listed, only files that were touched are held
//! against the layers.
//!
//! Times advance with the kernel's tick. What was written shortly before the noting ended could have been touched since
//! without a new time: it counts as touched.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Stat, fstat, statat};
use rustix::io::Errno;

use crate::changes::{Change, What, added, below, deleted, differs};
use crate::error::{At, TreeError};
use crate::manifest::is_settled;
use crate::union::{Entry, Kind, Origin, Time, Union};
use crate::workspace::c_name;
use crate::{beneath, parallel};

/// A tree that was written out.
#[derive(Debug)]
pub(crate) struct Written {
    dirs: Vec<WrittenDir>,
    /// When nobody had been in it yet.
    noted: Time,
}

/// One of its directories.
#[derive(Debug)]
struct WrittenDir {
    /// The empty path: the tree itself.
    path: PathBuf,
    stamp: Stamp,
    /// All that is in it but directories.
    files: Vec<(CString, Stamp)>,
}

/// An inode number and when anything about the inode last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    changed: Time,
}

impl Stamp {
    pub(crate) fn of(stat: &Stat) -> Self {
        Stamp {
            inode: stat.st_ino,
            changed: Time::changed(stat),
        }
    }

    /// Whether finding the same stamp now proves that nothing was touched since it was `noted`.
    fn proves(self, found: Stamp, noted: Time) -> bool {
        self == found && is_settled(self.changed, noted)
    }
}

impl Written {
    /// Notes a tree by what its directories, the empty path among them, and its files were when each was done.
    pub(crate) fn note(
        dirs: impl IntoIterator<Item = (PathBuf, Stamp)>,
        files: impl IntoIterator<Item = (PathBuf, Stamp)>,
    ) -> Result<Self, TreeError> {
        let noted = |(path, stamp): (PathBuf, Stamp)| {
            let noted = WrittenDir {
                path: path.clone(),
                stamp,
                files: Vec::new(),
            };
            (path, noted)
        };
        let mut by_dir: BTreeMap<PathBuf, WrittenDir> = dirs.into_iter().map(noted).collect();
        for (path, stamp) in files {
            let name = c_name(&path)?;
            let parent = path.parent().unwrap_or(Path::new(""));
            if let Some(dir) = by_dir.get_mut(parent) {
                dir.files.push((name, stamp));
            }
        }
        let dirs = by_dir.into_values().map(WrittenDir::sorted).collect();
        // Last: the older a stamp is by then, the more it proves.
        let noted = Time::now();
        Ok(Written { dirs, noted })
    }

    /// The changes since, by path.
    pub(crate) fn changes(&self, base: &Union, now: &Union) -> Result<Vec<Change>, TreeError> {
        let noted = self.noted;
        let look = Look { noted, base, now };
        let changes = parallel::map(&self.dirs, |dir| dir.changes(look))?;
        let mut changes: Vec<Change> = changes.into_iter().flatten().collect();
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(changes)
    }
}

/// A look at a written-out tree.
#[derive(Clone, Copy)]
struct Look<'a> {
    /// When nobody had been in the tree yet.
    noted: Time,
    /// What was written.
    base: &'a Union,
    /// What is there.
    now: &'a Union,
}

impl WrittenDir {
    fn sorted(mut self) -> Self {
        self.files.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self
    }

    /// What was done in the directory itself; those in it are looked at by themselves.
    fn changes(&self, look: Look<'_>) -> Result<Vec<Change>, TreeError> {
        let mut changes = Vec::new();
        let Some(root) = look.now.root_fd(Origin::Upper) else {
            return Ok(changes);
        };
        let dir = match beneath::open_dir(root, &self.path) {
            Ok(dir) => dir,
            // Gone or replaced: that is told with the directory above. Closed: nothing is known of what is in it.
            Err(
                Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS | Errno::NAMETOOLONG,
            ) => return Ok(changes),
            Err(errno) => return Err(errno).at("read directory", &self.path),
        };
        let stat = fstat(&dir).at("look at", &self.path)?;
        if self.stamp.proves(Stamp::of(&stat), look.noted) {
            self.touched_files(&dir, look, &mut changes)?;
        } else {
            self.listed(&stat, look, &mut changes)?;
        }
        Ok(changes)
    }

    /// The names are those that were written.
    fn touched_files(
        &self,
        dir: &OwnedFd,
        look: Look<'_>,
        changes: &mut Vec<Change>,
    ) -> Result<(), TreeError> {
        for (name, stamp) in &self.files {
            let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).at("look at", &self.path)?;
            if stamp.proves(Stamp::of(&stat), look.noted) {
                continue;
            }
            let path = self.path.join(OsStr::from_bytes(name.to_bytes()));
            let is = Entry::new(path, &stat, Origin::Upper);
            let Some(was) = look.base.lookup(&is.path)? else {
                changes.push(Change::new(&is, What::Added));
                continue;
            };
            if differs((look.base, &was), (look.now, &is))? {
                changes.push(Change::new(&is, What::Modified));
            }
        }
        Ok(())
    }

    /// Names may have come and gone.
    fn listed(
        &self,
        stat: &Stat,
        look: Look<'_>,
        changes: &mut Vec<Change>,
    ) -> Result<(), TreeError> {
        let Look { base, now, .. } = look;
        let Some(roots) = base.directory(&self.path)? else {
            return Ok(());
        };
        if let Some(was) = base.lookup(&self.path)?
            && was.mode != stat.st_mode & 0o7777
        {
            let is = Entry::new(self.path.clone(), stat, Origin::Upper);
            changes.push(Change::new(&is, What::Modified));
        }
        let mut before = base.children(&self.path, roots)?.into_iter().peekable();
        let after = now.directory(&self.path)?.unwrap_or_default();
        for is in now.children(&self.path, after)? {
            while let Some(was) = before.next_if(|was| was.path < is.path) {
                deleted(base, was, changes)?;
            }
            match before.next_if(|was| was.path == is.path) {
                None => added(now, is, changes)?,
                Some(was) => self.compared(look, was, is, changes)?,
            }
        }
        before.try_for_each(|was| deleted(base, was, changes))
    }

    fn compared(
        &self,
        look: Look<'_>,
        was: Entry,
        is: Entry,
        changes: &mut Vec<Change>,
    ) -> Result<(), TreeError> {
        if was.kind == Kind::Dir && is.kind == Kind::Dir || self.is_untouched(&is, look.noted)? {
            return Ok(());
        }
        if differs((look.base, &was), (look.now, &is))? {
            changes.push(Change::new(&is, What::Modified));
        }
        below(look.base, &was, What::Deleted, changes)?;
        below(look.now, &is, What::Added, changes)
    }

    fn is_untouched(&self, is: &Entry, noted: Time) -> Result<bool, TreeError> {
        let name = c_name(&is.path)?;
        let place = self.files.binary_search_by(|(known, _)| known.cmp(&name));
        let stamp = place.ok().and_then(|place| self.files.get(place));
        let found = Stamp {
            inode: is.inode,
            changed: is.ctime,
        };
        Ok(stamp.is_some_and(|(_, stamp)| stamp.proves(found, noted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::{Duration, SystemTime};

    use crate::layer::Layer;

    /// Writes a file whose modification time says that it is old.
    fn write_long_ago(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        let time = fs::FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_times(time).unwrap();
    }

    fn fill(dir: &Path) {
        for (path, text) in [
            ("a", "one"),
            ("d/b", "two"),
            ("d/c", "three"),
            ("d/e/f", "four"),
        ] {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            write_long_ago(&path, text);
        }
        let link = dir.join("d/l");
        symlink("a", &link).unwrap();
        let long_ago = rustix::fs::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let times = rustix::fs::Timestamps {
            last_access: long_ago,
            last_modification: long_ago,
        };
        rustix::fs::utimensat(rustix::fs::CWD, &link, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }

    /// A tree as it was written, noted long enough after for the stamps to prove something, and what `job` then did to it.
    fn told(job: impl FnOnce(&Path)) -> Vec<String> {
        let place = tempfile::tempdir().unwrap();
        let (layer, tree) = (place.path().join("layer"), place.path().join("tree"));
        fill(&layer);
        fill(&tree);
        std::thread::sleep(Duration::from_millis(80));
        let root = beneath::open_root(&tree).unwrap();
        let files = ["a", "d/b", "d/c", "d/e/f", "d/l"].map(|path| {
            let stat = statat(&root, path, AtFlags::SYMLINK_NOFOLLOW).unwrap();
            (PathBuf::from(path), Stamp::of(&stat))
        });
        let dirs = ["", "d", "d/e"].map(|path| {
            let dir = beneath::open(&root, Path::new(path), rustix::fs::OFlags::PATH).unwrap();
            (PathBuf::from(path), Stamp::of(&fstat(&dir).unwrap()))
        });
        let written = Written::note(dirs, files).unwrap();
        assert!(
            written
                .dirs
                .iter()
                .all(|dir| dir.stamp.proves(dir.stamp, written.noted)),
            "they are settled"
        );
        job(&tree);
        let base = Union::of_layers(&[Layer::stored(&layer)]).unwrap();
        let now = Union::of_plain(&tree).unwrap();
        let changes = written.changes(&base, &now).unwrap();
        let shown = |change: &Change| format!("{:?} {}", change.what, change.path.display());
        changes.iter().map(shown).collect()
    }

    #[test]
    fn an_untouched_tree_has_no_changes() {
        assert_eq!(told(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn a_file_written_in_place_is_told_although_its_size_and_time_are_the_same() {
        let job = |tree: &Path| {
            let path = tree.join("d/b");
            write_long_ago(&path, "TWO");
        };
        assert_eq!(told(job), ["Modified d/b"]);
    }

    #[test]
    fn what_was_only_touched_is_no_change() {
        let job = |tree: &Path| {
            let path = tree.join("d/b");
            fs::remove_file(&path).unwrap();
            write_long_ago(&path, "two");
            fs::write(tree.join("d/new"), "").unwrap();
            fs::remove_file(tree.join("d/new")).unwrap();
        };
        assert_eq!(told(job), Vec::<String>::new());
    }

    #[test]
    fn what_came_and_went_is_told_with_everything_below() {
        let job = |tree: &Path| {
            fs::create_dir_all(tree.join("n/m")).unwrap();
            fs::write(tree.join("n/m/x"), "").unwrap();
            fs::remove_dir_all(tree.join("d/e")).unwrap();
            fs::rename(tree.join("d/c"), tree.join("d/cc")).unwrap();
        };
        assert_eq!(
            told(job),
            [
                "Deleted d/c",
                "Added d/cc",
                "Deleted d/e",
                "Deleted d/e/f",
                "Added n",
                "Added n/m",
                "Added n/m/x",
            ]
        );
    }

    #[test]
    fn a_directory_that_was_replaced_is_compared_by_its_files() {
        let job = |tree: &Path| {
            fs::rename(tree.join("d"), tree.join("old")).unwrap();
            fs::create_dir(tree.join("d")).unwrap();
            for name in ["b", "l"] {
                fs::rename(tree.join("old").join(name), tree.join("d").join(name)).unwrap();
            }
            fs::remove_dir_all(tree.join("old")).unwrap();
        };
        assert_eq!(told(job), ["Deleted d/c", "Deleted d/e", "Deleted d/e/f"]);
    }

    #[test]
    fn a_directory_that_became_a_link_or_a_file_is_gone_with_what_was_in_it() {
        let job = |tree: &Path| {
            fs::remove_dir_all(tree.join("d")).unwrap();
            symlink("/etc", tree.join("d")).unwrap();
        };
        assert_eq!(
            told(job),
            [
                "Modified d",
                "Deleted d/b",
                "Deleted d/c",
                "Deleted d/e",
                "Deleted d/e/f",
                "Deleted d/l",
            ]
        );
    }

    #[test]
    fn modes_of_files_and_directories_count() {
        let job = |tree: &Path| {
            fs::set_permissions(tree.join("a"), fs::Permissions::from_mode(0o755)).unwrap();
            fs::set_permissions(tree.join("d/e"), fs::Permissions::from_mode(0o700)).unwrap();
        };
        assert_eq!(told(job), ["Modified a", "Modified d/e"]);
    }
}
