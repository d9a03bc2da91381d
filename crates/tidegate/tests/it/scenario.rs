//! Events stated by flags and files.

use crate::repository;

const PIPELINE: &str = "\
on_branch: {script: [echo], rules: [{if: $CI_COMMIT_BRANCH}]}
on_tag: {script: [echo], rules: [{if: $CI_COMMIT_TAG}]}
on_request: {script: [echo], rules: [{if: '$CI_PIPELINE_SOURCE == \"merge_request_event\"'}]}
on_schedule: {script: [echo], rules: [{if: '$CI_PIPELINE_SOURCE == \"schedule\"'}]}
on_docs: {script: [echo], rules: [{changes: [docs/*]}]}
on_protected: {script: [echo], rules: [{if: '$CI_COMMIT_REF_PROTECTED == \"true\"'}]}
";

/// Names of the jobs that `list` shows.
fn jobs(args: &[&str]) -> Vec<String> {
    let repo = repository(PIPELINE);
    repo.write(
        "scenario.yml",
        "merge_request: {target: main, source: topic}\nchanged: [src/a]\n",
    );
    let mut all = vec!["list"];
    all.extend(args);
    let ended = repo.run(&all);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let names = ended
        .stdout
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| name.starts_with("on_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_event_decides_which_jobs_there_are() {
    assert_eq!(jobs(&["--changed", "src/a"]), ["on_branch"]);
    assert_eq!(jobs(&["--changed", "docs/a"]), ["on_branch", "on_docs"]);
    assert_eq!(
        jobs(&["--tag", "v1"]),
        ["on_tag", "on_docs"],
        "a tag has nothing to compare with"
    );
    assert_eq!(
        jobs(&["--event", "schedule"]),
        ["on_branch", "on_schedule", "on_docs"]
    );
    assert_eq!(
        jobs(&["--merge-request", "target=main", "--changed", "a"]),
        ["on_request"]
    );
    assert_eq!(
        jobs(&["--protected", "--changed", "a"]),
        ["on_branch", "on_protected"]
    );
}

#[test]
fn a_scenario_file_states_the_event_and_flags_win_over_it() {
    assert_eq!(jobs(&["--scenario", "scenario.yml"]), ["on_request"]);
    assert_eq!(
        jobs(&["--scenario", "scenario.yml", "--changed", "docs/a"]),
        ["on_request", "on_docs"]
    );
    assert_eq!(
        jobs(&["--scenario", "scenario.yml", "--ref", "main"]),
        ["on_branch"]
    );
}

#[test]
fn a_push_that_asks_for_no_pipeline_gets_none() {
    let repo = repository("job: {script: [echo]}\n");
    let ended = repo.run(&["run", "--commit-message", "fix [skip ci]"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    assert!(ended.stderr.contains("[skip ci]"), "{}", ended.stderr);
}

#[test]
fn a_broken_file_does_not_matter_where_gitlab_never_reads_it() {
    let repo = repository("job: [a\n");
    let skip = ["--commit-message", "fix [skip ci]"];
    let listed = repo.run(&[&["list"][..], &skip].concat());
    assert_eq!(listed.code, Some(0), "{}", listed.shown());
    assert!(listed.stdout.contains("skip"), "{}", listed.stdout);
    let run = repo.run(&[&["run"][..], &skip].concat());
    assert_eq!(run.code, Some(1), "{}", run.shown());
    assert!(run.stderr.contains("[skip ci]"), "{}", run.stderr);
    let read = repo.run(&["list"]);
    assert_eq!(read.code, Some(1), "{}", read.shown());
}

#[test]
fn rules_see_the_number_of_the_pipeline_and_workflow_rules_do_not() {
    let repo = repository(
        "workflow: {rules: [{if: $CI_PIPELINE_IID, when: never}, {when: always}]}\n\
         first: {script: [echo], rules: [{if: '$CI_PIPELINE_IID == \"1\"'}]}\n\
         second: {script: [echo], rules: [{if: '$CI_PIPELINE_IID == \"2\"'}]}\n",
    );
    let has = |name: &str| repo.run(&["list"]).stdout.contains(name);
    assert!(has("first") && !has("second"));
    let run = repo.run(&["run"]);
    assert_eq!(run.code, Some(0), "{}", run.shown());
    assert!(has("second") && !has("first"));
}
