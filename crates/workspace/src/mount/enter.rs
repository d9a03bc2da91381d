//! Carrying out a mount plan.
//!
//! [`PreparedMount::new`] does everything that allocates. [`PreparedMount::enter`] then makes
//! system calls only (rustix calls the kernel directly; buffers and the descriptor table have
//! their capacity beforehand; `&CStr` arguments are not copied), so that it may run in a child
//! forked from a process with many threads.
//!
//! How the mount is made:
//! * Layers are opened *after* the namespace is new, since the kernel refuses to build an overlay
//!   on mounts of another namespace, and are named `/proc/self/fd/N`: no path length or special
//!   character can matter.
//! * Linux 6.5 takes layers one at a time (`fsconfig`, `lowerdir+`), so their number is bounded by
//!   overlayfs alone (500). Before that all options share one page; the short names leave room for
//!   about 200 layers.
//! * Everything is made a *slave* of the namespace it came from rather than private: nothing
//!   mounted here ever shows outside, but a disk the user unmounts outside is not kept busy.
//! * `volatile`: the upper directory is never synced by the overlay, so a job's `fsync` costs
//!   nothing. Durability begins when the store takes over the results. The mark the kernel leaves
//!   in the work directory, meant to stop a second mount after a crash, is taken away first: a
//!   workspace never outlives a crash as something trusted.
//! * `redirect_dir`, `metacopy` and `index` are turned off whatever the kernel's defaults: with
//!   them a file's content may be elsewhere than its name in the upper directory says.

use std::ffi::{CStr, CString};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, open, openat, unlinkat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount, mount_change,
    move_mount,
};
use rustix::thread::UnshareFlags;

use super::plan::{MountPlan, Overlay, PLAIN_UPPER, Privilege};

/// One page, less the final NUL: what `mount` takes as options.
const OPTIONS_MAX: usize = 4095;
/// Room for `/proc/self/fd/` and any descriptor number.
const FD_PATH_MAX: usize = 32;

/// A mount plan with all memory it needs, ready to be carried out in a forked child.
#[derive(Debug)]
pub struct PreparedMount {
    dir: CString,
    overlay: Option<PreparedOverlay>,
}

#[derive(Debug)]
struct PreparedOverlay {
    /// Set for a user namespace: the lines of `uid_map` and `gid_map`.
    maps: Option<(String, String)>,
    /// Topmost first, as overlayfs counts them.
    layers: Vec<CString>,
    upper: CString,
    work: CString,
    fds: Vec<OwnedFd>,
    options: Vec<u8>,
    /// As on a kernel before Linux 6.5: for tests.
    only_by_options: bool,
}

impl PreparedMount {
    /// Allocates what [`PreparedMount::enter`] needs.
    ///
    /// # Errors
    ///
    /// A path with a NUL in it.
    pub fn new(plan: &MountPlan) -> Result<Self, EnterError> {
        let overlay = plan
            .overlay
            .as_ref()
            .map(PreparedOverlay::new)
            .transpose()?;
        Ok(PreparedMount {
            dir: c_string(&plan.dir)?,
            overlay,
        })
    }

    /// As [`MountPlan::enter`], but safe between fork and exec.
    ///
    /// # Errors
    ///
    /// The step that failed and the system's answer.
    pub fn enter(&mut self) -> Result<(), EnterError> {
        if let Some(overlay) = &mut self.overlay {
            overlay.leave_namespaces()?;
            overlay.open_layers()?;
            let mounted = overlay.mount(&self.dir);
            overlay.fds.clear();
            mounted?;
        }
        rustix::process::chdir(self.dir.as_c_str()).at(Step::ChangeDirectory)
    }
}

impl PreparedOverlay {
    fn new(overlay: &Overlay) -> Result<Self, EnterError> {
        let maps = match overlay.privilege {
            Privilege::Own => None,
            Privilege::UserNamespace => Some((
                one_id_map(rustix::process::geteuid().as_raw()),
                one_id_map(rustix::process::getegid().as_raw()),
            )),
        };
        Ok(PreparedOverlay {
            maps,
            layers: overlay
                .layers
                .iter()
                .rev()
                .map(|p| c_string(p))
                .collect::<Result<_, _>>()?,
            upper: c_string(&overlay.upper)?,
            work: c_string(&overlay.work)?,
            fds: Vec::with_capacity(overlay.layers.len() + 2),
            options: Vec::with_capacity(OPTIONS_MAX + 1),
            only_by_options: false,
        })
    }

