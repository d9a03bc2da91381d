//! Which backends work for a directory, found out by trying.
//!
//! Overlay is tried in a forked child, which makes its namespaces, mounts, uses the mount as a job
//! would and exits: the caller's namespaces are untouched and nothing is left mounted. The use
//! matters: some file systems mount but cannot store the attributes or whiteouts overlayfs needs.

use std::ffi::CStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ioctl_ficlone, mkdirat, openat, statat, unlinkat};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::backend::{Backend, Wanted};
use crate::mount::{EnterError, MountPlan, Overlay, PreparedMount, Privilege, Step};

/// What works for a directory; stays true until the machine is set up otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// In the order of [`Backend::ALL`]; the reason of one that does not work.
    reasons: [Option<String>; 4],
}

/// What was asked for does not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("use workspace backend {wanted}: {reason}")]
pub struct Unavailable {
    /// What was asked for.
    pub wanted: Wanted,
    /// Why it does not work here.
    pub reason: String,
}

/// Tries every backend with workspaces in the existing directory `dir`. Costs a few milliseconds.
pub fn probe(dir: &Path) -> Probe {
    let trial = Trial::new(dir);
    let trial = trial.as_ref().map_err(String::as_str);
    Probe {
        reasons: Backend::ALL.map(|backend| reason(trial, backend)),
    }
}

/// The backend to use for a wish in the existing directory `dir`; tries no more than it has to.
///
/// # Errors
///
/// Nothing that was asked for works.
pub fn choose(dir: &Path, wanted: Wanted) -> Result<Backend, Unavailable> {
    let trial = Trial::new(dir);
    let trial = trial.as_ref().map_err(String::as_str);
    wanted.choose(|backend| reason(trial, backend))
}

fn reason(trial: Result<&Trial, &str>, backend: Backend) -> Option<String> {
    match trial {
        Ok(trial) => trial.reason(backend),
        Err(reason) => Some(reason.to_owned()),
    }
}

impl Probe {
    /// Why `backend` does not work; `None` when it does.
    pub fn reason(&self, backend: Backend) -> Option<&str> {
        let mut all = Backend::ALL.into_iter().zip(&self.reasons);
        all.find(|(known, _)| *known == backend)
            .and_then(|(_, reason)| reason.as_deref())
    }

    /// The backend to use for a wish.
    ///
    /// # Errors
    ///
    /// Nothing that was asked for works.
    pub fn choose(&self, wanted: Wanted) -> Result<Backend, Unavailable> {
        wanted.choose(|backend| self.reason(backend).map(str::to_owned))
    }

    /// Every backend, best first, with the reason of each that does not work.
    pub fn iter(&self) -> impl Iterator<Item = (Backend, Option<&str>)> {
        Backend::ALL
            .into_iter()
            .zip(self.reasons.iter().map(Option::as_deref))
    }
}

impl Wanted {
    /// The best backend that is meant and for which there is no reason against it.
    fn choose(self, reason: impl Fn(Backend) -> Option<String>) -> Result<Backend, Unavailable> {
        let allowed = |backend: &Backend| match self {
            Wanted::Best => true,
            Wanted::Overlay => backend.is_overlay(),
            Wanted::Exactly(exactly) => *backend == exactly,
        };
        let mut reasons = Vec::new();
        for backend in Backend::ALL.into_iter().filter(allowed) {
            match reason(backend) {
                None => return Ok(backend),
                Some(reason) => reasons.push(format!("{backend}: {reason}")),
            }
        }
        Err(Unavailable {
            wanted: self,
            reason: reasons.join("; "),
        })
    }
}

/// A small tree to try backends on.
struct Trial {
    tmp: tempfile::TempDir,
}

impl Trial {
    /// An error is the reason why nothing works.
    fn new(dir: &Path) -> Result<Self, String> {
        Self::make(dir).map_err(|error| format!("{} cannot be written: {error}", dir.display()))
    }

