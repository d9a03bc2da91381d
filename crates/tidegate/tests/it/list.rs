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
    insta::assert_snapshot!(ended.shown(), @"
    exit code: 0
    ----- stdout
      JOB    WHEN        NEEDS  WHY
    build
      build  on_success         default only: branches
    test
      test   on_success  build  default only: branches

    2 jobs, 1 left out (--all shows them)
    ----- stderr
    ");
}

#[test]
fn list_all_says_why_a_job_is_left_out() {
    let repo = repository(PIPELINE);
    let ended = repo.run(&["list", "--all", "--changed", "src/a"]);
    insta::assert_snapshot!(ended.shown(), @"
    exit code: 0
    ----- stdout
      JOB    WHEN        NEEDS  WHY
    build
      build  on_success         default only: branches
      docs   left out           none of its 2 rules matches
    test
      test   on_success  build  default only: branches

    2 jobs, 1 left out
    ----- stderr
    ");
}

#[test]
fn explain_shows_every_rule_of_a_job_that_is_out() {
    let repo = repository(PIPELINE);
    let ended = repo.run(&["explain", "docs", "--changed", "src/a"]);
    insta::assert_snapshot!(ended.shown(), @"
    exit code: 0
    ----- stdout
    ✗ docs is left out, stage build  .gitlab-ci.yml:3:1
      because none of its 2 rules matches

      rules
        ✗ 1  .gitlab-ci.yml:6:7
            ✗ if $CI_COMMIT_TAG
                $CI_COMMIT_TAG is not defined
        ✗ 2  .gitlab-ci.yml:7:7
            ✗ changes: the only changed path matches none
                the scenario states the changed paths
                  docs/**/*

      what would have to differ
        rule 1 came nearest; this would have to hold:  .gitlab-ci.yml:6:7
            ✗ if $CI_COMMIT_TAG
                $CI_COMMIT_TAG is not defined
    ----- stderr
    ");
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
