//! Gives jobs room and starts them.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidegate_pipeline::{FailureReason, JobKey, Status};
use tidegate_schedule::Input;

use super::{Engine, Running, Start};
use crate::job::{Task, perform};
use crate::results::Promised;
use crate::secrets::Requests;
use crate::setup::RunError;

impl Engine<'_> {
    pub(super) fn start_queued(&mut self) -> Result<(), RunError> {
        while self.running.len() < self.parallel {
            let Some(start) = self.queue.pop_front() else {
                break;
            };
            let expected = if start.resumed {
                Status::Running
            } else {
                Status::Pending
            };
            if self
                .pipeline(start.key.pipeline)
                .stands(start.key, expected)
            {
                self.start(start)?;
            }
        }
        Ok(())
    }

    fn start(&mut self, start: Start) -> Result<(), RunError> {
        let Start {
            key,
            recheck_caches,
            resumed,
        } = start;
        let (id, job, attempt) = (key.pipeline, key.job, key.attempt);
        let used: BTreeSet<u32> = self.running.values().map(|running| running.slot).collect();
        let slot = (0..).find(|slot| !used.contains(slot)).unwrap_or_default();
        let foreign = match self.foreign(key)? {
            Ok(foreign) => foreign,
            Err(message) => {
                let reason = FailureReason::MissingDependencyFailure;
                return self.broken(key, resumed, &message, reason);
            }
        };
        let pipeline = self.pipeline(id);
        let spec = match pipeline.spec(job, attempt, &foreign) {
            Ok(spec) => spec,
            Err(message) => {
                let reason = FailureReason::RunnerSystemFailure;
                return self.broken(key, resumed, &message, reason);
            }
        };
        let recheck = &pipeline.pipeline().job(job).recheck_caches;
        if recheck_caches
            && !recheck.is_empty()
            && let Some(cache) = pipeline.present(&spec, recheck, slot)?
        {
            let key = cache;
            return self.apply(id, Input::CacheHitAtStart { job, attempt, key });
        }
        let mut artifacts = foreign.earlier.archives;
        artifacts.extend(pipeline.artifacts_for(job)?);
        artifacts.extend(foreign.other.archives);
        let build = pipeline.pipeline().job(job).build();
        let coverage = build.and_then(|build| build.coverage.clone());
        let shared = Arc::clone(&pipeline.shared);
        let task = Task {
            promised: Promised::of(pipeline.pipeline().job(job)),
            secrets: build.map(Requests::of),
            spec,
            artifacts,
            coverage,
            slot,
        };
        self.note_start(key, resumed)?;
        let running = Running {
            attempt,
            slot,
            canceller: None,
            cancel: None,
        };
        self.running.insert((id, job), running);
        let given = self.workers.give(move || perform(&shared, task));
        if given.is_err() {
            self.running.remove(&(id, job));
        }
        given.map_err(RunError::Thread)
    }

    /// From here on a crash means that the job may have run: that must be in the log before it does.
    fn note_start(&mut self, key: JobKey, resumed: bool) -> Result<(), RunError> {
        let (job, attempt) = (key.job, key.attempt);
        if !resumed {
            self.apply(key.pipeline, Input::JobStarted { job, attempt })?;
        }
        Ok(self.log.flush()?)
    }

    fn broken(
        &mut self,
        key: JobKey,
        resumed: bool,
        message: &str,
        reason: FailureReason,
    ) -> Result<(), RunError> {
        self.note_start(key, resumed)?;
        self.say_broken(key, message);
        let input = Input::JobFailed {
            job: key.job,
            attempt: key.attempt,
            reason,
            exit_code: None,
        };
        self.apply(key.pipeline, input)
    }

    /// Says in the log of a job why it could not be run.
    pub(super) fn say_broken(&mut self, key: JobKey, message: &str) {
        self.say(
            key,
            &format!("\u{1b}[31;1mERROR: Job failed (system failure): {message}\u{1b}[0;m"),
        );
    }

    /// Adds a line to the log of a job that no executor writes to.
    pub(super) fn say(&mut self, key: JobKey, line: &str) {
        let line = format!("{line}\n");
        let logs = &self.pipeline(key.pipeline).shared.logs;
        let log = logs.append_to(u64::from(key.job.0), key.attempt.0);
        if let Ok(mut log) = log {
            // A full disk must not end the run; what is shown live still is.
            let _ = log.append(line.as_bytes());
        }
        self.observer.log(key, line.as_bytes());
    }
}