    #[expect(unsafe_code, reason = "unshare is unsafe in rustix")]
    fn leave_namespaces(&self) -> Result<(), EnterError> {
        let mut flags = UnshareFlags::NEWNS;
        if self.maps.is_some() {
            flags |= UnshareFlags::NEWUSER;
        }
        // SAFETY: the danger rustix names is `UnshareFlags::FILES`, which is not asked for.
        unsafe { rustix::thread::unshare_unsafe(flags) }.at(Step::Unshare)?;
        if let Some((uid_map, gid_map)) = &self.maps {
            // Without `deny` an unprivileged process may not write its `gid_map`; kernels before
            // 3.19 have neither the file nor the rule.
            match write_file(c"/proc/self/setgroups", b"deny") {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno).at(Step::MapUser),
            }
            write_file(c"/proc/self/uid_map", uid_map.as_bytes()).at(Step::MapUser)?;
            write_file(c"/proc/self/gid_map", gid_map.as_bytes()).at(Step::MapUser)?;
        }
        let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
        mount_change(c"/", slave).at(Step::DetachMounts)
    }

    /// Fills `fds`: the layers topmost first, then upper, then work.
    fn open_layers(&mut self) -> Result<(), EnterError> {
        self.fds.clear();
        for layer in &self.layers {
            self.fds.push(open_dir(layer).at(Step::OpenLayer)?);
        }
        self.fds.push(open_dir(&self.upper).at(Step::OpenUpper)?);
        let work = open_dir(&self.work).at(Step::OpenUpper)?;
        forget_volatile(&work);
        self.fds.push(work);
        Ok(())
    }

    fn mount(&mut self, dir: &CStr) -> Result<(), EnterError> {
        match self.mount_by_layer(dir) {
            Err(EnterError {
                step: Step::Configure,
                errno: Errno::NOSYS | Errno::INVAL | Errno::PERM,
            }) => self
                .mount_by_options(dir, true)
                .or_else(|_| self.mount_by_options(dir, false)),
            answer => answer,
        }
    }

    fn mount_by_layer(&self, dir: &CStr) -> Result<(), EnterError> {
        if self.only_by_options {
            return Err(EnterError {
                step: Step::Configure,
                errno: Errno::NOSYS,
            });
        }
        let fs = fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC).at(Step::Configure)?;
        let fs = fs.as_fd();
        let [layers @ .., upper, work] = self.fds.as_slice() else {
            return Ok(());
        };
        fsconfig_set_string(fs, c"source", c"tidegate").at(Step::Configure)?;
        for layer in layers {
            set_fd(fs, c"lowerdir+", layer)?;
        }
        set_fd(fs, c"upperdir", upper)?;
        set_fd(fs, c"workdir", work)?;
        if self.maps.is_some() {
            fsconfig_set_flag(fs, c"userxattr").at(Step::Configure)?;
        } else {
            // With `userxattr` the kernel turns these off by itself.
            for option in [c"redirect_dir", c"metacopy", c"index"] {
                fsconfig_set_string(fs, option, c"off").at(Step::Configure)?;
            }
        }
        // Younger than the rest (Linux 5.10) and only about speed.
        let _ = fsconfig_set_flag(fs, c"volatile");
        fsconfig_create(fs).at(Step::Mount)?;
        let tree =
            fsmount(fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).at(Step::Mount)?;
        move_mount(
            &tree,
            c"",
            CWD,
            dir,
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
        )
        .at(Step::Attach)
    }

    fn mount_by_options(&mut self, dir: &CStr, volatile: bool) -> Result<(), EnterError> {
        let too_long = |_| EnterError {
            step: Step::Configure,
            errno: Errno::TOOBIG,
        };
        self.write_options(volatile).map_err(too_long)?;
        if self.options.len() > OPTIONS_MAX {
            return Err(too_long(std::fmt::Error));
        }
        self.options.push(0);
        let options = CStr::from_bytes_with_nul(&self.options).map_err(|_| EnterError {
            step: Step::Configure,
            errno: Errno::INVAL,
        })?;
        mount(c"tidegate", dir, c"overlay", MountFlags::empty(), options).at(Step::Mount)
    }

    /// Stops before the buffer would have to grow, since that would allocate.
    fn write_options(&mut self, volatile: bool) -> Result<(), std::fmt::Error> {
        let options = &mut self.options;
        options.clear();
        let mut add = |text: &[u8], fd: Option<&OwnedFd>| {
            if options.len() + text.len() + FD_PATH_MAX > OPTIONS_MAX {
                return Err(std::fmt::Error);
            }
            options.extend_from_slice(text);
            if let Some(fd) = fd {
                write_fd_path(options, fd);
            }
            Ok(())
        };
        let [layers @ .., upper, work] = self.fds.as_slice() else {
            return Ok(());
        };
        for (place, layer) in layers.iter().enumerate() {
            add(if place == 0 { b"lowerdir=" } else { b":" }, Some(layer))?;
        }
        add(b",upperdir=", Some(upper))?;
        add(b",workdir=", Some(work))?;
        match self.maps {
            Some(_) => add(b",userxattr", None)?,
            None => add(PLAIN_UPPER, None)?,
        }
        if volatile {
            add(b",volatile", None)
        } else {
            Ok(())
        }
    }
}

