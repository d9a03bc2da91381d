//! The process all supervisors of a run are forked from.
//!
//! Starting this program anew for every job (loading it, linking it, setting its runtime up) costs more than the shell of a short
//! job does. So it is started once, stays small and with a single thread, and forks one supervisor for each order that comes with
//! the socket of a new one. Where jobs need mounts, it forks a process that makes them, the ground of these jobs, and that one
//! forks the supervisors: each gets a namespace of its own, a copy of that of its ground. It adopts what a supervisor that was killed leaves behind, and ends that when its owner is gone.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::mount::MountPropagationFlags;
use rustix::thread::UnshareFlags;

use super::protocol::{self, Birth, JobStart};
use super::{descendants, signals, timespec};

/// What supervisors get to end their jobs once the owner is gone; each needs [`super::ORPHAN_GRACE`] at most.
const SUPERVISORS_GRACE: Duration = Duration::from_millis(1200);
/// How often a zygote without orders looks whether it was told to end.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Puts a process into the mount namespace of jobs.
pub(super) type Enter = fn(&[OsString]) -> io::Result<()>;

/// Who forks, and what its children begin with.
struct Parent {
    enter: Enter,
    told_to_end: Arc<AtomicBool>,
    /// Its mount namespace is one made for jobs, so that each gets a copy of its own.
    in_ground: bool,
}

/// Forks supervisors until the owner closes `socket` or this process is told to end.
///
/// In a forked process this returns only once that one is over; it has to exit then.
pub(super) fn serve(socket: OwnedFd, enter: Enter) -> io::Result<()> {
    // Fails only where this process leads a group already, and then it is not in the owner's way either.
    let _ = rustix::process::setsid();
    adopt_orphans()?;
    let parent = Parent {
        enter,
        told_to_end: signals::watch()?,
        in_ground: false,
    };
    parent.serve(socket)
}

impl Parent {
    fn serve(self, socket: OwnedFd) -> io::Result<()> {
        let ended = loop {
            match next(socket.as_fd(), &self.told_to_end) {
                Ok(None) => break Ok(()),
                Ok(Some((birth, theirs, start))) => {
                    if fork()? {
                        // Held here, it would hide the death of its owner.
                        drop(socket);
                        return self.live(birth, theirs, &start);
                    }
                }
                Err(error) => break Err(error),
            }
            descendants::reap(|_, _| {});
        };
        descendants::wait_until_gone(SUPERVISORS_GRACE, |_, _| {});
        descendants::end_all(Duration::ZERO, |_, _| {});
        ended
    }

    /// The life of a forked process.
    fn live(mut self, birth: Birth, socket: OwnedFd, start: &OwnedFd) -> io::Result<()> {
        // For people who look at their processes; nothing depends on it.
        let _ = rustix::thread::set_name(c"supervisor");
        let _ = rustix::process::setsid();
        let adopting = adopt_orphans()
            .map_err(|error| format!("cannot become the reaper of the job's processes: {error}"));
        let prepared = adopting.and_then(|()| match birth {
            Birth::Supervisor => self.job(start).map(Some),
            Birth::Ground => self.enter(start).map(|()| None),
        });
        match prepared {
            Ok(Some(job)) => job.live(socket.as_fd()),
            Ok(None) => {
                super::say_ready(socket.as_fd())?;
                self.serve(socket)
            }
            Err(why) => {
                // The owner may be gone; then there is nobody to tell.
                let _ = protocol::Answer::Failed(why).send(socket.as_fd());
                Ok(())
            }
        }
    }

    fn job(&self, start: &OwnedFd) -> Result<super::Job, String> {
        if self.in_ground {
            own_mounts().map_err(|error| format!("cannot enter the work tree: {error}"))?;
        }
        let start = JobStart::read(start).map_err(|error| error.to_string())?;
        super::prepare(start, Arc::clone(&self.told_to_end))
    }

    fn enter(&mut self, plan: &OwnedFd) -> Result<(), String> {
        let plan = protocol::read_words(plan).map_err(|error| error.to_string())?;
        let before = mounts();
        (self.enter)(&plan).map_err(|error| format!("cannot enter the work tree: {error}"))?;
        // A plan that mounts nothing leaves this process where it was.
        self.in_ground = mounts() != before;
        Ok(())
    }
}

/// Gives this process mounts of its own, a copy of those it was forked with.
///
/// Whatever the job mounts or unmounts then goes with the job.
#[expect(unsafe_code, reason = "unshare is unsafe in rustix")]
fn own_mounts() -> io::Result<()> {
    // SAFETY: the danger rustix names is `UnshareFlags::FILES`, which is not asked for.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }?;
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    Ok(rustix::mount::mount_change("/", slave)?)
}

/// The next order, `None` when there will be none.
fn next(
    socket: BorrowedFd<'_>,
    told_to_end: &AtomicBool,
) -> io::Result<Option<(Birth, OwnedFd, OwnedFd)>> {
    while !told_to_end.load(Ordering::SeqCst) {
        let mut descriptors = [PollFd::from_borrowed_fd(socket, PollFlags::IN)];
        match poll(&mut descriptors, Some(&timespec(LOOK_EVERY))) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return protocol::receive_birth(socket),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Returns true in the new process.
#[expect(unsafe_code, reason = "fork is unsafe")]
fn fork() -> io::Result<bool> {
    // SAFETY: this process has one thread, so the child may do whatever its parent may.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        child => Ok(child == 0),
    }
}

/// The mount namespace of this process.
fn mounts() -> Option<PathBuf> {
    std::fs::read_link("/proc/self/ns/mnt").ok()
}

fn adopt_orphans() -> io::Result<()> {
    let own = rustix::process::getpid();
    Ok(rustix::process::set_child_subreaper(Some(own))?)
}
