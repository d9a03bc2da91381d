//! Asking a running job to end, from any thread.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::event::{EventfdFlags, eventfd};

/// Why a job is to end, mildest first; a later reason only counts when it is stronger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CancelReason {
    /// Somebody canceled it: scripts end, `after_script` and what follows still run. After the
    /// scripts it has no effect.
    Canceled,
    /// The run ends (SIGINT): everything stops, nothing more is started.
    Interrupted,
    /// The run ends (SIGTERM): everything stops, nothing more is started.
    Terminated,
    /// At once: processes get no time to end by themselves.
    Forced,
}

impl CancelReason {
    fn level(self) -> u8 {
        match self {
            Self::Canceled => 1,
            Self::Interrupted => 2,
            Self::Terminated => 3,
            Self::Forced => 4,
        }
    }

    fn of_level(level: u8) -> Option<Self> {
        match level {
            1 => Some(Self::Canceled),
            2 => Some(Self::Interrupted),
            3 => Some(Self::Terminated),
            4 => Some(Self::Forced),
            _ => None,
        }
    }
}

/// Cancels one job; clones speak to the same job. Does nothing once the job is over.
#[derive(Clone, Debug)]
pub struct Canceller {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    level: AtomicU8,
    wake: OwnedFd,
}

impl Canceller {
    pub(crate) fn new() -> std::io::Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            state: Arc::new(State {
                level: AtomicU8::new(0),
                wake,
            }),
        })
    }

    /// Asks the job to end; returns at once.
    pub fn cancel(&self, reason: CancelReason) {
        self.state.level.fetch_max(reason.level(), Ordering::SeqCst);
        // A full counter is already readable, so the write has nothing to add then.
        let _ = rustix::io::write(&self.state.wake, &1_u64.to_ne_bytes());
    }

    /// The strongest reason given so far.
    pub fn reason(&self) -> Option<CancelReason> {
        CancelReason::of_level(self.state.level.load(Ordering::SeqCst))
    }

    /// Readable when `cancel` was called since the last [`Canceller::acknowledge`].
    pub(crate) fn wake(&self) -> BorrowedFd<'_> {
        self.state.wake.as_fd()
    }

    pub(crate) fn acknowledge(&self) {
        let mut count = [0; 8];
        // An empty counter answers with an error, which means there is nothing to take back.
        let _ = rustix::io::read(&self.state.wake, &mut count);
    }
}
