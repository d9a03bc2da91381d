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
