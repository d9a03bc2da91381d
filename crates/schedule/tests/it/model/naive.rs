//! The rules of reference `compose.md` §8, written as plainly as can be: every event looks at every job again and again.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidegate_pipeline::{
    AutoCancelOnJobFailure, JobIdx, NeedEntry, Pipeline, Presence, StageIdx, Status, Wait, When,
};
use tidegate_schedule::{Input, Mode, composite};

struct State {
    status: Status,
    allow_failure: bool,
    attempt: u32,
    now: bool,
    stood: bool,
}

/// The model.
pub(super) struct Naive {
    pipeline: Arc<Pipeline>,
    jobs: Vec<State>,
    pub(super) stage_statuses: Vec<Status>,
    pub(super) pipeline_status: Status,
    /// `(consumer, producer)`.
    behind: BTreeSet<(usize, usize)>,
    put_back: BTreeSet<usize>,
}

impl Naive {
    pub(super) fn new(pipeline: Arc<Pipeline>) -> Naive {
        let jobs = pipeline.jobs.iter().map(|job| State {
            status: Status::Created,
            allow_failure: job.allow_failure.always,
            attempt: 1,
            now: false,
            stood: false,
        });
        Naive {
            jobs: jobs.collect(),
            stage_statuses: vec![Status::Created; pipeline.stages.len()],
            pipeline_status: Status::Created,
            behind: BTreeSet::new(),
            put_back: BTreeSet::new(),
            pipeline,
        }
    }

    pub(super) fn statuses(&self) -> Vec<Status> {
        self.jobs.iter().map(|state| state.status).collect()
    }

    fn pair(&self, job: usize) -> (Status, bool) {
        (self.jobs[job].status, self.jobs[job].allow_failure)
    }

    fn is_good(&self, job: usize) -> bool {
        match self.pair(job) {
            (Status::Success, _) => true,
            (Status::Failed | Status::Canceled, allowed) => allowed,
            _ => false,
        }
    }

    fn is_open(&self, job: usize) -> bool {
        match self.pair(job) {
            (Status::Manual, allowed) => !allowed,
            (status, _) => !status.is_complete(),
        }
    }

    /// The status before a job; `None`: wait.
    fn previous(&self, at: usize) -> Option<Status> {
        let job = &self.pipeline.jobs[at];
        let found = match &job.needs {
            Some(entries) => {
                let statuses: Vec<(Status, bool)> = entries
                    .iter()
                    .map(|entry| match entry {
                        NeedEntry::Job(need) => self.pair(need.job.at()),
                        NeedEntry::Any(any) => {
                            let jobs: Vec<usize> = any.jobs.iter().map(|n| n.job.at()).collect();
                            let good = jobs.iter().filter(|at| self.is_good(**at)).count();
                            let open = jobs.iter().filter(|at| self.is_open(**at)).count();
                            let min = any.min as usize;
                            let decided = match any.wait {
                                Wait::First => good >= min || good + open < min,
                                Wait::All => open == 0,
                            };
                            let status = match (decided, good >= min) {
                                (false, _) => Status::Running,
                                (true, true) => Status::Success,
                                (true, false) => Status::Failed,
                            };
                            (status, false)
                        }
                    })
                    .collect();
                composite(statuses, Mode::Dag)
            }
            None => {
                let earlier = self.pipeline.indexed();
                let earlier = earlier.filter(|(_, other)| other.stage < job.stage);
                composite(earlier.map(|(at, _)| self.pair(at.at())), Mode::Stage)
            }
        };
        let own = found.map_or(Status::Success, |found| found.status);
        if !own.is_complete() {
            return None;
        }
        let producers = || self.behind.iter().filter(|(consumer, _)| *consumer == at);
        if producers().any(|(_, producer)| self.is_open(*producer)) {
            None
        } else if producers().any(|(_, producer)| !self.is_good(*producer)) {
            Some(Status::Failed)
        } else {
            Some(own)
        }
    }

