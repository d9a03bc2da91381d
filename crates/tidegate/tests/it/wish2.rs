//! Any and all conditions in `only` and `except` (reference `extensions.md` §3).

use crate::repository;

/// Names of the jobs `list` shows for a pipeline of these jobs and one that is always there.
fn listed(configuration: &str, args: &[&str]) -> Vec<String> {
    let repo = repository(&format!(
        "{configuration}always: {{script: [echo], rules: [{{when: always}}]}}\n"
    ));
    let ended = repo.run(&[&["list", "--format", "json"], args].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let list: serde_json::Value = serde_json::from_str(&ended.stdout).expect("list writes JSON");
    let jobs = list["jobs"].as_array().expect("a list of jobs");
    let names = jobs
        .iter()
        .filter(|job| job["state"] == "included" && job["name"] != "always")
        .map(|job| job["name"].as_str().expect("a name").to_owned());
    names.collect()
}

const SKIPS_UPGRADES: &str = "\
e2e:
  script: [./e2e]
  except_and:
    refs: [devel]
    variables: ['$CI_COMMIT_MESSAGE =~ /\\[server\\] version upgrade to:/']
";

#[test]
fn except_and_keeps_a_job_out_only_where_every_condition_holds() {
    let upgrade = "[server] version upgrade to: 2";
    for (branch, message, there) in [
        ("devel", upgrade, false),
        ("devel", "fix", true),
        ("main", upgrade, true),
        ("main", "fix", true),
    ] {
        let args = ["--ref", branch, "--commit-message", message];
        let expected: &[&str] = if there { &["e2e"] } else { &[] };
        assert_eq!(listed(SKIPS_UPGRADES, &args), expected, "{args:?}");
    }
}

#[test]
fn except_or_keeps_a_job_out_where_any_condition_holds() {
    let configuration = SKIPS_UPGRADES.replace("except_and", "except_or");
    let upgrade = "[server] version upgrade to: 2";
    for (branch, message, there) in [
        ("devel", upgrade, false),
        ("devel", "fix", false),
        ("main", upgrade, false),
        ("main", "fix", true),
    ] {
        let args = ["--ref", branch, "--commit-message", message];
        let expected: &[&str] = if there { &["e2e"] } else { &[] };
        assert_eq!(listed(&configuration, &args), expected, "{args:?}");
    }
}

/// `KEYWORD` stands for the keyword.
const RELEASE_OR_API: &str = "\
job:
  script: [echo]
  KEYWORD:
    refs: [/^release-/]
    changes: [api/*]
";

#[test]
fn only_or_wants_any_condition_and_only_and_wants_all() {
    for (branch, changed, any, all) in [
        ("release-1", "api/a", true, true),
        ("release-1", "src/a", true, false),
        ("main", "api/a", true, false),
        ("main", "src/a", false, false),
    ] {
        let args = ["--ref", branch, "--changed", changed];
        for (keyword, there) in [("only_or", any), ("only_and", all), ("only", all)] {
            let expected: &[&str] = if there { &["job"] } else { &[] };
            let configuration = RELEASE_OR_API.replace("KEYWORD", keyword);
            assert_eq!(
                listed(&configuration, &args),
                expected,
                "{keyword} {args:?}"
            );
        }
    }
}

#[test]
fn only_or_brings_no_default_refs() {
    let job =
        |keyword: &str| format!("job: {{script: [echo], {keyword}: {{variables: [$WANTED]}}}}\n");
    // `only` and `only_and` inherit `refs: [branches, tags]`, which a merge request is not.
    let request = ["--merge-request", "target=main", "--variable", "WANTED=1"];
    assert_eq!(listed(&job("only"), &request), [""; 0]);
    assert_eq!(listed(&job("only_and"), &request), [""; 0]);
    assert_eq!(listed(&job("only_or"), &request), ["job"]);
    assert_eq!(listed(&job("only_or"), &[]), [""; 0]);
    assert_eq!(
        listed(&job("only_or"), &["--variable", "WANTED=1"]),
        ["job"]
    );
}

#[test]
fn positive_and_negative_keys_go_together() {
    let configuration = "job: {script: [echo], only_or: {refs: [main], variables: [$FORCE]}, except_and: {refs: [main], variables: [$QUIET]}}\n";
    for (args, there) in [
        (&[][..], true),
        (&["--variable", "QUIET=1"], false),
        (&["--ref", "topic"], false),
        (&["--ref", "topic", "--variable", "FORCE=1"], true),
        (
            &[
                "--ref",
                "topic",
                "--variable",
                "FORCE=1",
                "--variable",
                "QUIET=1",
            ],
            true,
        ),
    ] {
        let expected: &[&str] = if there { &["job"] } else { &[] };
        assert_eq!(listed(configuration, args), expected, "{args:?}");
    }
}

#[test]
fn explain_names_the_conditions_that_decided() {
    let repo = repository(SKIPS_UPGRADES);
    let ended = repo.run(&[
        "explain",
        "e2e",
        "--ref",
        "devel",
        "--commit-message",
        "[server] version upgrade to: 2",
    ]);
    insta::assert_snapshot!(ended.shown(), @r#"
    exit code: 0
    ----- stdout
    no pipeline: The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs.
    hint: every job is left out for this event, or only `.pre` and `.post` jobs remain; `tidegate
    explain JOB` says why

    ✗ e2e is left out, stage test  .gitlab-ci.yml:1:1
      because except_and holds: devel

      conditions
        ✓ only (GitLab's default) holds
            ✓ refs
                ✓ branches
                ✗ tags
        ✗ except_and holds, so the job stays out  .gitlab-ci.yml:4:5
            ✓ refs
                ✓ devel  .gitlab-ci.yml:4:12
            ✓ variables
                ✓ $CI_COMMIT_MESSAGE =~ /\[server\] version upgrade to:/
                    $CI_COMMIT_MESSAGE is "[server] version upgrade to: 2"  predefined for the pipeline

      good to know
        ! `only` without `refs`, and `except` without `only`, keep the default `only: {refs: [branches,
          tags]}` beside what is written, and all of it must hold
          https://docs.gitlab.com/ci/yaml/deprecated_keywords/

      what would have to differ
        except_and would have to fail: refs devel; variables $CI_COMMIT_MESSAGE =~ /\[server\] version upgrade to:/
    ----- stderr
    "#);
    let ended = repo.run(&[
        "explain",
        "e2e",
        "--ref",
        "devel",
        "--commit-message",
        "fix",
    ]);
    insta::assert_snapshot!(ended.shown(), @r#"
    exit code: 0
    ----- stdout
    ✓ e2e is in the pipeline, stage test  .gitlab-ci.yml:1:1
      because default only: branches

      conditions
        ✓ only (GitLab's default) holds
            ✓ refs
                ✓ branches
                ✗ tags
        ✓ except_and does not hold  .gitlab-ci.yml:4:5
            ✓ refs
                ✓ devel  .gitlab-ci.yml:4:12
            ✗ variables
                ✗ $CI_COMMIT_MESSAGE =~ /\[server\] version upgrade to:/
                    $CI_COMMIT_MESSAGE is "fix"  predefined for the pipeline

      result
        when           on_success                    GitLab's default
        allow_failure  false                         GitLab's default
        needs          waits for all earlier stages  GitLab's default

      good to know
        ! `only` without `refs`, and `except` without `only`, keep the default `only: {refs: [branches,
          tags]}` beside what is written, and all of it must hold
          https://docs.gitlab.com/ci/yaml/deprecated_keywords/
    ----- stderr
    "#);
}

#[test]
fn keys_that_exclude_each_other_are_an_error() {
    let repo = repository(
        "a: {script: [echo], only: [main], only_or: [tags]}\nb: {script: [echo], only_or: [tags], rules: [{when: always}]}\n",
    );
    let ended = repo.run(&["list"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    for part in [
        "jobs:a config only one of `only`, `only_and`, `only_or` may be used",
        "jobs:b config key may not be used with `rules`: only_or",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

#[test]
fn gitlabs_dialect_knows_none_of_them() {
    let repo = repository(SKIPS_UPGRADES);
    let ended = repo.run(&["list", "--dialect", "gitlab"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    let part = "jobs:e2e config contains unknown keys: except_and";
    assert!(ended.stderr.contains(part), "{}", ended.stderr);
}