    fn make(dir: &Path) -> io::Result<Self> {
        let tmp = tempfile::Builder::new().prefix(".probe-").tempdir_in(dir)?;
        std::fs::create_dir_all(tmp.path().join("lower/dir"))?;
        std::fs::write(tmp.path().join("lower/file"), "content")?;
        std::fs::write(tmp.path().join("lower/dir/file"), "content")?;
        Ok(Trial { tmp })
    }

    fn reason(&self, backend: Backend) -> Option<String> {
        match backend {
            Backend::OverlayRoot => self.overlay(Privilege::Own),
            Backend::OverlayUser => self.overlay(Privilege::UserNamespace),
            Backend::Reflink => self.reflink().err().map(reflink_reason),
            Backend::Copy => None,
        }
    }

    fn overlay(&self, privilege: Privilege) -> Option<String> {
        match self.try_overlay(privilege) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(overlay_reason(privilege, error)),
            Err(error) => Some(format!("it could not be tried: {error}")),
        }
    }

    fn try_overlay(&self, privilege: Privilege) -> io::Result<Result<(), EnterError>> {
        let base = self.tmp.path().join(format!("{privilege:?}"));
        let [dir, upper, work] = ["dir", "upper", "work"].map(|name| base.join(name));
        for new in [&dir, &upper, &work] {
            std::fs::create_dir_all(new)?;
        }
        let layers = vec![self.tmp.path().join("lower")];
        let overlay = Overlay {
            privilege,
            layers,
            upper,
            work,
        };
        let plan = MountPlan {
            dir,
            overlay: Some(overlay),
        };
        let tried = PreparedMount::new(&plan).map(in_child);
        // overlayfs leaves a directory without permissions in its work directory.
        crate::remove_tree(&base).map_err(|error| error.source)?;
        match tried {
            Ok(answer) => answer,
            Err(error) => Ok(Err(error)),
        }
    }

    fn reflink(&self) -> Result<(), Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
        let from = self.tmp.path().join("lower/file");
        let from = openat(CWD, &from, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let to = openat(
            CWD,
            self.tmp.path().join("clone"),
            flags,
            Mode::RUSR | Mode::WUSR,
        )?;
        ioctl_ficlone(&to, &from)
    }
}

/// Enters the workspace and uses it in a forked child; never reaches an exec.
fn in_child(mut prepared: PreparedMount) -> io::Result<Result<(), EnterError>> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut command = Command::new("/");
    let attempt = move || {
        let answer = prepared.enter().and_then(|()| use_as_a_job_does());
        let [step, errno] = answer.err().map_or([0, 0], EnterError::to_raw);
        let mut message = [0; 8];
        let (first, second) = message.split_at_mut(4);
        first.copy_from_slice(&step.to_ne_bytes());
        second.copy_from_slice(&errno.to_ne_bytes());
        rustix::io::write(&writer, &message)?;
        Err(Errno::CANCELED.into())
    };
    #[expect(unsafe_code, reason = "pre_exec is unsafe")]
    // SAFETY: the closure runs in the forked child, where only functions that are safe in a signal
    // handler may be called. It makes system calls and copies bytes; nothing allocates, locks or
    // panics (see `mount/enter.rs`). It always fails, so that std reaps the child.
    unsafe {
        command.pre_exec(attempt);
    }
    let spawned = command.spawn();
    // The child has ended; now the pipe's writing end is closed here as well.
    drop(command);
    let mut message = [0; 8];
    if let Err(short) = std::fs::File::from(reader).read_exact(&mut message) {
        return Err(spawned.err().unwrap_or(short));
    }
    let [a, b, c, d, e, f, g, h] = message;
    let raw = [
        i32::from_ne_bytes([a, b, c, d]),
        i32::from_ne_bytes([e, f, g, h]),
    ];
    Ok(EnterError::from_raw(raw).map_or(Ok(()), Err))
}

