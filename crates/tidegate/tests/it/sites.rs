//! Jobs of one run stand on the same mounts one after the other, and see nothing of each other.

use std::fmt::Write;

use crate::repository;

/// Ways to leave something behind in a work tree, its mounts, or its private directories.
const TRACES: [&str; 8] = [
    "true",
    "echo left > left",
    "chmod 711 .",
    "echo left > inner/left; rm inner/kept",
    "touch left; rm left; chmod 711 .",
    "mount -t tmpfs none inner 2>/dev/null && echo left > inner/left || true",
    "echo left > \"$RUNNER_TEMP_PROJECT_DIR/left\"; echo left > \"$RUNNER_TEMP_PROJECT_DIR/../left\"",
    "ulimit -n 77; umask 077; export LEFT=1; cd inner",
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
