//! The behaviour of single inputs, on the smallest pipeline that shows it.

use std::sync::Arc;
use std::time::Duration;

use tidegate_pipeline::{
    AllowFailure, Attempt, AutoCancelOnJobFailure, AutoCancelOnNewCommit, FailureReason, Job,
    JobIdx, NeedEntry, Pick, Pipeline, Presence, ProcessMode, Reason, ResourceGroup, Status,
    Strategy, Timeout, Wait, When,
};

use crate::testing::{any, bridge, dag_job, need, pipeline, stage_job};
use crate::{Action, CancelCause, Claim, Input, MetState, Schedule};

/// A schedule whose inputs must be legal.
struct Run {
    schedule: Schedule,
    last: Vec<Action>,
}

impl Run {
    fn start(pipeline: Pipeline) -> Run {
        let mut run = Run {
            schedule: Schedule::new(Arc::new(pipeline)),
            last: Vec::new(),
        };
        run.apply(Input::Start);
        run
    }

    fn apply(&mut self, input: Input) -> &[Action] {
        self.last = match self.schedule.apply(input) {
            Ok(actions) => actions,
            Err(error) => panic!("{error}"),
        };
        &self.last
    }

    fn attempt(&self, job: u32) -> Attempt {
        self.schedule.attempt(JobIdx(job))
    }

    fn starts(&mut self, job: u32) {
        let attempt = self.attempt(job);
        let job = JobIdx(job);
        self.apply(Input::JobStarted { job, attempt });
    }

    fn succeeds(&mut self, job: u32) {
        let attempt = self.attempt(job);
        let job = JobIdx(job);
        self.apply(Input::JobSucceeded { job, attempt });
    }

    fn fails(&mut self, job: u32, exit_code: i32) {
        self.fails_by(job, FailureReason::ScriptFailure, Some(exit_code));
    }

    fn fails_by(&mut self, job: u32, reason: FailureReason, exit_code: Option<i32>) {
        let attempt = self.attempt(job);
        self.apply(Input::JobFailed {
            job: JobIdx(job),
            attempt,
            reason,
            exit_code,
        });
    }

    fn misses(&mut self, job: u32, producer: Option<u32>) {
        let attempt = self.attempt(job);
        self.apply(Input::CacheGone {
            job: JobIdx(job),
            attempt,
            key: "key".into(),
            producer: producer.map(JobIdx),
        });
    }

    fn downstream(&mut self, job: u32, status: Status) {
        let attempt = self.attempt(job);
        let job = JobIdx(job);
        self.apply(Input::BridgeStatus {
            job,
            attempt,
            status,
        });
    }

    fn is(&self, expected: &[Status]) {
        let jobs = 0..self.schedule.pipeline().jobs.len() as u32;
        let statuses: Vec<Status> = jobs.map(|at| self.schedule.status(JobIdx(at))).collect();
        assert_eq!(statuses, expected);
    }

    fn reason(&self, job: u32) -> &Reason {
        self.schedule.reason(JobIdx(job))
    }

    /// The actions of the last input that ask for something.
    fn asked(&self) -> Vec<&Action> {
        let tells = |action: &&Action| {
            !matches!(
                action,
                Action::SetStatus { .. } | Action::PipelineStatus { .. }
            )
        };
        self.last.iter().filter(tells).collect()
    }
}

fn with(mut job: Job, change: impl FnOnce(&mut Job)) -> Job {
    change(&mut job);
    job
}

fn in_group(job: Job) -> Job {
    with(job, |job| {
        let key = "prod".into();
        job.resource_group = Some(ResourceGroup { key });
    })
}

fn delayed(job: Job, seconds: u64) -> Job {
    with(job, |job| {
        job.when = When::Delayed;
        job.start_in = Some(Timeout {
            text: "a while".into(),
            duration: Duration::from_secs(seconds),
        });
    })
}

fn when(job: Job, when: When) -> Job {
    Job { when, ..job }
}

use Status::*;

