//! What the engine and a supervisor say to each other, one datagram each.
//!
//! The socket is of type `SEQPACKET`: it keeps the borders of messages and its end of file is the
//! death of the other side, however it died. Descriptors travel with the message that needs them.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Longest message; texts of errors are cut to fit.
const LONGEST: usize = 1024;

/// What a forked process is told first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Start {
    /// A supervisor.
    Job(JobStart),
    /// A ground: the words of its mount plan.
    Ground(Vec<OsString>),
}

/// What a supervisor is started with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct JobStart {
    /// Name of the shell, its argument zero.
    pub(crate) shell: OsString,
    /// What is executed for it.
    pub(crate) program: PathBuf,
    /// Where shells start.
    pub(crate) work_dir: PathBuf,
    /// Made by the supervisor and removed by it.
    pub(crate) temp_dir: PathBuf,
    /// Made by it in that directory: empty, to carry variables from stage to stage.
    pub(crate) env_file: PathBuf,
}

/// A shell to run a stage with.
#[derive(Debug)]
pub(crate) struct Shell {
    pub(crate) kind: ShellStart,
    /// Its standard input.
    pub(crate) script: OwnedFd,
    /// Its standard output and error.
    pub(crate) output: OwnedFd,
    /// Its variables, each `KEY=VALUE` and a zero byte.
    pub(crate) environment: OwnedFd,
}

/// How a shell is started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ShellStart {
    /// It reads the profile.
    Login,
    /// A login shell in all but this: it reads no profile. Of bash only.
    WithoutProfile,
}

/// From the engine.
#[derive(Debug)]
pub(crate) enum Order {
    /// Run a stage.
    Run(Shell),
    /// Ask the stage to end, and end it after this many milliseconds.
    End { grace_ms: u32 },
    /// The job is over: say whether another one would find everything as this one did.
    Rest,
}

/// From the supervisor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// Stages may come, or orders to fork; what is readable once this process is gone comes along.
    Ready { pid: i32 },
    /// Nothing can run, and why.
    Failed(String),
    /// The shell of a stage runs and leads this process group.
    Started(i32),
    /// The stage and everything it started are gone.
    Ended { how: ShellEnd, leftovers: u32 },
    /// What the job ran in is as it was before it, or is not.
    Rested { unchanged: bool },
}

/// How the shell of a stage ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ShellEnd {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl Order {
    pub(crate) fn send_run(socket: BorrowedFd<'_>, shell: &Shell) -> io::Result<()> {
        let Shell {
            kind,
            script,
            output,
            environment,
        } = shell;
        let passed = [script.as_fd(), output.as_fd(), environment.as_fd()];
        send(socket, &[b'R', kind.letter()], &passed)
    }

    pub(crate) fn send_end(socket: BorrowedFd<'_>, grace_ms: u32) -> io::Result<()> {
        let mut message = vec![b'T'];
        message.extend(grace_ms.to_le_bytes());
        send(socket, &message, &[])
    }

    pub(crate) fn send_rest(socket: BorrowedFd<'_>) -> io::Result<()> {
        send(socket, b"Z", &[])
    }

    /// Returns the next order, `None` when the engine is gone.
    pub(crate) fn receive(socket: BorrowedFd<'_>) -> io::Result<Option<Order>> {
        let Some((message, descriptors)) = receive(socket)? else {
            return Ok(None);
        };
        let mut descriptors = descriptors.into_iter();
        match (
            message.split_first(),
            descriptors.next(),
            descriptors.next(),
            descriptors.next(),
        ) {
            (Some((b'R', kind)), Some(script), Some(output), Some(environment)) => {
                let kind = ShellStart::of_letters(kind).ok_or_else(malformed)?;
                Ok(Some(Order::Run(Shell {
                    kind,
                    script,
                    output,
                    environment,
                })))
            }
            (Some((b'T', rest)), None, None, None) => {
                let grace_ms = u32::from_le_bytes(rest.try_into().map_err(|_| malformed())?);
                Ok(Some(Order::End { grace_ms }))
            }
            (Some((b'Z', [])), None, None, None) => Ok(Some(Order::Rest)),
            _ => Err(malformed()),
        }
    }
}

impl Answer {
    pub(crate) fn send(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.send_with(socket, &[])
    }

    pub(crate) fn send_with(
        &self,
        socket: BorrowedFd<'_>,
        passed: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let mut message = Vec::with_capacity(16);
        match self {
            Answer::Ready { pid } => {
                message.push(b'+');
                message.extend(pid.to_le_bytes());
            }
            Answer::Failed(why) => {
                message.push(b'!');
                message.extend(why.bytes().take(LONGEST - 1));
            }
            Answer::Started(group) => {
                message.push(b'S');
                message.extend(group.to_le_bytes());
            }
            Answer::Ended { how, leftovers } => {
                let (kind, number) = match how {
                    ShellEnd::Code(code) => (b'c', *code),
                    ShellEnd::Signal(signal) => (b's', *signal),
                };
                message.extend([b'E', kind]);
                message.extend(number.to_le_bytes());
                message.extend(leftovers.to_le_bytes());
            }
            Answer::Rested { unchanged } => message.extend([b'Z', u8::from(*unchanged)]),
        }
        send(socket, &message, passed)
    }

