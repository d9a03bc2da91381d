//! Ends before the end: Ctrl-C and worse. Nothing may be left behind.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tidegate_testkit::Sandbox;

use crate::{is_running, repository, wait_until};

fn pipeline(marker: &str) -> String {
    format!(
        "one: {{cache: {{key: k, paths: [f]}}, script: [touch f, 'sleep {marker} & (trap \"\" TERM; sleep {marker})']}}\n\
         two: {{script: ['setsid sleep {marker} & sleep {marker}']}}\n"
    )
}

fn started(repo: &Sandbox, marker: &str) -> Child {
    let mut command = repo.command(&["run", "--jobs", "2"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().expect("the binary starts");
    wait_until("the jobs", || is_running(&format!("sleep\0{marker}")));
    std::thread::sleep(Duration::from_millis(300));
    child
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(child.id().to_string())
        .status();
    assert!(status.expect("kill is here").success());
}

#[test]
fn ctrl_c_ends_every_process_of_every_job() {
    let marker = "98761";
    let repo = repository(&pipeline(marker));
    let mut child = started(&repo, marker);
    signal(&child, "INT");
    let ended = child.wait().expect("it ends");
    assert_eq!(ended.code(), Some(130));
    wait_until("the processes to go", || {
        !is_running(&format!("sleep\0{marker}"))
    });
    assert_nothing_left(&repo);
}

/// A job that waits, and an `after_script` that leaves what it was told, then waits as well if `lingers` is the marker.
fn with_after_script(repo: &Sandbox, marker: &str, lingers: &str) -> std::path::PathBuf {
    let told = repo.data().with_file_name("told");
    let pipeline = format!(
        "job: {{script: ['sleep {marker}'], after_script: ['echo \"$CI_JOB_STATUS\" >> {}', 'sleep {lingers}']}}\n\
         next: {{needs: [job], script: [echo next]}}\n",
        told.display()
    );
    repo.write(".gitlab-ci.yml", pipeline);
    told
}

#[test]
fn ctrl_c_cancels_so_that_after_script_still_runs() {
    let marker = "98764";
    let repo = repository("");
    let told = with_after_script(&repo, marker, "0");
    let mut child = started(&repo, marker);
    signal(&child, "INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(std::fs::read_to_string(told).unwrap(), "canceled\n");
    assert!(!is_running(&format!("sleep\0{marker}")));
    assert_nothing_left(&repo);
}

#[test]
fn ctrl_c_pressed_again_does_not_wait_for_after_script() {
    let (marker, lingers) = ("98765", "98766");
    let repo = repository("");
    let told = with_after_script(&repo, marker, lingers);
    let mut child = started(&repo, marker);
    signal(&child, "INT");
    wait_until("after_script", || is_running(&format!("sleep\0{lingers}")));
    signal(&child, "INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(std::fs::read_to_string(told).unwrap(), "canceled\n");
    assert!(!is_running(&format!("sleep\0{lingers}")));
    assert_nothing_left(&repo);
}

#[test]
fn whoever_ends_the_process_does_not_wait_for_after_script() {
    let marker = "98767";
    let repo = repository("");
    let told = with_after_script(&repo, marker, "0");
    let mut child = started(&repo, marker);
    signal(&child, "TERM");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(!told.exists());
    assert!(!is_running(&format!("sleep\0{marker}")));
    assert_nothing_left(&repo);
}

#[test]
fn a_killed_run_leaves_no_process_and_no_half_written_cache() {
    let marker = "98762";
    let repo = repository(&pipeline(marker));
    let mut child = started(&repo, marker);
    signal(&child, "KILL");
    child.wait().expect("it ends");
    wait_until("the processes to go", || {
        !is_running(&format!("sleep\0{marker}"))
    });
    assert_nothing_left(&repo);
    repo.write(
        ".gitlab-ci.yml",
        "one: {cache: {key: k, paths: [f]}, script: [test ! -e f]}\n",
    );
    let again = repo.run(&["run"]);
    assert_eq!(again.code, Some(0), "{}", again.shown());
}

fn assert_nothing_left(repo: &Sandbox) {
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("Linux");
    let data = repo.data();
    assert!(!mounts.contains(&*data.to_string_lossy()), "{mounts}");
}
