//! Feeds the schedulers and carries out what they ask for.

use std::collections::VecDeque;
use std::time::Instant;

use tidegate_exec::CancelReason;
use tidegate_pipeline::{
    Event, EventKind, JobIdx, JobKey, PipelineId, Presence, Reason, Status, event_to_json,
};
use tidegate_schedule::{Action, Input};

use super::{Engine, Start, now_ms};
use crate::control::Interrupt;
use crate::input_record::input_to_json;
use crate::setup::RunError;

/// An input with the pipeline it is for.
pub(super) type Addressed = (PipelineId, Input);

impl Engine<'_> {
    /// Gives a scheduler an input and carries out what it asks for.
    ///
    /// The input is in the log before anything that follows from it happens: what is logged can be replayed.
    pub(super) fn apply(&mut self, id: PipelineId, input: Input) -> Result<(), RunError> {
        let mut inputs = VecDeque::from([(id, input)]);
        while let Some((id, input)) = inputs.pop_front() {
            let other = Some(id).filter(|id| *id != self.root);
            let record = input_to_json(now_ms(), other, &input);
            let actions = self.pipeline_mut(id).schedule.apply(input);
            let actions = actions.map_err(|error| RunError::Schedule(error.to_string()))?;
            self.log.append(record.as_bytes())?;
            for action in actions {
                inputs.extend(self.carry_out(id, action)?);
            }
        }
        Ok(())
    }

    /// The reason as people see it: the schedule knows the caches of a satisfied job only by their keys as written.
    fn told(&self, id: PipelineId, job: JobIdx, reason: Reason) -> Reason {
        let pipeline = self.pipeline(id);
        let is_satisfied = pipeline.pipeline().job(job).presence == Presence::Satisfied;
        match reason {
            Reason::CacheHit { key } if is_satisfied => Reason::CacheHit {
                key: pipeline.shown_keys(job).unwrap_or(key),
            },
            reason => reason,
        }
    }

    /// Carries an action out; returns what follows from it at once.
    pub(super) fn carry_out(
        &mut self,
        id: PipelineId,
        action: Action,
    ) -> Result<Vec<Addressed>, RunError> {
        match action {
            Action::SetStatus {
                job,
                attempt,
                status,
                allow_failure,
                reason,
            } => {
                let reason = self.told(id, job, reason);
                let kind = EventKind::JobStatus {
                    job,
                    attempt,
                    status,
                    allow_failure,
                    reason,
                };
                self.emit(id, kind)?;
            }
            Action::StartJob {
                job,
                attempt,
                recheck_caches,
                ..
            } => {
                self.queue.push_back(Start {
                    key: self.pipeline(id).key(job, attempt),
                    recheck_caches,
                    resumed: false,
                });
            }
            Action::StartDownstream { job, attempt, .. } => {
                let key = self.pipeline(id).key(job, attempt);
                return self.start_downstream(key);
            }
            Action::CancelJob {
                job,
                attempt,
                reason,
            } => {
                let key = self.pipeline(id).key(job, attempt);
                return self.cancel_job(key, &reason);
            }
            Action::CancelDownstream { job, attempt, .. } => {
                return Ok(self.cancel_downstream(self.pipeline(id).key(job, attempt)));
            }
            Action::ArmTimer {
                job,
                attempt,
                delay,
                ..
            } => {
                let at = Instant::now() + delay;
                self.timers.insert((at, id, job), attempt);
            }
            Action::DisarmTimer { job, attempt, .. } => {
                let is_it = |armed: (PipelineId, JobIdx)| armed == (id, job);
                self.timers
                    .retain(|(_, of, armed), tried| !is_it((*of, *armed)) || *tried != attempt);
            }
            Action::Resource {
                job,
                attempt,
                key,
                mode,
                claim,
                ..
            } => {
                let pipeline = self.pipeline(id);
                let asker = pipeline.key(job, attempt);
                // Groups are those of a project.
                let key = format!("{}\0{key}", pipeline.shared.project.key).into();
                let granted = self.groups.claim(&key, mode, asker, claim);
                return Ok(granted.into_iter().map(granted_input).collect());
            }
            Action::PipelineStatus { status, .. } => {
                self.pipeline_mut(id).status = status;
                self.emit(id, EventKind::PipelineStatus { status })?;
                return Ok(self.tell_above(id, status).into_iter().collect());
            }
        }
        Ok(Vec::new())
    }

    fn cancel_job(&mut self, key: JobKey, reason: &Reason) -> Result<Vec<Addressed>, RunError> {
        let how = match reason {
            Reason::Interrupted => self
                .interrupted
                .map_or(CancelReason::Canceled, Interrupt::reason),
            _ => CancelReason::Canceled,
        };
        self.log.flush()?;
        let (id, job, attempt) = (key.pipeline, key.job, key.attempt);
        let is_it = |start: &Start| (start.key.pipeline, start.key.job) == (id, job);
        let was_to_resume = self.queue.iter().any(|start| start.resumed && is_it(start));
        self.queue.retain(|start| !is_it(start));
        if was_to_resume && self.pipeline(id).schedule.status(job) == Status::Canceling {
            // Its executor went with the process that had started it.
            return Ok(vec![(id, Input::JobCanceled { job, attempt })]);
        }
        if let Some(running) = self.running_try(key) {
            running.end(how);
        }
        Ok(Vec::new())
    }

    pub(super) fn emit(&mut self, id: PipelineId, kind: EventKind) -> Result<(), RunError> {
        let event = Event {
            at_ms: now_ms(),
            pipeline: id,
            kind,
        };
        self.log.append(event_to_json(&event).as_bytes())?;
        self.observer.event(&event);
        Ok(())
    }

    /// Says that a pipeline was created.
    pub(super) fn created(&mut self, id: PipelineId) -> Result<(), RunError> {
        let pipeline = self.pipeline(id);
        let jobs = pipeline.pipeline().jobs.iter();
        let kind = EventKind::PipelineCreated {
            parent: pipeline.parent,
            jobs: jobs.map(|job| job.name.clone()).collect(),
        };
        self.emit(id, kind)
    }
}

fn granted_input(granted: JobKey) -> Addressed {
    let input = Input::ResourceGranted {
        job: granted.job,
        attempt: granted.attempt,
    };
    (granted.pipeline, input)
}
