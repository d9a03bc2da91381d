//! Runs pipelines of 100 000 jobs through the state machine and prints how long each took.
//!
//! `cargo run -p tidegate-schedule --example large [JOBS]`

#[expect(dead_code, reason = "unit tests use the rest")]
#[path = "../src/testing.rs"]
mod testing;

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use tidegate_pipeline::{FailureReason, Job, Pipeline, Status};
use tidegate_schedule::{Action, Input, Schedule};

use testing::{dag_job, pipeline, stage_job};

/// A pipeline of about this many jobs.
type Shape = fn(u32) -> Pipeline;

fn main() -> std::io::Result<()> {
    let jobs = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let jobs: u32 = jobs.unwrap_or(100_000);
    let shapes: [(&str, Shape); 6] = [
        ("chain of needs", chain),
        ("fan 1 -> n -> 1 of needs", fan),
        ("fan 1 -> n -> 1 of stages", staged_fan),
        ("a stage for each job", stages),
        ("random needs, 10 stages", random),
        ("n retried beside n skipped", retries),
    ];
    let mut out = std::io::stdout().lock();
    for (name, shape) in shapes {
        let pipeline = Arc::new(shape(jobs));
        let begin = Instant::now();
        let schedule = Schedule::new(Arc::clone(&pipeline));
        let made = begin.elapsed();
        let (inputs, actions) = run(schedule);
        writeln!(
            out,
            "{name:28} {} jobs: new {made:?}, {inputs} inputs and {actions} actions in {:?}",
            pipeline.jobs.len(),
            begin.elapsed() - made
        )?;
    }
    Ok(())
}

/// Every job starts and succeeds; one whose name begins with `flaky` fails once first.
fn run(mut schedule: Schedule) -> (usize, usize) {
    let mut todo = std::collections::VecDeque::from([Input::Start]);
    let (mut inputs, mut told) = (0, 0);
    while let Some(input) = todo.pop_front() {
        let actions = schedule.apply(input).expect("executors report in order");
        inputs += 1;
        told += actions.len();
        for action in actions {
            if let Action::StartJob { job, attempt, .. } = action {
                todo.push_back(Input::JobStarted { job, attempt });
                let flaky = schedule.pipeline().job(job).name.starts_with("flaky");
                todo.push_back(if flaky && attempt.0 == 1 {
                    Input::JobFailed {
                        job,
                        attempt,
                        reason: FailureReason::ScriptFailure,
                        exit_code: Some(1),
                    }
                } else {
                    Input::JobSucceeded { job, attempt }
                });
            }
        }
    }
    assert_eq!(schedule.pipeline_status(), Status::Success);
    (inputs, told)
}

fn chain(jobs: u32) -> Pipeline {
    let job = |at: u32| match at {
        0 => dag_job("0", 0, &[]),
        _ => dag_job("next", 0, &[at - 1]),
    };
    pipeline(1, (0..jobs).map(job).collect())
}

fn fan(jobs: u32) -> Pipeline {
    let middle: Vec<u32> = (1..=jobs).collect();
    let mut made = vec![dag_job("first", 0, &[])];
    made.extend((0..jobs).map(|_| dag_job("middle", 1, &[0])));
    made.push(dag_job("last", 2, &middle));
    pipeline(3, made)
}

fn staged_fan(jobs: u32) -> Pipeline {
    let mut made = vec![stage_job("first", 0)];
    made.extend((0..jobs).map(|_| stage_job("middle", 1)));
    made.push(stage_job("last", 2));
    pipeline(3, made)
}

fn stages(jobs: u32) -> Pipeline {
    pipeline(jobs, (0..jobs).map(|at| stage_job("job", at)).collect())
}

fn random(jobs: u32) -> Pipeline {
    let mut state = 1u64;
    let mut next = move |below: u32| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as u32 % below
    };
    let job = |at: u32| {
        let stage = at * 10 / jobs;
        let needs: Vec<u32> = (0..4).filter(|_| at > 0).map(|_| next(at.max(1))).collect();
        match at % 8 {
            0 => stage_job("staged", stage),
            _ => dag_job("needing", stage, &needs),
        }
    };
    pipeline(10, (0..jobs).map(job).collect())
}

/// Half of the jobs fail once while the other half, which need an optional manual job, stay skipped.
fn retries(jobs: u32) -> Pipeline {
    let mut gate = stage_job("gate", 0);
    gate.when = tidegate_pipeline::When::Manual;
    gate.allow_failure.always = true;
    let flaky = || Job {
        retry: tidegate_pipeline::Retry {
            max: 1,
            ..Default::default()
        },
        ..stage_job("flaky", 0)
    };
    let mut made = vec![gate];
    made.extend((0..jobs / 2).map(|_| flaky()));
    made.extend((0..jobs / 2).map(|_| dag_job("skipped", 1, &[0])));
    pipeline(2, made)
}
