//! Making one file like another: clone, else copy in the kernel, else read and write.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, Uid, chownat,
    copy_file_range, fchmod, fchown, fstat, futimens, ioctl_ficlone, openat, readlinkat, symlinkat,
    utimensat,
};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};

use crate::union::{Entry, Time};

/// What a file or a link is to be like.
#[derive(Clone, Copy)]
pub(crate) struct Like {
    size: u64,
    /// Permission bits, with set-id and sticky bits.
    mode: u32,
    owner: (u32, u32),
    mtime: Time,
}

impl From<&Entry> for Like {
    fn from(entry: &Entry) -> Self {
        Like {
            size: entry.size,
            mode: entry.mode,
            owner: entry.owner,
            mtime: entry.mtime,
        }
    }
}

impl From<&Stat> for Like {
    fn from(stat: &Stat) -> Self {
        Like {
            size: stat.st_size.try_into().unwrap_or(0),
            mode: stat.st_mode & 0o7777,
            owner: (stat.st_uid, stat.st_gid),
            mtime: Time::modified(stat),
        }
    }
}

/// How files are duplicated, and what was learnt about the file system on the way.
pub(crate) struct Transfer {
    clones: AtomicBool,
    keeps_owner: bool,
    /// The user and group new files belong to.
    own: (u32, u32),
}

impl Transfer {
    /// Tries cloning until it fails once.
    pub(crate) fn new() -> Self {
        Transfer {
            clones: AtomicBool::new(true),
            keeps_owner: geteuid().is_root(),
            own: (geteuid().as_raw(), getegid().as_raw()),
        }
    }

    /// Never clones: for a backend that was asked to copy.
    pub(crate) fn copying() -> Self {
        Transfer {
            clones: AtomicBool::new(false),
            ..Transfer::new()
        }
    }

    /// Creates `name` in `to` with the content of `from`, and the mode and mtime of `like`; the owner too when the process is root. The
    /// name must be free. Returns what was made.
    pub(crate) fn file(
        &self,
        from: BorrowedFd<'_>,
        like: Like,
        to: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<Stat, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(to, name, flags, Mode::from_raw_mode(like.mode & 0o777))?;
        self.content(from, like.size, file.as_fd())?;
        futimens(&file, &mtime_of(like.mtime))?;
        // Looking costs nothing beside an entry in a file system's journal.
        let made = fstat(&file)?;
        let is_others = self.keeps_owner && (made.st_uid, made.st_gid) != like.owner;
        if is_others {
            let (uid, gid) = owner_of(like.owner);
            fchown(&file, Some(uid), Some(gid))?;
        }
        // A change of the owner may take bits away.
        if is_others || made.st_mode & 0o7777 != like.mode {
            fchmod(&file, Mode::from_raw_mode(like.mode))?;
            return fstat(&file);
        }
        Ok(made)
    }

    /// Creates the symbolic link `to_name` in `to` like `from_name` in `from`.
    pub(crate) fn symlink(
        &self,
        from: BorrowedFd<'_>,
        from_name: &CStr,
        like: Like,
        to: BorrowedFd<'_>,
        to_name: &CStr,
    ) -> Result<(), Errno> {
        let target = readlinkat(from, from_name, Vec::new())?;
        symlinkat(target.as_c_str(), to, to_name)?;
        if self.keeps_owner && like.owner != self.own {
            let (uid, gid) = owner_of(like.owner);
            chownat(to, to_name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        let mtime = mtime_of(like.mtime);
        utimensat(to, to_name, &mtime, AtFlags::SYMLINK_NOFOLLOW)
    }

    fn content(&self, from: BorrowedFd<'_>, size: u64, to: BorrowedFd<'_>) -> Result<(), Errno> {
        if size == 0 {
            return Ok(());
        }
        if self.clones.load(Ordering::Relaxed) {
            match ioctl_ficlone(to, from) {
                Ok(()) => return Ok(()),
                // Not this pair of file systems: do not ask again for every file.
                Err(Errno::OPNOTSUPP | Errno::XDEV | Errno::NOTTY | Errno::NOSYS) => {
                    self.clones.store(false, Ordering::Relaxed);
                }
                // Only this file: btrfs refuses between files with and without checksums.
                Err(Errno::INVAL) => {}
                Err(errno) => return Err(errno),
            }
        }
        // One read and one write beat what the kernel sets up to copy by itself.
        if size <= SMALL as u64 {
            copy_through(&mut [0; SMALL], from, to, size)
        } else {
            copy_in_kernel(from, to)
        }
    }
}

/// A user and a group as the system takes them.
pub(crate) fn owner_of(owner: (u32, u32)) -> (Uid, Gid) {
    (Uid::from_raw(owner.0), Gid::from_raw(owner.1))
}

/// A time stamp pair that sets the mtime and leaves the atime alone.
fn mtime_of(mtime: Time) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: mtime.seconds as _,
            tv_nsec: mtime.nanos as _,
        },
    }
}

fn copy_in_kernel(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), Errno> {
    loop {
        match copy_file_range(from, None, to, None, 1 << 30) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            // Other file systems, old kernels, special mounts. What was copied so far stays: both
            // offsets have moved alike.
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                return copy_by_hand(from, to);
            }
            Err(errno) => return Err(errno),
        }
    }
}

/// What fits on a stack.
const SMALL: usize = 32 * 1024;

fn copy_by_hand(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), Errno> {
    copy_through(&mut vec![0; 128 * 1024], from, to, u64::MAX)
}

/// Copies to the end of the file, or `most` bytes, after which the end need not be asked for.
fn copy_through(
    buffer: &mut [u8],
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    most: u64,
) -> Result<(), Errno> {
    let mut copied = 0;
    while copied < most {
        let read = match rustix::io::read(from, &mut *buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
        };
        copied += read as u64;
        let mut rest = buffer.get(..read).unwrap_or_default();
        while !rest.is_empty() {
            match rustix::io::write(to, rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
    Ok(())
}
