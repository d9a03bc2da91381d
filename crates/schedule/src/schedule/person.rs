//! What people do to single jobs.

use tidegate_pipeline::{FailureReason, JobIdx, Reason, Status, When};

use crate::action::Action;
use crate::input::MetState;
use crate::schedule::Schedule;

impl Schedule {
    /// Starts a job that waits for a person or a delay; one that is not reached yet will not wait for them.
    pub(super) fn play(&mut self, job: JobIdx) -> Result<(), MetState> {
        let waits_for_person = matches!(self.job(job).when, When::Manual | When::Delayed);
        let state = &mut self.jobs[job.at()];
        match state.status {
            Status::Created if waits_for_person => state.enqueue_now = true,
            // A trigger job that mirrors a blocked pipeline is played over there.
            status if status.is_blocked() && !state.has_downstream => {
                self.disarm_if_scheduled(job, Reason::ByUser);
                self.enqueue(job, Reason::ByUser);
                self.reset_after(job);
            }
            _ => return Err(self.met(job)),
        }
        Ok(())
    }

    /// Begins another try of a finished job, also of one that is still being canceled.
    pub(super) fn retry(&mut self, job: JobIdx) -> Result<(), MetState> {
        let state = &mut self.jobs[job.at()];
        let attempt = state.attempt;
        let again = matches!(
            state.failure,
            Some(
                FailureReason::PipelineLoopDetected
                    | FailureReason::ReachedMaxDescendantPipelinesDepth
            )
        );
        match state.status {
            Status::Failed if again => return Err(self.met(job)),
            Status::Success | Status::Failed | Status::Canceled => {}
            Status::Canceling => {
                // The slot of the resource group stays with the old try until its executor is done.
                state.claim = None;
                let reason = self.cancel_reasons.remove(&job);
                let reason = reason.unwrap_or(Reason::ByUser);
                self.lingering.insert((job, attempt), reason);
            }
            _ => return Err(self.met(job)),
        }
        self.jobs[job.at()].forced = true;
        self.new_attempt(job, Reason::ByUser);
        self.reset_after(job);
        Ok(())
    }

    /// Cancels one job.
    pub(super) fn cancel(&mut self, job: JobIdx) -> Result<(), MetState> {
        if !self.is_cancelable(job) {
            return Err(self.met(job));
        }
        self.cancel_job(job, &Reason::ByUser, true);
        Ok(())
    }

    /// Turns a delayed job into a manual one.
    pub(super) fn unschedule(&mut self, job: JobIdx) -> Result<(), MetState> {
        if self.status(job) != Status::Scheduled {
            return Err(self.met(job));
        }
        self.disarm_if_scheduled(job, Reason::ByUser);
        self.set_status(job, Status::Manual, Reason::ByUser);
        Ok(())
    }

    /// The timer of a job that leaves `scheduled` other than by it is not wanted any more.
    pub(super) fn disarm_if_scheduled(&mut self, job: JobIdx, reason: Reason) {
        if self.status(job) == Status::Scheduled {
            let attempt = self.attempt(job);
            self.actions.push(Action::DisarmTimer {
                job,
                attempt,
                reason,
            });
        }
    }
}
