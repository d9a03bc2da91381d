//! The engine's side of the zygote: starting it, and having supervisors forked.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use super::owner::{SupervisorCommand, pair};
use super::protocol::{self, Start, in_memory};

/// Has supervisors forked from one process, which is started with the first and again after it was killed; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Births {
    command: SupervisorCommand,
    zygote: Arc<Mutex<Option<Zygote>>>,
}

impl Births {
    pub(crate) fn new(command: SupervisorCommand) -> Self {
        Self {
            command,
            zygote: Arc::default(),
        }
    }

    /// Has a supervisor forked that speaks through `theirs`; it says itself when it is ready.
    pub(super) fn give(&self, theirs: &OwnedFd, start: &Start) -> io::Result<()> {
        let start = in_memory("start", &start.to_bytes())?;
        let mut zygote = self.zygote.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(alive) = zygote.as_ref()
            && protocol::send_birth(alive.socket()?.as_fd(), theirs.as_fd(), start.as_fd()).is_ok()
        {
            return Ok(());
        }
        let new = zygote.insert(Zygote::start(&self.command)?);
        protocol::send_birth(new.socket()?.as_fd(), theirs.as_fd(), start.as_fd())
    }
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
