//! Situations of wish 1 in merge requests, with other clauses, in the order of stages, and as people see them (by their numbers).

use tidegate_testkit::{Ended, Sandbox};

use crate::{green, repository, wish1::project};

/// "Run the job if a file changed or its cache is missing", word for word: two rules.
const CHANGED_OR_MISSING: &str = "\
stages: [prepare, test]
workflow: {rules: [{when: always}]}
make:
  stage: prepare
  rules: RULES
  cache: {key: {files: [lock], prefix: p}, paths: [deps/]}
  script: [mkdir -p deps, cp lock deps/content, echo ma\"\"de]
use:
  stage: test
  rules: [{when: always}]
  cache: {key: {files: [lock], prefix: p}, paths: [deps/], policy: pull, on_miss: fail}
  script: ['echo \"used $(cat deps/content)\"']
";

fn makes(ended: &Ended) -> bool {
    ended.stdout.contains("| made\n")
}

#[track_caller]
fn runs(repo: &Sandbox, args: &[&str], made: bool, used: &str) {
    let ended = green(repo, args);
    assert_eq!(makes(&ended), made, "{}", ended.shown());
    let text = format!("| used {used}\n");
    assert!(ended.stdout.contains(&text), "{}", ended.shown());
}

const MERGE_REQUEST: &[&str] = &["run", "--merge-request", "target=main"];

/// GitLab compares with the target, so one commit that changed the lock brings the job into every pipeline of the merge request.
#[test]
fn s05_s06_in_a_merge_request_the_present_lock_decides_not_its_history() {
    let repo = project(&CHANGED_OR_MISSING.replace("RULES", "[{cache: missing}]"));
    runs(&repo, &["run"], true, "1");
    repo.git(&["checkout", "--quiet", "-b", "feature"]);
    repo.write("lock", "2\n");
    repo.commit("another lock");
    runs(&repo, MERGE_REQUEST, true, "2");
    for name in ["a", "b"] {
        repo.write(name, "");
        repo.commit("something else");
        runs(&repo, MERGE_REQUEST, false, "2");
    }
    // Reverted: the cache of the target's lock is there.
    repo.write("lock", "1\n");
    repo.commit("the first lock again");
    runs(&repo, MERGE_REQUEST, false, "1");
}

#[test]
fn s01_s02_s03_a_change_or_a_missing_cache_brings_the_job_in() {
    let rules = "[{changes: [tools]}, {cache: missing}]";
    let repo = project(&CHANGED_OR_MISSING.replace("RULES", rules));
    repo.git(&["checkout", "--quiet", "-b", "feature"]);
    // Missing.
    runs(&repo, MERGE_REQUEST, true, "1");
    runs(&repo, MERGE_REQUEST, false, "1");
    // Changed, although the cache is there.
    repo.write("tools", "");
    repo.commit("tools");
    runs(&repo, MERGE_REQUEST, true, "1");
    // Neither, against the branch that has the change.
    repo.git(&["checkout", "--quiet", "-b", "more"]);
    repo.write("other", "");
    repo.commit("other");
    let later = ["run", "--merge-request", "target=feature"];
    runs(&repo, &later, false, "1");
    let _ = green(&repo, &["cache", "rm", "--all"]);
    runs(&repo, &later, true, "1");
}

/// Evicted by size, by age, or cleared on GitLab: all of it is missing.
#[test]
fn s03_however_a_cache_went_the_producer_comes_back() {
    let repo = project(&CHANGED_OR_MISSING.replace("RULES", "[{cache: missing}]"));
    runs(&repo, &["run"], true, "1");
    for args in [
        &["cache", "prune", "--max-size", "1"][..],
        &["cache", "prune", "--max-age-days", "0"],
    ] {
        runs(&repo, &["run"], false, "1");
        let _ = green(&repo, args);
        runs(&repo, &["run"], true, "1");
    }
    repo.write("tidegate.toml", "[cache]\ncleared = 1\n");
    runs(&repo, &["run"], true, "1");
    runs(&repo, &["run"], false, "1");
}

/// What is only known while a job runs counts as missing, and lint says so.
#[test]
fn s15_keys_of_runners_and_of_dotenv_reports_are_unknown_and_linted() {
    for variable in [
        "CI_RUNNER_ID",
        "CI_CONCURRENT_ID",
        "CI_JOB_ID",
        "CI_PROJECT_DIR",
    ] {
        let repo = repository(&format!(
            "make: {{rules: [{{cache: missing}}], cache: {{key: \"k-${variable}\", paths: [f]}}, script: [touch f]}}\n"
        ));
        let listed = green(&repo, &["list"]).stdout;
        assert!(listed.contains("cache unknown"), "{variable}: {listed}");
        let why = green(&repo, &["cache", "why", "make"]).stdout;
        let text = format!("${variable} has no value before the job runs");
        assert!(why.contains(&text), "{variable}: {why}");
        let linted = repo.run(&["lint"]);
        let text = format!(
            "`rules:cache` cannot know this cache: `{variable}` in its key is only set in a running job"
        );
        assert!(
            linted.shown().contains(&text),
            "{variable}: {}",
            linted.shown()
        );
    }
    let repo = repository(
        "stages: [a, b]\nname: {stage: a, artifacts: {reports: {dotenv: v}}, script: [echo N=1 > v]}\n\
         make: {stage: b, rules: [{cache: missing}], cache: {key: \"k-$N\", paths: [f]}, script: [echo ma\"\"de, touch f]}\n",
    );
    let listed = green(&repo, &["list"]).stdout;
    assert!(listed.contains("cache unknown"), "{listed}");
    let first = green(&repo, &["run"]);
    assert!(makes(&first), "{}", first.shown());
    assert!(
        green(&repo, &["cache", "ls"])
            .stdout
            .starts_with("k-1-non_protected ")
    );
}

#[test]
fn s16_s18_a_stage_and_a_need_that_are_satisfied_count_as_successes() {
    let repo = project(
        "stages: [prepare, test, deploy]\n\
         make:\n  stage: prepare\n  rules: [{cache: missing}]\n  cache: {key: k, paths: [deps/]}\n  script: [mkdir -p deps, touch deps/f, echo ma\"\"de]\n\
         by_need: {stage: test, needs: [make], script: [echo by ne\"\"ed]}\n\
         by_stage: {stage: test, script: [echo by sta\"\"ge]}\n\
         on_failure: {stage: deploy, when: on_failure, script: [echo by fail\"\"ure]}\n\
         later: {stage: deploy, needs: [{job: make, artifacts: false}, by_need], script: [echo la\"\"ter]}\n",
    );
    for made in [true, false] {
        let ended = green(&repo, &["run"]);
        assert_eq!(makes(&ended), made, "{}", ended.shown());
        for text in ["| by need\n", "| by stage\n", "| later\n"] {
            assert!(ended.stdout.contains(text), "{text}: {}", ended.shown());
        }
        assert!(!ended.stdout.contains("| by failure"), "{}", ended.shown());
    }
    // Nothing but satisfied jobs is a pipeline, too.
    let alone = green(&repo, &["run", "make"]);
    assert!(!makes(&alone), "{}", alone.shown());
}

#[test]
fn s19_a_satisfied_producer_is_shown_as_a_success_that_took_nothing() {
    let repo = project(&CHANGED_OR_MISSING.replace("RULES", "[{cache: missing}]"));
    runs(&repo, &["run"], true, "1");
    let listed = green(&repo, &["list"]).stdout;
    assert!(listed.contains("satisfied  cache exists: p-"), "{listed}");
    assert!(listed.contains("1 job, 1 satisfied"), "{listed}");
    let json = green(&repo, &["list", "--format", "json"]).stdout;
    assert!(json.contains("\"state\": \"satisfied\""), "{json}");
    assert!(json.contains("\"code\": \"cache_exists\""), "{json}");
    let graph = green(&repo, &["graph", "--format", "mermaid"]).stdout;
    assert!(
        graph.contains("make<br/><small>satisfied</small>"),
        "{graph}"
    );
    let told = green(&repo, &["explain", "make"]).stdout;
    assert!(
        told.contains("make is satisfied: it counts as a success and does not run"),
        "{told}"
    );
    let ended = green(&repo, &["run"]);
    assert!(
        ended.stdout.contains("make | done: the cache p-352806164c31ac7f77ca29ce0f78c13d357f30b0-non_protected exists\n"),
        "{}",
        ended.shown()
    );
    assert!(
        ended.stderr.contains("1 passed, 1 already done"),
        "{}",
        ended.shown()
    );
    let events = green(&repo, &["run", "--format", "json"]).stdout;
    let of_make = |text: &str| {
        let mut lines = events.lines();
        lines.any(|line| line.contains("\"job\":0,") && line.contains(text))
    };
    assert!(
        of_make("\"status\":\"success\"") && of_make("\"why\":\"cache_hit\""),
        "{events}"
    );
    assert!(
        !of_make("\"status\":\"running\"") && !of_make("job_finished"),
        "{events}"
    );
}

/// Keys may hold what is masked; neither the log nor the events of a run show it.
#[test]
fn a_masked_value_in_a_key_is_not_told() {
    let repo = repository(
        "stages: [a, b]\n\
         make: {stage: a, rules: [{cache: missing}], cache: {key: \"k-$TOKEN\", paths: [f]}, script: [touch f]}\n\
         again: {stage: a, rules: [{cache: missing}], cache: {key: \"l-$TOKEN-$CI_JOB_STAGE\", paths: [g]}, script: [touch g]}\n\
         read: {stage: b, cache: {key: \"k-$TOKEN\", paths: [f], policy: pull, on_miss: fail}, script: [ls f]}\n\
         lacks: {stage: b, allow_failure: true, cache: {key: \"none-$TOKEN\", paths: [f], policy: pull, on_miss: fail}, script: [ls f]}\n\
         produce: {stage: b, allow_failure: true, cache: {key: \"no-$TOKEN\", paths: [f], policy: pull, on_miss: produce}, script: [ls f]}\n",
    );
    repo.write(
        "tidegate.toml",
        "[variables.project]\nTOKEN = { value = \"s3cretvalue\", masked = true }\n",
    );
    for args in [&["run"][..], &["run", "--format", "json"], &["run"]] {
        let ended = green(&repo, args);
        assert!(!ended.shown().contains("s3cretvalue"), "{}", ended.shown());
        assert!(
            ended.shown().contains("k-[MASKED]-non_protected"),
            "{}",
            ended.shown()
        );
        // The events name failures by their reasons alone.
        let told = args.len() > 1 || ended.shown().contains("none-[MASKED]");
        assert!(told, "{}", ended.shown());
    }
    for run in std::fs::read_dir(repo.data().join("runs"))
        .unwrap()
        .flatten()
    {
        let events = std::fs::read(run.path().join("events")).unwrap();
        assert!(!String::from_utf8_lossy(&events).contains("s3cretvalue"));
    }
}
