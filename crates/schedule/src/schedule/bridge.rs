//! Trigger jobs follow the pipelines they trigger (reference `compose.md` §8.11).

use tidegate_pipeline::{
    Action as Work, Attempt, Downstream, Job, JobIdx, Reason, Status, Strategy,
};

use crate::input::MetState;
use crate::schedule::Schedule;

impl Schedule {
    /// Without a strategy a trigger job is done once its pipeline is created.
    pub(super) fn downstream_created(
        &mut self,
        job: JobIdx,
        attempt: Attempt,
    ) -> Result<(), MetState> {
        self.expect_bridge(job)?;
        self.expect(job, attempt, &[Status::Pending])?;
        let follows = strategy(self.job(job)).is_some();
        let state = &mut self.jobs[job.at()];
        state.has_downstream = true;
        state.follows = follows;
        let status = if follows {
            Status::Running
        } else {
            Status::Success
        };
        let reason = Reason::Downstream {
            status: Status::Created,
        };
        self.set_status(job, status, reason);
        Ok(())
    }

    /// The status of a triggered pipeline changed; of interest only to a trigger job that follows it.
    pub(super) fn bridge_status(
        &mut self,
        job: JobIdx,
        attempt: Attempt,
        downstream: Status,
    ) -> Result<(), MetState> {
        self.expect_bridge(job)?;
        let state = &self.jobs[job.at()];
        if state.attempt != attempt || !state.has_downstream {
            return Err(self.met(job));
        }
        let Some(strategy) = strategy(self.job(job)).filter(|_| state.follows) else {
            return Ok(());
        };
        let reason = Reason::Downstream { status: downstream };
        let next = followed(strategy, downstream);
        let now = state.status;
        if now.is_complete() && next != Some(now) && (next.is_some() || downstream.is_alive()) {
            // Something was retried over there.
            self.set_status(job, Status::Running, reason.clone());
            self.reset_after(job);
        }
        match next {
            Some(next) if next == self.status(job) => {}
            Some(Status::Failed) => {
                let allow_failure = self.job(job).allow_failure.always;
                self.fail_finally(job, allow_failure, reason);
            }
            Some(next) => self.set_status(job, next, reason),
            None => {}
        }
        Ok(())
    }

    fn expect_bridge(&self, job: JobIdx) -> Result<(), MetState> {
        match self.job(job).action {
            Work::Bridge(_) => Ok(()),
            Work::Build(_) => Err(self.met(job)),
        }
    }
}

/// How a job follows its pipeline; one that needs a pipeline of another project always mirrors it.
fn strategy(job: &Job) -> Option<Strategy> {
    match &job.action {
        Work::Build(_) => None,
        Work::Bridge(bridge) => match bridge.downstream {
            Downstream::Mirror { .. } => Some(Strategy::Mirror),
            Downstream::Child { .. } | Downstream::Project { .. } => bridge.strategy,
        },
    }
}

/// The status a trigger job takes from its pipeline; `None`: it stays as it is.
fn followed(strategy: Strategy, downstream: Status) -> Option<Status> {
    match (downstream, strategy) {
        (Status::Success | Status::Failed | Status::Canceled, _) => Some(downstream),
        (Status::Skipped, Strategy::Depend) => Some(Status::Failed),
        (Status::Skipped | Status::Manual, Strategy::Mirror) => Some(downstream),
        _ => None,
    }
}
