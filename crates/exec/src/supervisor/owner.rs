//! The engine's side of a supervisor: starting it, running stages through it, reading their output.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal};

use super::birth::Parent;
use super::protocol::{Answer, JobStart, Order, Shell, ShellEnd, ShellStart, Start, in_memory};
use super::timespec;
use crate::cancel::{CancelReason, Canceller};

/// How long output is read after everything of a stage is gone; who still holds the pipe then is
/// not of the job's tree.
const DRAIN: Duration = Duration::from_millis(500);
/// How long is waited for a supervisor that only has to look.
const REST: Duration = Duration::from_secs(1);
/// One read; the pipe is made as large.
const BLOCK: usize = 256 * 1024;

/// The binary that hosts [`super::main`], and the private word that makes it do so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SupervisorCommand {
    /// Path of the binary.
    pub program: PathBuf,
    /// First argument.
    pub word: OsString,
}

/// What a stage is run with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stage<'a> {
    pub(crate) shell: ShellStart,
    pub(crate) script: &'a [u8],
    /// Variables, each `KEY=VALUE` and a zero byte.
    pub(crate) environment: &'a [u8],
}

/// A process that was forked for the engine; dropping it tells it to go and waits for that.
#[derive(Debug)]
pub(super) struct Forked {
    socket: Option<OwnedFd>,
    pid: i32,
    /// Readable once the process is gone, and with it its mounts.
    gone: Option<OwnedFd>,
    /// It ends whatever is below it when it goes, so it has to stay for longer than this.
    _parent: Parent,
}

/// A running supervisor; dropping it ends the job's processes and waits for that.
#[derive(Debug)]
pub(crate) struct Supervisor {
    process: Forked,
    start: JobStart,
    /// Process group of the running stage.
    group: Option<Pid>,
}

/// How a stage ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StageEnd {
    pub(crate) shell: ShellEnd,
    /// Why it was ended before it would have ended by itself.
    pub(crate) interrupted: Option<Interrupt>,
    /// Somebody outside the job's process tree still holds its output.
    pub(crate) leaky: bool,
    /// Processes that were still there when the shell ended.
    pub(crate) leftovers: u32,
}

/// Why a stage was ended from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Interrupt {
    /// Its time was over.
    Deadline,
    /// Somebody asked.
    Cancel(CancelReason),
}

/// When a stage is to be ended from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds<'a> {
    pub(crate) deadline: Instant,
    pub(crate) canceller: &'a Canceller,
    /// Mildest reason that ends this stage.
    pub(crate) heeds: CancelReason,
    /// Between TERM and KILL.
    pub(crate) grace: Duration,
}

impl Forked {
    /// Has it forked and waits until it is ready.
    pub(super) fn start(parent: Parent, start: &Start) -> io::Result<Self> {
        let (socket, theirs) = pair()?;
        parent.give(&theirs, start)?;
        // Our copy of their end has to go, or their death would never be seen.
        drop(theirs);
        let mut forked = Self {
            socket: Some(socket),
            pid: 0,
            gone: None,
            _parent: parent,
        };
        match Answer::receive(forked.socket()?.as_fd())? {
            Some((Answer::Ready { pid }, gone)) => {
                forked.pid = pid;
                forked.gone = gone;
                Ok(forked)
            }
            Some((Answer::Failed(why), _)) => Err(io::Error::other(why)),
            Some(_) | None => Err(io::Error::other("the supervisor ended before it was ready")),
        }
    }

    pub(super) fn socket(&self) -> io::Result<&OwnedFd> {
        self.socket
            .as_ref()
            .ok_or_else(|| io::Error::other("the supervisor is closed"))
    }

    /// It lives, as far as can be told, and has said all it had to say.
    fn is_silent(&self) -> bool {
        self.socket().is_ok_and(|socket| {
            let mut descriptors = [PollFd::new(socket, PollFlags::IN)];
            poll(&mut descriptors, Some(&timespec(Duration::ZERO))) == Ok(0)
        })
    }

