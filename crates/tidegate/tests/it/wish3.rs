//! Alternatives and absent jobs in `needs` (reference `extensions.md` §4 and §5).

use crate::{repository, steady};
use tidegate_testkit::{Ended, Sandbox};

fn run(repo: &Sandbox, args: &[&str]) -> Ended {
    repo.run(&[&["run"], args].concat())
}

/// Whether a job printed this line.
fn printed(ended: &Ended, job: &str, line: &str) -> bool {
    ended.stdout.lines().any(|found| {
        let Some((name, text)) = found.split_once('|') else {
            return false;
        };
        name.trim() == job && text.trim() == line
    })
}

const FAST_OR_FULL: &str = "\
stages: [test, deploy]
fast:
  stage: test
  script: [echo fast > which, exit $FAST]
  artifacts: {paths: [which], when: always}
  variables: {FAST: \"0\"}
full:
  stage: test
  rules: [{if: $FULL}]
  script: [echo full > which, exit $FULL_ENDS]
  artifacts: {paths: [which], when: always}
  variables: {FULL_ENDS: \"0\"}
deploy:
  stage: deploy
  needs: [{any: [fast, full]}]
  script: ['echo \"deployed $(cat which) of $TIDEGATE_NEEDS_ANY_0\"']
";

#[test]
fn one_good_alternative_is_enough() {
    let repo = repository(FAST_OR_FULL);
    let ended = run(&repo, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(
        printed(&ended, "deploy", "deployed fast of fast"),
        "{}",
        ended.stdout
    );
    let ended = run(&repo, &["--variable", "FULL=1", "--variable", "FAST=1"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    assert!(
        printed(&ended, "deploy", "deployed full of full"),
        "the failed alternative is made up for: {}",
        ended.shown()
    );
}

#[test]
fn no_good_alternative_skips_the_job() {
    let repo = repository(FAST_OR_FULL);
    let all = [
        "--variable",
        "FULL=1",
        "--variable",
        "FAST=1",
        "--variable",
        "FULL_ENDS=1",
    ];
    for args in [&["--variable", "FAST=1"][..], &all] {
        let ended = run(&repo, args);
        assert_eq!(ended.code, Some(1), "{}", ended.shown());
        assert!(!ended.stdout.contains("deployed"), "{}", ended.stdout);
    }
}

#[test]
fn min_asks_for_so_many() {
    let repo = repository(
        "stages: [a, b]\n\
         eu: {stage: a, script: [exit $EU], variables: {EU: \"0\"}}\n\
         us: {stage: a, script: [exit $US], variables: {US: \"0\"}}\n\
         ap: {stage: a, script: [exit $AP], variables: {AP: \"0\"}}\n\
         two: {stage: b, needs: [{any: [eu, us, ap], min: 2, wait: all}], script: [echo met]}\n",
    );
    let ended = run(&repo, &["--variable", "EU=1"]);
    assert!(printed(&ended, "two", "met"), "{}", ended.shown());
    let ended = run(&repo, &["--variable", "EU=1", "--variable", "AP=1"]);
    assert!(!printed(&ended, "two", "met"), "{}", ended.shown());
}

#[test]
fn first_does_not_wait_for_the_others_and_all_does() {
    let configuration = |wait: &str| {
        format!(
            "stages: [a, b]\n\
             quick: {{stage: a, script: [echo]}}\n\
             slow: {{stage: a, script: [sleep 3, echo slow is done]}}\n\
             next: {{stage: b, needs: [{{any: [quick, slow], wait: {wait}, artifacts: false}}], script: [echo next is here]}}\n"
        )
    };
    for (wait, next_is_first) in [("first", true), ("all", false)] {
        let repo = repository(&configuration(wait));
        let ended = run(&repo, &["--jobs", "2"]);
        assert_eq!(ended.code, Some(0), "{}", ended.shown());
        let next = ended.stdout.find("| next is here\n");
        let slow = ended.stdout.find("| slow is done\n");
        assert_eq!(next < slow, next_is_first, "{wait}: {}", ended.stdout);
        assert!(next.is_some() && slow.is_some(), "{}", ended.stdout);
    }
}

#[test]
fn alternatives_that_are_all_absent_are_an_error_unless_optional() {
    let configuration = |optional: bool| {
        format!(
            "stages: [a, b]\n\
             one: {{stage: a, script: [echo], rules: [{{if: $ONE}}]}}\n\
             two: {{stage: a, script: [echo], rules: [{{if: $TWO}}]}}\n\
             use: {{stage: b, needs: [{{any: [one, two], optional: {optional}}}], script: [echo used]}}\n"
        )
    };
    let ended = run(&repository(&configuration(false)), &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    let text = "'use' job needs 1 of [one, two], but only 0 of them exist in the pipeline";
    assert!(ended.stderr.contains(text), "{}", ended.stderr);
    let ended = run(&repository(&configuration(true)), &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(printed(&ended, "use", "used"), "{}", ended.stdout);
}

/// `POLICY` stands for what is said about the absent producer.
const ABSENT: &str = "\
stages: [build, check, deploy]
producer: {stage: build, script: [echo made], rules: [{if: $PRODUCE}]}
slow: {stage: check, script: [sleep 2, echo slow is done]}
consumer:
  stage: deploy
  needs: [{job: producer, POLICY}]
  script: [echo consumed]
after: {stage: deploy, needs: [{job: consumer, if_absent: skip}], script: [echo after]}
";

fn absent(policy: &str, args: &[&str]) -> Ended {
    run(
        &repository(&ABSENT.replace("POLICY", policy)),
        &[args, &["--jobs", "2"]].concat(),
    )
}

/// Whether the consumer ran before the job of the stage before it was done.
fn consumed_early(ended: &Ended) -> bool {
    assert!(printed(ended, "consumer", "consumed"), "{}", ended.shown());
    ended.stdout.find("| consumed\n") < ended.stdout.find("| slow is done\n")
}

#[test]
fn an_absent_need_fails_the_pipeline_by_default() {
    for policy in ["artifacts: true", "if_absent: fail", "optional: false"] {
        let ended = absent(policy, &[]);
        assert_eq!(ended.code, Some(1), "{policy}: {}", ended.shown());
        let text =
            "'consumer' job needs 'producer' job, but 'producer' does not exist in the pipeline";
        assert!(ended.stderr.contains(text), "{policy}: {}", ended.stderr);
    }
}

#[test]
fn an_absent_need_that_is_ignored_lets_the_job_start_at_once() {
    for policy in ["if_absent: ignore", "optional: true"] {
        let ended = absent(policy, &[]);
        assert_eq!(ended.code, Some(0), "{policy}: {}", ended.shown());
        assert!(consumed_early(&ended), "{policy}: {}", ended.stdout);
    }
}

#[test]
fn an_absent_need_can_give_the_job_back_to_its_stage() {
    let ended = absent("if_absent: stage", &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(!consumed_early(&ended), "{}", ended.stdout);
    // With the producer there, the need counts and the stage does not.
    let ended = absent("if_absent: stage", &["--variable", "PRODUCE=1"]);
    assert!(consumed_early(&ended), "{}", ended.stdout);
}

#[test]
fn an_absent_need_can_take_its_job_and_those_behind_it_along() {
    let ended = absent("if_absent: skip", &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(ended.stdout.contains("slow is done"), "{}", ended.stdout);
    for text in ["consumed", "after"] {
        assert!(!ended.stdout.contains(text), "{}", ended.stdout);
    }
    let ended = absent("if_absent: skip", &["--variable", "PRODUCE=1"]);
    assert!(printed(&ended, "after", "after"), "{}", ended.stdout);
}

#[test]
fn explain_says_what_became_of_each_need() {
    let repo = repository(&ABSENT.replace("POLICY", "if_absent: skip"));
    let ended = repo.run(&["explain", "consumer", "after"]);
    insta::assert_snapshot!(steady(&ended), @"
    exit code: 0
    ----- stdout
    ✗ consumer is left out, stage deploy  .gitlab-ci.yml:4:1
      because needs producer, which is absent (if_absent: skip)

      conditions
        ✓ only (GitLab's default) holds
            ✓ refs
                ✓ branches
                ✗ tags

      needs
        ✗ producer  is absent, so this job is left out (if_absent: skip)  .gitlab-ci.yml:6:17

    ✗ after is left out, stage deploy  .gitlab-ci.yml:8:1
      because needs consumer, which is absent (if_absent: skip)

      conditions
        ✓ only (GitLab's default) holds
            ✓ refs
                ✓ branches
                ✗ tags

      needs
        ✗ consumer  is absent, so this job is left out (if_absent: skip)  .gitlab-ci.yml:8:38
    ----- stderr
    ");
    let repo = repository(FAST_OR_FULL);
    let ended = repo.run(&["explain", "deploy"]);
    insta::assert_snapshot!(steady(&ended), @"
    exit code: 0
    ----- stdout
    ✓ deploy is in the pipeline, stage deploy  .gitlab-ci.yml:13:1
      because default only: branches

      conditions
        ✓ only (GitLab's default) holds
            ✓ refs
                ✓ branches
                ✗ tags

      needs
        ✓ fast     is in the pipeline  .gitlab-ci.yml:15:18
        – or full  is absent; optional, so ignored  .gitlab-ci.yml:15:24

      result
        when           on_success  GitLab's default
        allow_failure  false       GitLab's default
        needs          1 of fast   the job, .gitlab-ci.yml:15:10
    ----- stderr
    ");
}

#[test]
fn optional_and_if_absent_exclude_each_other() {
    let repo = repository(&ABSENT.replace("POLICY", "optional: true, if_absent: skip"));
    let ended = repo.run(&["list"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    assert!(ended.stderr.contains("if_absent"), "{}", ended.stderr);
}
