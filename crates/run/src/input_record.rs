//! Inputs of the scheduler as JSON: one object a line of the event log, beside the events that followed from each.
//!
//! The types here are the format, version 1, as those of events are: unknown fields are ignored on reading, an unknown word or
//! version is an error. An input has the field `input` where an event has `what`.

use serde::{Deserialize, Serialize};
use tidegate_pipeline::{Attempt, FailureReason, JobIdx, PipelineId, Status};
use tidegate_schedule::{CancelCause, Input};

/// Version of the format, the field `v` of every object.
const VERSION: u32 = 1;

/// The input as one line of JSON, without a line break.
///
/// `pipeline` is the one it is for, where that is not the one the log is of.
pub(crate) fn input_to_json(at_ms: u64, pipeline: Option<PipelineId>, input: &Input) -> String {
    let record = Record {
        v: VERSION,
        at: at_ms,
        pipeline: pipeline.map(|pipeline| pipeline.0),
        input: Wire::of(input),
    };
    serde_json::to_string(&record).expect("numbers, texts and lists are always JSON")
}

/// Reads what [`input_to_json`] wrote, with its pipeline; the error says what is wrong.
pub(crate) fn input_from_json(text: &str) -> Result<(Option<PipelineId>, Input), String> {
    let version: Version = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if version.v != VERSION {
        return Err(format!("version {} is not {VERSION}", version.v));
    }
    let record: Record = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let input = record.input.input();
    let pipeline = record.pipeline.map(PipelineId);
    Ok((pipeline, input.ok_or("unknown word")?))
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Serialize, Deserialize)]
struct Record {
    v: u32,
    /// Milliseconds since the Unix epoch.
    at: u64,
    /// Absent: the pipeline the log is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pipeline: Option<u64>,
    input: Wire,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Wire {
    Start,
    JobStarted {
        job: u32,
        attempt: u32,
    },
    JobSucceeded {
        job: u32,
        attempt: u32,
    },
    JobFailed {
        job: u32,
        attempt: u32,
        reason: String,
        exit_code: Option<i32>,
    },
    JobCanceled {
        job: u32,
        attempt: u32,
    },
    Play {
        job: u32,
    },
    Retry {
        job: u32,
    },
    Cancel {
        job: u32,
    },
    CancelAll {
        cause: Cause,
    },
    Unschedule {
        job: u32,
    },
    DelayOver {
        job: u32,
        attempt: u32,
    },
    CacheHitAtStart {
        job: u32,
        attempt: u32,
        key: String,
    },
    CacheGone {
        job: u32,
        attempt: u32,
        key: String,
        producer: Option<u32>,
    },
    DownstreamCreated {
        job: u32,
        attempt: u32,
    },
    BridgeStatus {
        job: u32,
        attempt: u32,
        status: String,
    },
    ResourceGranted {
        job: u32,
        attempt: u32,
    },
    NewCommit,
    RunEnded,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Cause {
    Interrupted,
    User,
    Upstream,
}

impl Wire {
    fn of(input: &Input) -> Wire {
        match input {
            Input::Start => Wire::Start,
            Input::JobStarted { job, attempt } => Wire::JobStarted {
                job: job.0,
                attempt: attempt.0,
            },
            Input::JobSucceeded { job, attempt } => Wire::JobSucceeded {
                job: job.0,
                attempt: attempt.0,
            },
            Input::JobFailed {
                job,
                attempt,
                reason,
                exit_code,
            } => Wire::JobFailed {
                job: job.0,
                attempt: attempt.0,
                reason: reason.name().to_owned(),
                exit_code: *exit_code,
            },
            Input::JobCanceled { job, attempt } => Wire::JobCanceled {
                job: job.0,
                attempt: attempt.0,
            },
            Input::Play { job } => Wire::Play { job: job.0 },
            Input::Retry { job } => Wire::Retry { job: job.0 },
            Input::Cancel { job } => Wire::Cancel { job: job.0 },
            Input::CancelAll { cause } => Wire::CancelAll {
                cause: match cause {
                    CancelCause::Interrupted => Cause::Interrupted,
                    CancelCause::User => Cause::User,
                    CancelCause::Upstream => Cause::Upstream,
                },
            },
            Input::Unschedule { job } => Wire::Unschedule { job: job.0 },
            Input::DelayOver { job, attempt } => Wire::DelayOver {
                job: job.0,
                attempt: attempt.0,
            },
            Input::CacheHitAtStart { job, attempt, key } => Wire::CacheHitAtStart {
                job: job.0,
                attempt: attempt.0,
                key: key.to_string(),
            },
            Input::CacheGone {
                job,
                attempt,
                key,
                producer,
            } => Wire::CacheGone {
                job: job.0,
                attempt: attempt.0,
                key: key.to_string(),
                producer: producer.map(|producer| producer.0),
            },
            Input::DownstreamCreated { job, attempt } => Wire::DownstreamCreated {
                job: job.0,
                attempt: attempt.0,
            },
            Input::BridgeStatus {
                job,
                attempt,
                status,
            } => Wire::BridgeStatus {
                job: job.0,
                attempt: attempt.0,
                status: status.name().to_owned(),
            },
            Input::ResourceGranted { job, attempt } => Wire::ResourceGranted {
                job: job.0,
                attempt: attempt.0,
            },
            Input::NewCommit => Wire::NewCommit,
            Input::RunEnded => Wire::RunEnded,
        }
    }

    fn input(self) -> Option<Input> {
        let of = |job, attempt| (JobIdx(job), Attempt(attempt));
        Some(match self {
            Wire::Start => Input::Start,
            Wire::JobStarted { job, attempt } => {
                let (job, attempt) = of(job, attempt);
                Input::JobStarted { job, attempt }
            }
            Wire::JobSucceeded { job, attempt } => {
                let (job, attempt) = of(job, attempt);
                Input::JobSucceeded { job, attempt }
            }
            Wire::JobFailed {
                job,
                attempt,
                reason,
                exit_code,
            } => Input::JobFailed {
                job: JobIdx(job),
                attempt: Attempt(attempt),
                reason: FailureReason::from_name(&reason)?,
                exit_code,
            },
            Wire::JobCanceled { job, attempt } => {
                let (job, attempt) = of(job, attempt);
                Input::JobCanceled { job, attempt }
            }
            Wire::Play { job } => Input::Play { job: JobIdx(job) },
            Wire::Retry { job } => Input::Retry { job: JobIdx(job) },
            Wire::Cancel { job } => Input::Cancel { job: JobIdx(job) },
            Wire::CancelAll { cause } => Input::CancelAll {
                cause: match cause {
                    Cause::Interrupted => CancelCause::Interrupted,
                    Cause::User => CancelCause::User,
                    Cause::Upstream => CancelCause::Upstream,
                },
            },
            Wire::Unschedule { job } => Input::Unschedule { job: JobIdx(job) },
            Wire::DelayOver { job, attempt } => {
                let (job, attempt) = of(job, attempt);
                Input::DelayOver { job, attempt }
            }
            Wire::CacheHitAtStart { job, attempt, key } => Input::CacheHitAtStart {
                job: JobIdx(job),
                attempt: Attempt(attempt),
                key: key.into(),
            },
            Wire::CacheGone {
                job,
                attempt,
                key,
                producer,
            } => Input::CacheGone {
                job: JobIdx(job),
                attempt: Attempt(attempt),
                key: key.into(),
                producer: producer.map(JobIdx),
            },
            Wire::DownstreamCreated { job, attempt } => {
                let (job, attempt) = of(job, attempt);
                Input::DownstreamCreated { job, attempt }
            }
            Wire::BridgeStatus {
                job,
                attempt,
                status,
            } => Input::BridgeStatus {
                job: JobIdx(job),
                attempt: Attempt(attempt),
                status: Status::from_name(&status)?,
            },
            Wire::ResourceGranted { job, attempt } => {
                let (job, attempt) = of(job, attempt);
                Input::ResourceGranted { job, attempt }
            }
            Wire::NewCommit => Input::NewCommit,
            Wire::RunEnded => Input::RunEnded,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_is_read_back() {
        let (job, attempt) = (JobIdx(4), Attempt(2));
        let cause = CancelCause::Interrupted;
        let inputs = [
            Input::Start,
            Input::JobStarted { job, attempt },
            Input::JobSucceeded { job, attempt },
            Input::JobFailed {
                job,
                attempt,
                reason: FailureReason::ScriptFailure,
                exit_code: Some(3),
            },
            Input::JobCanceled { job, attempt },
            Input::Play { job },
            Input::Retry { job },
            Input::Cancel { job },
            Input::CancelAll { cause },
            Input::Unschedule { job },
            Input::DelayOver { job, attempt },
            Input::CacheHitAtStart {
                job,
                attempt,
                key: "k".into(),
            },
            Input::CacheGone {
                job,
                attempt,
                key: "k".into(),
                producer: Some(JobIdx(1)),
            },
            Input::DownstreamCreated { job, attempt },
            Input::BridgeStatus {
                job,
                attempt,
                status: Status::Failed,
            },
            Input::ResourceGranted { job, attempt },
            Input::NewCommit,
            Input::RunEnded,
        ];
        for input in inputs {
            let pipeline = Some(PipelineId(9));
            let text = input_to_json(17, pipeline, &input);
            assert_eq!(input_from_json(&text), Ok((pipeline, input)), "{text}");
        }
    }

    #[test]
    fn an_input_is_one_readable_line() {
        let input = Input::Retry { job: JobIdx(3) };
        let text = r#"{"v":1,"at":17,"input":{"type":"retry","job":3}}"#;
        assert_eq!(input_to_json(17, None, &input), text);
        let other = r#"{"v":1,"at":17,"pipeline":8,"input":{"type":"retry","job":3}}"#;
        assert_eq!(input_to_json(17, Some(PipelineId(8)), &input), other);
        let newer = text.replacen("\"v\":1", "\"v\":2", 1);
        assert_eq!(
            input_from_json(&newer),
            Err("version 2 is not 1".to_owned())
        );
    }
}