#[test]
fn a_job_tells_why_it_started() {
    let run = Run::start(pipeline(1, vec![stage_job("a", 0)]));
    let reason = Reason::Predecessors {
        status: None,
        decided_by: None,
    };
    assert_eq!(
        run.last,
        [
            Action::SetStatus {
                job: JobIdx(0),
                attempt: Attempt::FIRST,
                status: Pending,
                allow_failure: false,
                reason: reason.clone(),
            },
            Action::StartJob {
                job: JobIdx(0),
                attempt: Attempt::FIRST,
                recheck_caches: false,
                reason,
            },
            Action::PipelineStatus {
                status: Pending,
                warnings: false,
                rule: 7,
            },
        ]
    );
}

#[test]
fn a_skipped_job_names_the_job_that_decided_it() {
    let jobs = vec![
        stage_job("good", 0),
        stage_job("bad", 0),
        stage_job("staged", 1),
        dag_job("needing", 1, &[0, 1]),
        dag_job("after", 2, &[3]),
    ];
    let mut run = Run::start(pipeline(3, jobs));
    run.succeeds(0);
    run.fails(1, 1);
    run.is(&[Success, Failed, Skipped, Skipped, Skipped]);
    let decided = |status, job| Reason::Predecessors {
        status: Some(status),
        decided_by: Some(JobIdx(job)),
    };
    assert_eq!(*run.reason(2), decided(Failed, 1));
    assert_eq!(*run.reason(3), decided(Failed, 1));
    assert_eq!(*run.reason(4), decided(Skipped, 3));
}

#[test]
fn even_always_is_skipped_after_a_cancellation() {
    let jobs = vec![stage_job("a", 0), when(stage_job("b", 1), When::Always)];
    let mut run = Run::start(pipeline(2, jobs));
    run.apply(Input::Cancel { job: JobIdx(0) });
    run.is(&[Canceled, Skipped]);
}

#[test]
fn an_exit_code_can_make_a_failure_not_count() {
    let lenient = with(stage_job("a", 0), |job| {
        job.allow_failure = AllowFailure {
            always: false,
            exit_codes: vec![42],
        };
    });
    let mut run = Run::start(pipeline(2, vec![lenient, stage_job("b", 1)]));
    run.fails(0, 42);
    run.is(&[Failed, Pending]);
    assert!(run.schedule.allow_failure(JobIdx(0)));
    run.succeeds(1);
    assert_eq!(run.schedule.pipeline_status(), Success);
    assert!(run.schedule.warnings());
}

#[test]
fn a_failure_is_retried_while_the_pipeline_goes_on() {
    let flaky = with(stage_job("a", 0), |job| job.retry.max = 1);
    let mut run = Run::start(pipeline(1, vec![flaky]));
    run.starts(0);
    run.fails(0, 1);
    run.is(&[Pending]);
    assert_eq!(run.attempt(0), Attempt(2));
    assert_eq!(run.schedule.pipeline_status(), Running);
    let retried = run.last.iter().any(|action| {
        matches!(action, Action::SetStatus { status: Created, reason, .. } if *reason == Reason::Retried {
            after: Attempt(1),
            reason: FailureReason::ScriptFailure,
        })
    });
    assert!(retried, "{:?}", run.last);
    run.fails(0, 1);
    run.is(&[Failed]);
}

#[test]
fn a_retry_by_a_person_counts_among_the_automatic_ones() {
    let flaky = with(stage_job("a", 0), |job| job.retry.max = 1);
    let mut run = Run::start(pipeline(1, vec![flaky]));
    run.succeeds(0);
    run.apply(Input::Retry { job: JobIdx(0) });
    run.fails(0, 1);
    run.is(&[Failed]);
}

#[test]
fn a_manual_job_tried_again_automatically_waits_for_nobody() {
    let manual = with(when(stage_job("a", 0), When::Manual), |job| {
        job.retry.max = 1
    });
    let mut run = Run::start(pipeline(1, vec![manual]));
    run.is(&[Manual]);
    run.apply(Input::Play { job: JobIdx(0) });
    run.fails(0, 1);
    run.is(&[Pending]);
}

#[test]
fn a_manual_job_can_be_played_before_it_is_reached() {
    let jobs = vec![stage_job("a", 0), when(stage_job("b", 1), When::Manual)];
    let mut schedule = Schedule::new(Arc::new(pipeline(2, jobs)));
    let played = schedule.apply(Input::Play { job: JobIdx(1) });
    assert_eq!(played, Ok(Vec::new()));
    let last = schedule.apply(Input::Start).expect("it starts");
    let mut run = Run { schedule, last };
    run.is(&[Pending, Created]);
    run.succeeds(0);
    run.is(&[Success, Pending]);
}

