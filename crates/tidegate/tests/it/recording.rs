//! `--record` and `--replay`: the same plan without the repository.

use crate::{directory, repository};
use tidegate_testkit::{Ended, Sandbox};

const PIPELINE: &str = "\
include: ci/more.yml
stages: [build, test]
changed: {stage: build, script: [echo], rules: [{changes: [src/*]}]}
exists: {stage: build, script: [echo], rules: [{exists: ['*.lock']}]}
produce:
  stage: build
  cache: {key: {files: [deps.lock]}, paths: [deps/]}
  rules: [{cache: missing}]
  script: [echo]
scheduled: {script: [echo], rules: [{if: '$CI_PIPELINE_SOURCE == \"schedule\"'}]}
test: {needs: [{job: exists, optional: true}, {job: scheduled, optional: true}], script: [echo]}
";

fn project() -> Sandbox {
    let repo = repository(PIPELINE);
    repo.write("ci/more.yml", "included: {script: [echo], only: [main]}\n");
    repo.write("deps.lock", "1\n");
    repo.write("src/a", "1\n");
    repo.commit("second commit");
    repo
}

/// A directory that has nothing but the recording.
fn elsewhere(repo: &Sandbox) -> Sandbox {
    let there = directory();
    there.write("plan.json", repo.read("plan.json"));
    there
}

fn fine(ended: Ended) -> Ended {
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    ended
}

#[test]
fn a_recorded_plan_is_the_same_without_the_repository() {
    let repo = project();
    let plain = fine(repo.run(&["list", "--all", "--base", "HEAD~1"]));
    let recorded = ["list", "--all", "--base", "HEAD~1", "--record", "plan.json"];
    let recorded = fine(repo.run(&recorded));
    assert_eq!(recorded.stdout, plain.stdout);
    let there = elsewhere(&repo);
    let replayed = fine(there.run(&["list", "--all", "--replay", "plan.json"]));
    assert_eq!(replayed, plain);
    for name in ["included", "changed", "exists", "produce"] {
        assert!(
            replayed.stdout.contains(name),
            "{name}: {}",
            replayed.stdout
        );
    }
}

#[test]
fn a_recording_answers_explain_and_graph_too() {
    let repo = project();
    let _ = fine(repo.run(&["list", "--record", "plan.json", "--event", "schedule"]));
    let there = elsewhere(&repo);
    let commands: [&[&str]; 4] = [
        &["explain", "--all"],
        &["explain", "produce", "--format", "json"],
        &["graph", "--format", "mermaid"],
        &["list", "--format", "json"],
    ];
    for command in commands {
        let here = fine(repo.run(&[command, &["--event", "schedule"]].concat()));
        let replayed = fine(there.run(&[command, &["--replay", "plan.json"]].concat()));
        assert_eq!(replayed, here, "{command:?}");
    }
}

#[test]
fn a_job_that_is_satisfied_stays_so_without_the_store() {
    let repo = repository(
        "job:\n  cache: {key: k, paths: [deps/]}\n  rules: [{cache: missing}]\n  script: [mkdir deps, touch deps/a]\nother: {script: [echo]}\n",
    );
    let _ = fine(repo.run(&["run"]));
    let here = fine(repo.run(&["list", "--all", "--record", "plan.json"]));
    assert!(here.stdout.contains("satisfied"), "{}", here.stdout);
    let there = elsewhere(&repo);
    assert_eq!(
        fine(there.run(&["list", "--all", "--replay", "plan.json"])),
        here
    );
}

#[test]
fn how_the_configuration_is_read_is_recorded_and_flags_still_win() {
    let repo = repository(
        "job: {script: [echo], cache: {key: k, paths: [x]}, rules: [{cache: missing}]}\n",
    );
    let _ = fine(repo.run(&["list", "--record", "plan.json"]));
    let there = elsewhere(&repo);
    let _ = fine(there.run(&["list", "--replay", "plan.json"]));
    let ended = there.run(&["list", "--replay", "plan.json", "--dialect", "gitlab"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    assert!(
        ended.stderr.contains("unknown keys: cache"),
        "{}",
        ended.stderr
    );
}

const SECRET: &str = "s3cretvalue";

fn with_masked(configuration: &str) -> Sandbox {
    let repo = repository(configuration);
    let variable = format!("TOKEN = {{ value = \"{SECRET}\", masked = true }}\n");
    repo.write("tidegate.toml", format!("[variables.project]\n{variable}"));
    repo
}

#[test]
fn masked_values_never_reach_the_recording() {
    let repo = with_masked(&format!(
        "set: {{script: [echo {SECRET}], rules: [{{if: $TOKEN}}]}}\nkeyed: {{script: [echo], cache: {{key: \"k-$TOKEN\", paths: [x]}}, rules: [{{cache: missing}}]}}\n"
    ));
    let here = fine(repo.run(&["list", "--all", "--record", "plan.json"]));
    assert!(here.stderr.contains("placeholders"), "{}", here.stderr);
    let text = repo.read("plan.json");
    assert!(!text.contains(SECRET), "{text}");
    assert!(text.contains("__masked_TOKEN__"), "{text}");
    let there = elsewhere(&repo);
    let replayed = fine(there.run(&["list", "--all", "--replay", "plan.json"]));
    assert_eq!(replayed, here);
}

#[test]
fn a_comparison_with_a_masked_value_is_not_replayed_in_silence() {
    let repo = with_masked(
        "matches: {script: [echo], rules: [{if: '$TOKEN =~ /^s3cret/'}]}\nother: {script: [echo]}\n",
    );
    let here = fine(repo.run(&["list", "--record", "plan.json"]));
    assert!(here.stdout.contains("matches"), "{}", here.stdout);
    let there = elsewhere(&repo);
    let replayed = there.run(&["list", "--replay", "plan.json"]);
    for ended in [&here, &replayed] {
        let warning = "warning: the recording holds placeholders for the masked values of TOKEN, which gives another plan than the one recorded: matches\n";
        assert_eq!(ended.stderr, warning);
    }
    assert!(!replayed.stdout.contains("matches"), "{}", replayed.stdout);
}

#[test]
fn a_recording_states_the_scenario_and_the_file() {
    let repo = project();
    let _ = fine(repo.run(&["list", "--record", "plan.json"]));
    for flags in [
        &["--tag", "v1"][..],
        &["-f", "other.yml"],
        &["--record", "x"],
    ] {
        let ended = repo.run(&[&["list", "--replay", "plan.json"], flags].concat());
        assert_eq!(ended.code, Some(2), "{flags:?}: {}", ended.shown());
    }
}

#[test]
fn what_is_no_recording_is_refused() {
    let dir = directory();
    dir.write("text", "nothing\n");
    dir.write("later", "{\"version\": 2}\n");
    for (file, part) in [
        ("none", "No such file"),
        ("text", "expected"),
        ("later", "version 2"),
    ] {
        let ended = dir.run(&["list", "--replay", file]);
        assert_eq!(ended.code, Some(2), "{file}: {}", ended.shown());
        assert!(ended.stderr.contains(part), "{file}: {}", ended.stderr);
    }
}
