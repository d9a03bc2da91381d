//! The engine's side of the processes that fork: the zygote of a run, and the grounds of its jobs.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use super::owner::{Forked, SupervisorCommand, pair};
use super::protocol::{self, Start, in_memory};

/// Has processes forked from one, which is started with the first of them and again after it was killed; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Births {
    command: SupervisorCommand,
    zygote: Arc<Mutex<Option<Zygote>>>,
}

/// A mount namespace in which several jobs may run, one after the other or at once; clones are the same one.
///
/// Each job gets a copy of its mounts, so what a job mounts goes with it. The mounts go with the last clone.
#[derive(Clone, Debug)]
pub struct Ground {
    process: Arc<Forked>,
}

/// Who forks a supervisor.
#[derive(Clone, Debug)]
pub(crate) enum Parent {
    Zygote(Births),
    Ground(Ground),
}

impl Births {
    pub(crate) fn new(command: SupervisorCommand) -> Self {
        Self {
            command,
            zygote: Arc::default(),
        }
    }

    /// Starts the process the others are forked from, without waiting until it can.
    pub(crate) fn start(&self) -> io::Result<()> {
        let mut zygote = self.zygote.lock().unwrap_or_else(PoisonError::into_inner);
        if zygote.is_none() {
            *zygote = Some(Zygote::start(&self.command)?);
        }
        Ok(())
    }

    /// A ground made by this mount plan.
    pub(crate) fn ground(&self, plan: Vec<OsString>) -> io::Result<Ground> {
        let parent = Parent::Zygote(self.clone());
        let process = Forked::start(parent, &Start::Ground(plan))?;
        Ok(Ground {
            process: Arc::new(process),
        })
    }

    fn give(&self, theirs: &OwnedFd, start: &Start) -> io::Result<()> {
        let mut zygote = self.zygote.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(alive) = zygote.as_ref()
            && ask(alive.socket()?.as_fd(), theirs, start).is_ok()
        {
            return Ok(());
        }
        let new = zygote.insert(Zygote::start(&self.command)?);
        ask(new.socket()?.as_fd(), theirs, start)
    }
}

impl Parent {
    /// Has a process forked that speaks through `theirs`; it says itself when it is ready.
    pub(super) fn give(&self, theirs: &OwnedFd, start: &Start) -> io::Result<()> {
        match self {
            Parent::Zygote(births) => births.give(theirs, start),
            Parent::Ground(ground) => ask(ground.process.socket()?.as_fd(), theirs, start),
        }
    }
}

fn ask(socket: BorrowedFd<'_>, theirs: &OwnedFd, start: &Start) -> io::Result<()> {
    let told = in_memory("start", &start.to_bytes())?;
    protocol::send_birth(socket, start.birth(), theirs.as_fd(), told.as_fd())
}

/// The running zygote; dropping it ends what is left below it and waits for that.
#[derive(Debug)]
struct Zygote {
    socket: Option<OwnedFd>,
    child: Child,
}

impl Zygote {
    fn start(command: &SupervisorCommand) -> io::Result<Self> {
        let (socket, theirs) = pair()?;
        let mut command_line = Command::new(&command.program);
        command_line
            .arg(&command.word)
            // What shells get comes with each stage; of the engine's environment nothing may reach a job.
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Until it calls `setsid`, a Ctrl-C at the terminal must not reach it.
            .process_group(0);
        Ok(Self {
            child: command_line.spawn()?,
            socket: Some(socket),
        })
    }

    fn socket(&self) -> io::Result<&OwnedFd> {
        self.socket
            .as_ref()
            .ok_or_else(|| io::Error::other("the supervisors' parent is closed"))
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        // End of file at the other side: it ends everything and goes.
        self.socket = None;
        let _ = self.child.wait();
    }
}
