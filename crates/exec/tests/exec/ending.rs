//! Timeouts and cancellation.

use std::time::Duration;

use tidegate_exec::CancelReason;
use tidegate_pipeline::{
    ArtifactFormat, ArtifactSpec, CacheSpec, CacheWhen, FailureReason, JobSpec, OnMiss, PushIf,
    Status,
};

use crate::job::{spec, step};
use crate::kit::{Ended, ground, run, run_with, start_with};
use crate::scripts::variable;

const AFTER: &str = "echo \"after $CI_JOB_STATUS\"";

fn with_after(script: &[&str]) -> JobSpec {
    let mut spec = spec(script);
    spec.steps.push(step("after_script", &[AFTER]));
    spec.artifacts = [CacheWhen::OnSuccess, CacheWhen::OnFailure]
        .map(artifact)
        .into();
    spec.caches = vec![cache("own-$CI_CONCURRENT_ID", CacheWhen::Always)];
    spec
}

fn artifact(when: CacheWhen) -> ArtifactSpec {
    ArtifactSpec {
        name: None,
        kind: when.name().into(),
        format: ArtifactFormat::Zip,
        paths: Vec::new(),
        exclude: Vec::new(),
        untracked: false,
        when,
        expire_in: None,
    }
}

fn cache(key: &str, when: CacheWhen) -> CacheSpec {
    CacheSpec {
        key: key.into(),
        fallback_keys: Vec::new(),
        paths: vec!["made".into()],
        untracked: false,
        policy: "pull-push".into(),
        when,
        on_miss: OnMiss::default(),
        push_if: PushIf::default(),
    }
}

fn canceled(spec: JobSpec, reason: CancelReason) -> Ended {
    let started = start_with(spec, |_| {});
    started.wait_for("\nready\n");
    started
        .running
        .as_ref()
        .expect("it runs")
        .canceller()
        .cancel(reason);
    started.wait()
}

/// The sections of a log in order.
fn sections(ended: &Ended) -> Vec<&str> {
    let start = |part: &'_ str| {
        part.split_once(':')
            .is_some_and(|(time, _)| !time.is_empty())
    };
    ended
        .log
        .split("section_start:")
        .skip(1)
        .filter(|part| start(part))
        .filter_map(|part| part.split([':', '\r']).nth(1))
        .collect()
}

#[test]
fn stages_come_in_the_runners_order() {
    let ended = run(with_after(&["true"]));
    assert_eq!(
        sections(&ended),
        [
            "prepare_executor",
            "prepare_script",
            "get_sources",
            "restore_cache",
            "step_script",
            "after_script",
            "archive_cache",
            "upload_artifacts_on_success",
            "cleanup_file_variables",
        ]
    );
    assert!(ended.log.contains("save own-0"));
    assert!(ended.log.contains("upload on_success true"));
    assert!(!ended.log.contains("upload on_failure"));
}

#[test]
fn storage_reaches_the_work_tree_and_the_env_file_through_the_namespace() {
    let mut spec = with_after(&["echo something > made", "echo K=key >> \"$GITLAB_ENV\""]);
    spec.caches = vec![cache("own-$K", CacheWhen::OnSuccess)];
    let ended = run_with(spec, |run| {
        let file = run.builds_dir.join("mark");
        run.ground = ground(&["mark", file.to_str().expect("a plain path")]).ok();
    });
    assert!(ended.log.contains("made something"), "{}", ended.log);
    assert!(ended.log.contains("save own-key"), "{}", ended.log);
}

#[test]
fn a_failed_job_saves_what_is_for_failures() {
    let ended = run(with_after(&["false"]));
    assert_eq!(
        sections(&ended)[4..],
        [
            "step_script",
            "after_script",
            "archive_cache_on_failure",
            "upload_artifacts_on_failure",
            "cleanup_file_variables",
        ]
    );
    assert!(ended.log.contains("upload on_failure false"));
}

#[test]
fn the_second_step_does_not_run_after_a_failed_first() {
    let mut spec = spec(&["false"]);
    spec.steps.push(step("release", &["echo no"]));
    let ended = run(spec);
    assert!(!ended.log.contains("step_release"));
}

#[test]
fn a_cancel_ends_the_script_and_after_script_still_runs() {
    let ended = canceled(
        with_after(&["echo ready; sleep 60"]),
        CancelReason::Canceled,
    );
    assert_eq!(ended.outcome.status, Status::Canceled);
    assert_eq!(ended.outcome.failure_reason, None);
    assert!(
        ended
            .log
            .contains("WARNING: script canceled externally (UI, API)")
    );
    assert!(ended.log.contains("after canceled"));
    assert!(sections(&ended).contains(&"upload_artifacts_on_failure"));
    assert!(
        ended
            .log
            .ends_with("\u{1b}[31;1mERROR: Job failed: canceled\u{1b}[0;m\n")
    );
}

#[test]
fn a_cancel_between_two_steps_still_runs_after_script() {
    let mut spec = with_after(&["echo ready; trap '' TERM; sleep 0.4"]);
    spec.steps.insert(1, step("release", &["echo no"]));
    let ended = canceled(spec, CancelReason::Canceled);
    assert_eq!(ended.outcome.status, Status::Canceled);
    assert!(!ended.log.contains("step_release"));
    assert!(ended.log.contains("after canceled"));
}

