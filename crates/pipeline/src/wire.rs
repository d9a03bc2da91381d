//! Events as JSON: one object a line, the format of the event log and of `--format json`.
//!
//! The types here are the format; they mirror [`Event`] by hand so that the model may change without the format. Version 1:
//! unknown fields are ignored on reading, an unknown `type` or version is an error.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::{CacheOutcome, Event, EventKind};
use crate::id::{Attempt, JobIdx, JobKey, PipelineId};
use crate::reason::{FailureReason, Reason};
use crate::result::JobResult;
use crate::status::Status;

/// Version of the format, the field `v` of every object.
pub const EVENT_VERSION: u32 = 1;

/// An object that is no event of this version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnreadableEvent(pub String);

impl std::fmt::Display for UnreadableEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "read an event: {}", self.0)
    }
}

impl std::error::Error for UnreadableEvent {}

/// The event as one line of JSON, without a line break.
pub fn event_to_json(event: &Event) -> String {
    let record = Record {
        v: EVENT_VERSION,
        at: event.at_ms,
        pipeline: event.pipeline.0,
        what: What::of(&event.kind),
    };
    serde_json::to_string(&record).expect("numbers, texts and lists are always JSON")
}

/// Reads what [`event_to_json`] wrote.
///
/// # Errors
/// The text is no JSON, of another version, or holds a word this version does not know.
pub fn event_from_json(text: &str) -> Result<Event, UnreadableEvent> {
    let unreadable = |error: serde_json::Error| UnreadableEvent(error.to_string());
    let version: Version = serde_json::from_str(text).map_err(unreadable)?;
    if version.v != EVENT_VERSION {
        return Err(UnreadableEvent(format!(
            "version {} is not {EVENT_VERSION}",
            version.v
        )));
    }
    let record: Record = serde_json::from_str(text).map_err(unreadable)?;
    let kind = record
        .what
        .kind()
        .ok_or_else(|| UnreadableEvent("unknown word".to_owned()))?;
    Ok(Event {
        at_ms: record.at,
        pipeline: PipelineId(record.pipeline),
        kind,
    })
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
    pipeline: u64,
    what: What,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum What {
    PipelineCreated {
        parent: Option<(u64, u32, u32)>,
        #[serde(default)]
        jobs: Vec<String>,
    },
    JobStatus {
        job: u32,
        attempt: u32,
        status: String,
        allow_failure: bool,
        reason: Why,
    },
    JobSection {
        job: u32,
        attempt: u32,
        section: String,
    },
    Cache {
        job: u32,
        attempt: u32,
        index: u32,
        key: String,
        outcome: Outcome,
    },
    Artifacts {
        job: u32,
        attempt: u32,
        kind: String,
        files: u64,
        bytes: u64,
    },
    JobResult {
        job: u32,
        attempt: u32,
        result: JobResult,
    },
    WouldTrigger {
        job: u32,
        attempt: u32,
        project: String,
        #[serde(rename = "ref")]
        reference: Option<String>,
    },
    JobFinished {
        job: u32,
        attempt: u32,
        duration_ms: u64,
        coverage: Option<String>,
    },
    PipelineStatus {
        status: String,
    },
    RunEnded {
        status: String,
    },
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Hit,
    FallbackHit,
    Miss,
    Saved,
    UpToDate,
    SaveFailed,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
enum Why {
    PipelineCreated,
    Predecessors {
        status: Option<String>,
        decided_by: Option<u32>,
    },
    CacheHit {
        key: String,
    },
    CacheGone {
        key: String,
    },
    Started,
    Succeeded,
    Failed {
        reason: String,
        exit_code: Option<i32>,
    },
    Retried {
        after: u32,
        reason: String,
    },
    ByUser,
    DelayOver,
    ResourceGroup {
        key: String,
    },
    Interrupted,
    AutoCanceled {
        because: Option<u32>,
    },
    UpstreamCanceled,
    Reset,
    Downstream {
        status: String,
    },
    RunEnded,
}

impl What {
    fn of(kind: &EventKind) -> What {
        match kind {
            EventKind::PipelineCreated { parent, jobs } => What::PipelineCreated {
                parent: parent.map(|key| (key.pipeline.0, key.job.0, key.attempt.0)),
                jobs: jobs.iter().map(|name| name.to_string()).collect(),
            },
            EventKind::JobStatus {
                job,
                attempt,
                status,
                allow_failure,
                reason,
            } => What::JobStatus {
                job: job.0,
                attempt: attempt.0,
                status: status.name().to_owned(),
                allow_failure: *allow_failure,
                reason: Why::of(reason),
            },
            EventKind::JobSection {
                job,
                attempt,
                section,
            } => What::JobSection {
                job: job.0,
                attempt: attempt.0,
                section: section.to_string(),
            },
            EventKind::Cache {
                job,
                attempt,
                index,
                key,
                outcome,
            } => What::Cache {
                job: job.0,
                attempt: attempt.0,
                index: *index,
                key: key.to_string(),
                outcome: Outcome::of(*outcome),
            },
            EventKind::Artifacts {
                job,
                attempt,
                kind,
                files,
                bytes,
            } => What::Artifacts {
                job: job.0,
                attempt: attempt.0,
                kind: kind.to_string(),
                files: *files,
                bytes: *bytes,
            },
            EventKind::JobResult {
                job,
                attempt,
                result,
            } => What::JobResult {
                job: job.0,
                attempt: attempt.0,
                result: result.clone(),
            },
            EventKind::WouldTrigger {
                job,
                attempt,
                project,
                reference,
            } => What::WouldTrigger {
                job: job.0,
                attempt: attempt.0,
                project: project.to_string(),
                reference: reference.as_deref().map(str::to_owned),
            },
            EventKind::JobFinished {
                job,
                attempt,
                duration,
                coverage,
            } => What::JobFinished {
                job: job.0,
                attempt: attempt.0,
                duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
                coverage: coverage.as_deref().map(str::to_owned),
            },
            EventKind::PipelineStatus { status } => What::PipelineStatus {
                status: status.name().to_owned(),
            },
            EventKind::RunEnded { status } => What::RunEnded {
                status: status.name().to_owned(),
            },
        }
    }

    fn kind(self) -> Option<EventKind> {
        Some(match self {
            What::PipelineCreated { parent, jobs } => EventKind::PipelineCreated {
                jobs: jobs.into_iter().map(Into::into).collect(),
                parent: parent.map(|(pipeline, job, attempt)| JobKey {
                    pipeline: PipelineId(pipeline),
                    job: JobIdx(job),
                    attempt: Attempt(attempt),
                }),
            },
            What::JobStatus {
                job,
                attempt,
                status,
                allow_failure,
                reason,
            } => EventKind::JobStatus {
                job: JobIdx(job),
                attempt: Attempt(attempt),
                status: Status::from_name(&status)?,
                allow_failure,
                reason: reason.reason()?,
            },
            What::JobSection {
                job,
                attempt,
                section,
            } => EventKind::JobSection {
                job: JobIdx(job),
                attempt: Attempt(attempt),
                section: section.into(),
            },
            What::Cache {
                job,
                attempt,
                index,
                key,
                outcome,
            } => EventKind::Cache {
                job: JobIdx(job),
                attempt: Attempt(attempt),
                index,
                key: key.into(),
                outcome: outcome.outcome(),
            },
            What::Artifacts {
                job,
                attempt,
                kind,
                files,
                bytes,
            } => EventKind::Artifacts {
                job: JobIdx(job),
                attempt: Attempt(attempt),
                kind: kind.into(),
                files,
                bytes,
            },
            What::JobResult {
                job,
                attempt,
                result,
            } => EventKind::JobResult {
                job: JobIdx(job),
                attempt: Attempt(attempt),
                result,
            },
            What::WouldTrigger {
                job,
                attempt,
                project,
                reference,
            } => EventKind::WouldTrigger {
                job: JobIdx(job),
                attempt: Attempt(attempt),
                project: project.into(),
                reference: reference.map(Into::into),
            },
            What::JobFinished {
                job,
                attempt,
                duration_ms,
                coverage,
            } => EventKind::JobFinished {
                job: JobIdx(job),
                attempt: Attempt(attempt),
                duration: Duration::from_millis(duration_ms),
                coverage: coverage.map(Into::into),
            },
            What::PipelineStatus { status } => EventKind::PipelineStatus {
                status: Status::from_name(&status)?,
            },
            What::RunEnded { status } => EventKind::RunEnded {
                status: Status::from_name(&status)?,
            },
        })
    }
}

impl Outcome {
    fn of(outcome: CacheOutcome) -> Outcome {
        match outcome {
            CacheOutcome::Hit => Outcome::Hit,
            CacheOutcome::FallbackHit => Outcome::FallbackHit,
            CacheOutcome::Miss => Outcome::Miss,
            CacheOutcome::Saved => Outcome::Saved,
            CacheOutcome::UpToDate => Outcome::UpToDate,
            CacheOutcome::SaveFailed => Outcome::SaveFailed,
        }
    }

    fn outcome(self) -> CacheOutcome {
        match self {
            Outcome::Hit => CacheOutcome::Hit,
            Outcome::FallbackHit => CacheOutcome::FallbackHit,
            Outcome::Miss => CacheOutcome::Miss,
            Outcome::Saved => CacheOutcome::Saved,
            Outcome::UpToDate => CacheOutcome::UpToDate,
            Outcome::SaveFailed => CacheOutcome::SaveFailed,
        }
    }
}

impl Why {
    fn of(reason: &Reason) -> Why {
        match reason {
            Reason::PipelineCreated => Why::PipelineCreated,
            Reason::Predecessors { status, decided_by } => Why::Predecessors {
                status: status.map(|status| status.name().to_owned()),
                decided_by: decided_by.map(|job| job.0),
            },
            Reason::CacheHit { key } => Why::CacheHit {
                key: key.to_string(),
            },
            Reason::CacheGone { key } => Why::CacheGone {
                key: key.to_string(),
            },
            Reason::Started => Why::Started,
            Reason::Succeeded => Why::Succeeded,
            Reason::Failed { reason, exit_code } => Why::Failed {
                reason: reason.name().to_owned(),
                exit_code: *exit_code,
            },
            Reason::Retried { after, reason } => Why::Retried {
                after: after.0,
                reason: reason.name().to_owned(),
            },
            Reason::ByUser => Why::ByUser,
            Reason::DelayOver => Why::DelayOver,
            Reason::ResourceGroup { key } => Why::ResourceGroup {
                key: key.to_string(),
            },
            Reason::Interrupted => Why::Interrupted,
            Reason::AutoCanceled { because } => Why::AutoCanceled {
                because: because.map(|job| job.0),
            },
            Reason::UpstreamCanceled => Why::UpstreamCanceled,
            Reason::Reset => Why::Reset,
            Reason::Downstream { status } => Why::Downstream {
                status: status.name().to_owned(),
            },
            Reason::RunEnded => Why::RunEnded,
        }
    }

    fn reason(self) -> Option<Reason> {
        Some(match self {
            Why::PipelineCreated => Reason::PipelineCreated,
            Why::Predecessors { status, decided_by } => Reason::Predecessors {
                status: match status {
                    Some(status) => Some(Status::from_name(&status)?),
                    None => None,
                },
                decided_by: decided_by.map(JobIdx),
            },
            Why::CacheHit { key } => Reason::CacheHit { key: key.into() },
            Why::CacheGone { key } => Reason::CacheGone { key: key.into() },
            Why::Started => Reason::Started,
            Why::Succeeded => Reason::Succeeded,
            Why::Failed { reason, exit_code } => Reason::Failed {
                reason: FailureReason::from_name(&reason)?,
                exit_code,
            },
            Why::Retried { after, reason } => Reason::Retried {
                after: Attempt(after),
                reason: FailureReason::from_name(&reason)?,
            },
            Why::ByUser => Reason::ByUser,
            Why::DelayOver => Reason::DelayOver,
            Why::ResourceGroup { key } => Reason::ResourceGroup { key: key.into() },
            Why::Interrupted => Reason::Interrupted,
            Why::AutoCanceled { because } => Reason::AutoCanceled {
                because: because.map(JobIdx),
            },
            Why::UpstreamCanceled => Reason::UpstreamCanceled,
            Why::Reset => Reason::Reset,
            Why::Downstream { status } => Reason::Downstream {
                status: Status::from_name(&status)?,
            },
            Why::RunEnded => Reason::RunEnded,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::result::{EnvironmentResult, PagesResult, ReleaseResult};

    fn event(kind: EventKind) -> Event {
        Event {
            at_ms: 17,
            pipeline: PipelineId(3),
            kind,
        }
    }

    #[test]
    fn an_event_is_one_readable_line() {
        let reason = Reason::Failed {
            reason: FailureReason::ScriptFailure,
            exit_code: Some(42),
        };
        let text = event_to_json(&event(EventKind::JobStatus {
            job: JobIdx(1),
            attempt: Attempt(2),
            status: Status::Failed,
            allow_failure: false,
            reason,
        }));
        assert_eq!(
            text,
            r#"{"v":1,"at":17,"pipeline":3,"what":{"type":"job_status","job":1,"attempt":2,"status":"failed","allow_failure":false,"reason":{"why":"failed","reason":"script_failure","exit_code":42}}}"#
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (job, attempt) = (JobIdx(1), Attempt(1));
        let reasons = [
            Reason::PipelineCreated,
            Reason::Predecessors {
                status: Some(Status::Success),
                decided_by: Some(job),
            },
            Reason::Predecessors {
                status: None,
                decided_by: None,
            },
            Reason::CacheHit { key: "k".into() },
            Reason::CacheGone { key: "k".into() },
            Reason::Started,
            Reason::Succeeded,
            Reason::Retried {
                after: attempt,
                reason: FailureReason::CacheMissing,
            },
            Reason::ByUser,
            Reason::DelayOver,
            Reason::ResourceGroup { key: "g".into() },
            Reason::Interrupted,
            Reason::AutoCanceled { because: None },
            Reason::UpstreamCanceled,
            Reason::Reset,
            Reason::Downstream {
                status: Status::Failed,
            },
            Reason::RunEnded,
        ];
        let mut kinds: Vec<EventKind> = reasons
            .into_iter()
            .map(|reason| EventKind::JobStatus {
                job,
                attempt,
                status: Status::Pending,
                allow_failure: true,
                reason,
            })
            .collect();
        let parent = Some(JobKey {
            pipeline: PipelineId(9),
            job,
            attempt,
        });
        let jobs = Arc::from(["a".into(), "b".into()]);
        kinds.push(EventKind::PipelineCreated { parent, jobs });
        kinds.push(EventKind::WouldTrigger {
            job,
            attempt,
            project: "g/p".into(),
            reference: Some("main".into()),
        });
        kinds.push(EventKind::JobSection {
            job,
            attempt,
            section: "step_script".into(),
        });
        for outcome in [
            CacheOutcome::Hit,
            CacheOutcome::UpToDate,
            CacheOutcome::SaveFailed,
        ] {
            kinds.push(EventKind::Cache {
                job,
                attempt,
                index: 0,
                key: "k\n\"".into(),
                outcome,
            });
        }
        kinds.push(EventKind::Artifacts {
            job,
            attempt,
            kind: "junit".into(),
            files: 1,
            bytes: 2,
        });
        let environment = EnvironmentResult {
            name: "review/x".into(),
            action: "start".into(),
            url: Some("https://x".into()),
            on_stop: Some("stop".into()),
            auto_stop_in: None,
            deployment_tier: None,
        };
        let release = ReleaseResult {
            tag_name: "v1".into(),
            milestones: vec!["m".into()],
            links: vec![("a".into(), "https://a".into())],
            ..ReleaseResult::default()
        };
        let pages = PagesResult {
            folder: "public".into(),
            path_prefix: None,
            expire_in: Some("1 day".into()),
        };
        for result in [
            JobResult::Environment(environment),
            JobResult::Release(release),
            JobResult::Pages(pages),
        ] {
            kinds.push(EventKind::JobResult {
                job,
                attempt,
                result,
            });
        }
        let duration = Duration::from_millis(1500);
        kinds.push(EventKind::JobFinished {
            job,
            attempt,
            duration,
            coverage: Some("9.5".into()),
        });
        kinds.push(EventKind::PipelineStatus {
            status: Status::Running,
        });
        kinds.push(EventKind::RunEnded {
            status: Status::Success,
        });
        for kind in kinds {
            let event = event(kind);
            let text = event_to_json(&event);
            assert!(!text.contains('\n'), "{text}");
            assert_eq!(event_from_json(&text), Ok(event));
        }
    }

    #[test]
    fn other_versions_and_unknown_words_are_errors() {
        assert!(event_from_json(r#"{"v":2}"#).is_err());
        assert!(event_from_json("nonsense").is_err());
        let odd = r#"{"v":1,"at":1,"pipeline":1,"what":{"type":"run_ended","status":"odd"}}"#;
        assert!(event_from_json(odd).is_err());
    }
}
