//! A schedule with the world around it: executors, timers, a resource group.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidegate_pipeline::{
    Attempt, FailureReason, JobIdx, JobKey, Pipeline, PipelineId, Presence, Status, When,
};
use tidegate_schedule::{Action, Input, ResourceGroups, Schedule};

/// A schedule, what it told, and what it waits for.
pub(super) struct Machine {
    pub(super) schedule: Schedule,
    /// Everything applied so far.
    pub(super) inputs: Vec<Input>,
    /// The statuses as told by actions.
    pub(super) told: Vec<Status>,
    groups: ResourceGroups,
    granted: BTreeSet<(JobIdx, Attempt)>,
    /// Jobs that an executor was asked to run, and timers that run.
    asked: BTreeSet<(JobIdx, Attempt)>,
    timers: BTreeSet<(JobIdx, Attempt)>,
    /// Tries retried while their executors were still at them.
    lingering: BTreeSet<(JobIdx, Attempt)>,
    /// A person had something done again, so needs may run when their dependants start.
    repeated: bool,
}

impl Machine {
    pub(super) fn new(pipeline: Arc<Pipeline>) -> Machine {
        Machine {
            told: vec![Status::Created; pipeline.jobs.len()],
            schedule: Schedule::new(pipeline),
            inputs: Vec::new(),
            groups: ResourceGroups::default(),
            granted: BTreeSet::new(),
            asked: BTreeSet::new(),
            timers: BTreeSet::new(),
            lingering: BTreeSet::new(),
            repeated: false,
        }
    }

    /// Applies a legal input and follows its actions.
    pub(super) fn apply(&mut self, input: Input) {
        if let Input::Retry { job } = input {
            self.repeated = true;
            if self.schedule.status(job) == Status::Canceling {
                self.lingering.insert((job, self.schedule.attempt(job)));
            }
        }
        self.repeated |= matches!(input, Input::CacheGone { .. });
        if let (Some(job), Some(attempt)) = (input.job(), input.attempt()) {
            if !matches!(input, Input::JobStarted { .. }) {
                self.asked.remove(&(job, attempt));
                self.lingering.remove(&(job, attempt));
            }
            self.granted.remove(&(job, attempt));
            if matches!(input, Input::DelayOver { .. }) {
                assert!(self.timers.remove(&(job, attempt)));
            }
        }
        let actions = self.schedule.apply(input.clone());
        let actions = actions.unwrap_or_else(|err| panic!("{err}\nafter {:#?}", self.inputs));
        self.inputs.push(input);
        for action in actions {
            self.follow(action);
        }
    }

    fn follow(&mut self, action: Action) {
        match action {
            Action::SetStatus {
                job,
                attempt,
                status,
                ..
            } => {
                if attempt == self.schedule.attempt(job) || status == Status::Failed {
                    self.told[job.at()] = status;
                }
                if status == Status::Pending {
                    self.check_start(job);
                }
            }
            Action::StartJob { job, attempt, .. } => {
                assert!(self.asked.insert((job, attempt)), "{job:?} starts twice");
            }
            Action::CancelJob { job, attempt, .. } => {
                if self.told[job.at()] == Status::Canceled {
                    self.asked.remove(&(job, attempt));
                }
            }
            Action::ArmTimer { job, attempt, .. } => {
                assert!(self.timers.insert((job, attempt)));
            }
            Action::DisarmTimer { job, attempt, .. } => {
                assert!(self.timers.remove(&(job, attempt)));
            }
            Action::Resource {
                job,
                attempt,
                key,
                mode,
                claim,
                ..
            } => {
                let pipeline = PipelineId(1);
                let owner = JobKey {
                    pipeline,
                    job,
                    attempt,
                };
                self.granted.remove(&(job, attempt));
                if let Some(next) = self.groups.claim(&key, mode, owner, claim) {
                    self.granted.insert((next.job, next.attempt));
                }
            }
            Action::PipelineStatus { .. } => {}
            Action::StartDownstream { .. } | Action::CancelDownstream { .. } => {
                panic!("no trigger jobs here")
            }
        }
    }