/// A failure to enter a workspace. Small and without memory of its own, since it may have to be
/// made in a forked child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}: {errno}", step.text())]
pub struct EnterError {
    step: Step,
    errno: Errno,
}

impl EnterError {
    pub(crate) fn new(step: Step, errno: Errno) -> Self {
        EnterError { step, errno }
    }

    /// The step that failed.
    pub fn step(&self) -> Step {
        self.step
    }

    /// The system's answer.
    pub fn errno(&self) -> Errno {
        self.errno
    }

    /// Two numbers that [`EnterError::from_raw`] understands.
    pub(crate) fn to_raw(self) -> [i32; 2] {
        [self.step as i32, self.errno.raw_os_error()]
    }

    pub(crate) fn from_raw([step, errno]: [i32; 2]) -> Option<Self> {
        let step = Step::ALL.into_iter().find(|known| *known as i32 == step)?;
        Some(EnterError {
            step,
            errno: Errno::from_raw_os_error(errno),
        })
    }
}

/// The steps of entering a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Passing the paths to the system.
    Paths = 1,
    /// Making the namespaces.
    Unshare,
    /// Keeping the user and group id in the user namespace.
    MapUser,
    /// Cutting the new namespace's mounts off from the old one's.
    DetachMounts,
    /// Opening a layer.
    OpenLayer,
    /// Opening the upper or work directory.
    OpenUpper,
    /// Telling the kernel the options.
    Configure,
    /// Making the overlay.
    Mount,
    /// Attaching it at the directory.
    Attach,
    /// Changing into the directory.
    ChangeDirectory,
    /// Using the mount: only a probe does this.
    Use,
}

impl Step {
    const ALL: [Step; 11] = [
        Step::Paths,
        Step::Unshare,
        Step::MapUser,
        Step::DetachMounts,
        Step::OpenLayer,
        Step::OpenUpper,
        Step::Configure,
        Step::Mount,
        Step::Attach,
        Step::ChangeDirectory,
        Step::Use,
    ];

    /// A verb phrase that completes "failed to …".
    pub fn text(self) -> &'static str {
        match self {
            Step::Paths => "name the workspace's directories",
            Step::Unshare => "make a private namespace",
            Step::MapUser => "map the user into the user namespace",
            Step::DetachMounts => "detach the namespace's mounts",
            Step::OpenLayer => "open a layer",
            Step::OpenUpper => "open the writable layer",
            Step::Configure => "configure the overlay",
            Step::Mount => "mount the overlay",
            Step::Attach => "attach the overlay to its directory",
            Step::ChangeDirectory => "change to the workspace",
            Step::Use => "write through the overlay",
        }
    }
}

/// Names the step of a failed system call.
trait AtStep<T> {
    fn at(self, step: Step) -> Result<T, EnterError>;
}

impl<T> AtStep<T> for Result<T, Errno> {
    fn at(self, step: Step) -> Result<T, EnterError> {
        self.map_err(|errno| EnterError { step, errno })
    }
}

fn c_string(path: &Path) -> Result<CString, EnterError> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Errno::INVAL)
        .or_else(|e| Err(e).at(Step::Paths))
}

