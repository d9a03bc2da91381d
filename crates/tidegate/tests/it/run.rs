//! `tidegate run`: jobs, their order, their outcome.

use crate::{directory, repository, steady};

#[test]
fn a_green_pipeline_ends_with_zero() {
    let repo = repository("hello:\n  script:\n    - echo hello world\n");
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(
        ended
            .stdout
            .contains("hello | $ echo hello world\nhello | hello world\n"),
        "{}",
        ended.stdout
    );
    assert!(ended.stderr.contains("pipeline passed"), "{}", ended.stderr);
}

#[test]
fn a_failing_job_fails_the_pipeline_and_says_how() {
    let repo = repository("bad:\n  script:\n    - echo before\n    - exit 42\n");
    let ended = repo.run(&["run", "--quiet"]);
    insta::assert_snapshot!(steady(&ended), @r#"
    exit code: 1
    ----- stdout
    bad | failed in [TIME]
    ----- stderr

    failed: bad, exit code 42
      last command: exit 42
      | Executing "step_script" stage of the job script
      | $ echo before
      | before
      | $ exit 42
      | ERROR: Job failed: exit status 42
      hint: `tidegate run bad` runs it again

    pipeline failed in [TIME]: 1 failed
    "#);
}

#[test]
fn a_failure_that_is_allowed_does_not_count() {
    let repo = repository(
        "bad: {script: [exit 3], allow_failure: {exit_codes: 3}}\ngood: {stage: deploy, script: [echo ok]}\n",
    );
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(ended.stdout.contains("good | ok"), "{}", ended.stdout);
}

#[test]
fn needs_start_a_job_before_its_stage() {
    let repo = repository(
        "stages: [a, b]\n\
         slow: {stage: a, script: [sleep 2, date +%s%N]}\n\
         quick: {stage: a, script: [echo quick]}\n\
         after: {stage: b, needs: [quick], script: [echo after]}\n",
    );
    let ended = repo.run(&["run", "--jobs", "4"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let at = |text: &str| {
        ended
            .stdout
            .find(text)
            .unwrap_or_else(|| panic!("{text}: {}", ended.stdout))
    };
    assert!(at("after | after") < at("slow  | passed"));
}

#[test]
fn an_absent_optional_need_is_ignored_and_an_absent_need_is_an_error() {
    let maybe = "maybe: {rules: [{if: $YES}], script: [echo maybe]}\n";
    let repo = repository(&format!(
        "{maybe}job: {{needs: [{{job: maybe, optional: true}}], script: [echo ran]}}\n"
    ));
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(ended.stdout.contains("job | ran"), "{}", ended.stdout);
    let repo = repository(&format!(
        "{maybe}other: {{script: [echo]}}\njob: {{needs: [maybe], script: [echo ran]}}\n"
    ));
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    let text = "'job' job needs 'maybe' job, but 'maybe' does not exist in the pipeline.";
    assert!(ended.stderr.contains(text), "{}", ended.stderr);
}

#[test]
fn every_instance_of_a_matrix_sees_its_values() {
    let repo = repository(
        "job:\n  parallel:\n    matrix:\n      - A: [x, y]\n        B: '1'\n  script:\n    - echo \"$A$B $CI_NODE_INDEX/$CI_NODE_TOTAL\"\n",
    );
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(
        ended.stdout.contains("job: [x, 1] | x1 1/2"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stdout.contains("job: [y, 1] | y1 2/2"),
        "{}",
        ended.stdout
    );
}

#[test]
fn artifacts_and_dotenv_variables_travel_to_later_jobs() {
    let repo = repository(
        "make:\n  stage: build\n  script:\n    - mkdir out && echo made > out/file && echo secret > left\n    - echo VERSION=1.2.3 > v.env\n  artifacts:\n    paths: [out]\n    reports: {dotenv: v.env}\n\
         use:\n  script:\n    - cat out/file\n    - echo \"version $VERSION\"\n    - test ! -e left\n\
         none:\n  dependencies: []\n  script:\n    - test ! -e out\n    - test -z \"$VERSION\"\n",
    );
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(ended.stdout.contains("use  | made"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("use  | version 1.2.3"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_failed_job_skips_what_needs_it_and_wakes_on_failure() {
    let repo = repository(
        "bad: {stage: build, script: [exit 1]}\n\
         never: {script: [echo never]}\n\
         rescue: {when: on_failure, script: [echo rescued]}\n\
         always: {stage: deploy, when: always, script: [echo always]}\n",
    );
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    assert!(
        ended.stdout.contains("rescue | rescued"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("always | always"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("never  | never"), "{}", ended.stdout);
}

#[test]
fn a_job_is_tried_again_as_often_as_it_may() {
    let repo = repository("flaky: {retry: 2, script: [echo trying, exit 1]}\n");
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    assert_eq!(
        ended.stdout.matches("flaky | trying\n").count(),
        3,
        "{}",
        ended.stdout
    );
}

#[test]
fn after_script_runs_and_knows_how_it_went() {
    let repo = repository(
        "job:\n  script: [exit 1]\n  after_script:\n    - echo \"status $CI_JOB_STATUS\"\n",
    );
    let ended = repo.run(&["run"]);
    assert!(
        ended.stdout.contains("job | status failed"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_timeout_ends_the_job() {
    let repo = repository("slow: {timeout: 1 second, script: [sleep 60]}\n");
    let began = std::time::Instant::now();
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    assert!(began.elapsed() < std::time::Duration::from_secs(15));
    assert!(
        ended.stderr.contains("job_execution_timeout"),
        "{}",
        ended.stderr
    );
}

#[test]
fn predefined_variables_are_those_of_a_local_push() {
    let repo = repository(
        "job:\n  script:\n    - echo \"[$CI_COMMIT_BRANCH][$CI_COMMIT_REF_SLUG][$CI_PIPELINE_SOURCE][$CI_COMMIT_TITLE][$CI_COMMIT_AUTHOR][$GITLAB_CI]\"\n    - test \"$CI_COMMIT_SHA\" = \"$(git rev-parse HEAD)\"\n    - test \"$PWD\" = \"$CI_PROJECT_DIR\"\n",
    );
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let text = "[main][main][push][first commit][Ada <ada@example.com>][true]";
    assert!(ended.stdout.contains(text), "{}", ended.stdout);
}

#[test]
fn a_directory_without_git_works() {
    let dir = directory();
    dir.write(
        ".gitlab-ci.yml",
        "job: {script: [cat data, test ! -e .git]}\n",
    );
    dir.write("data", "plain\n");
    let ended = dir.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(ended.stdout.contains("job | plain"), "{}", ended.stdout);
}

#[test]
fn named_jobs_run_with_what_they_need() {
    let repo = repository(
        "a: {stage: build, script: [echo a]}\nb: {stage: build, script: [echo b]}\nc: {needs: [a], script: [echo c]}\n",
    );
    let ended = repo.run(&["run", "c"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(
        ended.stdout.contains("a | a\n") && ended.stdout.contains("c | c\n"),
        "{}",
        ended.stdout
    );
    assert!(!ended.stdout.contains("b | b\n"), "{}", ended.stdout);
    let ended = repo.run(&["run", "cc"]);
    assert_eq!(ended.code, Some(2), "{}", ended.shown());
    assert!(
        ended.stderr.contains("there is no job `cc`"),
        "{}",
        ended.stderr
    );
}

#[test]
fn values_given_on_the_command_line_win() {
    let repo = repository("variables: {V: yaml}\njob: {script: ['echo \"is $V\"']}\n");
    let ended = repo.run(&["run", "--variable", "V=given"]);
    assert!(ended.stdout.contains("job | is given"), "{}", ended.stdout);
}

#[test]
fn what_cannot_be_carried_out_yet_is_named_with_its_line() {
    let repo = repository(
        "far:\n  script: [echo]\n  needs: [{project: g/p, ref: main, job: j, artifacts: true}]\nother: {script: [echo]}\n",
    );
    let ended = repo.run(&["run"]);
    insta::assert_snapshot!(steady(&ended), @"
    exit code: 2
    ----- stdout
    ----- stderr
    error[not-built-yet]: `needs:project` of the job `far` cannot be carried out yet: `[includes.projects]` of tidegate.toml maps no directory to the project, whose runs could have artifacts
     --> .gitlab-ci.yml:3:21
      |
    3 |   needs: [{project: g/p, ref: main, job: j, artifacts: true}]
      |                     ^^^

    error: the run needs what Tidegate cannot do yet
    ");
}

#[test]
fn artifacts_of_other_pipelines_are_not_silently_missing() {
    let repo = repository(
        "job:\n  needs:\n    - {project: group/other, ref: main, job: build, artifacts: true}\n  script: [echo ran]\n",
    );
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(2), "{}", ended.shown());
    assert!(ended.stderr.contains("`needs:project`"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(".gitlab-ci.yml:3:"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_job_with_an_image_runs_in_the_shell_when_asked_to() {
    let repo = repository("job:\n  image: alpine\n  script: [echo ran]\n");
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(2), "{}", ended.shown());
    assert!(
        ended.stderr.contains("`--executor shell`"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains(".gitlab-ci.yml:2:"),
        "{}",
        ended.stderr
    );
    let ended = repo.run(&["run", "--executor", "shell"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(ended.stdout.contains("job | ran"), "{}", ended.stdout);
}