    /// Returns the next answer and what came with it, `None` when the supervisor is gone.
    pub(crate) fn receive(socket: BorrowedFd<'_>) -> io::Result<Option<(Answer, Option<OwnedFd>)>> {
        let Some((message, passed)) = receive(socket)? else {
            return Ok(None);
        };
        let answer = match message.as_slice() {
            &[b'+', a, b, c, d] => Answer::Ready {
                pid: i32::from_le_bytes([a, b, c, d]),
            },
            [b'!', why @ ..] => Answer::Failed(String::from_utf8_lossy(why).into_owned()),
            &[b'S', a, b, c, d] => Answer::Started(i32::from_le_bytes([a, b, c, d])),
            &[b'Z', unchanged @ (0 | 1)] => Answer::Rested {
                unchanged: unchanged == 1,
            },
            &[b'E', kind @ (b'c' | b's'), a, b, c, d, e, f, g, h] => {
                let number = i32::from_le_bytes([a, b, c, d]);
                Answer::Ended {
                    how: match kind {
                        b'c' => ShellEnd::Code(number),
                        _ => ShellEnd::Signal(number),
                    },
                    leftovers: u32::from_le_bytes([e, f, g, h]),
                }
            }
            _ => return Err(malformed()),
        };
        Ok(Some((answer, passed.into_iter().next())))
    }
}

impl ShellStart {
    pub(crate) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Login => &["-l"],
            Self::WithoutProfile => &["--noprofile", "-l"],
        }
    }

    fn letter(self) -> u8 {
        match self {
            Self::Login => b'l',
            Self::WithoutProfile => b'w',
        }
    }

    fn of_letters(letters: &[u8]) -> Option<Self> {
        match letters {
            b"l" => Some(Self::Login),
            b"w" => Some(Self::WithoutProfile),
            _ => None,
        }
    }
}

impl Shell {
    /// Reads its variables.
    pub(crate) fn read_environment(&self) -> io::Result<Vec<u8>> {
        read_bytes(&self.environment)
    }
}

impl Start {
    /// Words, each ended by a zero byte, which no path and no argument holds.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let words: Vec<&OsStr> = match self {
            Start::Job(job) => vec![
                &job.shell,
                job.program.as_os_str(),
                job.work_dir.as_os_str(),
                job.temp_dir.as_os_str(),
                job.env_file.as_os_str(),
            ],
            Start::Ground(plan) => plan.iter().map(OsString::as_os_str).collect(),
        };
        let mut bytes = Vec::new();
        for word in words {
            bytes.extend_from_slice(word.as_bytes());
            bytes.push(0);
        }
        bytes
    }

    pub(crate) fn birth(&self) -> Birth {
        match self {
            Start::Job(_) => Birth::Supervisor,
            Start::Ground(_) => Birth::Ground,
        }
    }
}

impl JobStart {
    /// Reads what [`Start::to_bytes`] wrote.
    pub(super) fn read(file: &OwnedFd) -> io::Result<JobStart> {
        let mut words = read_words(file)?.into_iter();
        let mut word = || words.next().ok_or_else(malformed);
        Ok(JobStart {
            shell: word()?,
            program: word()?.into(),
            work_dir: word()?.into(),
            temp_dir: word()?.into(),
            env_file: word()?.into(),
        })
    }
}

/// What a process is forked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Birth {
    /// To run one job.
    Supervisor,
    /// To stand in a mount namespace in which supervisors are forked in their turn.
    Ground,
}

/// Asks for a process that speaks through `theirs`.
pub(super) fn send_birth(
    socket: BorrowedFd<'_>,
    birth: Birth,
    theirs: BorrowedFd<'_>,
    start: BorrowedFd<'_>,
) -> io::Result<()> {
    let letter = match birth {
        Birth::Supervisor => b"B",
        Birth::Ground => b"G",
    };
    send(socket, letter, &[theirs, start])
}

/// What to fork next, its socket and its [`Start`]; `None` when the engine is gone.
pub(super) fn receive_birth(
    socket: BorrowedFd<'_>,
) -> io::Result<Option<(Birth, OwnedFd, OwnedFd)>> {
    let Some((message, descriptors)) = receive(socket)? else {
        return Ok(None);
    };
    let birth = match message.as_slice() {
        b"B" => Birth::Supervisor,
        b"G" => Birth::Ground,
        _ => return Err(malformed()),
    };
    let mut descriptors = descriptors.into_iter();
    match (descriptors.next(), descriptors.next()) {
        (Some(theirs), Some(start)) => Ok(Some((birth, theirs, start))),
        _ => Err(malformed()),
    }
}

/// Bytes as a file in memory, at its beginning: never in an argument, never on a disk.
pub(super) fn in_memory(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(file);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

fn read_bytes(file: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::from(file.try_clone()?).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn read_words(file: &OwnedFd) -> io::Result<Vec<OsString>> {
    let bytes = read_bytes(file)?;
    let words = bytes.split_inclusive(|byte| *byte == 0);
    let word = |bytes: &[u8]| Some(OsString::from_vec(bytes.strip_suffix(&[0])?.to_vec()));
    Ok(words.filter_map(word).collect())
}

fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "malformed message between engine and supervisor",
    )
}

fn send(socket: BorrowedFd<'_>, message: &[u8], passed: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !passed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(passed)) {
        return Err(malformed());
    }
    rustix::io::retry_on_intr(|| {
        sendmsg(
            socket,
            &[IoSlice::new(message)],
            &mut control,
            SendFlags::NOSIGNAL,
        )
    })?;
    Ok(())
}

fn receive(socket: BorrowedFd<'_>) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut message = vec![0; LONGEST];
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(
            socket.as_fd(),
            &mut [IoSliceMut::new(&mut message)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )
    });
    let length = match received {
        Ok(received) => received.bytes,
        Err(rustix::io::Errno::CONNRESET | rustix::io::Errno::PIPE) => 0,
        Err(error) => return Err(error.into()),
    };
    let descriptors = control
        .drain()
        .filter_map(|part| match part {
            RecvAncillaryMessage::ScmRights(passed) => Some(passed),
            _ => None,
        })
        .flatten()
        .collect();
    message.truncate(length);
    Ok((length > 0).then_some((message, descriptors)))
}
