//! Takes the ends of jobs.

use tidegate_pipeline::{EventKind, FailureReason, JobKey, Status};
use tidegate_schedule::Input;

use super::Engine;
use crate::message::JobEnd;
use crate::setup::RunError;

impl Engine<'_> {
    pub(super) fn ended(&mut self, key: JobKey, end: JobEnd) -> Result<(), RunError> {
        let (id, job, attempt) = (key.pipeline, key.job, key.attempt);
        let Some(running) = self.running_try(key) else {
            return Ok(());
        };
        let canceled = running.cancel.is_some();
        self.running.remove(&(id, job));
        let schedule = &self.pipeline(id).schedule;
        if schedule.attempt(job) != attempt || schedule.status(job).is_complete() {
            return Ok(());
        }
        let failed = |reason, exit_code| Input::JobFailed {
            job,
            attempt,
            reason,
            exit_code,
        };
        let input = match end {
            JobEnd::Ran { outcome, dotenv } => {
                self.pipeline_mut(id).dotenv.insert(job, dotenv);
                let coverage = outcome.coverage.map(Into::into);
                let finished = EventKind::JobFinished {
                    job,
                    attempt,
                    duration: outcome.duration,
                    coverage,
                };
                self.emit(id, finished)?;
                match outcome.status {
                    Status::Success => Input::JobSucceeded { job, attempt },
                    Status::Canceled => Input::JobCanceled { job, attempt },
                    _ if canceled => Input::JobCanceled { job, attempt },
                    _ => {
                        let reason = outcome.failure_reason;
                        let unknown = FailureReason::UnknownFailure;
                        failed(reason.unwrap_or(unknown), outcome.exit_code)
                    }
                }
            }
            JobEnd::Broken { .. } if canceled => Input::JobCanceled { job, attempt },
            JobEnd::Broken { message } => {
                self.say_broken(key, &message);
                failed(FailureReason::RunnerSystemFailure, None)
            }
            JobEnd::CacheMissing {
                key: cache,
                produce: true,
            } => Input::CacheGone {
                job,
                attempt,
                producer: self.pipeline(id).producer_of(job, &cache),
                key: self.pipeline(id).shown_key(job, &cache),
            },
            JobEnd::CacheMissing {
                key: cache,
                produce: false,
            } => {
                let cache = self.pipeline(id).shown_key(job, &cache);
                self.say_broken(key, &format!("the cache {cache} is missing"));
                failed(FailureReason::CacheMissing, None)
            }
        };
        self.apply(id, input)
    }
}