#[test]
fn a_cancel_before_the_scripts_stops_everything() {
    let mut spec = with_after(&["echo no"]);
    spec.pre_get_sources_script = vec!["echo ready; sleep 60".into()];
    let ended = canceled(spec, CancelReason::Canceled);
    assert_eq!(ended.outcome.status, Status::Canceled);
    assert_eq!(
        sections(&ended),
        ["prepare_executor", "prepare_script", "get_sources"]
    );
}

#[test]
fn a_cancel_after_the_scripts_has_no_effect() {
    let mut spec = with_after(&["true"]);
    spec.steps[1] = step("after_script", &["echo ready; sleep 0.5; echo done"]);
    let ended = canceled(spec, CancelReason::Canceled);
    assert_eq!(ended.outcome.status, Status::Success);
    assert!(ended.log.contains("\ndone\n"));
}

#[test]
fn an_interrupt_stops_everything() {
    let ended = canceled(
        with_after(&["echo ready; sleep 60"]),
        CancelReason::Interrupted,
    );
    assert_eq!(ended.outcome.status, Status::Canceled);
    assert!(!ended.log.contains("after canceled"));
    assert_eq!(sections(&ended).last(), Some(&"step_script"));
    assert!(ended.log.contains("ERROR: Job failed: aborted: interrupt"));
}

#[test]
fn a_script_that_ignores_the_request_is_killed_after_the_grace_or_at_once_when_forced() {
    let stubborn = "trap '' TERM; echo ready; while :; do sleep 1; done";
    let started = start_with(spec(&[stubborn]), |run| run.grace = Duration::from_secs(30));
    started.wait_for("\nready\n");
    let canceller = started.running.as_ref().expect("it runs").canceller();
    canceller.cancel(CancelReason::Interrupted);
    std::thread::sleep(Duration::from_millis(300));
    assert!(!started.running.as_ref().expect("it runs").is_finished());
    canceller.cancel(CancelReason::Forced);
    let ended = started.wait();
    assert_eq!(ended.outcome.status, Status::Canceled);
    assert!(
        ended.outcome.duration < Duration::from_secs(5),
        "{:?}",
        ended.outcome
    );
}

#[test]
fn the_jobs_own_timeout_skips_what_follows() {
    let mut spec = with_after(&["echo ready; sleep 60"]);
    spec.timeout = Duration::from_secs(1);
    let ended = run(spec);
    assert_eq!(ended.outcome.status, Status::Failed);
    assert_eq!(
        ended.outcome.failure_reason,
        Some(FailureReason::JobExecutionTimeout)
    );
    assert_eq!(sections(&ended).last(), Some(&"step_script"));
    assert!(ended.log.contains(
        "WARNING: step_script could not run to completion because the timeout was exceeded. For \
         more control over job and script timeouts see: https://docs.gitlab.com/ci/runners/\
         configure_runners/#set-script-and-after_script-timeouts"
    ));
    assert!(
        ended
            .log
            .contains("ERROR: Job failed: execution took longer than 1s seconds")
    );
}

#[test]
fn the_script_timeout_leaves_time_for_after_script() {
    let mut spec = with_after(&["echo ready; sleep 60"]);
    spec.variables
        .push(variable("RUNNER_SCRIPT_TIMEOUT", "500ms"));
    let ended = run(spec);
    assert_eq!(
        ended.outcome.failure_reason,
        Some(FailureReason::JobExecutionTimeout)
    );
    assert!(ended.log.contains("after timedout"));
    assert!(ended.log.contains("upload on_failure false"));
    assert!(
        ended
            .log
            .contains("ERROR: Job failed: script timeout: context deadline exceeded"),
        "{}",
        ended.log
    );
}

#[test]
fn an_after_script_that_takes_too_long_does_not_fail_the_job() {
    let mut spec = with_after(&["true"]);
    spec.steps[1] = step("after_script", &["sleep 60"]);
    spec.variables
        .push(variable("RUNNER_AFTER_SCRIPT_TIMEOUT", "300ms"));
    let ended = run(spec);
    assert_eq!(ended.outcome.status, Status::Success);
    assert!(
        ended
            .log
            .contains("WARNING: after_script could not run to completion")
    );
    assert!(ended.log.contains(
        "WARNING: after_script failed, but job will continue unaffected: context deadline exceeded"
    ));
}

#[test]
fn unusable_timeouts_are_named_and_ignored() {
    let mut spec = spec(&["true"]);
    spec.variables
        .push(variable("RUNNER_SCRIPT_TIMEOUT", "soon"));
    spec.variables
        .push(variable("RUNNER_AFTER_SCRIPT_TIMEOUT", "2h"));
    let ended = run(spec);
    assert_eq!(ended.outcome.status, Status::Success);
    assert!(
        ended
            .log
            .contains("Ignoring malformed RUNNER_SCRIPT_TIMEOUT timeout: soon")
    );
    assert!(ended.log.contains(
        "RUNNER_AFTER_SCRIPT_TIMEOUT timeout: 2h is longer than job timeout. Setting to job timeout"
    ));
}
