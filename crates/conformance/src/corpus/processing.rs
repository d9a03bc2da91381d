//! Cases of kind `processing`: load, plan, then let events happen (`corpus/FORMAT.md` §8).

use serde_json::{Value as Json, json};
use tidegate_pipeline::{FailureReason, JobIdx};
use tidegate_schedule::{Input, Schedule};

use super::pipeline::found_of;
use super::situation;
use crate::score::expect;

pub(super) fn judge(case: &Json) -> Result<(), String> {
    let scenario = situation::scenario(case)?;
    let found = found_of(case, &scenario)?;
    let planned = found.planned.as_ref();
    let pipeline = planned.and_then(|(_, plan)| plan.pipeline());
    let pipeline = pipeline.ok_or_else(|| format!("no pipeline: {:?}", found.errors))?;
    let mut schedule = Schedule::new(pipeline.clone());
    schedule
        .apply(Input::Start)
        .map_err(|error| error.to_string())?;
    same("init", &case["init"], &schedule)?;
    for (at, event) in case["events"].as_array().into_iter().flatten().enumerate() {
        let name = event["event"].as_str().unwrap_or_default();
        for job in event["jobs"].as_array().into_iter().flatten() {
            let job = pipeline.find(job.as_str().unwrap_or_default());
            let job = job.ok_or_else(|| format!("no job {:?}", event["jobs"]))?;
            let input = input(name, job, &schedule)?;
            schedule
                .apply(input)
                .map_err(|error| format!("event {at}: {error}"))?;
        }
        same(&format!("event {at} ({name})"), &event["expect"], &schedule)?;
    }
    Ok(())
}

fn input(event: &str, job: JobIdx, schedule: &Schedule) -> Result<Input, String> {
    let attempt = schedule.attempt(job);
    Ok(match event {
        "enqueue" => Input::DelayOver { job, attempt },
        "run" => Input::JobStarted { job, attempt },
        "success" => Input::JobSucceeded { job, attempt },
        "drop" => Input::JobFailed {
            job,
            attempt,
            reason: FailureReason::ScriptFailure,
            exit_code: Some(1),
        },
        "cancel" => Input::Cancel { job },
        "play" => Input::Play { job },
        "retry" => Input::Retry { job },
        other => return Err(format!("unknown event {other}")),
    })
}

/// The maps are complete on both sides.
fn same(what: &str, expected: &Json, schedule: &Schedule) -> Result<(), String> {
    let pipeline = schedule.pipeline();
    let jobs: serde_json::Map<String, Json> = pipeline
        .indexed()
        .map(|(at, job)| (job.name.to_string(), json!(schedule.status(at).name())))
        .collect();
    let stages: serde_json::Map<String, Json> = pipeline
        .jobs
        .iter()
        .map(|job| {
            let status = schedule.stage_status(job.stage).name();
            (pipeline.stage(job.stage).to_owned(), json!(status))
        })
        .collect();
    let pipeline = schedule.pipeline_status().name();
    let found = json!({"pipeline": pipeline, "stages": stages, "jobs": jobs});
    expect(what, &found, expected)
}
