//! Jobs of one run stand on the same mounts one after the other, and see nothing of each other.

use std::fmt::Write;

use crate::repository;

/// Ways to leave something behind in a work tree, its mounts, or its private directories.
const TRACES: [&str; 12] = [
    "true",
    "echo left > left",
    "chmod 711 .",
    "echo left > inner/left; rm inner/kept",
    "touch left; rm left; chmod 711 .",
    "mount -t tmpfs none inner 2>/dev/null && echo left > inner/left || true",
    "echo left > \"$RUNNER_TEMP_PROJECT_DIR/left\"; echo left > \"$RUNNER_TEMP_PROJECT_DIR/../left\"",
    "ulimit -n 77; umask 077; export LEFT=1; cd inner",
    "echo LEFT=1 >> \"$GITLAB_ENV\"",
    "rm \"$GITLAB_ENV\"; ln -s /etc/passwd \"$GITLAB_ENV\"",
    "chmod 755 \"$RUNNER_TEMP_PROJECT_DIR\"; (setsid sleep 50 > left 2>&1 &)",
    "mount -t tmpfs none \"$RUNNER_TEMP_PROJECT_DIR\" 2>/dev/null || true",
];

#[test]
fn a_job_sees_nothing_of_the_jobs_before_it() {
    let look = r#"echo "seen $(stat -c %a .) $(ls -A . inner | tr '\n' ' ') \
        $(ls -A "$RUNNER_TEMP_PROJECT_DIR") $(ls -A "$RUNNER_TEMP_PROJECT_DIR/.." | tr '\n' ' ') \
        $(grep -c "$PWD/inner" /proc/self/mountinfo) $(umask) $(ulimit -n) [$LEFT]""#;
    let mut configuration = String::new();
    let mut before = String::new();
    // Twice around, since a site is only free again after the next job may have begun.
    for (at, trace) in TRACES.iter().chain(&TRACES).chain(&TRACES).enumerate() {
        let script = format!("{look}\n    {trace}\n    true");
        writeln!(
            configuration,
            "j{at}:\n  needs: [{before}]\n  script:\n  - |\n    {script}"
        )
        .unwrap();
        before = format!("j{at}");
    }
    let repo = repository(&configuration);
    repo.write("inner/kept", "");
    let ended = repo.run(&["run", "--jobs", "1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let seen: Vec<&str> = ended
        .stdout
        .lines()
        .filter_map(|line| line.split_once("| seen ").map(|(_, seen)| seen))
        .collect();
    assert_eq!(seen.len(), 3 * TRACES.len(), "{}", ended.stdout);
    assert!(seen[0].contains("kept"), "{}", seen[0]);
    for later in &seen {
        assert_eq!(later, &seen[0], "{seen:#?}");
    }
}

#[test]
fn jobs_that_leave_no_trace_are_supervised_by_one_process_after_another() {
    let mut configuration = String::new();
    for at in 0..12 {
        writeln!(configuration, "j{at}: {{script: 'echo \"below $PPID\"'}}").unwrap();
    }
    let repo = repository(&configuration);
    let ended = repo.run(&["run", "--jobs", "1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let lines = ended.stdout.lines();
    let supervisors = lines.filter_map(|line| line.split_once("| below ").map(|(_, pid)| pid));
    let supervisors: std::collections::BTreeSet<&str> = supervisors.collect();
    let overlay = repo.run(&["doctor"]).stdout.contains("overlay-root");
    // Two sites at most wait for a job where one runs at a time; the first jobs find out about the login and leave their traces.
    let most = if overlay { 6 } else { 12 };
    assert!((1..=most).contains(&supervisors.len()), "{supervisors:?}");
}
