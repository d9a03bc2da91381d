//! The tree at sizes of terminals.

use std::sync::Arc;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use tidegate_pipeline::{
    Attempt, Event, EventKind, FailureReason, JobIdx, PipelineId, Reason, Status,
};

use super::super::RunProgress;
use super::super::tests::{BEGAN, nested};
use super::{Space, live_tree};
use crate::one_line::width;
use crate::testing::Draft;
use crate::{Look, Style, Symbols};

/// Seconds after the beginning at which everything is looked at.
const NOW: u64 = BEGAN + 9_000;

struct Story {
    run: RunProgress,
}

impl Story {
    /// A run of these jobs: name and stage.
    fn of(stages: &[&str], jobs: &[(&str, &str)]) -> Story {
        let mut draft = Draft::new(stages);
        for (name, stage) in jobs {
            draft.job(name, stage);
        }
        Story {
            run: RunProgress::new(Arc::new(draft.pipeline)),
        }
    }

    fn happens(&mut self, job: usize, status: Status, reason: Reason) {
        self.tell(EventKind::JobStatus {
            job: JobIdx(job as u32),
            attempt: Attempt::FIRST,
            status,
            allow_failure: false,
            reason,
        });
    }

    fn tell(&mut self, kind: EventKind) {
        self.run.apply(&Event {
            at_ms: BEGAN,
            pipeline: PipelineId(1),
            kind,
        });
    }

    fn starts(&mut self, job: usize, says: &str) {
        self.happens(job, Status::Running, Reason::Started);
        let progress = self.run.of_mut(PipelineId(1));
        progress.line(JobIdx(job as u32), says);
    }

    fn ends(&mut self, job: usize, code: i32) {
        self.happens(job, Status::Running, Reason::Started);
        self.tell(EventKind::JobFinished {
            job: JobIdx(job as u32),
            attempt: Attempt::FIRST,
            duration: Duration::from_millis(1_200),
            coverage: None,
        });
        match code {
            0 => self.happens(job, Status::Success, Reason::Succeeded),
            code => {
                let reason = FailureReason::ScriptFailure;
                let exit_code = Some(code);
                self.happens(job, Status::Failed, Reason::Failed { reason, exit_code });
            }
        }
    }

    fn shown(&self, width: usize, height: usize) -> String {
        shown(&self.run, width, height)
    }
}

/// The lines, after a check that they fit.
fn shown(run: &RunProgress, columns: usize, height: usize) -> String {
    let space = Space {
        width: columns,
        height,
    };
    let lines = live_tree(run, NOW, space, Style::Plain);
    assert!(lines.len() <= height, "{lines:#?}");
    for line in &lines {
        assert!(width(line) <= columns, "{line}");
    }
    lines.join("\n")
}

/// Two stages that are over, one at work, two that wait.
fn busy() -> Story {
    let jobs = [
        ("clone", "prepare"),
        ("fetch", "prepare"),
        ("compile", "build"),
        ("lint", "build"),
        ("docs", "build"),
        ("unit", "test"),
        ("slow", "test"),
        ("system", "test"),
        ("browser", "test"),
        ("phone", "test"),
        ("package", "deploy"),
        ("publish", "deploy"),
        ("announce", "tell"),
    ];
    let stages = ["prepare", "build", "test", "deploy", "tell"];
    let mut story = Story::of(&stages, &jobs);
    for job in [0, 1, 2, 4, 5] {
        story.ends(job, 0);
    }
    story.ends(3, 3);
    story.starts(6, "$ make slow");
    story.starts(7, "step\t12 of 30");
    story
}

