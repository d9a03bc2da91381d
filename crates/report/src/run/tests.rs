use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;
use tidegate_pipeline::{
    Attempt, Event, EventKind, FailureReason, JobIdx, PipelineId, Reason, Status,
};

use super::{RunProgress, html, junit};
use crate::testing::Draft;

const BEGAN: u64 = 1_700_000_000_000;

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