/// Runs in the forked child, in the mounted tree: system calls only.
fn use_as_a_job_does() -> Result<(), EnterError> {
    let attempt = || -> Result<(), Errno> {
        let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let made: OwnedFd = openat(CWD, c"new", new, Mode::RUSR | Mode::WUSR)?;
        rustix::io::write(made.as_fd(), b"x")?;
        // Whiteouts, and a directory that must hide the one below.
        unlinkat(CWD, c"file", AtFlags::empty())?;
        unlinkat(CWD, c"dir/file", AtFlags::empty())?;
        unlinkat(CWD, c"dir", AtFlags::REMOVEDIR)?;
        mkdirat(CWD, c"dir", Mode::RWXU)?;
        let gone: [&CStr; 2] = [c"file", c"dir/file"];
        match gone
            .iter()
            .all(|path| statat(CWD, *path, AtFlags::empty()).err() == Some(Errno::NOENT))
        {
            true => Ok(()),
            false => Err(Errno::OPNOTSUPP),
        }
    };
    attempt().map_err(|errno| EnterError::new(Step::Use, errno))
}

fn reflink_reason(errno: Errno) -> String {
    let reason = match errno {
        Errno::OPNOTSUPP | Errno::NOTTY | Errno::INVAL | Errno::NOSYS => {
            "the file system cannot clone files (XFS and btrfs can)"
        }
        Errno::XDEV => "files cannot be cloned between these mounts",
        Errno::PERM | Errno::ACCESS => "cloning files is not permitted here",
        _ => return format!("cloning a file failed: {errno}"),
    };
    reason.to_owned()
}

fn overlay_reason(privilege: Privilege, error: EnterError) -> String {
    let advice = match (error.step(), privilege, error.errno()) {
        (Step::Unshare, Privilege::Own, Errno::PERM) => "the process may not mount (not root)",
        (Step::Unshare, Privilege::UserNamespace, Errno::PERM | Errno::NOSPC | Errno::USERS) => {
            "user namespaces are turned off for this user (user.max_user_namespaces, \
             kernel.unprivileged_userns_clone or a container's seccomp filter)"
        }
        (
            Step::MapUser | Step::DetachMounts,
            Privilege::UserNamespace,
            Errno::PERM | Errno::ACCESS,
        ) => {
            "user namespaces are restricted \
             (kernel.apparmor_restrict_unprivileged_userns, or a container)"
        }
        (Step::Configure | Step::Mount, _, Errno::NODEV) => "the kernel has no overlayfs",
        (Step::Mount, Privilege::UserNamespace, Errno::PERM) => {
            "the kernel allows overlayfs in user namespaces since Linux 5.11 only"
        }
        (Step::Mount, _, Errno::INVAL) => {
            "the file system cannot hold the writable layer (another overlay, NFS and FAT cannot)"
        }
        (Step::Use, _, _) => "the file system cannot store what overlayfs needs to mark deletions",
        _ => return error.to_string(),
    };
    format!("{advice}; {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copying_always_works_and_a_probe_leaves_nothing_behind() {
        let tmp = tempfile::tempdir().unwrap();
        let namespace = || std::fs::read_link("/proc/self/ns/mnt").unwrap();
        let before = namespace();
        let probe = probe(tmp.path());
        assert_eq!(probe.reason(Backend::Copy), None);
        assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0);
        assert_eq!(namespace(), before);
    }

    #[test]
    fn a_directory_that_cannot_be_written_supports_nothing() {
        let probe = probe(Path::new("/proc/nothing"));
        assert!(
            probe
                .iter()
                .all(|(_, reason)| reason.is_some_and(|r| r.contains("/proc/nothing")))
        );
    }

    #[test]
    fn the_best_that_works_is_chosen_and_refusals_name_every_reason() {
        let probe = Probe {
            reasons: [Some("a".into()), Some("b".into()), None, None],
        };
        assert_eq!(probe.choose(Wanted::Best), Ok(Backend::Reflink));
        assert_eq!(
            probe.choose(Wanted::Exactly(Backend::Copy)),
            Ok(Backend::Copy)
        );
        assert_eq!(
            probe.choose(Wanted::Overlay).unwrap_err().to_string(),
            "use workspace backend overlay: overlay-root: a; overlay-user: b"
        );
    }
}