#[test]
fn with_room_for_it_everything_is_shown() {
    assert_snapshot!(busy().shown(60, 40), @r#"
    prepare
      ✓ clone      1.2s
      ✓ fetch      1.2s
    build
      ✓ compile    1.2s
      ✗ lint       1.2s  exit code 3
      ✓ docs       1.2s
    test
      ✓ unit       1.2s
      > slow       9.0s  $ make slow
      > system     9.0s  step 12 of 30
      · browser
      · phone
    deploy
      · package
      · publish
    tell
      · announce
    6 of 13 jobs done, 1 failed, 2 running, 9.0s
    "#);
}

#[test]
fn first_go_the_jobs_of_stages_that_wait() {
    assert_snapshot!(busy().shown(60, 17), @r#"
    prepare
      ✓ clone     1.2s
      ✓ fetch     1.2s
    build
      ✓ compile   1.2s
      ✗ lint      1.2s  exit code 3
      ✓ docs      1.2s
    test
      ✓ unit      1.2s
      > slow      9.0s  $ make slow
      > system    9.0s  step 12 of 30
      · browser
      · phone
    deploy  2 waiting
    tell  1 waiting
    6 of 13 jobs done, 1 failed, 2 running, 9.0s
    "#);
}

#[test]
fn then_those_of_stages_that_are_over_but_not_their_failures() {
    assert_snapshot!(busy().shown(60, 14), @r#"
    prepare  2 passed
    build  2 passed, 1 failed
      ✗ lint      1.2s  exit code 3
    test
      ✓ unit      1.2s
      > slow      9.0s  $ make slow
      > system    9.0s  step 12 of 30
      · browser
      · phone
    deploy  2 waiting
    tell  1 waiting
    6 of 13 jobs done, 1 failed, 2 running, 9.0s
    "#);
}

#[test]
fn then_jobs_that_stand_alike_are_counted() {
    assert_snapshot!(busy().shown(60, 11), @r#"
    prepare  2 passed
    build  2 passed, 1 failed
      ✗ lint     1.2s  exit code 3
    test
      ✓ unit     1.2s
      > slow     9.0s  $ make slow
      > system   9.0s  step 12 of 30
      · 2 waiting
    deploy  2 waiting
    tell  1 waiting
    6 of 13 jobs done, 1 failed, 2 running, 9.0s
    "#);
}

#[test]
fn then_stages_are_told_together() {
    assert_snapshot!(busy().shown(60, 9), @r#"
    2 stages  4 passed, 1 failed
      ✗ lint     1.2s  exit code 3
    test
      ✓ unit     1.2s
      > slow     9.0s  $ make slow
      > system   9.0s  step 12 of 30
      · 2 waiting
    2 stages  3 waiting
    6 of 13 jobs done, 1 failed, 2 running, 9.0s
    "#);
}

#[test]
fn what_runs_is_the_last_to_go() {
    assert_snapshot!(busy().shown(60, 5), @r#"
    > slow     9.0s  $ make slow
    > system   9.0s  step 12 of 30
    ✗ lint     1.2s  exit code 3
    6 of 13 jobs done, 1 failed, 2 running, 9.0s
    "#);
    assert_snapshot!(busy().shown(60, 2), @r#"
    > slow   9.0s  $ make slow
    6 of 13 jobs done, 1 failed, 2 running (1 not shown), 9.0s
    "#);
    assert_snapshot!(busy().shown(60, 1), @"6 of 13 jobs done, 1 failed, 2 running (2 not shown), 9.0s");
    assert_eq!(busy().shown(60, 0), "");
}

#[test]
fn a_narrow_terminal_cuts_at_its_width() {
    assert_snapshot!(busy().shown(24, 12), @r#"
    prepare  2 passed
    build  2 passed, 1 fail…
      ✗ lint      1.2s  exi…
    test
      ✓ unit      1.2s
      > slow      9.0s  $ m…
      > system    9.0s  ste…
      · browser
      · phone
    deploy  2 waiting
    tell  1 waiting
    6 of 13 jobs done, 1 fa…
    "#);
    for columns in 0..60 {
        for height in 0..25 {
            busy().shown(columns, height);
        }
    }
}

#[test]
fn wide_characters_count_as_two_and_names_cannot_steer_the_terminal() {
    let mut story = Story::of(&["検査"], &[("構築ジョブ", "検査"), ("a\u{1b}[2J", "検査")]);
    story.starts(0, "日本語の長い行が続きます");
    story.starts(1, "x");
    assert_snapshot!(story.shown(40, 10), @r#"
    検査
      > 構築ジョブ   9.0s  日本語の長い行が…
      > a\u{1b}[2J   9.0s  x
    0 of 2 jobs done, 2 running, 9.0s
    "#);
    assert_snapshot!(story.shown(32, 10), @r#"
    検査
      > 構築ジョブ   9.0s  日本語の…
      > a\u{1b}[2J   9.0s  x
    0 of 2 jobs done, 2 running, 9.…
    "#);
}

#[test]
fn pipelines_of_trigger_jobs_stand_below_them() {
    assert_snapshot!(shown(&nested(), 60, 20), @r#"
    test
      · before
      > t              9.0s  try 2
        test
          > u          9.0s
            test
              > deep   9.0s
    0 of 4 jobs done, 3 running, 9.0s
    "#);
    assert_snapshot!(shown(&nested(), 60, 3), @r#"
    > t     9.0s  try 2
    > t/u   9.0s
    0 of 4 jobs done, 3 running (1 not shown), 9.0s
    "#);
}

#[test]
fn a_pipeline_that_is_over_is_told_with_its_trigger_job() {
    let mut run = nested();
    let mut tell = |pipeline, job, attempt, status| {
        run.apply(&Event {
            at_ms: BEGAN,
            pipeline: PipelineId(pipeline),
            kind: EventKind::JobStatus {
                job: JobIdx(job),
                attempt: Attempt(attempt),
                status,
                allow_failure: false,
                reason: Reason::Started,
            },
        });
    };
    tell(4, 0, 1, Status::Failed);
    tell(3, 0, 1, Status::Failed);
    tell(1, 0, 1, Status::Running);
    assert_snapshot!(shown(&run, 60, 5), @r#"
    test
      > before   9.0s
      > t        9.0s  try 2  1 failed
    2 of 4 jobs done, 2 failed, 2 running, 9.0s
    "#);
}

#[test]
fn marks_need_no_colour_and_colours_take_no_room() {
    let space = Space {
        width: 30,
        height: 9,
    };
    let ascii = Look {
        style: Style::Plain,
        symbols: Symbols::Ascii,
    };
    assert_snapshot!(live_tree(&busy().run, NOW, space, ascii).join("\n"), @r#"
    2 stages  4 passed, 1 failed
      x lint     1.2s  exit code 3
    test
      + unit     1.2s
      > slow     9.0s  $ make slow
      > system   9.0s  step 12...
      . 2 waiting
    2 stages  3 waiting
    6 of 13 jobs done, 1 failed...
    "#);
    let plain = live_tree(&busy().run, NOW, space, Style::Plain);
    let coloured = live_tree(&busy().run, NOW, space, Style::Coloured);
    let bare: Vec<String> = coloured.iter().map(|line| without_colours(line)).collect();
    assert_eq!(bare, plain);
}

fn without_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut bare = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        bare.push_str(part.split_once('m').map_or("", |(_, text)| text));
    }
    bare
}

#[test]
fn a_thousand_jobs_cost_next_to_nothing() {
    let stages = ["a", "b", "c", "d"];
    let names: Vec<String> = (0..1_000).map(|at| format!("job {at}")).collect();
    let jobs: Vec<(&str, &str)> = names
        .iter()
        .enumerate()
        .map(|(at, name)| (&**name, stages[at % 4]))
        .collect();
    let mut story = Story::of(&stages, &jobs);
    for job in 0..400 {
        story.ends(job, i32::from(job % 50 == 0));
    }
    for job in 400..600 {
        story.starts(job, "line");
    }
    let timed = (0..20).map(|_| {
        let began = Instant::now();
        story.shown(100, 30);
        began.elapsed()
    });
    // Ten times a second in a build without optimisations: still less than a tenth of a core. The best of many, since machines have
    // other things to do.
    let best = timed.min().expect("it was tried");
    assert!(best < Duration::from_millis(10), "{best:?}");
}