    fn judge(&mut self, at: usize) -> bool {
        if self.jobs[at].status != Status::Created {
            return false;
        }
        let Some(previous) = self.previous(at) else {
            return false;
        };
        let job = &self.pipeline.jobs[at];
        use Status::{Failed, Skipped, Success};
        let valid: &[Status] = match (job.when, job.is_dag()) {
            (When::OnFailure, _) => &[Failed],
            (When::Always, _) => &[Success, Failed, Skipped],
            (_, true) => &[Success],
            (_, false) => &[Success, Skipped],
        };
        let status = if !valid.contains(&previous) {
            Skipped
        } else if self.jobs[at].now {
            self.enqueued(at)
        } else if job.when == When::Delayed && job.start_in.is_some() {
            Status::Scheduled
        } else if matches!(job.when, When::Manual | When::Delayed) {
            Status::Manual
        } else {
            self.enqueued(at)
        };
        self.jobs[at].status = status;
        true
    }

    fn enqueued(&mut self, at: usize) -> Status {
        self.jobs[at].now = false;
        match self.pipeline.jobs[at].resource_group {
            Some(_) => Status::WaitingForResource,
            None => Status::Pending,
        }
    }

    /// Passes over all jobs until none changes, then the statuses of stages and pipeline.
    pub(super) fn settle(&mut self) {
        while (0..self.jobs.len()).any(|at| self.judge(at)) {}
        for at in 0..self.stage_statuses.len() {
            let stage = StageIdx(at as u32);
            let jobs = self
                .pipeline
                .indexed()
                .filter(|(_, job)| job.stage == stage);
            let found = composite(jobs.map(|(at, _)| self.pair(at.at())), Mode::Stage);
            if let Some(found) = found.filter(|found| found.status != Status::Created) {
                self.stage_statuses[at] = found.status;
            }
        }
        let all = (0..self.jobs.len()).map(|at| self.pair(at));
        let found = composite(all, Mode::Stage).expect("a pipeline has jobs");
        let was = self.pipeline_status;
        let over = [Status::Success, Status::Failed, Status::Canceled];
        self.pipeline_status = match found.status {
            Status::Created => was,
            Status::Pending if over.contains(&was) || was == Status::Running => Status::Running,
            status => status,
        };
    }

    fn descends(&self, job: usize, from: usize) -> bool {
        let needed = self.pipeline.jobs[job].needed_jobs();
        let behind = self.behind.iter().filter(|(consumer, _)| *consumer == job);
        let mut before = needed
            .map(|need| need.job.at())
            .chain(behind.map(|(_, producer)| *producer));
        before.any(|next| next == from || self.descends(next, from))
    }

    fn reset(&mut self, origin: usize) {
        let stage = self.pipeline.jobs[origin].stage;
        for at in 0..self.jobs.len() {
            let later = self.pipeline.jobs[at].stage > stage;
            if self.jobs[at].status == Status::Skipped && (later || self.descends(at, origin)) {
                self.jobs[at].status = Status::Created;
            }
        }
    }

    fn again(&mut self, at: usize) {
        let job = &self.pipeline.jobs[at];
        let state = &mut self.jobs[at];
        state.status = Status::Created;
        state.allow_failure = job.allow_failure.always;
        state.now = matches!(job.when, When::Manual | When::Delayed);
        state.stood = false;
    }

    fn cancel(&mut self, at: usize) {
        let status = &mut self.jobs[at].status;
        *status = match *status {
            Status::Running => Status::Canceling,
            Status::Canceling => Status::Canceling,
            other if other.is_complete() => other,
            _ => Status::Canceled,
        };
    }

    fn fail(&mut self, at: usize, exit_code: Option<i32>, retryable: bool) {
        let job = &self.pipeline.jobs[at];
        let listed =
            exit_code.is_some_and(|code| job.allow_failure.exit_codes.contains(&code.into()));
        let allowed = job.allow_failure.always || listed;
        if retryable && job.retry.max >= self.jobs[at].attempt {
            self.jobs[at].attempt += 1;
            self.again(at);
            self.reset(at);
            return;
        }
        self.jobs[at].status = Status::Failed;
        self.jobs[at].allow_failure = allowed;
        if !allowed && self.pipeline.auto_cancel.on_job_failure == AutoCancelOnJobFailure::All {
            for other in 0..self.jobs.len() {
                self.cancel(other);
            }
        }
    }

