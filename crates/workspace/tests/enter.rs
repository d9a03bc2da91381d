//! A process that enters a workspace itself, as a job's supervisor does. Not under the test
//! harness, whose processes have many threads: this file's `main` runs itself once more for each
//! backend, and that process calls [`MountPlan::enter`].

use std::path::Path;
use std::process::{Command, ExitCode};

use tidegate_workspace::probe::probe;
use tidegate_workspace::{Backend, Layer, MountPlan, Workspace, WorkspaceSpec};

#[expect(
    clippy::print_stdout,
    reason = "the project's way to say that a test was skipped"
)]
fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "enter") {
        return supervisor(&args[1..]);
    }
    let tmp = tempfile::tempdir().unwrap();
    let probe = probe(tmp.path());
    for (backend, reason) in probe.iter() {
        match reason {
            None => check(tmp.path(), backend),
            Some(reason) => println!("skipped: {backend}: {reason}"),
        }
    }
    ExitCode::SUCCESS
}

fn check(tmp: &Path, backend: Backend) {
    let layer = tmp.join("layer");
    std::fs::create_dir_all(&layer).unwrap();
    std::fs::write(layer.join("file"), "from the layer").unwrap();
    let workspace = Workspace::prepare(WorkspaceSpec {
        dir: tmp.join(backend.name()).join("dir"),
        layers: vec![Layer::stored(&layer)],
        scratch: tmp.join(backend.name()).join("scratch"),
        backend,
    })
    .unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("enter")
        .args(workspace.plan().to_args())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{backend}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(text, "from the layer", "{backend}");
    assert_eq!(
        workspace.union().unwrap().read(Path::new("made")).unwrap(),
        b"by the job"
    );
    assert!(!layer.join("made").exists());
    workspace.discard().unwrap();
}

fn supervisor(args: &[std::ffi::OsString]) -> ExitCode {
    let plan = MountPlan::from_args(args).unwrap();
    plan.enter().unwrap();
    let script = "cat file; printf 'by the job' > made";
    let status = Command::new("sh").args(["-c", script]).status().unwrap();
    if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
