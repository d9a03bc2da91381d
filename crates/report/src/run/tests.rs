use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;
use tidegate_pipeline::{
    Attempt, Event, EventKind, FailureReason, JobIdx, JobKey, PipelineId, Reason, Status,
};

use super::{RunProgress, html, junit, summary};
use crate::testing::Draft;

pub(super) const BEGAN: u64 = 1_700_000_000_000;

/// One job of each end.
fn ended() -> RunProgress {
    let mut draft = Draft::new(&["build", "test <1>"]);
    draft.job("compile", "build");
    draft.job("deps", "build");
    draft.satisfy("deps");
    draft.job("unit \"a\" & <b>", "test <1>");
    draft.job("flaky", "test <1>");
    draft.job("late", "test <1>");
    draft.pipeline.name = Some("My <pipeline>".into());
    let mut progress = RunProgress::new(Arc::new(draft.pipeline));
    let mut at_ms = BEGAN;
    let mut happen = |progress: &mut RunProgress, kind| {
        at_ms += 500;
        progress.apply(&Event {
            at_ms,
            pipeline: PipelineId(1),
            kind,
        });
    };
    let failed = Reason::Failed {
        reason: FailureReason::ScriptFailure,
        exit_code: Some(3),
    };
    let ends = [
        (0, Status::Success, false, Reason::Succeeded),
        (2, Status::Failed, false, failed.clone()),
        (3, Status::Failed, true, failed),
    ];
    for (job, end, allow_failure, reason) in ends {
        let (job, attempt) = (JobIdx(job), Attempt::FIRST);
        let status = |status, reason| EventKind::JobStatus {
            job,
            attempt,
            status,
            allow_failure,
            reason,
        };
        happen(&mut progress, status(Status::Running, Reason::Started));
        progress.of_mut(PipelineId(1)).line(job, "$ make <all>");
        progress
            .of_mut(PipelineId(1))
            .line(job, "boom \u{1} & <bust>");
        let finished = EventKind::JobFinished {
            job,
            attempt,
            duration: Duration::from_millis(400),
            coverage: None,
        };
        happen(&mut progress, finished);
        happen(&mut progress, status(end, reason));
    }
    let skipped = EventKind::JobStatus {
        job: JobIdx(4),
        attempt: Attempt::FIRST,
        status: Status::Skipped,
        allow_failure: false,
        reason: Reason::Predecessors {
            status: Some(Status::Failed),
            decided_by: None,
        },
    };
    happen(&mut progress, skipped);
    let status = Status::Failed;
    happen(&mut progress, EventKind::RunEnded { status });
    progress
}

