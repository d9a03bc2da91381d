//! Decides the jobs whose turn it is (reference `compose.md` §8.2).
//!
//! GitLab walks all stages on every event. Here a job is judged when a counter says that what it waits for is decided: jobs with
//! `needs` one by one, others stage by stage. Within one input a decided composite status stays as it is, whatever is judged
//! next, so the outcome is that of GitLab's walk; the order of the walk is kept for the order of actions.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate_pipeline::{
    Alternatives, JobIdx, NeedEntry, Pick, Reason, StageIdx, Status, Timeout, When,
};

use crate::action::Action;
use crate::composite::Class;
use crate::predecessors::Previous;
use crate::schedule::Schedule;

/// Shortest and longest delay (reference `compose.md` §8.7).
const DELAYS: (Duration, Duration) = (
    Duration::from_secs(1),
    Duration::from_secs(7 * 24 * 60 * 60),
);

/// Something for each of the three sets of statuses on which jobs start.
#[derive(Clone, Default, Debug)]
pub(super) struct ByStart<T>([T; 3]);

impl<T> ByStart<T> {
    fn of(&mut self, when: When) -> &mut T {
        &mut self.0[match when {
            When::OnSuccess | When::Manual | When::Delayed => 0,
            When::OnFailure => 1,
            When::Always => 2,
        }]
    }

    /// Each with a `when` that stands for its set.
    pub(super) fn each(&mut self) -> impl Iterator<Item = (When, &mut T)> {
        [When::OnSuccess, When::OnFailure, When::Always]
            .into_iter()
            .zip(&mut self.0)
    }
}

/// Whether a job starts after what came before it; otherwise it is skipped.
///
/// `canceled` starts nothing, not even `when: always`. Source: GitLab 18.11, reference `compose.md` §8.2.
pub(super) fn starts(when: When, is_dag: bool, previous: Option<Status>) -> bool {
    let previous = previous.unwrap_or(Status::Success);
    match when {
        When::OnSuccess | When::Manual | When::Delayed => {
            previous == Status::Success || (!is_dag && previous == Status::Skipped)
        }
        When::OnFailure => previous == Status::Failed,
        When::Always => matches!(previous, Status::Success | Status::Failed | Status::Skipped),
    }
}

impl Schedule {
    /// Judges until no job has its turn.
    pub(super) fn settle(&mut self) {
        loop {
            self.reach_stages();
            let Some(Reverse(rank)) = self.ready.pop() else {
                return;
            };
            let job = self.graph.at_rank(rank);
            // It may have been judged or canceled since it was put here.
            if self.status(job) == Status::Created {
                self.judge(job);
            }
        }
    }

    /// Moves the jobs of stages before which nothing is open among those to be judged.
    fn reach_stages(&mut self) {
        while let Some(entry) = self.waiting.first_entry() {
            if self.stages.previous(*entry.key()) == Previous::Open {
                return;
            }
            for job in entry.remove() {
                self.ready.push(Reverse(self.graph.rank(job)));
            }
        }
    }

    /// A job became created: it waits for its turn.
    pub(super) fn await_turn(&mut self, job: JobIdx) {
        if self.job(job).is_dag() {
            self.judge_if_decided(job);
        } else {
            let stage = self.job(job).stage;
            self.waiting.entry(stage).or_default().push(job);
        }
    }

    /// Has a created job judged when what it waits for is decided.
    pub(super) fn judge_if_decided(&mut self, job: JobIdx) {
        if self.started && self.previous(job) != Previous::Open {
            self.ready.push(Reverse(self.graph.rank(job)));
        }
    }

    /// What the jobs before a job have come to, by its needs or its stage.
    pub(super) fn previous(&self, job: JobIdx) -> Previous {
        let own = match self.job(job).is_dag() {
            true => self.needs[job.at()].previous(),
            false => self.stages.previous(self.job(job).stage),
        };
        match own {
            Previous::Open => Previous::Open,
            decided => self.behind_gates(job).unwrap_or(decided),
        }
    }

    fn judge(&mut self, job: JobIdx) {
        let Previous::Decided(previous) = self.previous(job) else {
            if !self.job(job).is_dag() {
                self.await_turn_of_stage(job);
            }
            return;
        };
        let (when, is_dag) = (self.job(job).when, self.job(job).is_dag());
        let delay = self.job(job).start_in.as_ref().map(delay_of);
        let reason = Reason::Predecessors {
            status: previous,
            decided_by: previous.and_then(|status| self.decided_by(job, status)),
        };
        if !starts(when, is_dag, previous) {
            self.set_status(job, Status::Skipped, reason);
        } else if self.jobs[job.at()].enqueue_now {
            self.enqueue(job, reason);
        } else {
            match (when, delay) {
                (When::Delayed, Some(delay)) => self.schedule(job, delay, reason),
                (When::Manual | When::Delayed, _) => {
                    self.set_status(job, Status::Manual, reason);
                }
                _ => self.enqueue(job, reason),
            }
        }
    }

    /// Keeps a job for later whose stage is open again; one that is behind a gate only is judged when the gate opens.
    fn await_turn_of_stage(&mut self, job: JobIdx) {
        let stage = self.job(job).stage;
        if self.stages.previous(stage) == Previous::Open {
            self.waiting.entry(stage).or_default().push(job);
        }
    }

