//! The example people meet first, from outside.

use std::path::Path;

use crate::directory;
use tidegate_testkit::Sandbox;

/// The example in a repository of its own.
fn example() -> Sandbox {
    let sandbox = directory();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart");
    copy(&from, &sandbox.project());
    sandbox.git(&["init", "--quiet", "--initial-branch", "main"]);
    sandbox.commit("first commit");
    sandbox
}

/// Copies a folder, with who may run its files.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a temporary directory");
    for entry in std::fs::read_dir(from).expect("the example is there") {
        let entry = entry.expect("the example can be read");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("the example can be copied");
        }
    }
}

#[test]
fn it_is_valid_on_gitlab_too() {
    let example = example();
    for dialect in ["gitlab", "tidegate"] {
        let ended = example.run(&["lint", "--dialect", dialect]);
        assert_eq!(ended.code, Some(0), "{}", ended.shown());
    }
}

#[test]
fn the_first_run_makes_what_the_second_finds() {
    let example = example();
    let first = example.run(&["run"]);
    assert_eq!(first.code, Some(0), "{}", first.shown());
    assert!(
        first.stdout.contains("fetching left-pad"),
        "{}",
        first.stdout
    );
    let list = example.run(&["list"]);
    let line = list
        .stdout
        .lines()
        .find(|line| line.contains("dependencies"));
    assert!(
        line.is_some_and(|line| line.contains("satisfied")),
        "{}",
        list.stdout
    );
    let second = example.run(&["run"]);
    assert_eq!(second.code, Some(0), "{}", second.shown());
    assert!(!second.stdout.contains("fetching"), "{}", second.stdout);
    assert!(
        second.stdout.contains("tested quickly, ready to go"),
        "{}",
        second.stdout
    );
    example.write("deps.lock", "left-pad 1.4.0\n");
    let third = example.run(&["run"]);
    assert!(
        third.stdout.contains("fetching left-pad 1.4.0"),
        "{}",
        third.stdout
    );
}

#[test]
fn its_policy_leaves_a_job_out_only_where_both_conditions_hold() {
    let example = example();
    for (branch, message, there) in [
        ("main", "raise the version to 2", false),
        ("main", "fix", true),
        ("topic", "raise the version to 2", true),
    ] {
        let ended = example.run(&["list", "--ref", branch, "--commit-message", message]);
        assert_eq!(
            ended.stdout.contains("style"),
            there,
            "{branch} {message}: {}",
            ended.stdout
        );
    }
}

#[test]
fn one_good_test_is_enough_to_go_on() {
    let ended = example().run(&["run", "--variable", "FULL=1", "--jobs", "4"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(
        ended.stdout.contains("tested quickly, ready to go"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stdout.contains("tested fully\n"),
        "the report comes last: {}",
        ended.stdout
    );
}
