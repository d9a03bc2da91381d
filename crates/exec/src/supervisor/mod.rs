//! One small process per job: leads a session, reaps every orphan of the job, dies with its owner.
//!
//! The engine starts its own binary again with a private word; that binary calls [`main`], which forks a process for each job
//! ([`zygote`]). Such a supervisor has a mount namespace of its own where jobs need one, and runs one stage at a time. Why a process and not a
//! thread: orphans of several jobs in one engine cannot be told apart, and an engine that is killed
//! could not clean up. Measurements: three of six processes survive a group kill, none survives
//! this.
//!
//! The owner is watched by the end of file of a socket, which also tells of `kill -9`.

pub(crate) mod birth;
mod descendants;
pub(crate) mod owner;
mod place;
pub(crate) mod protocol;
mod signals;
mod spawn;
mod zygote;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitStatus};

use place::Place;
use protocol::{Answer, JobStart, Order, Shell, ShellEnd};

/// What background processes of a stage that ended get between TERM and KILL.
const LEFTOVER_GRACE: Duration = Duration::from_millis(500);
/// The same when the owner is gone: everything is over within two seconds.
const ORPHAN_GRACE: Duration = Duration::from_millis(300);
/// How often adopted children are collected while a stage runs.
const REAP_EVERY: Duration = Duration::from_millis(500);