    fn end(&mut self) {
        // End of file at the other side: it ends everything and goes.
        self.socket = None;
        if let Some(gone) = self.gone.take() {
            wait_until_readable(&gone);
        }
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        self.end();
    }
}

impl Supervisor {
    /// Starts a supervisor and waits until it is ready.
    pub(crate) fn start(parent: Parent, start: JobStart) -> io::Result<Self> {
        let begin = Start::Job(start.clone());
        Ok(Self {
            process: Forked::start(parent, &begin)?,
            start,
            group: None,
        })
    }

    /// Starts nothing: serves another job, which was to be started with the same, in the same place.
    ///
    /// Returns whether it does; one that does not has no job, and goes with the dropped value.
    pub(crate) fn serves(&self, start: &JobStart) -> bool {
        self.start == *start && self.process.is_silent()
    }

    /// Asks the supervisor of a job that is over whether another one would find everything as this one did.
    pub(crate) fn rest(&mut self) -> bool {
        let asked = self.socket().and_then(|socket| {
            Order::send_rest(socket.as_fd())?;
            let mut descriptors = [PollFd::new(socket, PollFlags::IN)];
            poll(&mut descriptors, Some(&timespec(REST)))?;
            match descriptors[0].revents().is_empty() {
                true => Err(io::ErrorKind::TimedOut.into()),
                false => self.answer(),
            }
        });
        matches!(asked, Ok(Some(Answer::Rested { unchanged: true })))
    }

    /// Process id, for a look into its mount namespace by way of `/proc`.
    pub(crate) fn pid(&self) -> i32 {
        self.process.pid
    }

    /// Runs one stage to its end and hands all its output to `output`.
    pub(crate) fn run(
        &mut self,
        stage: &Stage<'_>,
        bounds: &Bounds<'_>,
        output: &mut dyn FnMut(&[u8]),
    ) -> io::Result<StageEnd> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        // A smaller pipe is only slower; unprivileged users have a quota.
        let _ = rustix::pipe::fcntl_setpipe_size(&reader, BLOCK);
        rustix::io::ioctl_fionbio(&reader, true)?;
        let shell = Shell {
            kind: stage.shell,
            script: in_memory("script", stage.script)?,
            output: writer,
            environment: in_memory("environment", stage.environment)?,
        };
        Order::send_run(self.socket()?.as_fd(), &shell)?;
        drop(shell);
        let mut watch = Watch {
            reader: Some(reader),
            block: Vec::with_capacity(BLOCK),
            output,
            interrupted: None,
            pressed: None,
        };
        let (shell, leftovers) = self.watch(&mut watch, bounds)?;
        let leaky = watch.drain()?;
        Ok(StageEnd {
            shell,
            interrupted: watch.interrupted,
            leaky,
            leftovers,
        })
    }

    fn watch(&mut self, watch: &mut Watch<'_>, bounds: &Bounds<'_>) -> io::Result<(ShellEnd, u32)> {
        loop {
            let ready = watch.wait(self.socket()?, bounds)?;
            if ready.output {
                watch.read_block()?;
            }
            if ready.answer {
                match self.answer()? {
                    Some(Answer::Started(group)) => self.group = Pid::from_raw(group),
                    Some(Answer::Ended { how, leftovers }) => {
                        self.group = None;
                        return Ok((how, leftovers));
                    }
                    Some(Answer::Failed(why)) => return Err(io::Error::other(why)),
                    Some(Answer::Ready { .. } | Answer::Rested { .. }) => {}
                    None => return Err(io::Error::other("the supervisor of the job was killed")),
                }
            }
            if let Some(grace) = watch.newly_interrupted(bounds) {
                let grace_ms = u32::try_from(grace.as_millis()).unwrap_or(u32::MAX);
                // A supervisor that just went is noticed by its missing answer.
                let _ = Order::send_end(self.socket()?.as_fd(), grace_ms);
            }
        }
    }

    fn socket(&self) -> io::Result<&OwnedFd> {
        self.process.socket()
    }

    fn answer(&self) -> io::Result<Option<Answer>> {
        let received = Answer::receive(self.socket()?.as_fd())?;
        Ok(received.map(|(answer, _)| answer))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.process.end();
        if let Some(group) = self.group {
            // It was killed with a stage running; what is left of the group has no other owner.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}

/// A socket that keeps the borders of messages, and whose end of file is the death of the other side.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    Ok(socketpair(family, kind, SocketFlags::CLOEXEC, None)?)
}

fn wait_until_readable(fd: &OwnedFd) {
    let mut descriptors = [PollFd::new(fd, PollFlags::IN)];
    while poll(&mut descriptors, None) == Err(rustix::io::Errno::INTR) {}
}

struct Watch<'a> {
    /// `None` after its end.
    reader: Option<OwnedFd>,
    /// Only its capacity counts: a short job must not pay for clearing it.
    block: Vec<u8>,
    output: &'a mut dyn FnMut(&[u8]),
    interrupted: Option<Interrupt>,
    /// Strongest reason acted on.
    pressed: Option<CancelReason>,
}

