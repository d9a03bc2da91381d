//! `lint`, `show` and `graph` in their forms.

use crate::{directory, repository};

const PIPELINE: &str = "\
include: base.yml
job:
  extends: .base
  script: [echo]
";

#[test]
fn lint_answers_in_the_shape_of_gitlabs_api() {
    let dir = directory();
    dir.write(".gitlab-ci.yml", PIPELINE);
    dir.write("base.yml", ".base:\n  stage: nope\n");
    let ended = dir.run(&["lint", "--format", "json", "--dialect", "gitlab"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    let text = "job job: chosen stage nope does not exist; available stages are .pre, build, test, deploy, .post";
    for part in [
        "\"valid\": false",
        text,
        "\"merged_yaml\": \"---",
        "\"location\": \"base.yml\"",
    ] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
}

#[test]
fn lint_formats_for_programs_are_printed() {
    let dir = directory();
    dir.write(".gitlab-ci.yml", "job: {scrpt: [echo]}\n");
    for (format, part) in [
        ("sarif", "\"version\": \"2.1.0\""),
        ("codeclimate", "\"check_name\""),
        ("github", "::error file=.gitlab-ci.yml"),
    ] {
        let ended = dir.run(&["lint", "--format", format]);
        assert_eq!(ended.code, Some(1), "{format}: {}", ended.shown());
        assert!(ended.stdout.contains(part), "{format}: {}", ended.stdout);
    }
}

#[test]
fn our_own_keywords_are_errors_in_gitlabs_dialect() {
    let text = "job: {script: [echo], cache: {key: k, paths: [x]}, rules: [{cache: missing}]}\n";
    let dir = directory();
    dir.write(".gitlab-ci.yml", text);
    let ended = dir.run(&["lint"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(
        ended.stdout.contains("extension-keyword"),
        "{}",
        ended.stdout
    );
    let ended = dir.run(&["lint", "--disable", "extension-keyword"]);
    assert!(
        !ended.stdout.contains("extension-keyword"),
        "{}",
        ended.stdout
    );
    let ended = dir.run(&["lint", "--dialect", "gitlab"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    let message = "jobs:job:rules:rule config contains unknown keys: cache";
    assert!(ended.stdout.contains(message), "{}", ended.stdout);
}

#[test]
fn a_finding_can_be_switched_off() {
    let dir = directory();
    dir.write(
        ".gitlab-ci.yml",
        "job: {script: make, rules: [{when: always}, {if: $CI_COMMIT_TAG}]}\n",
    );
    let ended = dir.run(&["lint"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(ended.stdout.contains("L016"), "{}", ended.stdout);
    let ended = dir.run(&["lint", "--disable", "L016"]);
    assert!(!ended.stdout.contains("L016"), "{}", ended.stdout);
    assert_eq!(dir.run(&["lint", "--disable", "L999"]).code, Some(2));
}

#[test]
fn show_prints_the_merged_configuration_and_where_it_came_from() {
    let dir = directory();
    dir.write(".gitlab-ci.yml", PIPELINE);
    dir.write("base.yml", ".base:\n  stage: build\n");
    let ended = dir.run(&["show", "job"]);
    insta::assert_snapshot!(ended.shown(), @r#"
    exit code: 0
    ----- stdout
    ---
    job:
      stage: build
      extends: ".base"
      script:
      - echo
    ----- stderr
    "#);
    let ended = dir.run(&["show", "job", "--origin"]);
    insta::assert_snapshot!(ended.shown(), @r#"
    exit code: 0
    ----- stdout
    job:                # .gitlab-ci.yml:2
      stage: build      # base.yml:2 (included by .gitlab-ci.yml:1, extends .base)
      extends: ".base"  # .gitlab-ci.yml:3
      script:           # .gitlab-ci.yml:4
      - echo
    ----- stderr
    "#);
    assert_eq!(dir.run(&["show", "nope"]).code, Some(2));
}

#[test]
fn graphs_are_drawn_in_every_form() {
    let repo = repository("a: {stage: build, script: [echo]}\nb: {needs: [a], script: [echo]}\n");
    for (format, part) in [
        ("text", "b"),
        ("svg", "<svg"),
        ("mermaid", "flowchart"),
        ("dot", "digraph"),
    ] {
        let ended = repo.run(&["graph", "--format", format]);
        assert_eq!(ended.code, Some(0), "{format}: {}", ended.shown());
        assert!(ended.stdout.contains(part), "{format}: {}", ended.stdout);
    }
}