/// Serves as the supervisors of a run until the owner closes the socket on standard input.
///
/// `args` are those after the private word; there are none today. `enter` puts a process into a job's mount
/// namespace; it gets the opaque words of the mount plan, is called at most once in a process and before any
/// thread exists.
pub fn main(
    args: impl IntoIterator<Item = OsString>,
    enter: fn(&[OsString]) -> io::Result<()>,
) -> ExitCode {
    let served = match args.into_iter().next() {
        None => own_socket().and_then(|socket| zygote::serve(socket, enter)),
        Some(_) => Err(io::ErrorKind::InvalidInput.into()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The socket to the owner, moved away from standard input, where no process of a job finds it.
fn own_socket() -> io::Result<OwnedFd> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    let nothing = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    Ok(socket)
}

/// Tells the owner that orders may come.
fn say_ready(socket: BorrowedFd<'_>) -> io::Result<()> {
    let own = rustix::process::getpid();
    let watch = rustix::process::pidfd_open(own, PidfdFlags::empty())?;
    let pid = own.as_raw_nonzero().get();
    Answer::Ready { pid }.send_with(socket, &[watch.as_fd()])
}

struct Job {
    start: JobStart,
    place: Place,
    /// Somebody sent this process a signal to end.
    told_to_end: Arc<AtomicBool>,
}

fn prepare(start: JobStart, told_to_end: Arc<AtomicBool>) -> Result<Job, String> {
    let place = Place::make(&start).map_err(|error| {
        format!(
            "cannot create the temporary directory {}: {error}",
            start.temp_dir.display()
        )
    })?;
    Ok(Job {
        start,
        place,
        told_to_end,
    })
}

/// A stage that runs, or whose shell has ended.
struct Stage {
    shell: Pid,
    /// Readable once the shell has ended.
    watch: OwnedFd,
    end: Option<ShellEnd>,
    kill_at: Option<Instant>,
}

impl Job {
    /// Serves until the owner is gone, then ends and removes what is left.
    fn live(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let ended = self.serve(socket);
        descendants::end_all(ORPHAN_GRACE, |_, _| {});
        Place::remove(&self.start);
        ended
    }

    /// Takes orders until the owner is gone or this process is told to end.
    fn serve(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        say_ready(socket)?;
        let mut stage: Option<Stage> = None;
        while !self.told_to_end.load(Ordering::SeqCst) {
            if self.wait(socket, stage.as_ref())? {
                match Order::receive(socket)? {
                    None => return Ok(()),
                    Some(Order::Run(shell)) => stage = self.start(socket, shell)?,
                    Some(Order::End { grace_ms }) => {
                        if let Some(stage) = &mut stage {
                            stage.ask_to_end(Duration::from_millis(grace_ms.into()));
                        }
                    }
                    Some(Order::Rest) => {
                        let unchanged = stage.is_none() && self.is_as_before();
                        Answer::Rested { unchanged }.send(socket)?;
                    }
                }
            }
            stage = match stage.take() {
                Some(running) => running.step(socket)?,
                None => None,
            };
        }
        Ok(())
    }

    /// Whether another job would find everything as this one did.
    fn is_as_before(&self) -> bool {
        let alone = !descendants::reap(|_, _| {});
        alone && self.place.is_unchanged(&self.start)
    }

    /// Waits for an order, the end of the shell or the time to act; returns whether there is an
    /// order.
    fn wait(&self, socket: BorrowedFd<'_>, stage: Option<&Stage>) -> io::Result<bool> {
        let mut descriptors = vec![PollFd::from_borrowed_fd(socket, PollFlags::IN)];
        // Without a stage too: a signal may come just before the wait.
        let mut timeout = REAP_EVERY;
        if let Some(stage) = stage {
            descriptors.push(PollFd::new(&stage.watch, PollFlags::IN));
            let until_kill = stage
                .kill_at
                .map(|at| at.saturating_duration_since(Instant::now()));
            timeout = until_kill.map_or(timeout, |until| until.min(timeout));
        }
        match poll(&mut descriptors, Some(&timespec(timeout))) {
            Ok(_) => Ok(!descriptors[0].revents().is_empty()),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Starts the shell of a stage; one that cannot be started has ended with 127, as in a shell.
    fn start(&self, socket: BorrowedFd<'_>, shell: Shell) -> io::Result<Option<Stage>> {
        let started = self.spawn(&shell).and_then(|shell| {
            let watch = rustix::process::pidfd_open(shell, PidfdFlags::empty())?;
            Ok(Stage {
                shell,
                watch,
                end: None,
                kill_at: None,
            })
        });
        match started {
            Ok(stage) => {
                Answer::Started(stage.shell.as_raw_nonzero().get()).send(socket)?;
                Ok(Some(stage))
            }
            Err(error) => {
                Answer::Failed(format!(
                    "cannot start {}: {error}",
                    self.start.shell.display()
                ))
                .send(socket)?;
                Ok(None)
            }
        }
    }

    /// A shell that reads the script on its standard input (reference `runner.md` §3.1).
    ///
    /// Its status is collected by `descendants::reap`, which takes all children alike.
    fn spawn(&self, shell: &Shell) -> io::Result<Pid> {
        // Before each shell: a stage may have moved the directory and made another.
        rustix::process::chdir(&self.start.work_dir)?;
        let words = shell.kind.arguments().iter().map(|word| word.as_bytes());
        let name = std::iter::once(self.start.shell.as_bytes());
        let arguments: io::Result<Vec<_>> = name.chain(words).map(spawn::c_string).collect();
        let program = spawn::Program {
            path: &self.start.program,
            arguments: &arguments?,
            environment: &shell.read_environment()?,
            input: shell.script.as_fd(),
            output: shell.output.as_fd(),
        };
        program.start()
    }
}

impl Stage {
    /// TERM to the group now, and to everything after `grace` a KILL; a shorter grace replaces a
    /// longer one.
    fn ask_to_end(&mut self, grace: Duration) {
        // The group is gone when the shell ended in between.
        let _ = rustix::process::kill_process_group(self.shell, Signal::TERM);
        let at = Instant::now() + grace;
        self.kill_at = Some(self.kill_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Collects children, kills what had its time, and reports the end; returns the stage while it
    /// goes on.
    fn step(mut self, socket: BorrowedFd<'_>) -> io::Result<Option<Stage>> {
        descendants::reap(|pid, status| note(&mut self.end, self.shell, pid, status));
        let grace = match (self.end, self.kill_at) {
            (Some(_), _) => LEFTOVER_GRACE,
            (None, Some(at)) if at <= Instant::now() => Duration::ZERO,
            (None, _) => return Ok(Some(self)),
        };
        let leftovers = descendants::end_all(grace, |pid, status| {
            note(&mut self.end, self.shell, pid, status);
        });
        // A shell that even KILL did not end sleeps in the kernel; its stage is over all the same.
        let how = self.end.unwrap_or(ShellEnd::Signal(Signal::KILL.as_raw()));
        Answer::Ended { how, leftovers }.send(socket)?;
        Ok(None)
    }
}

fn note(end: &mut Option<ShellEnd>, shell: Pid, pid: Pid, status: WaitStatus) {
    if pid != shell {
        return;
    }
    *end = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Some(ShellEnd::Code(code)),
        (None, Some(signal)) => Some(ShellEnd::Signal(signal)),
        (None, None) => *end,
    };
}

/// A time span as the kernel wants it.
pub(crate) fn timespec(duration: Duration) -> rustix::event::Timespec {
    rustix::event::Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