#[test]
fn junit_has_a_suite_for_each_stage_and_forgives_what_is_allowed() {
    assert_snapshot!(junit(&ended()), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="My &lt;pipeline&gt;" tests="5" failures="1" errors="0" skipped="2" time="1.200">
      <testsuite name="build" tests="2" failures="0" errors="0" skipped="0" time="0.400" timestamp="2023-11-14T22:13:20Z">
        <testcase name="compile" classname="build" time="0.400"/>
        <testcase name="deps" classname="build" time="0.000">
          <system-out>not run: what it would produce exists</system-out>
        </testcase>
      </testsuite>
      <testsuite name="test &lt;1&gt;" tests="3" failures="1" errors="0" skipped="2" time="0.800" timestamp="2023-11-14T22:13:22Z">
        <testcase name="unit &quot;a&quot; &amp; &lt;b&gt;" classname="test &lt;1&gt;" time="0.400">
          <failure type="script_failure" message="script_failure, exit code 3">last command: make &lt;all&gt;</failure>
          <system-out>$ make &lt;all&gt;
    boom � &amp; &lt;bust&gt;</system-out>
        </testcase>
        <testcase name="flaky" classname="test &lt;1&gt;" time="0.400">
          <skipped message="failed (allowed)"/>
        </testcase>
        <testcase name="late" classname="test &lt;1&gt;" time="0.000">
          <skipped message="skipped"/>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn the_page_tells_every_job_and_failure_and_escapes_what_users_wrote() {
    let page = html(&ended());
    for wanted in [
        "<title>My &lt;pipeline&gt;: failed</title>",
        "pipeline failed in",
        "unit &quot;a&quot; &amp; &lt;b&gt;",
        "<code>make &lt;all&gt;</code>",
        "boom \u{fffd} &amp; &lt;bust&gt;",
        "exit code 3",
        "<td>already done</td>",
        "began 2023-11-14T22:13:20Z",
        "class=\"tidegate-graph\"",
    ] {
        assert!(page.contains(wanted), "{wanted}\n{page}");
    }
    for broken in ["<b>\"", "<bust>", "<all>", "<pipeline>", "<1>"] {
        assert!(!page.contains(broken), "{broken}");
    }
    assert_eq!(page.matches("<details").count(), 2);
}

/// A trigger job with the pipeline of its second try, which has a trigger job of its own; that one's pipeline runs.
pub(super) fn nested() -> RunProgress {
    let mut outer = Draft::new(&["test"]);
    outer.job("before", "test");
    outer.job("t", "test");
    let mut middle = Draft::new(&["test"]);
    middle.job("u", "test");
    let mut inner = Draft::new(&["test"]);
    inner.job("deep", "test");
    let (middle, inner) = (Arc::new(middle.pipeline), Arc::new(inner.pipeline));
    let mut progress = RunProgress::new(Arc::new(outer.pipeline));
    let key = |pipeline, job, attempt| JobKey {
        pipeline: PipelineId(pipeline),
        job: JobIdx(job),
        attempt: Attempt(attempt),
    };
    let happen = |progress: &mut RunProgress, key: JobKey, status| {
        progress.apply(&Event {
            at_ms: BEGAN,
            pipeline: key.pipeline,
            kind: EventKind::JobStatus {
                job: key.job,
                attempt: key.attempt,
                status,
                allow_failure: false,
                reason: Reason::Started,
            },
        });
    };
    happen(&mut progress, key(1, 1, 1), Status::Running);
    progress.add(PipelineId(2), key(1, 1, 1), Arc::clone(&middle));
    happen(&mut progress, key(2, 0, 1), Status::Failed);
    happen(&mut progress, key(1, 1, 2), Status::Running);
    progress.add(PipelineId(3), key(1, 1, 2), middle);
    happen(&mut progress, key(3, 0, 1), Status::Running);
    progress.add(PipelineId(4), key(3, 0, 1), inner);
    happen(&mut progress, key(4, 0, 1), Status::Running);
    // Of a pipeline nobody told of.
    happen(&mut progress, key(9, 0, 1), Status::Failed);
    progress
}

#[test]
fn jobs_of_downstream_pipelines_go_by_the_trigger_jobs_above_them_and_old_tries_are_left_out() {
    let progress = nested();
    let names: Vec<String> = progress
        .members()
        .iter()
        .flat_map(|member| member.jobs().map(|(at, _)| member.name(at).into_owned()))
        .collect();
    assert_eq!(names, ["before", "t", "t/u", "t/u/deep"]);
}

#[test]
fn a_pipeline_that_failed_unheeded_is_told() {
    let mut progress = nested();
    let mut tell = |pipeline, kind| {
        progress.apply(&Event {
            at_ms: BEGAN,
            pipeline: PipelineId(pipeline),
            kind,
        });
    };
    tell(
        1,
        EventKind::JobStatus {
            job: JobIdx(1),
            attempt: Attempt(2),
            status: Status::Success,
            allow_failure: false,
            reason: Reason::Downstream {
                status: Status::Created,
            },
        },
    );
    let status = Status::Failed;
    tell(3, EventKind::RunEnded { status });
    let text = summary(&progress, crate::Style::Plain);
    assert!(text.contains("the pipeline of `t` failed"), "{text}");
}