    /// Whether `job` comes after `other`.
    fn would_wait(&self, job: usize, other: usize, seen: &mut BTreeSet<usize>) -> bool {
        if job == other {
            return true;
        }
        if !seen.insert(job) {
            return false;
        }
        let this = &self.pipeline.jobs[job];
        let mut before: Vec<usize> = match &this.needs {
            Some(_) => this.needed_jobs().map(|need| need.job.at()).collect(),
            None => (0..self.jobs.len())
                .filter(|at| self.pipeline.jobs[*at].stage < this.stage)
                .collect(),
        };
        before.extend(
            self.behind
                .iter()
                .filter(|(c, _)| *c == job)
                .map(|(_, p)| *p),
        );
        before
            .into_iter()
            .any(|next| self.would_wait(next, other, seen))
    }

    fn cache_gone(&mut self, at: usize, producer: usize) {
        let satisfied = self.pipeline.jobs[producer].presence == Presence::Satisfied;
        let waits = self.would_wait(producer, at, &mut BTreeSet::new());
        if !satisfied || waits || !self.put_back.insert(at) {
            self.fail(at, None, false);
            return;
        }
        self.behind.insert((at, producer));
        self.again(at);
        if self.jobs[producer].stood {
            self.again(producer);
            self.reset(producer);
        }
    }

    /// What an input does before anything is judged.
    pub(super) fn apply(&mut self, input: &Input) {
        let Some(job) = input.job() else {
            assert_eq!(*input, Input::Start);
            for (at, job) in self.pipeline.jobs.iter().enumerate() {
                if job.presence == Presence::Satisfied {
                    self.jobs[at].status = Status::Success;
                    self.jobs[at].stood = true;
                }
            }
            return;
        };
        let at = job.at();
        let current = input.attempt().is_none_or(|of| of.0 == self.attempt(at));
        let was = self.jobs[at].status;
        match input {
            // The last word on a try that was retried while it was being canceled.
            _ if !current => {}
            Input::JobSucceeded { .. } | Input::JobFailed { .. } | Input::JobCanceled { .. }
                if was == Status::Canceling =>
            {
                self.jobs[at].status = Status::Canceled;
            }
            Input::JobStarted { .. } => self.jobs[at].status = Status::Running,
            Input::JobSucceeded { .. } => self.jobs[at].status = Status::Success,
            Input::JobCanceled { .. } => self.jobs[at].status = Status::Canceled,
            Input::JobFailed { exit_code, .. } => self.fail(at, *exit_code, true),
            Input::Play { .. } if was == Status::Created => self.jobs[at].now = true,
            Input::Play { .. } => {
                self.jobs[at].status = self.enqueued(at);
                self.reset(at);
            }
            Input::DelayOver { .. } => self.jobs[at].status = self.enqueued(at),
            Input::ResourceGranted { .. } => self.jobs[at].status = Status::Pending,
            Input::Unschedule { .. } => self.jobs[at].status = Status::Manual,
            Input::Cancel { .. } => self.cancel(at),
            Input::Retry { .. } => {
                self.jobs[at].attempt += 1;
                self.again(at);
                self.reset(at);
            }
            Input::CacheGone { producer, .. } => {
                self.cache_gone(at, producer.expect("the machine names one").at());
            }
            other => panic!("the model does not know {other:?}"),
        }
    }

    fn attempt(&self, at: usize) -> u32 {
        self.jobs[at].attempt
    }

    /// Whether a created job is behind one that waits for a person.
    pub(super) fn waits_for_person(&self, job: JobIdx) -> bool {
        (0..self.jobs.len()).any(|at| {
            self.jobs[at].status == Status::Manual
                && self.would_wait(job.at(), at, &mut BTreeSet::new())
        })
    }
}
