//! `workflow:auto_cancel`: a newer run of the branch, and a failed job.

use std::process::{Child, Stdio};

use tidegate_testkit::{Ended, Sandbox};

use crate::{is_running, repository, wait_until};

/// One job at work and one that waits behind it. `sleep` has a marker, so that it can be found.
fn pipeline(workflow: &str, interruptible: bool, marker: &str) -> String {
    format!(
        "workflow: {{auto_cancel: {workflow}}}\n\
         first: {{stage: build, interruptible: {interruptible}, script: ['test -n \"$QUICK\" || sleep {marker}']}}\n\
         second: {{stage: test, interruptible: true, script: [echo second]}}\n"
    )
}

/// A run whose first job is at work.
fn started(repo: &Sandbox, marker: &str) -> Child {
    let mut command = repo.command(&["run"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the binary starts");
    wait_until("the first job", || is_running(&format!("sleep\0{marker}")));
    child
}

fn newer(repo: &Sandbox, args: &[&str]) -> Ended {
    let ended = repo.run(&[&["run", "--variable", "QUICK=1"], args].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    ended
}

fn ended(child: Child) -> Ended {
    Ended::of(child.wait_with_output().expect("it ends"))
}

/// Ends a job by ending what it waits for.
fn let_go(marker: &str) {
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    for process in processes {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        if line == format!("sleep\0{marker}\0").as_bytes() {
            let id = process.file_name();
            let _ = std::process::Command::new("kill").arg(id).status();
        }
    }
}

#[test]
fn a_newer_commit_cancels_a_run_whose_jobs_are_all_interruptible() {
    let marker = "98711";
    let repo = repository(&pipeline("{on_new_commit: conservative}", true, marker));
    let older = started(&repo, marker);
    repo.commit("newer");
    let said = newer(&repo, &[]).stderr;
    assert!(said.contains("run 1 of an older commit of main"), "{said}");
    let older = ended(older);
    assert_eq!(older.code, Some(1), "{}", older.shown());
    let why = "run 2 of a newer commit makes this one redundant";
    assert!(older.stderr.contains(why), "{}", older.shown());
    assert!(older.stderr.contains("2 canceled"), "{}", older.shown());
    wait_until("its process to go", || {
        !is_running(&format!("sleep\0{marker}"))
    });
}

#[test]
fn a_conservative_run_goes_on_once_a_job_that_is_not_interruptible_has_started() {
    let marker = "98712";
    let repo = repository(&pipeline("{on_new_commit: conservative}", false, marker));
    let older = started(&repo, marker);
    repo.commit("newer");
    let _ = newer(&repo, &[]);
    assert!(is_running(&format!("sleep\0{marker}")));
    let_go(marker);
    let older = ended(older);
    assert!(
        older.stderr.contains("1 failed, 1 skipped"),
        "{}",
        older.shown()
    );
}

#[test]
fn an_interruptible_run_loses_only_its_interruptible_jobs() {
    let marker = "98713";
    let repo = repository(&pipeline("{on_new_commit: interruptible}", false, marker));
    let older = started(&repo, marker);
    repo.commit("newer");
    let _ = newer(&repo, &[]);
    // The one at work goes on, the one that waits is canceled.
    wait_until("the older run to notice", || {
        let events = std::fs::read(repo.data().join("runs/1/events"));
        String::from_utf8_lossy(&events.expect("it is there")).contains("canceled")
    });
    assert!(is_running(&format!("sleep\0{marker}")));
    let_go(marker);
    let older = ended(older);
    assert!(
        older.stderr.contains("1 failed, 1 canceled"),
        "{}",
        older.shown()
    );
}

#[test]
fn none_the_same_commit_another_branch_and_a_part_leave_a_run_alone() {
    let marker = "98714";
    let repo = repository(&pipeline("{on_new_commit: conservative}", true, marker));
    let older = started(&repo, marker);
    let _ = newer(&repo, &[]);
    repo.commit("newer");
    let _ = newer(&repo, &["--ref", "other"]);
    let _ = newer(&repo, &["first"]);
    assert!(is_running(&format!("sleep\0{marker}")));
    let_go(marker);
    let older = ended(older);
    assert!(
        older.stderr.contains("1 failed, 1 skipped"),
        "{}",
        older.shown()
    );
    let marker = "98715";
    let repo = repository(&pipeline("{on_new_commit: none}", true, marker));
    let older = started(&repo, marker);
    repo.commit("newer");
    let _ = newer(&repo, &[]);
    assert!(is_running(&format!("sleep\0{marker}")));
    let_go(marker);
    assert!(ended(older).stderr.contains("1 failed, 1 skipped"));
}

#[test]
fn a_redundant_run_can_be_resumed_by_who_wants_it() {
    let marker = "98716";
    let repo = repository(&pipeline("{on_new_commit: interruptible}", true, marker));
    let mut older = started(&repo, marker);
    older.kill().expect("it runs");
    let _ = ended(older);
    repo.commit("newer");
    let _ = newer(&repo, &[]);
    wait_until("its process to go", || {
        !is_running(&format!("sleep\0{marker}"))
    });
    let mut command = repo.command(&["run", "--resume", "1"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let resumed = command.spawn().expect("the binary starts");
    wait_until("the first job", || is_running(&format!("sleep\0{marker}")));
    let_go(marker);
    let resumed = ended(resumed);
    assert!(
        resumed.stderr.contains("1 failed, 1 skipped"),
        "{}",
        resumed.shown()
    );
}

#[test]
fn a_failed_job_cancels_the_others_where_that_is_asked_for() {
    let marker = "98717";
    let text = |policy: &str| {
        format!(
            "workflow: {{auto_cancel: {{on_job_failure: {policy}}}}}\n\
             bad: {{script: ['until pgrep -f \"sleep {marker}\" > /dev/null; do sleep 0.05; done; exit 1']}}\n\
             long: {{script: [sleep {marker}]}}\nlater: {{stage: deploy, script: [echo never]}}\n"
        )
    };
    let repo = repository(&text("all"));
    let ended = repo.run(&["run", "--jobs", "2"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    assert!(
        ended.stderr.contains("1 failed, 2 canceled"),
        "{}",
        ended.shown()
    );
    assert!(!is_running(&format!("sleep\0{marker}")));
    let allowed = repository(
        &text("all")
            .replace("bad: {", "bad: {allow_failure: true, ")
            .replace(
                &format!("[sleep {marker}]"),
                "['timeout 2 sleep 98717 || true']",
            ),
    );
    let ended = allowed.run(&["run", "--jobs", "2"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
}
