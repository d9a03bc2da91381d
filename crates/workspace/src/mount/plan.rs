//! What has to be mounted where, as inert data that crosses a process boundary.
//!
//! The engine makes a [`MountPlan`], hands it to the job's supervisor as bytes or arguments, and
//! the supervisor carries it out.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::enter::{EnterError, PreparedMount};

/// What the process that is to see a workspace must do before it looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPlan {
    /// Where the tree will be seen. An existing directory.
    pub dir: PathBuf,
    /// The overlay to mount there; `None` when the tree is already there.
    pub overlay: Option<Overlay>,
}

/// An overlay mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// Whose privilege is used.
    pub privilege: Privilege,
    /// Read-only directories, lowest first, at least one, no two the same.
    pub layers: Vec<PathBuf>,
    /// The writable directory.
    pub upper: PathBuf,
    /// overlayfs's own directory, on the same file system as `upper`.
    pub work: PathBuf,
}

/// Where the right to mount comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// The process may mount.
    Own,
    /// A new user namespace, in which the process keeps its user and group id.
    UserNamespace,
}

impl MountPlan {
    /// Moves the calling process into a private mount namespace with the workspace mounted, and
    /// changes its directory to the workspace. Without an overlay only the directory changes.
    ///
    /// The calling process must have a single thread: the kernel refuses a new user namespace to
    /// any other (`EINVAL`), and a mount namespace would cover one thread only. A process that has
    /// failed to enter is in an undefined namespace and should exit.
    ///
    /// # Errors
    ///
    /// The step that failed and the system's answer.
    pub fn enter(&self) -> Result<(), EnterError> {
        PreparedMount::new(self)?.enter()
    }

    /// Makes `command` enter the workspace between fork and exec, whatever the number of threads
    /// of the caller. A failure is the `spawn` error of `command`.
    ///
    /// # Errors
    ///
    /// A path in the plan that cannot be passed to the system.
    pub fn enter_on_spawn(&self, command: &mut Command) -> Result<(), EnterError> {
        let mut prepared = PreparedMount::new(self)?;
        let enter = move || prepared.enter().map_err(|error| error.errno().into());
        #[expect(unsafe_code, reason = "pre_exec is unsafe")]
        // SAFETY: the closure runs in the forked child before exec, where only functions that are
        // safe in a signal handler may be called. `PreparedMount::enter` makes system calls only:
        // it allocates nothing, takes no lock and does not panic (its module says how).
        unsafe {
            command.pre_exec(enter);
        }
        Ok(())
    }

    /// The `-o` options of this overlay for someone else who mounts it (dockerd's `local` volume
    /// driver with `type=overlay`), paths escaped. `None` without an overlay.
    ///
    /// The kernel takes at most 4095 bytes of options; the caller checks the length.
    pub fn overlay_options(&self) -> Option<OsString> {
        let overlay = self.overlay.as_ref()?;
        let mut options = Vec::from(b"lowerdir=".as_slice());
        for (place, layer) in overlay.layers.iter().rev().enumerate() {
            if place > 0 {
                options.push(b':');
            }
            escape_into(&mut options, layer);
        }
        options.extend_from_slice(b",upperdir=");
        escape_into(&mut options, &overlay.upper);
        options.extend_from_slice(b",workdir=");
        escape_into(&mut options, &overlay.work);
        options.extend_from_slice(match overlay.privilege {
            Privilege::Own => PLAIN_UPPER,
            Privilege::UserNamespace => b",userxattr",
        });
        Some(OsString::from_vec(options))
    }

    /// The plan as arguments of a command line; [`MountPlan::from_args`] is the inverse.
    pub fn to_args(&self) -> Vec<OsString> {
        let Some(overlay) = &self.overlay else {
            return vec!["plain".into(), self.dir.clone().into()];
        };
        let privilege = match overlay.privilege {
            Privilege::Own => "overlay",
            Privilege::UserNamespace => "overlay-user",
        };
        let mut args: Vec<OsString> = vec![privilege.into()];
        args.extend([&self.dir, &overlay.upper, &overlay.work].map(|path| path.clone().into()));
        args.extend(overlay.layers.iter().map(|path| path.clone().into()));
        args
    }

