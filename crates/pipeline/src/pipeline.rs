//! A planned pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::{JobIdx, StageIdx};
use crate::job::Job;

/// A pipeline as planned: what will run, not how it is going. Shared as an `Arc` and never changed.
///
/// Invariant: jobs stand in definition order; every [`JobIdx`] and [`StageIdx`] inside is in range; needs form no cycle.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    /// `workflow:name`, expanded.
    pub name: Option<Arc<str>>,
    /// Names of all stages, `.pre` and `.post` included, those without jobs too.
    pub stages: Vec<Arc<str>>,
    /// The jobs.
    pub jobs: Vec<Job>,
    /// `workflow:auto_cancel` in force.
    pub auto_cancel: AutoCancel,
    /// Process modes of resource groups by key; those not listed are unordered.
    pub process_modes: BTreeMap<Arc<str>, ProcessMode>,
}

impl Pipeline {
    /// The job at `at`.
    ///
    /// # Panics
    /// When `at` is of another pipeline; indices are only made by the planner.
    pub fn job(&self, at: JobIdx) -> &Job {
        &self.jobs[at.at()]
    }

    /// The job of a full name.
    pub fn find(&self, name: &str) -> Option<JobIdx> {
        self.jobs
            .iter()
            .position(|job| &*job.name == name)
            .map(|at| JobIdx(at as u32))
    }

    /// All jobs with their indices, in definition order.
    pub fn indexed(&self) -> impl Iterator<Item = (JobIdx, &Job)> {
        self.jobs
            .iter()
            .enumerate()
            .map(|(at, job)| (JobIdx(at as u32), job))
    }

    /// Indices of the jobs by stage, then definition: the order people see.
    pub fn in_stage_order(&self) -> Vec<JobIdx> {
        let mut order: Vec<JobIdx> = self.indexed().map(|(at, _)| at).collect();
        order.sort_by_key(|at| (self.job(*at).stage, *at));
        order
    }

    /// The name of a stage.
    pub fn stage(&self, at: StageIdx) -> &str {
        self.stages.get(at.at()).map_or("", |name| name)
    }
}

/// `workflow:auto_cancel`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct AutoCancel {
    /// What a new commit cancels.
    pub on_new_commit: AutoCancelOnNewCommit,
    /// What a failed job cancels.
    pub on_job_failure: AutoCancelOnJobFailure,
}

/// `auto_cancel:on_new_commit`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum AutoCancelOnNewCommit {
    /// The whole pipeline, unless a job that is not interruptible has started.
    #[default]
    Conservative,
    /// Only interruptible jobs.
    Interruptible,
    /// Nothing.
    None,
}

/// `auto_cancel:on_job_failure`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum AutoCancelOnJobFailure {
    /// Nothing.
    #[default]
    None,
    /// All other jobs.
    All,
}

/// In which order a resource group lets jobs run (reference `compose.md` §8.9).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum ProcessMode {
    /// Any that waits.
    #[default]
    Unordered,
    /// The oldest pipeline first.
    OldestFirst,
    /// The newest pipeline first.
    NewestFirst,
    /// The newest pipeline among those that wait.
    NewestReadyFirst,
}
