//! Starting the shell of a stage from what came for it, without taking its variables apart.
//!
//! `std::process::Command` sorts a hundred and fifty variables into two maps on the way, which takes as long as all else a
//! supervisor does for a short job.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal};
use rustix::process::Pid;

/// A program to be started in the directory this process is in.
pub(super) struct Program<'a> {
    pub(super) path: &'a Path,
    /// From argument zero on.
    pub(super) arguments: &'a [CString],
    /// Each variable as `KEY=VALUE` and a zero byte.
    pub(super) environment: &'a [u8],
    pub(super) input: BorrowedFd<'a>,
    /// Output and error alike.
    pub(super) output: BorrowedFd<'a>,
}

impl Program<'_> {
    /// Starts it as the leader of a process group, with no signal blocked.
    ///
    /// # Errors
    /// Those of the system, among them that there is no such program.
    pub(super) fn start(&self) -> io::Result<Pid> {
        let path = c_string(self.path.as_os_str().as_bytes())?;
        let mut files = PosixSpawnFileActions::init()?;
        for (file, number) in [(self.input, 0), (self.output, 1), (self.output, 2)] {
            files.add_dup2(file.as_raw_fd(), number)?;
        }
        let mut attributes = PosixSpawnAttr::init()?;
        attributes.set_flags(
            PosixSpawnFlags::POSIX_SPAWN_SETPGROUP
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK,
        )?;
        attributes.set_pgroup(nix::unistd::Pid::from_raw(0))?;
        // The only one this program ignores; what it handles becomes the default by itself.
        attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
        attributes.set_sigmask(&SigSet::empty())?;
        let environment = variables(self.environment);
        let pid = posix_spawn(
            path.as_c_str(),
            &files,
            &attributes,
            self.arguments,
            &environment,
        )?;
        Pid::from_raw(pid.as_raw()).ok_or_else(|| io::Error::other("the shell has no process id"))
    }
}

/// A word for the system.
///
/// # Errors
/// It has a zero byte in it.
pub(super) fn c_string(word: &[u8]) -> io::Result<CString> {
    CString::new(word).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

fn variables(block: &[u8]) -> Vec<&CStr> {
    let words = block.split_inclusive(|byte| *byte == 0);
    words
        .filter(|word| word.contains(&b'='))
        .filter_map(|word| CStr::from_bytes_with_nul(word).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_variables_are_passed_on() {
        let found = variables(b"A=1\0none\0EMPTY=\0B=x=y\0torn=1");
        assert_eq!(found, [c"A=1", c"EMPTY=", c"B=x=y"]);
    }
}