    /// Reads what [`MountPlan::to_args`] wrote.
    ///
    /// # Errors
    ///
    /// Anything else.
    pub fn from_args<A: AsRef<OsStr>>(args: &[A]) -> Result<Self, BadPlan> {
        let path = |arg: &A| PathBuf::from(arg.as_ref());
        let (kind, rest) = args.split_first().ok_or(BadPlan)?;
        let privilege = match (kind.as_ref().as_bytes(), rest) {
            (b"plain", [dir]) => {
                return Ok(MountPlan {
                    dir: path(dir),
                    overlay: None,
                });
            }
            (b"overlay", _) => Privilege::Own,
            (b"overlay-user", _) => Privilege::UserNamespace,
            _ => return Err(BadPlan),
        };
        let [dir, upper, work, layers @ ..] = rest else {
            return Err(BadPlan);
        };
        if layers.is_empty() {
            return Err(BadPlan);
        }
        let layers = layers.iter().map(path).collect();
        let overlay = Overlay {
            privilege,
            layers,
            upper: path(upper),
            work: path(work),
        };
        Ok(MountPlan {
            dir: path(dir),
            overlay: Some(overlay),
        })
    }

    /// The plan as bytes: the arguments, each ended by a NUL, which no path contains.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for arg in self.to_args() {
            bytes.extend_from_slice(arg.as_bytes());
            bytes.push(0);
        }
        bytes
    }

    /// Reads what [`MountPlan::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// Anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadPlan> {
        let bytes = bytes.strip_suffix(&[0]).ok_or(BadPlan)?;
        let args: Vec<&OsStr> = bytes
            .split(|byte| *byte == 0)
            .map(OsStr::from_bytes)
            .collect();
        MountPlan::from_args(&args)
    }
}

/// Text that is no mount plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read the mount plan: it is incomplete or of another version")]
pub struct BadPlan;

/// Turns off what would let a name in the upper directory stand for content elsewhere. With
/// `userxattr` the kernel does so by itself.
pub(super) const PLAIN_UPPER: &[u8] = b",redirect_dir=off,metacopy=off,index=off";

/// In overlay options `\` escapes itself, `:` between layers and `,` between options.
fn escape_into(options: &mut Vec<u8>, path: &Path) {
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'\\' | b':' | b',') {
            options.push(b'\\');
        }
        options.push(*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> MountPlan {
        let layers = vec!["/s/base".into(), "/s/a:b,c\\d e".into()];
        let overlay = Overlay {
            privilege: Privilege::UserNamespace,
            layers,
            upper: "/w/upper".into(),
            work: "/w/wd".into(),
        };
        MountPlan {
            dir: "/b/project".into(),
            overlay: Some(overlay),
        }
    }

    #[test]
    fn a_plan_survives_bytes_and_arguments() {
        let plain = MountPlan {
            dir: "/b/with\nnewline".into(),
            overlay: None,
        };
        for plan in [plan(), plain] {
            assert_eq!(MountPlan::from_bytes(&plan.to_bytes()), Ok(plan.clone()));
            assert_eq!(MountPlan::from_args(&plan.to_args()), Ok(plan));
        }
    }

    #[test]
    fn truncated_plans_are_refused() {
        let bytes = plan().to_bytes();
        let cut = bytes.len() - 1;
        for bad in [
            &bytes[..cut],
            &bytes[..8],
            b"",
            b"\0",
            b"plain\0",
            b"other\0/x\0",
        ] {
            assert_eq!(MountPlan::from_bytes(bad), Err(BadPlan), "{bad:?}");
        }
        assert_eq!(
            MountPlan::from_args(&["overlay", "/d", "/u", "/w"]),
            Err(BadPlan)
        );
    }

    #[test]
    fn options_list_the_topmost_layer_first_and_escape_separators() {
        assert_eq!(
            plan().overlay_options().unwrap(),
            "lowerdir=/s/a\\:b\\,c\\\\d e:/s/base,upperdir=/w/upper,workdir=/w/wd,userxattr"
        );
        let mut own = plan();
        own.overlay.as_mut().unwrap().privilege = Privilege::Own;
        let options = own.overlay_options().unwrap().into_string().unwrap();
        assert!(
            options.ends_with("wd,redirect_dir=off,metacopy=off,index=off"),
            "{options}"
        );
    }
}
