//! How many shells a job starts, and that its log does not show it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tidegate_exec::ShellExecutor;
use tidegate_pipeline::JobSpec;

use crate::job::{self, spec, step};
use crate::kit::host;

/// Runs a job in `dir`, which is its `HOME` too; returns its log without times.
fn log_of(executor: &ShellExecutor, dir: &Path, spec: JobSpec) -> String {
    let log = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&log);
    let sink = move |bytes: &[u8]| sink.lock().expect("the log").extend_from_slice(bytes);
    let run = job::run(dir, spec, Box::new(sink));
    executor.start(run).expect("the job starts").wait();
    let log = String::from_utf8_lossy(&log.lock().expect("the log")).into_owned();
    let mut parts = log.split("section_");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (kind, rest) = part.split_once(':').expect("a time follows");
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        text.push_str(&format!("section_{kind}{rest}"));
    }
    text
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// A job with everything that is said without a shell.
fn example() -> JobSpec {
    let mut spec = spec(&["echo A=1 >> \"$GITLAB_ENV\""]);
    spec.steps.push(step("after_script", &["echo \"$A\""]));
    spec
}

#[test]
fn only_the_first_job_needs_shells_of_its_own_and_all_logs_are_the_same() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dir.path().join(".profile"), "echo >> ~/shells\n").expect("a profile");
    let shells = dir.path().join("shells");
    let executor = job::executor(host());
    let first = log_of(&executor, dir.path(), example());
    assert_eq!(
        lines(&shells),
        3,
        "prepare_script, step_script, after_script"
    );
    let second = log_of(&executor, dir.path(), example());
    assert_eq!(lines(&shells), 5, "step_script, after_script");
    assert_eq!(second, first);
    assert!(first.contains("Running on "), "{first}");
    assert!(
        first.contains("Using the snapshot of the work tree at 01234567"),
        "{first}"
    );
}

#[test]
fn a_profile_that_prints_is_seen_in_every_stage() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dir.path().join(".profile"), "echo welcome\n").expect("a profile");
    let executor = job::executor(host());
    let [first, second] = [(); 2].map(|()| log_of(&executor, dir.path(), example()));
    assert_eq!(first.matches("welcome").count(), 5, "{first}");
    assert_eq!(second, first);
}

#[test]
fn a_name_that_cannot_be_exported_fails_where_sources_are_got() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let executor = job::executor(host());
    log_of(&executor, dir.path(), example());
    let mut broken = example();
    broken.variables = vec![crate::scripts::variable("not-a-name", "1")];
    let log = log_of(&executor, dir.path(), broken);
    assert!(!log.contains("section_start:step_script"), "{log}");
    assert!(log.contains("Job failed: exit status 1"), "{log}");
}