/// The line that maps one id to itself.
fn one_id_map(id: u32) -> String {
    format!("{id} {id} 1\n")
}

fn open_dir(path: &CStr) -> Result<OwnedFd, Errno> {
    open(
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

fn write_file(path: &CStr, bytes: &[u8]) -> Result<(), Errno> {
    let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, bytes).map(|_| ())
}

fn set_fd(fs: BorrowedFd<'_>, key: &CStr, fd: &OwnedFd) -> Result<(), EnterError> {
    let mut buffer = [0u8; FD_PATH_MAX];
    let mut rest = buffer.as_mut_slice();
    // The buffer holds the longest name and its NUL, so this cannot fail.
    let _ = write!(rest, "/proc/self/fd/{}\0", fd.as_raw_fd());
    let value = CStr::from_bytes_until_nul(&buffer).unwrap_or_default();
    fsconfig_set_string(fs, key, value).at(Step::Configure)
}

fn write_fd_path(options: &mut Vec<u8>, fd: &OwnedFd) {
    // The caller has checked that there is room; writing to a `Vec` does not fail.
    let _ = write!(options, "/proc/self/fd/{}", fd.as_raw_fd());
}

/// Removes the kernel's mark that an earlier volatile mount was not synced, if there is one.
fn forget_volatile(work: &OwnedFd) {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(own) = openat(work, c"work", flags, Mode::empty()) else {
        return;
    };
    // What cannot be removed makes the mount fail, with a reason.
    let _ = unlinkat(&own, c"incompat/volatile/dirty", AtFlags::empty());
    let _ = unlinkat(&own, c"incompat/volatile", AtFlags::REMOVEDIR);
    let _ = unlinkat(&own, c"incompat", AtFlags::REMOVEDIR);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    /// What a shell sees in an overlay of `count` layers mounted with one page of options.
    #[expect(unsafe_code, reason = "pre_exec is unsafe")]
    fn list_mounted_by_options(privilege: Privilege, count: usize) -> std::io::Result<String> {
        let tmp = tempfile::tempdir()?;
        let dirs = |name: &str| -> std::io::Result<std::path::PathBuf> {
            let dir = tmp.path().join(name);
            std::fs::create_dir_all(&dir)?;
            Ok(dir)
        };
        let mut layers = Vec::new();
        for layer in 0..count {
            layers.push(dirs(&format!("layer: {layer}"))?);
            std::fs::write(layers[layer].join(format!("f{layer}")), "")?;
        }
        let overlay = Overlay {
            privilege,
            layers,
            upper: dirs("upper")?,
            work: dirs("work")?,
        };
        let plan = MountPlan {
            dir: dirs("dir")?,
            overlay: Some(overlay),
        };
        let mut prepared = PreparedMount::new(&plan).expect("no path has a NUL");
        if let Some(overlay) = &mut prepared.overlay {
            overlay.only_by_options = true;
        }
        let mut command = Command::new("sh");
        command.args(["-c", "rm f0; ls | wc -l"]);
        // SAFETY: as in `MountPlan::enter_on_spawn`.
        unsafe { command.pre_exec(move || prepared.enter().map_err(|e| e.errno().into())) };
        let output = command.output()?;
        crate::remove_tree(&tmp.path().join("work")).map_err(|error| error.source)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn privileges() -> impl Iterator<Item = Privilege> {
        let probe = crate::probe::probe(&std::env::temp_dir());
        let backends = [
            (crate::Backend::OverlayRoot, Privilege::Own),
            (crate::Backend::OverlayUser, Privilege::UserNamespace),
        ];
        backends
            .into_iter()
            .filter(move |(b, _)| probe.reason(*b).is_none())
            .map(|(_, p)| p)
    }

    #[test]
    fn old_kernels_get_all_layers_in_one_page_of_options() {
        for privilege in privileges() {
            assert_eq!(
                list_mounted_by_options(privilege, 150).unwrap(),
                "149",
                "{privilege:?}"
            );
        }
    }

    #[test]
    fn more_layers_than_the_page_holds_are_refused_without_growing_the_buffer() {
        for privilege in privileges() {
            let error = list_mounted_by_options(privilege, 250).unwrap_err();
            assert_eq!(
                error.raw_os_error(),
                Some(Errno::TOOBIG.raw_os_error()),
                "{privilege:?}"
            );
        }
    }
}
