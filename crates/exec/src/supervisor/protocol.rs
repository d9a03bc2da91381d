//! What the engine and a supervisor say to each other, one datagram each.
//!
//! The socket is of type `SEQPACKET`: it keeps the borders of messages and its end of file is the
//! death of the other side, however it died. Descriptors travel with the message that needs them.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Longest message; texts of errors are cut to fit.
const LONGEST: usize = 1024;

/// From the engine.
#[derive(Debug)]
pub(crate) enum Order {
    /// Run a stage: its script and where its output goes.
    Run { script: OwnedFd, output: OwnedFd },
    /// Ask the stage to end, and end it after this many milliseconds.
    End { grace_ms: u32 },
}

/// From the supervisor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// The namespace is entered, stages may come.
    Ready,
    /// Nothing can run, and why.
    Failed(String),
    /// The shell of a stage runs and leads this process group.
    Started(i32),
    /// The stage and everything it started are gone.
    Ended { how: ShellEnd, leftovers: u32 },
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
    pub(crate) fn send_run(
        socket: BorrowedFd<'_>,
        script: BorrowedFd<'_>,
        output: BorrowedFd<'_>,
    ) -> io::Result<()> {
        send(socket, b"R", &[script, output])
    }

    pub(crate) fn send_end(socket: BorrowedFd<'_>, grace_ms: u32) -> io::Result<()> {
        let mut message = vec![b'T'];
        message.extend(grace_ms.to_le_bytes());
        send(socket, &message, &[])
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
        ) {
            (Some((b'R', _)), Some(script), Some(output)) => {
                Ok(Some(Order::Run { script, output }))
            }
            (Some((b'T', rest)), None, None) => {
                let grace_ms = u32::from_le_bytes(rest.try_into().map_err(|_| malformed())?);
                Ok(Some(Order::End { grace_ms }))
            }
            _ => Err(malformed()),
        }
    }
}

impl Answer {
    pub(crate) fn send(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let mut message = Vec::with_capacity(16);
        match self {
            Answer::Ready => message.push(b'+'),
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
        }
        send(socket, &message, &[])
    }

    /// Returns the next answer, `None` when the supervisor is gone.
    pub(crate) fn receive(socket: BorrowedFd<'_>) -> io::Result<Option<Answer>> {
        let Some((message, _)) = receive(socket)? else {
            return Ok(None);
        };
        let answer = match message.as_slice() {
            [b'+'] => Answer::Ready,
            [b'!', why @ ..] => Answer::Failed(String::from_utf8_lossy(why).into_owned()),
            &[b'S', a, b, c, d] => Answer::Started(i32::from_le_bytes([a, b, c, d])),
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
        Ok(Some(answer))
    }
}

fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "malformed message between engine and supervisor",
    )
}

fn send(socket: BorrowedFd<'_>, message: &[u8], passed: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
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
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
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
