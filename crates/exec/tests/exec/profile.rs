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

/// As many logins as these two jobs need with this profile; the second log has to be that of the first.
fn logins_of_two_jobs(profile: &str) -> [usize; 2] {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let profile = format!("echo >> ~/logins\n{profile}");
    std::fs::write(dir.path().join(".profile"), profile).expect("a profile");
    let executor = job::executor(host());
    let first = log_of(&executor, dir.path(), example());
    let after_first = lines(&dir.path().join("logins"));
    let second = log_of(&executor, dir.path(), example());
    assert_eq!(second, first);
    assert!(first.contains("Running on "), "{first}");
    let source = "Using the snapshot of the work tree at 01234567";
    assert!(first.contains(source), "{first}");
    let after_second = lines(&dir.path().join("logins"));
    [after_first, after_second - after_first]
}

#[test]
fn a_run_logs_in_once_where_the_profile_only_sets_the_environment() {
    for profile in [
        "",
        "export A='two\nlines' PATH=\"$HOME/bin:$PATH\"\nunset LANG",
        "f() { :; }\nexport -f f\ni=1\nunset i",
        "export SHLVL PWD OLDPWD",
        "umask \"$(umask)\"",
    ] {
        assert_eq!(logins_of_two_jobs(profile), [1, 0], "{profile}");
    }
}

#[test]
fn every_script_logs_in_where_the_profile_does_more_than_set_the_environment() {
    for profile in [
        "a_variable_of_the_shell=1",
        "f() { :; }",
        "alias ll='ls -l'",
        "shopt -s extglob",
        "set -o noglob",
        "umask 077",
        "cd /",
        "trap : EXIT",
        "trap '' USR1",
        "ulimit -c 0; ulimit -n 500",
        "enable -n echo",
        "exec 7</dev/null",
        "SHLVL=7",
    ] {
        assert_eq!(logins_of_two_jobs(profile), [3, 2], "{profile}");
    }
}

#[test]
fn scripts_see_what_the_profile_has_set() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let profile = "export A='of the  profile' SHLVL\nunset LANG\n";
    std::fs::write(dir.path().join(".profile"), profile).expect("a profile");
    let executor = job::executor(host());
    let script =
        "echo \"$A/$LANG/$SHLVL/$0/$-\"; shopt login_shell; umask; pwd; env | sort | cksum";
    let log = log_of(&executor, dir.path(), spec(&[script]));
    let without_login = log_of(&executor, dir.path(), spec(&[script]));
    assert!(log.contains("of the  profile//"), "{log}");
    assert!(log.contains("/bash/ehBs"), "{log}");
    assert!(log.contains("login_shell    \ton"), "{log}");
    std::fs::write(dir.path().join(".profile"), format!("{profile}own=1\n")).expect("a profile");
    assert_eq!(log_of(&executor, dir.path(), spec(&[script])), log);
    assert_eq!(without_login, log);
}

#[test]
fn a_profile_that_changes_while_a_run_goes_on_is_read_again() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let executor = job::executor(host());
    let mut installs = spec(&["echo 'export TOOL=here' >> ~/.profile"]);
    installs
        .steps
        .push(step("after_script", &["echo \"tool: $TOOL.\""]));
    let first = log_of(&executor, dir.path(), installs);
    assert!(first.contains("tool: here."), "{first}");
    let second = log_of(&executor, dir.path(), spec(&["echo \"tool: $TOOL.\""]));
    assert!(second.contains("tool: here."), "{second}");
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
