//! One job changes: its status, and every counter and claim that follows from it.

use std::sync::Arc;

use tidegate_pipeline::{JobIdx, ProcessMode, Reason, Status, When};

use crate::action::{Action, Claim};
use crate::composite::{Class, Symbol};
use crate::schedule::{JobState, Schedule};

impl Schedule {
    /// Puts the latest try of a job into a status and tells it.
    pub(super) fn set_status(&mut self, job: JobIdx, status: Status, reason: Reason) {
        let allow_failure = self.jobs[job.at()].allow_failure;
        self.change(job, status, allow_failure, reason);
    }

    /// Puts the latest try of a job into a status, with an `allow_failure` decided with it.
    pub(super) fn change(
        &mut self,
        job: JobIdx,
        status: Status,
        allow_failure: bool,
        reason: Reason,
    ) {
        let state = &mut self.jobs[job.at()];
        let (old_status, old_symbol) = (state.status, state.symbol());
        let interruptible = self.pipeline.job(job).interruptible == Some(true);
        self.protecting -= u32::from(!interruptible && state.protects());
        state.status = status;
        state.allow_failure = allow_failure;
        state.reason = reason.clone();
        self.protecting += u32::from(!interruptible && state.protects());
        self.counts[old_status as usize] -= 1;
        self.counts[status as usize] += 1;
        let (attempt, symbol) = (state.attempt, state.symbol());
        self.actions.push(Action::SetStatus {
            job,
            attempt,
            status,
            allow_failure,
            reason: reason.clone(),
        });
        self.follow_symbol(job, old_symbol, symbol);
        self.follow_claim(job, &reason);
        match status {
            Status::Created => self.await_turn(job),
            Status::Skipped => self.note_skipped(job),
            _ => {}
        }
    }

    /// Everybody who counts this job counts it as something else.
    fn follow_symbol(&mut self, job: JobIdx, from: Symbol, to: Symbol) {
        if from == to {
            return;
        }
        let stage = self.job(job).stage;
        self.stages.shift(stage, job, from, to);
        self.total.remove(from);
        self.total.add(to);
        self.changed_stages.insert(stage);
        if from.class() != to.class() {
            for at in self.graph.range(job) {
                self.follow_edge(at, from.class(), to.class());
            }
            self.judge_gated_by(job);
        }
    }

    /// A dependant counts one of its needs as something else.
    fn follow_edge(&mut self, at: usize, mut from: Class, mut to: Class) {
        let edge = self.graph.edge(at);
        if let Some(any) = edge.any {
            let progress = &mut self.any[any as usize];
            let before = progress.class;
            progress.shift(&self.graph.any[any as usize], from, to);
            (from, to) = (before, progress.class);
            if from == to {
                return;
            }
        }
        self.needs[edge.dependant.at()].shift(from, to);
        match self.jobs[edge.dependant.at()].status {
            Status::Created => self.judge_if_decided(edge.dependant),
            Status::Skipped => self.note_stale(edge.dependant),
            _ => {}
        }
    }

    /// Tells the resource group when the job's claim on it follows its status to another value.
    pub(super) fn follow_claim(&mut self, job: JobIdx, reason: &Reason) {
        let pipeline = Arc::clone(&self.pipeline);
        let Some(group) = &pipeline.job(job).resource_group else {
            return;
        };
        let mode = self.process_mode(&group.key);
        let state = &mut self.jobs[job.at()];
        let by_age = matches!(mode, ProcessMode::OldestFirst | ProcessMode::NewestFirst);
        let claim = match state.status {
            Status::Created | Status::Scheduled => by_age.then_some(Claim::Expected),
            Status::WaitingForResource => Some(Claim::Requested),
            Status::Manual | Status::Skipped => None,
            status if status.is_complete() => None,
            // It holds the slot; a trigger job waiting for its mirrored pipeline does too.
            _ => state.claim,
        };
        if claim == state.claim {
            return;
        }
        state.claim = claim;
        let claim = claim.unwrap_or(Claim::Released);
        let action = self.claim_action(job, &group.key, claim, reason);
        self.actions.push(action);
    }

    /// Tells the claim of a job's latest try.
    pub(super) fn claim_action(
        &self,
        job: JobIdx,
        key: &Arc<str>,
        claim: Claim,
        reason: &Reason,
    ) -> Action {
        Action::Resource {
            job,
            attempt: self.attempt(job),
            key: Arc::clone(key),
            mode: self.process_mode(key),
            claim,
            reason: reason.clone(),
        }
    }

    fn process_mode(&self, key: &str) -> ProcessMode {
        let mode = self.pipeline.process_modes.get(key).copied();
        mode.unwrap_or_default()
    }

    /// Begins another try of a job: it is created and waits for its turn like any other, but for no person and no delay.
    pub(super) fn new_attempt(&mut self, job: JobIdx, reason: Reason) {
        let state = &mut self.jobs[job.at()];
        state.attempt = state.attempt.next();
        state.retries += 1;
        state.has_downstream = false;
        state.follows = false;
        state.failure = None;
        self.begin_again(job, reason);
    }

    /// Puts a job back to where it waits for its turn, but for no person and no delay.
    pub(super) fn begin_again(&mut self, job: JobIdx, reason: Reason) {
        let waits_for_person = matches!(self.job(job).when, When::Manual | When::Delayed);
        self.jobs[job.at()].enqueue_now = waits_for_person;
        let allow_failure = self.job(job).allow_failure.always;
        self.change(job, Status::Created, allow_failure, reason);
        self.jobs[job.at()].satisfied = false;
    }
}

impl JobState {
    /// Whether it keeps the pipeline from being canceled by a newer one, unless it is interruptible.
    fn protects(&self) -> bool {
        let started = matches!(
            self.status,
            Status::Running | Status::Success | Status::Failed
        );
        started && !self.satisfied
    }
}
