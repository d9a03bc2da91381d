//! "Run the job if a file changed or its cache is missing": the situations that concern a local run
//! (reference `wishes.md` §1.1, by their numbers).

use tidegate_testkit::{Ended, Sandbox};

use crate::{green, never_says, repository, says};

/// A producer that runs where its cache is missing, and a consumer that cannot do without.
const PIPELINE: &str = "\
stages: [prepare, test]
make:
  stage: prepare
  rules: [{cache: missing}]
  cache: {key: {files: [lock], prefix: p}, paths: [deps/]}
  script: [mkdir -p deps, cp lock deps/content, 'echo \"made $(cat lock)\"']
use:
  stage: test
  needs: [make]
  cache: {key: {files: [lock], prefix: p}, paths: [deps/], policy: pull, on_miss: fail}
  script: ['echo \"used $(cat deps/content)\"']
";

pub(crate) fn project(configuration: &str) -> Sandbox {
    let repo = repository(configuration);
    repo.write("lock", "1\n");
    repo.write(".gitignore", "deps\n");
    repo.commit("lock file");
    repo
}

#[track_caller]
fn passes(repo: &Sandbox, args: &[&str]) {
    let ended = repo.run(args);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
}

fn clear(repo: &Sandbox) {
    passes(repo, &["cache", "rm", "--all"]);
}

#[test]
fn s01_the_first_run_makes_the_cache() {
    let first = green(&project(PIPELINE), &["run"]);
    says(&first, "make | made 1");
    says(&first, "use  | used 1");
}

#[test]
fn s02_with_its_cache_there_the_producer_does_not_run() {
    let repo = project(PIPELINE);
    passes(&repo, &["run"]);
    let second = green(&repo, &["run"]);
    never_says(&second, "made");
    says(&second, "used 1");
}

#[test]
fn s03_a_deleted_cache_brings_the_producer_back() {
    let repo = project(PIPELINE);
    passes(&repo, &["run"]);
    clear(&repo);
    let again = green(&repo, &["run"]);
    says(&again, "made 1");
    says(&again, "used 1");
    never_says(&green(&repo, &["run"]), "made");
}

#[test]
fn s05_s06_a_changed_file_is_another_key_and_going_back_finds_the_old_one() {
    let repo = project(PIPELINE);
    passes(&repo, &["run"]);
    repo.write("lock", "2\n");
    says(&green(&repo, &["run"]), "made 2");
    never_says(&green(&repo, &["run"]), "made");
    repo.write("lock", "1\n");
    let reverted = green(&repo, &["run"]);
    never_says(&reverted, "made");
    says(&reverted, "used 1");
}

#[test]
fn s07_tags_schedules_and_web_pipelines_are_decided_by_the_cache() {
    let repo = project(PIPELINE);
    passes(&repo, &["run"]);
    for args in [
        &["run", "--tag", "v1"][..],
        &["run", "--event", "schedule"],
        &["run", "--event", "web"],
        &["run", "--event", "api"],
    ] {
        let ended = green(&repo, args);
        never_says(&ended, "made");
        says(&ended, "used 1");
    }
}

#[test]
fn s08_a_producer_that_failed_runs_again() {
    let repo = project(&PIPELINE.replace("'echo \"made", "test -e ready, 'echo \"made"));
    let failed = repo.run(&["run"]);
    assert_eq!(failed.code, Some(1), "{}", failed.shown());
    repo.write("ready", "");
    says(&green(&repo, &["run"]), "made 1");
}

/// What goes while no process has the run in hand is produced late: see `leases`.
#[test]
fn s09_a_cache_that_is_removed_before_its_consumer_starts_is_kept_for_it() {
    let pipeline = PIPELINE.to_owned() + "sweep: {stage: prepare, needs: [], script: ['$SWEEP']}\n";
    let pipeline = pipeline.replace("needs: [make]", "needs: [make, sweep]");
    let repo = project(&pipeline);
    passes(&repo, &["run", "--variable", "SWEEP=true"]);
    let binary = env!("CARGO_BIN_EXE_tidegate");
    let (data, dir) = (repo.data(), repo.project());
    let (data, dir) = (data.display(), dir.display());
    let sweep = format!("SWEEP={binary} --data-dir {data} -C {dir} cache rm --all");
    let ended = green(&repo, &["run", "--variable", &sweep]);
    says(&ended, "a run that relies on it uses it until that ends");
    never_says(&ended, "made 1");
    says(&ended, "used 1");
}