    /// No job starts on success before all it plainly needs is over, and well.
    fn check_start(&self, job: JobIdx) {
        let this = self.schedule.pipeline().job(job);
        if self.repeated || this.when != When::OnSuccess {
            return;
        }
        for entry in this.needs.iter().flatten() {
            if let tidegate_pipeline::NeedEntry::Job(need) = entry {
                let allowed = self.schedule.allow_failure(need.job);
                let status = self.told[need.job.at()];
                let good = match status {
                    Status::Success => true,
                    Status::Failed | Status::Canceled => allowed,
                    _ => false,
                };
                assert!(good, "{job:?} starts while {:?} is {status}", need.job);
            }
        }
    }

    pub(super) fn statuses(&self) -> Vec<Status> {
        let jobs = self.schedule.pipeline().indexed();
        jobs.map(|(job, _)| self.schedule.status(job)).collect()
    }

    /// Everything executors, timers and groups could report now.
    pub(super) fn reports(&self, choice: u32) -> Vec<Input> {
        let mut inputs = Vec::new();
        for (job, attempt) in self.asked.iter().copied() {
            let status = self.schedule.status(job);
            if status == Status::Pending && attempt == self.schedule.attempt(job) {
                inputs.push(Input::JobStarted { job, attempt });
            }
            inputs.push(Input::JobSucceeded { job, attempt });
            inputs.push(Input::JobFailed {
                job,
                attempt,
                reason: FailureReason::ScriptFailure,
                exit_code: [None, Some(1), Some(2)][choice as usize / 7 % 3],
            });
            if choice.is_multiple_of(3) {
                inputs.push(Input::JobCanceled { job, attempt });
            }
            if choice.is_multiple_of(2)
                && status != Status::Canceling
                && !self.lingering.contains(&(job, attempt))
            {
                inputs.extend(self.missing_cache(job, attempt, choice));
            }
        }
        let timers = self.timers.iter().copied();
        inputs.extend(timers.map(|(job, attempt)| Input::DelayOver { job, attempt }));
        let granted = self.granted.iter().copied();
        inputs.extend(granted.map(|(job, attempt)| Input::ResourceGranted { job, attempt }));
        inputs
    }

    fn missing_cache(&self, job: JobIdx, attempt: Attempt, choice: u32) -> Option<Input> {
        let mut jobs = self.schedule.pipeline().indexed();
        let producer = jobs.find(|(_, job)| job.presence == Presence::Satisfied);
        let producer = producer
            .map(|(at, _)| at)
            .filter(|_| choice.is_multiple_of(4))?;
        (producer != job).then(|| Input::CacheGone {
            job,
            attempt,
            key: "key".into(),
            producer: Some(producer),
        })
    }

    /// Everything executors could report when the outcome of each try is settled beforehand.
    pub(super) fn outcomes(&self, outcomes: u64) -> Vec<Input> {
        let mut inputs = self.reports(1);
        inputs.retain(|input| match input {
            Input::JobSucceeded { job, attempt } => succeeds(outcomes, *job, *attempt),
            Input::JobFailed { job, attempt, .. } => !succeeds(outcomes, *job, *attempt),
            _ => true,
        });
        inputs
    }

    /// Everything people could want now.
    pub(super) fn wishes(&self) -> Vec<Input> {
        let mut inputs = Vec::new();
        for (job, this) in self.schedule.pipeline().indexed() {
            match self.schedule.status(job) {
                Status::Manual => inputs.push(Input::Play { job }),
                Status::Scheduled => {
                    inputs.push(Input::Play { job });
                    inputs.push(Input::Unschedule { job });
                }
                Status::Created if matches!(this.when, When::Manual | When::Delayed) => {
                    inputs.push(Input::Play { job });
                }
                Status::Success | Status::Failed | Status::Canceled | Status::Canceling => {
                    inputs.push(Input::Retry { job });
                }
                _ => {}
            }
            let status = self.schedule.status(job);
            if !status.is_complete() && status != Status::Canceling && job.0 % 2 == 0 {
                inputs.push(Input::Cancel { job });
            }
        }
        inputs
    }
}

fn succeeds(outcomes: u64, job: JobIdx, attempt: Attempt) -> bool {
    outcomes >> ((job.0 * 5 + attempt.0) % 64) & 1 == 0
}