    fn schedule(&mut self, job: JobIdx, delay: Duration, reason: Reason) {
        self.set_status(job, Status::Scheduled, reason.clone());
        self.actions.push(Action::ArmTimer {
            job,
            attempt: self.attempt(job),
            delay,
            reason,
        });
    }

    /// Lets a job run, or wait for its resource group.
    pub(super) fn enqueue(&mut self, job: JobIdx, reason: Reason) {
        self.jobs[job.at()].enqueue_now = false;
        match &self.job(job).resource_group {
            Some(group) => {
                let key = group.key.clone();
                self.set_status(
                    job,
                    Status::WaitingForResource,
                    Reason::ResourceGroup { key },
                );
            }
            None => self.make_pending(job, reason),
        }
    }

    /// Asks for an executor or a downstream pipeline.
    pub(super) fn make_pending(&mut self, job: JobIdx, reason: Reason) {
        self.record_alternatives(job);
        self.set_status(job, Status::Pending, reason.clone());
        let action = self.start_action(job, reason);
        self.actions.push(action);
    }

    /// What a pending job asks for.
    pub(super) fn start_action(&self, job: JobIdx, reason: Reason) -> Action {
        let state = &self.jobs[job.at()];
        let attempt = state.attempt;
        match self.job(job).build() {
            Some(_) => Action::StartJob {
                job,
                attempt,
                recheck_caches: !self.job(job).recheck_caches.is_empty() && !state.forced,
                reason,
            },
            None => Action::StartDownstream {
                job,
                attempt,
                reason,
            },
        }
    }

    /// The job that made the composite status of those before `job`; `None` for a success, which all of them made.
    fn decided_by(&self, job: JobIdx, status: Status) -> Option<JobIdx> {
        if let Some(producer) = self.failed_gate(job) {
            return Some(producer);
        }
        if !self.job(job).is_dag() {
            return self.stages.culprit(self.job(job).stage, status);
        }
        let class = match status {
            Status::Failed => Class::Failed,
            Status::Canceled => Class::Canceled,
            Status::Skipped => Class::Skip,
            _ => return None,
        };
        self.job(job)
            .needs
            .iter()
            .flatten()
            .find_map(|entry| match entry {
                NeedEntry::Job(need) => (self.class(need.job) == class).then_some(need.job),
                NeedEntry::Any(any) => self.spoiler(any).filter(|_| class == Class::Failed),
            })
    }

    /// The first bad alternative of an entry that cannot be met any more.
    fn spoiler(&self, any: &Alternatives) -> Option<JobIdx> {
        let class = |job| self.class(job);
        let good = any
            .jobs
            .iter()
            .filter(|need| class(need.job) == Class::Good);
        let open = any
            .jobs
            .iter()
            .filter(|need| class(need.job) == Class::Open);
        if good.count() + open.count() >= any.min as usize {
            return None;
        }
        any.jobs
            .iter()
            .map(|need| need.job)
            .find(|job| !matches!(class(*job), Class::Good | Class::Open))
    }

    fn record_alternatives(&mut self, job: JobIdx) {
        if self.alternatives.contains_key(&job) {
            return;
        }
        let entries = self.job(job).needs.iter().flatten();
        let taken: Vec<Vec<JobIdx>> = entries
            .filter_map(|entry| match entry {
                NeedEntry::Job(_) => None,
                NeedEntry::Any(any) => Some(self.taken(any)),
            })
            .collect();
        if !taken.is_empty() {
            self.alternatives.insert(job, Arc::from(taken));
        }
    }

    fn taken(&self, any: &Alternatives) -> Vec<JobIdx> {
        let jobs = any.jobs.iter().map(|need| need.job);
        let good = jobs.filter(|job| self.class(*job) == Class::Good);
        match any.pick {
            Pick::First => good.take(1).collect(),
            Pick::All => good.collect(),
        }
    }

    /// What a job counts as.
    pub(super) fn class(&self, job: JobIdx) -> Class {
        self.jobs[job.at()].symbol().class()
    }

    /// Remembers a skipped job, so that a reset finds it.
    pub(super) fn note_skipped(&mut self, job: JobIdx) {
        let (stage, when) = (self.job(job).stage, self.job(job).when);
        if !self.job(job).is_dag() {
            let of_stage: &mut BTreeMap<StageIdx, ByStart<Vec<JobIdx>>> = &mut self.skipped;
            of_stage.entry(stage).or_default().of(when).push(job);
        }
    }

    /// Remembers whether a skipped job would still be skipped; asked where what it needs, or is put behind, changed.
    pub(super) fn note_stale(&mut self, job: JobIdx) {
        let skips = match self.previous(job) {
            Previous::Open => false,
            Previous::Decided(previous) => {
                !starts(self.job(job).when, self.job(job).is_dag(), previous)
            }
        };
        if skips {
            self.stale_skips.remove(&job);
        } else {
            self.stale_skips.insert(job);
        }
    }
}

/// How long a delayed job waits.
pub(super) fn delay_of(timeout: &Timeout) -> Duration {
    timeout.duration.clamp(DELAYS.0, DELAYS.1)
}
