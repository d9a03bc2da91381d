//! Brings skipped jobs back when what made them skip begins again.
//!
//! After a play or retry GitLab puts every skipped job of later stages and every skipped descendant by needs back to `created`
//! and judges it again (reference `compose.md` §8.5). Most of them would only be skipped once more. Those are left alone here:
//! the set of jobs whose judgement has changed is kept up to date, and bringing one of them back can only change the judgement
//! of jobs that are in reach as well, so the outcome is the same.

use std::collections::BTreeSet;

use tidegate_pipeline::{JobIdx, Reason, StageIdx, Status};

use crate::predecessors::Previous;
use crate::schedule::Schedule;
use crate::schedule::judge::starts;

impl Schedule {
    /// Brings back what `origin`, which has begun again, had made skip.
    pub(super) fn reset_after(&mut self, origin: JobIdx) {
        let stage = self.job(origin).stage;
        let mut descendants = None;
        loop {
            self.reset_stale_needs(origin, stage, &mut descendants);
            if !self.reset_later_stages(stage) {
                return;
            }
        }
    }

    fn reset_stale_needs(
        &mut self,
        origin: JobIdx,
        stage: StageIdx,
        descendants: &mut Option<BTreeSet<JobIdx>>,
    ) {
        let mut out_of_reach = Vec::new();
        while let Some(job) = self.stale_skips.pop_first() {
            let in_reach = self.job(job).stage > stage
                || descendants
                    .get_or_insert_with(|| self.descendants(origin))
                    .contains(&job);
            if self.is_back_when_reset(job) && in_reach {
                self.set_status(job, Status::Created, Reason::Reset);
            } else if !in_reach {
                out_of_reach.push(job);
            }
        }
        self.stale_skips.extend(out_of_reach);
    }

    /// Returns whether any job was brought back.
    fn reset_later_stages(&mut self, stage: StageIdx) -> bool {
        let later = (std::ops::Bound::Excluded(stage), std::ops::Bound::Unbounded);
        let mut back = Vec::new();
        for (stage, jobs) in self.skipped.range_mut(later) {
            let previous = self.stages.previous(*stage);
            for (when, jobs) in jobs.each() {
                let skips = match previous {
                    Previous::Open => false,
                    Previous::Decided(status) => !starts(when, false, status),
                };
                if !skips {
                    back.append(jobs);
                }
            }
        }
        back.retain(|job| self.is_back_when_reset(*job));
        for job in &back {
            self.set_status(*job, Status::Created, Reason::Reset);
        }
        !back.is_empty()
    }

    /// A trigger job that is skipped like its pipeline is left alone: it was not passed over.
    fn is_back_when_reset(&self, job: JobIdx) -> bool {
        let state = &self.jobs[job.at()];
        state.status == Status::Skipped && !state.has_downstream
    }

    /// Every job that needs `origin`, directly or not.
    fn descendants(&self, origin: JobIdx) -> BTreeSet<JobIdx> {
        let mut found = BTreeSet::new();
        let mut open = vec![origin];
        while let Some(job) = open.pop() {
            let needing = self.graph.dependants(job).iter();
            let needing = needing.map(|edge| edge.dependant);
            for dependant in needing.chain(self.gates.consumers(job)) {
                if found.insert(dependant) {
                    open.push(dependant);
                }
            }
        }
        found
    }
}
