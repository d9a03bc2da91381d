//! Cancels jobs, one or all, by a person or by `auto_cancel` (reference `compose.md` §8.8).

use std::sync::Arc;

use tidegate_pipeline::{
    Action as Work, AutoCancelOnNewCommit, Downstream, Job, JobIdx, Reason, Status,
};

use crate::action::Action;
use crate::schedule::Schedule;

impl Schedule {
    /// Cancels every job that is not over, and the child pipelines of all.
    pub(super) fn cancel_all(&mut self, reason: &Reason) {
        self.cancel_each(reason, true, |_| true);
    }

    /// A newer pipeline makes this one redundant. Child pipelines are judged on their own.
    pub(super) fn new_commit(&mut self) {
        let reason = Reason::AutoCanceled { because: None };
        match self.pipeline.auto_cancel.on_new_commit {
            AutoCancelOnNewCommit::Conservative if self.protecting > 0 => {}
            AutoCancelOnNewCommit::Conservative => self.cancel_each(&reason, false, |_| true),
            AutoCancelOnNewCommit::Interruptible => {
                self.cancel_each(&reason, false, |job| job.interruptible == Some(true));
            }
            AutoCancelOnNewCommit::None => {}
        }
    }

    fn cancel_each(&mut self, reason: &Reason, cascade: bool, of: impl Fn(&Job) -> bool) {
        let pipeline = Arc::clone(&self.pipeline);
        for (at, _) in pipeline.indexed().filter(|(_, job)| of(job)) {
            if self.is_cancelable(at) {
                self.cancel_job(at, reason, cascade);
            } else if cascade {
                self.cancel_child(at, reason);
            }
        }
    }

    /// It is not over and not being canceled.
    pub(super) fn is_cancelable(&self, job: JobIdx) -> bool {
        let status = self.status(job);
        !status.is_complete() && status != Status::Canceling
    }

    /// Cancels a job that can be; `cascade`: its child pipeline too.
    pub(super) fn cancel_job(&mut self, job: JobIdx, reason: &Reason, cascade: bool) {
        let status = self.status(job);
        let asked_for = matches!(status, Status::Pending | Status::Running);
        self.disarm_if_scheduled(job, reason.clone());
        if self.job(job).build().is_none() {
            self.set_status(job, Status::Canceled, reason.clone());
            self.jobs[job.at()].follows = false;
            self.jobs[job.at()].has_downstream |= asked_for;
            if cascade {
                self.cancel_child(job, reason);
            }
            return;
        }
        if status == Status::Running {
            self.cancel_reasons.insert(job, reason.clone());
            self.set_status(job, Status::Canceling, reason.clone());
        } else {
            self.set_status(job, Status::Canceled, reason.clone());
        }
        if asked_for {
            self.actions.push(Action::CancelJob {
                job,
                attempt: self.attempt(job),
                reason: reason.clone(),
            });
        }
    }

    /// Has the child pipeline of a trigger job canceled, if it has one; pipelines of other projects are left alone.
    fn cancel_child(&mut self, job: JobIdx, reason: &Reason) {
        let is_child = match &self.job(job).action {
            Work::Bridge(bridge) => matches!(bridge.downstream, Downstream::Child { .. }),
            Work::Build(_) => false,
        };
        let state = &self.jobs[job.at()];
        if is_child && state.has_downstream {
            self.actions.push(Action::CancelDownstream {
                job,
                attempt: state.attempt,
                reason: reason.clone(),
            });
        }
    }
}
