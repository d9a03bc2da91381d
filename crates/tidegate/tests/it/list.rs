//! `tidegate list` and `tidegate explain`.

use crate::repository;

const PIPELINE: &str = "\
stages: [build, test]
build: {stage: build, script: [make]}
docs:
  stage: build
  rules:
    - if: $CI_COMMIT_TAG
    - changes: [docs/**/*]
  script: [make docs]
test:
  stage: test
  needs: [build, {job: docs, optional: true}]
  script: [make test]
";

#[test]
fn list_shows_jobs_by_stage() {
    let repo = repository(PIPELINE);
    let ended = repo.run(&["list", "--changed", "src/a"]);
    insta::assert_snapshot!(ended.shown(), @"");
}

#[test]
fn list_all_says_why_a_job_is_left_out() {
    let repo = repository(PIPELINE);
    let ended = repo.run(&["list", "--all", "--changed", "src/a"]);
    insta::assert_snapshot!(ended.shown(), @"");
}

#[test]
fn explain_shows_every_rule_of_a_job_that_is_out() {
    let repo = repository(PIPELINE);
    let ended = repo.run(&["explain", "docs", "--changed", "src/a"]);
    insta::assert_snapshot!(ended.shown(), @"");
}

#[test]
fn explain_names_a_job_that_was_probably_meant() {
    let repo = repository(PIPELINE);
    let ended = repo.run(&["explain", "doc"]);
    assert_eq!(ended.code, Some(2), "{}", ended.shown());
    assert!(
        ended.stderr.contains("did you mean `docs`?"),
        "{}",
        ended.stderr
    );
}
