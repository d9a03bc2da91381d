//! What a job finds beside its work tree, its private directory and the mounts, and whether it has left both as they were.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};

use super::protocol::JobStart;
use super::timespec;

/// The place of one job after the other.
pub(super) struct Place {
    made: Option<Made>,
    /// The mounts of this process; the kernel marks it when one comes, goes or changes. Opened before any job: one may mount
    /// something over `/proc`.
    mounts: Option<File>,
}

/// The private directory with its one file, as they were made.
#[derive(PartialEq, Eq)]
struct Made {
    directory: Stamp,
    file: Stamp,
}

/// Differs when a file was written or replaced, when something came into or left a directory, and when the mode, owner or attributes
/// of either changed.
#[derive(PartialEq, Eq)]
struct Stamp {
    inode: u64,
    changed: (i64, i64),
}

impl Place {
    /// Makes the directory and the file in it.
    pub(super) fn make(start: &JobStart) -> io::Result<Self> {
        let mut directory = fs::DirBuilder::new();
        directory.recursive(true).mode(0o700);
        directory.create(&start.temp_dir)?;
        // A supervisor that was killed leaves its directory behind.
        let _ = fs::remove_file(&start.env_file);
        let mut file = File::options();
        file.write(true).create_new(true).mode(0o644);
        file.open(&start.env_file)?;
        Ok(Self {
            made: Made::of(start).ok(),
            mounts: File::open("/proc/self/mountinfo").ok(),
        })
    }

    /// Nothing was written to the directory, and the mounts are those of the beginning.
    pub(super) fn is_unchanged(&self, start: &JobStart) -> bool {
        let same_files = self.made.is_some() && self.made == Made::of(start).ok();
        same_files && self.mounts.as_ref().is_some_and(are_unchanged)
    }

    /// Removes the directory, as far as the job has left the permission to remove what it made.
    pub(super) fn remove(start: &JobStart) {
        let _ = fs::remove_dir_all(&start.temp_dir);
    }
}

impl Made {
    fn of(start: &JobStart) -> io::Result<Self> {
        Ok(Self {
            directory: Stamp::of(&start.temp_dir)?,
            file: Stamp::of(&start.env_file)?,
        })
    }
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(Self {
            inode: found.ino(),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

fn are_unchanged(mounts: &File) -> bool {
    let mut descriptors = [PollFd::new(mounts, PollFlags::PRI)];
    let polled = poll(&mut descriptors, Some(&timespec(std::time::Duration::ZERO)));
    polled.is_ok()
        && !descriptors[0]
            .revents()
            .intersects(PollFlags::PRI | PollFlags::ERR)
}
