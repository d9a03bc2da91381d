//! What the tests share: a directory with layers, and jobs run in workspaces over them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use tidegate_workspace::{Backend, Layer, Workspace, WorkspaceSpec};

/// A temporary data directory.
pub(crate) struct Stage {
    tmp: tempfile::TempDir,
    pub(crate) layers: Vec<Layer>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Stage {
            tmp: tempfile::tempdir().unwrap(),
            layers: Vec::new(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.tmp.path()
    }

    /// Adds a layer on top, made by a shell script run in it.
    pub(crate) fn layer(&mut self, script: &str) -> PathBuf {
        let dir = self.path().join(format!("layer {}", self.layers.len()));
        fs::create_dir(&dir).unwrap();
        shell(&dir, script);
        self.layers.push(Layer::stored(&dir));
        dir
    }

    pub(crate) fn workspace(&self, name: &str, backend: Backend) -> Workspace {
        Workspace::prepare(WorkspaceSpec {
            dir: self.path().join(name).join("project"),
            layers: self.layers.clone(),
            scratch: self.path().join(name).join("scratch"),
            backend,
        })
        .unwrap()
    }
}

/// Runs a shell script in `dir`; it must succeed.
pub(crate) fn shell(dir: &Path, script: &str) {
    let status = Command::new("bash")
        .args(["-euc", script])
        .current_dir(dir)
        .status()
        .unwrap();
    assert!(status.success(), "{script}");
}

/// Runs a job in the workspace and returns what it printed; it must succeed.
pub(crate) fn job(workspace: &Workspace, script: &str) -> String {
    let mut bash = Command::new("bash");
    bash.args(["-euc", script]);
    workspace.plan().enter_on_spawn(&mut bash).unwrap();
    let output = bash.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `test` with every backend that works, and says which do not.
pub(crate) fn on_each_backend(test: impl Fn(Backend)) {
    for backend in Backend::ALL {
        if works(backend) {
            test(backend);
        }
    }
}

/// Whether a backend works here. With `TIDEGATE_REQUIRE_ALL=1` only what cannot be had
/// otherwise is excused: mounting as root without being it, and cloning on a file system that
/// cannot.
#[expect(
    clippy::print_stdout,
    reason = "the project's way to say that a test was skipped"
)]
pub(crate) fn works(backend: Backend) -> bool {
    let probe = tidegate_workspace::probe::probe(&std::env::temp_dir());
    match probe.reason(backend) {
        None => true,
        Some(reason) => {
            println!("skipped: {backend}: {reason}");
            let required = std::env::var_os("TIDEGATE_REQUIRE_ALL").is_some_and(|v| v == "1");
            let is_root = rustix::process::geteuid().is_root();
            let excused = match backend {
                Backend::OverlayRoot => !is_root,
                Backend::Reflink => true,
                Backend::OverlayUser | Backend::Copy => false,
            };
            assert!(!required || excused, "{backend} is required: {reason}");
            false
        }
    }
}

/// Every path below `dir` with all that a job could have changed about it.
pub(crate) fn fingerprint(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let content = if meta.is_dir() {
                dirs.push(path.clone());
                String::new()
            } else if meta.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else {
                String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
            };
            let stat = (
                meta.ino(),
                meta.permissions().mode(),
                meta.mtime(),
                meta.mtime_nsec(),
            );
            all.insert(path, format!("{stat:?} {} {content}", meta.nlink()));
        }
    }
    all
}