#[test]
fn s09_where_nobody_may_produce_the_job_fails_and_says_what_is_missing() {
    let repo = repository(
        "use:\n  cache: {key: k, paths: [deps], policy: pull, on_miss: fail}\n  script: [echo never]\n",
    );
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    assert!(ended.shown().contains("the cache k"), "{}", ended.shown());
    never_says(&ended, "| never");
}

#[test]
fn s10_a_cache_that_appears_before_the_producer_starts_is_not_made_twice() {
    let pipeline = PIPELINE.replace("stages: [prepare, test]", "stages: [.pre, prepare, test]")
        + "wait: {stage: .pre, script: ['until test -e \"$FLAG\"; do sleep 0.05; done']}\n";
    let repo = project(&pipeline);
    let flag = repo.data().with_file_name("flag");
    let flag_variable = format!("FLAG={}", flag.display());
    let mut waiting = repo.command(&["run", "--variable", &flag_variable]);
    waiting.stdout(std::process::Stdio::piped());
    waiting.stderr(std::process::Stdio::piped());
    let waiting = waiting.spawn().unwrap();
    // It has planned to make the cache once its first job runs, which leaves a log.
    crate::wait_until("the first run to be planned", || {
        std::fs::read_dir(repo.data().join("runs")).is_ok_and(|runs| runs.count() > 0)
    });
    says(
        &green(&repo, &["run", "use", "--variable", "FLAG=/"]),
        "made 1",
    );
    std::fs::write(&flag, "").unwrap();
    let ended = Ended::of(waiting.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    never_says(&ended, "made 1");
    says(&ended, "use  | used 1");
}

#[test]
fn s10_two_runs_at_once_leave_one_whole_entry() {
    let repo = project(&PIPELINE.replace("script: [mkdir", "script: [sleep 1, mkdir"));
    let start = || {
        let mut command = repo.command(&["run"]);
        command.stdout(std::process::Stdio::piped());
        command
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let (one, two) = (start(), start());
    for child in [one, two] {
        let ended = Ended::of(child.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(0), "{}", ended.shown());
        says(&ended, "used 1");
    }
    never_says(&green(&repo, &["run"]), "made");
    says(&green(&repo, &["cache", "verify"]), "no problems");
}

#[test]
fn s11_one_missing_cache_of_several_is_enough_unless_told_otherwise() {
    let two = |clause: &str| {
        format!(
            "make:\n  rules: [{{cache: {clause}}}]\n  cache:\n    - {{key: a, paths: [a]}}\n    - {{key: b, paths: [b]}}\n  script: [touch a b, echo ma''de]\nother: {{script: [echo other]}}\n"
        )
    };
    let repo = repository(&two("missing"));
    passes(&repo, &["run"]);
    never_says(&green(&repo, &["run"]), "| made");
    passes(&repo, &["cache", "rm", "b-non_protected"]);
    repo.write(".gitlab-ci.yml", two("{missing: all}"));
    never_says(&green(&repo, &["run"]), "| made");
    repo.write(".gitlab-ci.yml", two("{missing: any}"));
    says(&green(&repo, &["run"]), "| made");
}

#[test]
fn s12_a_fallback_alone_counts_as_missing_unless_told_otherwise() {
    let with = |clause: &str| {
        format!(
            "make:\n  rules: [{{cache: {clause}}}]\n  cache: {{key: new, fallback_keys: [old], paths: [f]}}\n  script: [echo ma''de]\nother: {{cache: {{key: old, paths: [f]}}, script: [touch f]}}\n"
        )
    };
    let repo = repository(&with("missing"));
    passes(&repo, &["run", "other"]);
    repo.write(".gitlab-ci.yml", with("{missing: any, fallback: true}"));
    never_says(&green(&repo, &["run"]), "| made");
    repo.write(".gitlab-ci.yml", with("missing"));
    says(&green(&repo, &["run"]), "| made");
}

#[test]
fn s15_a_key_nobody_knows_before_the_job_counts_as_missing() {
    let repo = repository(
        "make: {rules: [{cache: missing}], cache: {key: $CI_JOB_ID, paths: [f]}, script: [touch f, echo ma''de]}\n",
    );
    passes(&repo, &["run"]);
    says(&green(&repo, &["run"]), "| made");
}

#[test]
fn s16_s18_s19_a_satisfied_producer_stands_for_a_success() {
    let repo = project(PIPELINE);
    passes(&repo, &["run"]);
    let second = green(&repo, &["run"]);
    let shown = second.shown();
    assert!(
        shown.contains("cache"),
        "it says why make did not run: {shown}"
    );
    says(&second, "used 1");
}

#[test]
fn s17_a_satisfied_producer_whose_artifacts_are_wanted_is_an_error() {
    let repo = project(&PIPELINE.replace(
        "  script: [mkdir",
        "  artifacts: {paths: [out]}\n  script: [touch out, mkdir",
    ));
    passes(&repo, &["run"]);
    let second = repo.run(&["run"]);
    assert_eq!(second.code, Some(1), "{}", second.shown());
    let text = "'use' needs artifacts of 'make', but 'make' was left out because its cache exists";
    assert!(second.stderr.contains(text), "{}", second.shown());
}

#[test]
fn what_is_saved_follows_push_if() {
    let with = |push_if: &str| {
        format!(
            "job:\n  cache: {{key: k, paths: [f], push_if: {push_if}}}\n  script: ['cat f || true', 'echo \"$N\" > f']\n"
        )
    };
    let repo = repository(&with("miss"));
    passes(&repo, &["run", "--variable", "N=first"]);
    passes(&repo, &["run", "--variable", "N=second"]);
    let third = green(&repo, &["run", "--variable", "N=third"]);
    says(&third, "| first");
    repo.write(".gitlab-ci.yml", with("changed"));
    passes(&repo, &["run", "--variable", "N=fourth"]);
    says(
        &green(&repo, &["run", "--variable", "N=fourth"]),
        "| fourth",
    );
}

#[test]
fn the_whole_tree_a_job_made_is_there_in_the_next_run_whatever_is_changed() {
    let repo = repository(
        "job:\n  cache: {key: k, paths: [d/]}\n  script:\n    - mkdir -p d/e\n    - 'find d -type f | sort | tr \"\\n\" \" \"; cat d/e/x || true'\n    - eval \"$DO\"\n",
    );
    passes(
        &repo,
        &["run", "--variable", "DO=echo 1 > d/e/x; touch d/y d/z"],
    );
    let second = green(
        &repo,
        &[
            "run",
            "--variable",
            "DO=echo 2 > d/e/x; mkdir d/n; touch d/n/w",
        ],
    );
    says(&second, "| d/e/x d/y d/z 1");
    says(
        &second,
        "d/: found 7 matching artifact files and directories",
    );
    let third = green(&repo, &["run", "--variable", "DO=rm d/y"]);
    says(&third, "| d/e/x d/n/w d/y d/z 2");
    let fourth = green(&repo, &["run", "--variable", "DO=true"]);
    says(&fourth, "| d/e/x d/n/w d/z 2");
    says(&fourth, "Archive is up to date!");
    says(
        &fourth,
        "d/: found 6 matching artifact files and directories",
    );
    says(&green(&repo, &["cache", "verify"]), "no problems");
}

#[test]
fn what_a_cache_takes_artifacts_can_take_too() {
    let repo = repository(
        "stages: [one, two]\n\
         make: {stage: one, cache: {key: k, paths: [d]}, artifacts: {paths: [d/f, e]}, script: [mkdir d e, echo hi > d/f, touch e/g]}\n\
         use: {stage: two, script: ['cat d/f', 'ls e']}\n",
    );
    let ended = green(&repo, &["run"]);
    says(&ended, "use  | hi");
    says(&ended, "use  | g");
}