#[test]
fn a_delayed_job_asks_for_a_timer_within_limits() {
    let jobs = vec![
        delayed(stage_job("a", 0), 0),
        delayed(stage_job("b", 0), 9_999_999),
    ];
    let run = Run::start(pipeline(1, jobs));
    let delays: Vec<u64> = run
        .asked()
        .iter()
        .map(|action| match action {
            Action::ArmTimer { delay, .. } => delay.as_secs(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(delays, [1, 604_800]);
    run.is(&[Scheduled, Scheduled]);
}

#[test]
fn an_unscheduled_job_is_manual_and_its_timer_is_off() {
    let mut run = Run::start(pipeline(1, vec![delayed(stage_job("a", 0), 5)]));
    run.apply(Input::Unschedule { job: JobIdx(0) });
    run.is(&[Manual]);
    assert!(matches!(run.asked()[..], [Action::DisarmTimer { .. }]));
    let late = run.schedule.apply(Input::DelayOver {
        job: JobIdx(0),
        attempt: Attempt(1),
    });
    assert_eq!(
        late.expect_err("the timer was off").to_string(),
        "input `delay over` for job 0, attempt 1, met a job whose attempt 1 is manual"
    );
}

#[test]
fn a_running_job_is_canceled_when_its_executor_says_so() {
    let mut run = Run::start(pipeline(2, vec![stage_job("a", 0), stage_job("b", 1)]));
    run.starts(0);
    run.apply(Input::Cancel { job: JobIdx(0) });
    run.is(&[Canceling, Created]);
    assert!(matches!(run.asked()[..], [Action::CancelJob { .. }]));
    run.succeeds(0);
    run.is(&[Canceled, Skipped]);
    assert_eq!(*run.reason(0), Reason::ByUser);
}

#[test]
fn a_job_retried_while_it_is_canceled_keeps_its_slot_until_its_executor_is_done() {
    let mut run = Run::start(pipeline(1, vec![in_group(stage_job("a", 0))]));
    let (job, first) = (JobIdx(0), Attempt(1));
    run.apply(Input::ResourceGranted {
        job,
        attempt: first,
    });
    run.starts(0);
    run.apply(Input::Cancel { job });
    run.apply(Input::Retry { job });
    run.is(&[WaitingForResource]);
    assert!(!run.schedule.is_quiet());
    let lingering: Vec<(JobIdx, Attempt)> = run.schedule.lingering().collect();
    assert_eq!(lingering, [(job, first)]);
    let outstanding = run.schedule.outstanding();
    assert!(matches!(
        outstanding[..],
        [
            Action::Resource {
                attempt: Attempt(1),
                claim: Claim::Held,
                ..
            },
            Action::Resource {
                attempt: Attempt(2),
                claim: Claim::Requested,
                ..
            },
        ]
    ));
    run.apply(Input::JobCanceled {
        job,
        attempt: first,
    });
    assert!(
        matches!(
            run.asked()[..],
            [Action::Resource {
                attempt: Attempt(1),
                claim: Claim::Released,
                ..
            }]
        ),
        "{:?}",
        run.last
    );
    run.is(&[WaitingForResource]);
}

#[test]
fn a_resource_group_is_asked_and_given_back() {
    let mut run = Run::start(pipeline(1, vec![in_group(stage_job("a", 0))]));
    run.is(&[WaitingForResource]);
    assert!(matches!(
        run.asked()[..],
        [Action::Resource {
            claim: Claim::Requested,
            ..
        }]
    ));
    run.apply(Input::ResourceGranted {
        job: JobIdx(0),
        attempt: Attempt(1),
    });
    run.is(&[Pending]);
    run.succeeds(0);
    assert!(matches!(
        run.asked()[..],
        [Action::Resource {
            claim: Claim::Released,
            ..
        }]
    ));
}

#[test]
fn a_group_that_goes_by_age_hears_of_jobs_that_will_ask() {
    let mut made = pipeline(2, vec![stage_job("a", 0), in_group(stage_job("b", 1))]);
    made.process_modes
        .insert("prod".into(), ProcessMode::OldestFirst);
    let mut run = Run::start(made);
    let claims = |run: &Run| -> Vec<Claim> {
        run.asked()
            .iter()
            .filter_map(|action| match action {
                Action::Resource { claim, .. } => Some(*claim),
                _ => None,
            })
            .collect()
    };
    assert_eq!(claims(&run), [Claim::Expected]);
    run.fails(0, 1);
    assert_eq!(claims(&run), [Claim::Released]);
}

#[test]
fn a_failure_that_counts_cancels_the_rest_where_the_workflow_says_so() {
    let jobs = vec![
        stage_job("bad", 0),
        stage_job("running", 0),
        stage_job("later", 1),
        bridge("child", 0, Some(Strategy::Depend)),
    ];
    let mut made = pipeline(2, jobs);
    made.auto_cancel.on_job_failure = AutoCancelOnJobFailure::All;
    let mut run = Run::start(made);
    run.starts(1);
    run.apply(Input::DownstreamCreated {
        job: JobIdx(3),
        attempt: Attempt(1),
    });
    run.fails(0, 1);
    run.is(&[Failed, Canceling, Canceled, Canceled]);
    let because = Reason::AutoCanceled {
        because: Some(JobIdx(0)),
    };
    assert_eq!(*run.reason(2), because);
    assert!(matches!(
        run.asked()[..],
        [Action::CancelJob { .. }, Action::CancelDownstream { .. }]
    ));
}

#[test]
fn a_failure_to_be_retried_cancels_nothing() {
    let flaky = with(stage_job("a", 0), |job| job.retry.max = 1);
    let mut made = pipeline(1, vec![flaky, stage_job("b", 0)]);
    made.auto_cancel.on_job_failure = AutoCancelOnJobFailure::All;
    let mut run = Run::start(made);
    run.fails(0, 1);
    run.is(&[Pending, Pending]);
    run.fails(0, 1);
    run.is(&[Failed, Canceled]);
}

fn interruptible(name: &str, interruptible: Option<bool>) -> Job {
    with(stage_job(name, 0), |job| job.interruptible = interruptible)
}

#[test]
fn a_new_commit_cancels_unless_something_not_interruptible_has_started() {
    let jobs = || vec![interruptible("a", Some(true)), interruptible("b", None)];
    let mut run = Run::start(pipeline(1, jobs()));
    run.starts(0);
    run.apply(Input::NewCommit);
    run.is(&[Canceling, Canceled]);
    assert_eq!(*run.reason(1), Reason::AutoCanceled { because: None });

    let mut run = Run::start(pipeline(1, jobs()));
    run.starts(1);
    run.apply(Input::NewCommit);
    run.is(&[Pending, Running]);
    run.fails(1, 1);
    run.apply(Input::NewCommit);
    run.is(&[Pending, Failed]);
}

#[test]
fn a_new_commit_cancels_what_is_interruptible_or_nothing() {
    let jobs = || {
        vec![
            interruptible("a", Some(true)),
            interruptible("b", Some(false)),
        ]
    };
    let mut made = pipeline(1, jobs());
    made.auto_cancel.on_new_commit = AutoCancelOnNewCommit::Interruptible;
    let mut run = Run::start(made);
    run.starts(1);
    run.apply(Input::NewCommit);
    run.is(&[Canceled, Running]);

    let mut made = pipeline(1, jobs());
    made.auto_cancel.on_new_commit = AutoCancelOnNewCommit::None;
    let mut run = Run::start(made);
    run.apply(Input::NewCommit);
    run.is(&[Pending, Pending]);
}

#[test]
fn canceling_all_reaches_children_of_finished_trigger_jobs() {
    let mut run = Run::start(pipeline(1, vec![bridge("child", 0, None)]));
    assert!(matches!(run.asked()[..], [Action::StartDownstream { .. }]));
    run.apply(Input::DownstreamCreated {
        job: JobIdx(0),
        attempt: Attempt(1),
    });
    run.is(&[Success]);
    run.apply(Input::CancelAll {
        cause: CancelCause::Interrupted,
    });
    run.is(&[Success]);
    assert!(matches!(run.asked()[..], [Action::CancelDownstream { .. }]));
}

/// The status of a trigger job with this strategy after its pipeline came to a status.
fn followed(strategy: Strategy, downstream: Status) -> Status {
    let mut run = Run::start(pipeline(1, vec![bridge("child", 0, Some(strategy))]));
    run.apply(Input::DownstreamCreated {
        job: JobIdx(0),
        attempt: Attempt(1),
    });
    run.is(&[Running]);
    run.downstream(0, downstream);
    run.schedule.status(JobIdx(0))
}

#[test]
fn trigger_jobs_follow_their_pipelines_by_strategy() {
    for (downstream, depend, mirror) in [
        (Success, Success, Success),
        (Failed, Failed, Failed),
        (Canceled, Canceled, Canceled),
        (Skipped, Failed, Skipped),
        (Manual, Running, Manual),
        (Pending, Running, Running),
        (Running, Running, Running),
    ] {
        let found = (
            followed(Strategy::Depend, downstream),
            followed(Strategy::Mirror, downstream),
        );
        assert_eq!(found, (depend, mirror), "{downstream}");
    }
}

#[test]
fn a_trigger_job_runs_again_when_its_pipeline_does() {
    let jobs = vec![
        bridge("child", 0, Some(Strategy::Depend)),
        stage_job("b", 1),
    ];
    let mut run = Run::start(pipeline(2, jobs));
    run.apply(Input::DownstreamCreated {
        job: JobIdx(0),
        attempt: Attempt(1),
    });
    run.downstream(0, Failed);
    run.is(&[Failed, Skipped]);
    run.downstream(0, Running);
    run.is(&[Running, Created]);
    run.downstream(0, Success);
    run.is(&[Success, Pending]);
}

#[test]
fn a_trigger_job_whose_pipelines_loop_is_not_retried() {
    let mut run = Run::start(pipeline(1, vec![bridge("child", 0, None)]));
    run.fails_by(0, FailureReason::PipelineLoopDetected, None);
    let error = run.schedule.apply(Input::Retry { job: JobIdx(0) });
    let met = MetState::Job {
        attempt: Attempt(1),
        status: Failed,
        bridge: true,
    };
    assert_eq!(error.expect_err("it would loop again").state, met);
}

fn satisfied(job: Job) -> Job {
    with(job, |job| job.presence = Presence::Satisfied)
}

#[test]
fn a_satisfied_job_stands_as_success_and_takes_no_executor() {
    let jobs = vec![
        satisfied(stage_job("producer", 0)),
        stage_job("consumer", 1),
    ];
    let run = Run::start(pipeline(2, jobs));
    run.is(&[Success, Pending]);
    assert!(matches!(
        run.asked()[..],
        [Action::StartJob { job: JobIdx(1), .. }]
    ));
    assert!(matches!(run.reason(0), Reason::CacheHit { .. }));
}

#[test]
fn a_missing_cache_wakes_its_producer_and_puts_the_job_back() {
    let jobs = vec![
        satisfied(stage_job("producer", 0)),
        stage_job("consumer", 1),
    ];
    let mut run = Run::start(pipeline(2, jobs));
    run.starts(1);
    run.misses(1, Some(0));
    run.is(&[Pending, Created]);
    let gone = Reason::CacheGone { key: "key".into() };
    assert_eq!(*run.reason(1), gone);
    run.succeeds(0);
    run.is(&[Success, Pending]);
    assert_eq!(run.attempt(1), Attempt(1));
    run.misses(1, Some(0));
    run.is(&[Success, Failed]);
    let failed = Reason::Failed {
        reason: FailureReason::CacheMissing,
        exit_code: None,
    };
    assert_eq!(*run.reason(1), failed);
}

#[test]
fn several_jobs_wait_behind_one_woken_producer() {
    let jobs = vec![
        satisfied(dag_job("producer", 0, &[])),
        dag_job("a", 0, &[]),
        stage_job("b", 0),
    ];
    let mut run = Run::start(pipeline(1, jobs));
    run.misses(1, Some(0));
    run.misses(2, Some(0));
    run.is(&[Pending, Created, Created]);
    run.fails(0, 1);
    run.is(&[Failed, Skipped, Skipped]);
    let decided = Reason::Predecessors {
        status: Some(Failed),
        decided_by: Some(JobIdx(0)),
    };
    assert_eq!(*run.reason(2), decided);
    run.apply(Input::Retry { job: JobIdx(0) });
    run.succeeds(0);
    run.is(&[Success, Pending, Pending]);
}

#[test]
fn a_job_behind_a_producer_still_waits_for_its_stage() {
    let jobs = vec![
        stage_job("first", 0),
        stage_job("consumer", 1),
        satisfied(dag_job("producer", 2, &[])),
    ];
    let mut run = Run::start(pipeline(3, jobs));
    run.succeeds(0);
    run.misses(1, Some(2));
    run.apply(Input::Retry { job: JobIdx(0) });
    run.succeeds(2);
    run.is(&[Pending, Created, Success]);
    run.succeeds(0);
    run.is(&[Success, Pending, Success]);
}

#[test]
fn a_producer_that_comes_after_the_job_is_no_help() {
    let jobs = vec![
        stage_job("consumer", 0),
        satisfied(stage_job("producer", 1)),
    ];
    let mut run = Run::start(pipeline(2, jobs));
    run.misses(0, Some(1));
    run.is(&[Failed, Success]);
}

#[test]
fn no_producer_or_an_included_one_is_no_help() {
    let jobs = vec![stage_job("producer", 0), stage_job("consumer", 1)];
    let mut run = Run::start(pipeline(2, jobs));
    run.succeeds(0);
    run.misses(1, Some(0));
    run.is(&[Success, Failed]);
    let mut run = Run::start(pipeline(1, vec![stage_job("consumer", 0)]));
    run.misses(0, None);
    run.is(&[Failed]);
}

#[test]
fn a_cache_found_right_before_the_start_ends_the_job() {
    let checked = with(stage_job("a", 0), |job| job.recheck_caches = vec![0]);
    let mut run = Run::start(pipeline(2, vec![checked, stage_job("b", 1)]));
    assert!(matches!(
        run.asked()[..],
        [Action::StartJob {
            recheck_caches: true,
            ..
        }]
    ));
    let hit = |attempt| Input::CacheHitAtStart {
        job: JobIdx(0),
        attempt,
        key: "key".into(),
    };
    run.apply(hit(Attempt(1)));
    run.is(&[Success, Pending]);
    run.apply(Input::Retry { job: JobIdx(0) });
    assert!(matches!(
        run.asked()[..],
        [Action::StartJob {
            recheck_caches: false,
            ..
        }]
    ));
    assert!(run.schedule.apply(hit(Attempt(2))).is_err());
}

/// `consumer` needs any of `a` and `b`.
fn any_of(min: u32, wait: Wait, pick: Pick) -> Pipeline {
    let consumer = with(stage_job("consumer", 1), |job| {
        job.needs = Some(vec![any(&[0, 1], min, wait, pick)]);
    });
    pipeline(2, vec![stage_job("a", 0), stage_job("b", 0), consumer])
}

#[test]
fn the_first_good_alternative_is_enough_and_is_recorded() {
    let mut run = Run::start(any_of(1, Wait::First, Pick::First));
    run.succeeds(1);
    run.is(&[Pending, Success, Pending]);
    let taken = [vec![JobIdx(1)]];
    assert_eq!(run.schedule.alternatives(JobIdx(2)), Some(&taken[..]));
    run.succeeds(0);
    run.fails(2, 1);
    run.apply(Input::Retry { job: JobIdx(2) });
    assert_eq!(run.schedule.alternatives(JobIdx(2)), Some(&taken[..]));
    assert_eq!(run.schedule.alternatives(JobIdx(0)), None);
}

#[test]
fn all_good_alternatives_are_taken_in_written_order() {
    let mut run = Run::start(any_of(1, Wait::All, Pick::All));
    run.succeeds(1);
    run.is(&[Pending, Success, Created]);
    run.succeeds(0);
    run.is(&[Success, Success, Pending]);
    let taken = [vec![JobIdx(0), JobIdx(1)]];
    assert_eq!(run.schedule.alternatives(JobIdx(2)), Some(&taken[..]));
}

#[test]
fn too_few_good_alternatives_are_a_failed_need() {
    let mut run = Run::start(any_of(2, Wait::First, Pick::First));
    run.fails(1, 1);
    run.is(&[Pending, Failed, Skipped]);
    let decided = Reason::Predecessors {
        status: Some(Failed),
        decided_by: Some(JobIdx(1)),
    };
    assert_eq!(*run.reason(2), decided);
}

#[test]
fn an_alternative_played_later_is_looked_at_again() {
    let gate = |name| {
        with(when(stage_job(name, 0), When::Manual), |job| {
            job.allow_failure.always = true;
        })
    };
    let consumer = with(stage_job("consumer", 1), |job| {
        job.needs = Some(vec![any(&[0, 1], 1, Wait::First, Pick::First)]);
    });
    let mut run = Run::start(pipeline(2, vec![gate("a"), gate("b"), consumer]));
    run.is(&[Manual, Manual, Skipped]);
    run.apply(Input::Play { job: JobIdx(1) });
    run.is(&[Manual, Pending, Created]);
    run.succeeds(1);
    run.is(&[Manual, Success, Pending]);
}

#[test]
fn plain_needs_and_alternatives_are_waited_for_together() {
    let consumer = with(stage_job("consumer", 1), |job| {
        job.needs = Some(vec![
            NeedEntry::Job(need(0)),
            any(&[1], 1, Wait::First, Pick::First),
        ]);
    });
    let jobs = vec![stage_job("a", 0), stage_job("b", 0), consumer];
    let mut run = Run::start(pipeline(2, jobs));
    run.succeeds(1);
    run.is(&[Pending, Success, Created]);
    run.succeeds(0);
    run.is(&[Success, Success, Pending]);
}

#[test]
fn a_run_that_ends_leaves_waiting_jobs_as_they_are() {
    let jobs = vec![
        when(stage_job("a", 0), When::Manual),
        delayed(stage_job("b", 0), 5),
    ];
    let mut run = Run::start(pipeline(1, jobs));
    run.apply(Input::RunEnded);
    run.is(&[Manual, Scheduled]);
    assert_eq!(*run.reason(0), Reason::RunEnded);
    assert!(matches!(run.asked()[..], [Action::DisarmTimer { .. }]));
    let outstanding = run.schedule.outstanding();
    assert!(matches!(
        outstanding[..],
        [Action::ArmTimer { job: JobIdx(1), .. }]
    ));
    run.apply(Input::Play { job: JobIdx(0) });
    run.is(&[Pending, Scheduled]);
    let early = run.schedule.apply(Input::RunEnded);
    assert_eq!(
        early.expect_err("a job is at work").state,
        MetState::AtWork(1)
    );
}

#[test]
fn what_is_outstanding_can_be_asked_for_again() {
    let mut run = Run::start(pipeline(
        1,
        vec![
            stage_job("a", 0),
            in_group(stage_job("b", 0)),
            bridge("c", 0, None),
        ],
    ));
    let asked: Vec<Action> = run.asked().into_iter().cloned().collect();
    assert_eq!(run.schedule.outstanding(), asked);
    run.starts(0);
    run.apply(Input::ResourceGranted {
        job: JobIdx(1),
        attempt: Attempt(1),
    });
    assert!(matches!(
        run.schedule.outstanding()[..],
        [
            Action::Resource {
                claim: Claim::Held,
                ..
            },
            Action::StartJob { job: JobIdx(1), .. },
            Action::StartDownstream { .. }
        ]
    ));
}

#[test]
fn only_a_play_may_come_before_the_start() {
    let mut schedule = Schedule::new(Arc::new(pipeline(1, vec![stage_job("a", 0)])));
    let early = schedule.apply(Input::NewCommit);
    assert_eq!(
        early.expect_err("nothing has started").to_string(),
        "input `new commit` before the pipeline started"
    );
    schedule.apply(Input::Start).expect("it starts");
    let again = schedule.apply(Input::Start);
    assert_eq!(again.expect_err("once").state, MetState::Started);
    let unknown = schedule.apply(Input::Play { job: JobIdx(7) });
    assert_eq!(unknown.expect_err("no job 7").state, MetState::NoSuchJob);
}

#[test]
fn large_pipelines_take_time_by_their_edges() {
    let jobs = 20_000u32;
    let middle: Vec<u32> = (1..=jobs).collect();
    let mut made = vec![dag_job("first", 0, &[])];
    made.extend((0..jobs).map(|_| dag_job("middle", 1, &[0])));
    made.push(dag_job("last", 2, &middle));
    made.push(stage_job("staged", 3));
    let mut run = Run::start(pipeline(4, made));
    for job in 0..jobs + 3 {
        run.starts(job);
        run.succeeds(job);
    }
    assert_eq!(run.schedule.count(Success), jobs + 3);
    assert!(run.schedule.is_over());
}
