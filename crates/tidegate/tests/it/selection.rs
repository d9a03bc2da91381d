//! Choosing what runs: jobs that run without those they come from, and jobs that their rules leave out.

use tidegate_testkit::Sandbox;

use crate::repository;

const PIPELINE: &str = "\
stages: [make, use]
make: {stage: make, script: ['echo N=$NUMBER > env', 'echo $NUMBER > out'], artifacts: {paths: [out], reports: {dotenv: env}}}
silent: {stage: make, script: ['true']}
use: {stage: use, script: ['echo file $(cat out) variable $N']}
dag: {stage: use, needs: [make], script: ['echo dag $(cat out)']}
manual: {stage: use, rules: [{if: '$NEVER == \"yes\"', when: manual}], script: ['echo forced']}
";

#[track_caller]
fn green(repo: &Sandbox, args: &[&str]) -> String {
    let ended = repo.run(args);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    ended.stdout + &ended.stderr
}

#[test]
fn jobs_alone_take_artifacts_from_the_last_run_that_has_them() {
    let repo = repository(PIPELINE);
    green(&repo, &["run", "make", "--variable", "NUMBER=7"]);
    green(&repo, &["run", "silent"]);
    let alone = green(&repo, &["run", "--no-needs", "use", "dag"]);
    for line in [
        "use | file 7 variable 7\n",
        "dag | dag 7\n",
        "Downloading artifacts for make of run 1...\n",
    ] {
        assert!(alone.contains(line), "{line}: {alone}");
    }
    assert!(!alone.contains("make |"), "{alone}");
    let stage = green(&repo, &["run", "--from-stage", "use"]);
    assert!(stage.contains("dag | dag 7\n"), "{stage}");
    assert!(!stage.contains("warning"), "{stage}");
}

#[test]
fn artifacts_that_no_run_has_are_named() {
    let repo = repository(PIPELINE);
    let ended = repo.run(&["run", "--no-needs", "dag"]);
    let warning = "warning: no run has artifacts of `make`; `tidegate run make` makes some\n";
    assert!(ended.stderr.starts_with(warning), "{}", ended.shown());
    let pointless = repo.run(&["run", "--no-needs"]);
    assert_eq!(pointless.code, Some(2), "{}", pointless.shown());
}

#[test]
fn a_run_that_was_stopped_goes_on_with_the_same_artifacts() {
    let repo = repository(PIPELINE);
    green(&repo, &["run", "make", "--variable", "NUMBER=7"]);
    green(&repo, &["run", "--no-needs", "dag"]);
    let again = green(&repo, &["run", "--retry", "dag"]);
    assert!(again.contains("dag | dag 7\n"), "{again}");
}

#[test]
fn a_job_left_out_is_explained_rule_by_rule() {
    let repo = repository(PIPELINE);
    let refused = repo.run(&["run", "manual"]);
    assert_eq!(refused.code, Some(1), "{}", refused.shown());
    for text in [
        "$NEVER == \"yes\"",
        "error: the job `manual` is not in this pipeline\n",
        "hint: `tidegate run --force manual` runs it all the same\n",
    ] {
        assert!(refused.stderr.contains(text), "{text}: {}", refused.shown());
    }
    let forced = green(&repo, &["run", "--force", "--no-needs", "manual"]);
    assert!(forced.contains("manual | forced\n"), "{forced}");
}

#[test]
fn a_manual_job_that_is_named_runs_and_one_that_a_pattern_finds_waits() {
    let repo = repository(
        "stages: [make, use]\n\
         make: {stage: make, script: [echo made]}\n\
         deploy: {stage: use, script: [echo deployed], when: manual}\n\
         other: {stage: use, script: [echo other], when: manual}\n",
    );
    let named = green(&repo, &["run", "deploy"]);
    assert!(named.contains("make   | made\n"), "{named}");
    assert!(named.contains("deploy | deployed\n"), "{named}");
    assert!(!named.contains("other"), "{named}");
    for args in [
        &["run", "dep*"][..],
        &["run"],
        &["run", "--from-stage", "use"],
    ] {
        let waiting = green(&repo, args);
        assert!(!waiting.contains("| deployed"), "{args:?} {waiting}");
        assert!(
            waiting.contains("deploy | waits to be started by hand\n"),
            "{args:?} {waiting}"
        );
    }
    let forced = green(&repo, &["run", "--force", "--no-needs", "other"]);
    assert!(forced.contains("other | other\n"), "{forced}");
}

#[test]
fn a_job_left_out_is_explained_where_there_is_no_pipeline_at_all() {
    let repo = repository("only: {rules: [{if: $NEVER}], script: [echo forced]}\n");
    let refused = repo.run(&["run", "only"]);
    assert_eq!(refused.code, Some(1), "{}", refused.shown());
    let hint = "`tidegate run --force only` runs it all the same";
    assert!(refused.stderr.contains(hint), "{}", refused.shown());
    let forced = green(&repo, &["run", "--force", "only"]);
    assert!(forced.contains("only | forced\n"), "{forced}");
}

#[test]
fn a_shell_ends_as_what_ran_in_it() {
    let repo = repository("a: {script: ['true']}\n");
    let code = |script: &str| repo.run(&["shell", "a", "--", "bash", "-c", script]).code;
    assert_eq!(code("exit 0"), Some(0));
    assert_eq!(code("exit 42"), Some(42));
    assert_eq!(code("kill -TERM $$"), Some(143));
}
