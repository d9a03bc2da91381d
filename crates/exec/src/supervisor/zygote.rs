//! The process all supervisors of a run are forked from.
//!
//! Starting this program anew for every job (loading it, linking it, setting its runtime up) costs more than the shell of a short
//! job does. So it is started once, stays small and with a single thread, and forks one supervisor for each order that comes with
//! the socket of a new one. It adopts what a supervisor that was killed leaves behind, and ends that when its owner is gone.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::protocol::{self, Start};
use super::{descendants, signals, timespec};

/// What supervisors get to end their jobs once the owner is gone; each needs [`super::ORPHAN_GRACE`] at most.
const SUPERVISORS_GRACE: Duration = Duration::from_millis(1200);
/// How often a zygote without orders looks whether it was told to end.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Puts a new supervisor into the mount namespace of its job.
pub(super) type Enter = fn(&[OsString]) -> io::Result<()>;

/// Forks supervisors until the owner closes `socket` or this process is told to end.
///
/// In a forked supervisor this returns only once its job is over; the process has to exit then.
pub(super) fn serve(socket: OwnedFd, enter: Enter) -> io::Result<()> {
    // Fails only where this process leads a group already, and then it is not in the owner's way either.
    let _ = rustix::process::setsid();
    adopt_orphans()?;
    let told_to_end = signals::watch()?;
    let ended = loop {
        match next(socket.as_fd(), &told_to_end) {
            Ok(None) => break Ok(()),
            Ok(Some((theirs, start))) => {
                if fork()? {
                    // Held here, it would hide the death of its owner.
                    drop(socket);
                    return supervise(theirs, &start, enter, &told_to_end);
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

/// The next order, `None` when there will be none.
fn next(
    socket: BorrowedFd<'_>,
    told_to_end: &AtomicBool,
) -> io::Result<Option<(OwnedFd, OwnedFd)>> {
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

fn adopt_orphans() -> io::Result<()> {
    let own = rustix::process::getpid();
    Ok(rustix::process::set_child_subreaper(Some(own))?)
}

/// The life of one supervisor, in the forked process.
fn supervise(
    socket: OwnedFd,
    start: &OwnedFd,
    enter: Enter,
    told_to_end: &Arc<AtomicBool>,
) -> io::Result<()> {
    let _ = rustix::process::setsid();
    let prepared = adopt_orphans()
        .map_err(|error| format!("cannot become the reaper of the job's processes: {error}"))
        .and_then(|()| Start::read(start).map_err(|error| error.to_string()))
        .and_then(|start| super::prepare(start, enter, Arc::clone(told_to_end)));
    match prepared {
        Ok(job) => job.live(socket.as_fd()),
        Err(why) => {
            // The owner may be gone; then there is nobody to tell.
            let _ = protocol::Answer::Failed(why).send(socket.as_fd());
            Ok(())
        }
    }
}
