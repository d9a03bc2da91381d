//! Who gets the slot of a resource group: [`ResourceGroups`], shared by all pipelines of a project.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidegate_pipeline::{JobKey, PipelineId, ProcessMode};

use crate::action::Claim;

/// The resource groups of a project: one slot for each key (GitLab 18.11, reference `compose.md` §8.9).
///
/// Fed with the [`Action::Resource`](crate::Action::Resource)s of its pipelines; whom it grants a slot, its pipeline takes as
/// [`Input::ResourceGranted`](crate::Input::ResourceGranted).
#[derive(Clone, Default, Debug)]
pub struct ResourceGroups {
    groups: BTreeMap<Arc<str>, Group>,
}

/// One group. A job is in at most one of the three places.
#[derive(Clone, Default, Debug)]
struct Group {
    mode: ProcessMode,
    holder: Option<JobKey>,
    /// Those that ask, each with its turn.
    asking: BTreeMap<JobKey, u64>,
    by_turn: BTreeMap<u64, JobKey>,
    by_pipeline: BTreeSet<(PipelineId, u64, JobKey)>,
    next_turn: u64,
    /// Those that may ask later.
    expected: BTreeSet<JobKey>,
}

impl ResourceGroups {
    /// Takes a claim and returns the job that gets the slot by it, if one does.
    ///
    /// A group's mode is the one told last. Claims that say nothing new, and releases of what was never claimed, do nothing.
    pub fn claim(
        &mut self,
        key: &Arc<str>,
        mode: ProcessMode,
        job: JobKey,
        claim: Claim,
    ) -> Option<JobKey> {
        let group = self.groups.entry(Arc::clone(key)).or_default();
        group.mode = mode;
        group.take(job, claim);
        let granted = group.grant();
        if group.is_empty() {
            self.groups.remove(key);
        }
        granted
    }

    /// The job that has the slot of a group.
    pub fn holder(&self, key: &str) -> Option<JobKey> {
        self.groups.get(key)?.holder
    }
}

impl Group {
    fn take(&mut self, job: JobKey, claim: Claim) {
        let has_or_asks = self.holder == Some(job) || self.asking.contains_key(&job);
        if claim == Claim::Requested && has_or_asks {
            return;
        }
        self.forget(job);
        match claim {
            Claim::Expected => {
                self.expected.insert(job);
            }
            Claim::Requested => self.ask(job),
            Claim::Held => self.holder = Some(job),
            Claim::Released => {}
        }
    }

    fn ask(&mut self, job: JobKey) {
        let turn = self.next_turn;
        self.next_turn += 1;
        self.asking.insert(job, turn);
        self.by_turn.insert(turn, job);
        self.by_pipeline.insert((job.pipeline, turn, job));
    }

    fn forget(&mut self, job: JobKey) {
        if self.holder == Some(job) {
            self.holder = None;
        }
        self.expected.remove(&job);
        if let Some(turn) = self.asking.remove(&job) {
            self.by_turn.remove(&turn);
            self.by_pipeline.remove(&(job.pipeline, turn, job));
        }
    }

    fn grant(&mut self) -> Option<JobKey> {
        if self.holder.is_some() {
            return None;
        }
        let next = self.next()?;
        self.forget(next);
        self.holder = Some(next);
        Some(next)
    }

    /// The job whose turn it is; `None` also where an ordered group waits for one that does not ask yet.
    fn next(&self) -> Option<JobKey> {
        let first_asking = self.by_pipeline.first().map(|(pipeline, ..)| *pipeline);
        let last_asking = self.by_pipeline.last().map(|(pipeline, ..)| *pipeline);
        match self.mode {
            ProcessMode::Unordered => self.by_turn.first_key_value().map(|(_, job)| *job),
            ProcessMode::OldestFirst => {
                let expected = self.expected.first().map(|job| job.pipeline);
                let pipeline = first_asking?;
                let free = expected.is_none_or(|expected| pipeline <= expected);
                self.first_of(pipeline).filter(|_| free)
            }
            ProcessMode::NewestFirst => {
                let expected = self.expected.last().map(|job| job.pipeline);
                let pipeline = last_asking?;
                let free = expected.is_none_or(|expected| pipeline >= expected);
                self.first_of(pipeline).filter(|_| free)
            }
            ProcessMode::NewestReadyFirst => self.first_of(last_asking?),
        }
    }