struct Ready {
    output: bool,
    answer: bool,
}

impl Watch<'_> {
    fn wait(&self, socket: &OwnedFd, bounds: &Bounds<'_>) -> io::Result<Ready> {
        let mut descriptors = vec![
            PollFd::new(socket, PollFlags::IN),
            PollFd::from_borrowed_fd(bounds.canceller.wake(), PollFlags::IN),
        ];
        descriptors.extend(
            self.reader
                .as_ref()
                .map(|fd| PollFd::new(fd, PollFlags::IN)),
        );
        let timeout = match self.interrupted {
            // The supervisor keeps the time of the grace.
            Some(_) => None,
            None => Some(timespec(
                bounds.deadline.saturating_duration_since(Instant::now()),
            )),
        };
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |index: usize| {
            descriptors
                .get(index)
                .is_some_and(|descriptor| !descriptor.revents().is_empty())
        };
        if ready(1) {
            bounds.canceller.acknowledge();
        }
        Ok(Ready {
            output: ready(2),
            answer: ready(0),
        })
    }

    /// Returns the grace of an interruption that is new or stronger than the one so far.
    fn newly_interrupted(&mut self, bounds: &Bounds<'_>) -> Option<Duration> {
        let reason = bounds
            .canceller
            .reason()
            .filter(|reason| *reason >= bounds.heeds);
        if let Some(now) = reason
            && Some(now) > self.pressed
        {
            self.pressed = Some(now);
            // A stage whose time is over stays that, even when somebody grows impatient.
            if self.interrupted != Some(Interrupt::Deadline) {
                self.interrupted = Some(Interrupt::Cancel(now));
            }
            let forced = now == CancelReason::Forced;
            return Some(if forced { Duration::ZERO } else { bounds.grace });
        }
        if self.interrupted.is_none() && bounds.deadline <= Instant::now() {
            self.interrupted = Some(Interrupt::Deadline);
            return Some(bounds.grace);
        }
        None
    }

    /// Reads what is there; returns whether something was.
    fn read_block(&mut self) -> io::Result<bool> {
        let Some(reader) = &self.reader else {
            return Ok(false);
        };
        self.block.clear();
        match rustix::io::read(reader, rustix::buffer::spare_capacity(&mut self.block)) {
            Ok(0) => self.reader = None,
            Ok(_) => {
                (self.output)(&self.block);
                return Ok(true);
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(false)
    }

    /// Reads to the end of file, at most for a moment; returns whether somebody kept the pipe open.
    fn drain(&mut self) -> io::Result<bool> {
        let until = Instant::now() + DRAIN;
        while let Some(reader) = &self.reader {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.reader = None;
                return Ok(true);
            }
            let mut descriptors = [PollFd::new(reader, PollFlags::IN)];
            match poll(&mut descriptors, Some(&timespec(left))) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            self.read_block()?;
        }
        Ok(false)
    }
}