    /// The job of a pipeline that has asked longest.
    fn first_of(&self, pipeline: PipelineId) -> Option<JobKey> {
        let of_pipeline = |key: &&(PipelineId, u64, JobKey)| key.0 == pipeline;
        let start = (
            pipeline,
            0,
            JobKey {
                pipeline: PipelineId(0),
                job: tidegate_pipeline::JobIdx(0),
                attempt: tidegate_pipeline::Attempt(0),
            },
        );
        let mut from = self.by_pipeline.range(start..);
        from.next().filter(of_pipeline).map(|(_, _, job)| *job)
    }

    fn is_empty(&self) -> bool {
        self.holder.is_none() && self.asking.is_empty() && self.expected.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use tidegate_pipeline::{Attempt, JobIdx};

    use super::*;

    fn job(pipeline: u64, job: u32) -> JobKey {
        JobKey {
            pipeline: PipelineId(pipeline),
            job: JobIdx(job),
            attempt: Attempt::FIRST,
        }
    }

    /// Feeds claims and returns who was granted, in order.
    fn grants(mode: ProcessMode, claims: &[(JobKey, Claim)]) -> Vec<JobKey> {
        let mut groups = ResourceGroups::default();
        let key: Arc<str> = "prod".into();
        claims
            .iter()
            .filter_map(|(job, claim)| groups.claim(&key, mode, *job, *claim))
            .collect()
    }

    #[test]
    fn one_job_at_a_time_has_the_slot() {
        let (a, b) = (job(1, 0), job(1, 1));
        let claims = [(a, Claim::Requested), (b, Claim::Requested)];
        assert_eq!(grants(ProcessMode::Unordered, &claims), [a]);
        let claims = [claims[0], claims[1], (a, Claim::Released)];
        assert_eq!(grants(ProcessMode::Unordered, &claims), [a, b]);
    }

    #[test]
    fn a_withdrawn_request_is_passed_over() {
        let (a, b, c) = (job(1, 0), job(1, 1), job(1, 2));
        let claims = [
            (a, Claim::Requested),
            (b, Claim::Requested),
            (c, Claim::Requested),
            (b, Claim::Released),
            (a, Claim::Released),
        ];
        assert_eq!(grants(ProcessMode::Unordered, &claims), [a, c]);
    }

    #[test]
    fn oldest_first_waits_for_an_older_pipeline_that_does_not_ask_yet() {
        let (old, new) = (job(1, 0), job(2, 0));
        let claims = [
            (old, Claim::Expected),
            (new, Claim::Expected),
            (new, Claim::Requested),
        ];
        assert_eq!(grants(ProcessMode::OldestFirst, &claims), []);
        let claims = [claims[0], claims[1], claims[2], (old, Claim::Released)];
        assert_eq!(grants(ProcessMode::OldestFirst, &claims), [new]);
    }

    #[test]
    fn in_the_first_pipeline_those_that_ask_go_before_those_that_will() {
        let (asks, will) = (job(1, 1), job(1, 0));
        let claims = [(will, Claim::Expected), (asks, Claim::Requested)];
        assert_eq!(grants(ProcessMode::OldestFirst, &claims), [asks]);
        assert_eq!(grants(ProcessMode::NewestFirst, &claims), [asks]);
    }

    #[test]
    fn newest_first_waits_for_a_newer_pipeline_and_newest_ready_first_does_not() {
        let (old, new) = (job(1, 0), job(2, 0));
        let claims = [(new, Claim::Expected), (old, Claim::Requested)];
        assert_eq!(grants(ProcessMode::NewestFirst, &claims), []);
        assert_eq!(grants(ProcessMode::NewestReadyFirst, &claims), [old]);
    }

    #[test]
    fn a_job_that_is_put_back_gives_the_slot_back() {
        let (back, next) = (job(1, 0), job(1, 1));
        let claims = [
            (back, Claim::Requested),
            (next, Claim::Requested),
            (back, Claim::Expected),
            (next, Claim::Released),
            (back, Claim::Requested),
        ];
        assert_eq!(
            grants(ProcessMode::OldestFirst, &claims),
            [back, next, back]
        );
    }

    #[test]
    fn newest_ready_first_takes_the_newest_that_asks() {
        let (holder, old, new) = (job(9, 0), job(1, 0), job(2, 0));
        let claims = [
            (holder, Claim::Held),
            (old, Claim::Requested),
            (new, Claim::Requested),
            (holder, Claim::Released),
        ];
        assert_eq!(grants(ProcessMode::NewestReadyFirst, &claims), [new]);
    }
}
