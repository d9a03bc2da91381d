//! The pipelines of an earlier run, and their jobs by name.
//!
//! A job of a downstream pipeline is called by the names of the trigger jobs that lead to it and its own, with slashes between
//! them. Names of jobs may hold slashes themselves: a job of the pipeline asked for wins over one further down, and where two
//! pipelines further down remain, the number of one (`--run`) says which is meant.

use tidegate_pipeline::{JobIdx, JobKey, PipelineId};
use tidegate_run::{Journal, StoredRun};
use tidegate_store::{RunId, Store};

use super::explain::unknown;
use super::past::{failure, found_jobs};
use crate::exit::Failure;

/// The pipelines of a run.
pub(super) struct RunTree {
    members: Vec<Member>,
}

/// One of them.
pub(super) struct Member {
    /// Its number.
    pub(super) id: PipelineId,
    /// Names of the trigger jobs that lead to it; empty for the run's own pipeline.
    pub(super) label: String,
    /// What it was begun with.
    pub(super) facts: StoredRun,
    /// No trigger job that leads to it was tried again since.
    pub(super) is_present: bool,
}

impl RunTree {
    /// Reads the pipelines of a run.
    pub(super) fn read(store: &Store, root: RunId) -> Result<RunTree, Failure> {
        let journal = Journal::read(store, root).map_err(|error| failure(&error))?;
        RunTree::of(store, root, &journal)
    }

    /// The pipelines of a run whose log was read.
    pub(super) fn of(store: &Store, root: RunId, journal: &Journal) -> Result<RunTree, Failure> {
        let facts = |id: PipelineId| {
            let run = RunId(id.0);
            StoredRun::load(store, run).map_err(|error| failure(&error))
        };
        let id = PipelineId(root.0);
        let mut tree = RunTree {
            members: vec![Member {
                id,
                label: String::new(),
                facts: facts(id)?,
                is_present: true,
            }],
        };
        let all: Vec<(PipelineId, JobKey)> = journal.downstream().collect();
        for (id, parent) in &all {
            let newer = |other: &JobKey| {
                (other.pipeline, other.job) == (parent.pipeline, parent.job)
                    && other.attempt > parent.attempt
            };
            let Some(above) = tree.get(parent.pipeline) else {
                continue;
            };
            let member = Member {
                id: *id,
                label: tree.name(parent.pipeline, parent.job),
                facts: facts(*id)?,
                is_present: above.is_present && !all.iter().any(|(_, other)| newer(other)),
            };
            tree.members.push(member);
        }
        Ok(tree)
    }

    /// All of them, the run's own first, each after the one above it.
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The pipeline of a number.
    pub(super) fn get(&self, id: PipelineId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    /// What people call a job.
    pub(super) fn name(&self, id: PipelineId, job: JobIdx) -> String {
        let Some(member) = self.get(id) else {
            return String::new();
        };
        let jobs = &member.facts.pipeline.jobs;
        let name = jobs.get(job.at()).map_or("", |job| &*job.name);
        member.qualified(name)
    }

    /// The job of a name as the pipeline `scope` sees it, or all instances of the parallel job of that name.
    pub(super) fn named(
        &self,
        scope: PipelineId,
        name: &str,
    ) -> Result<Vec<(PipelineId, JobIdx)>, Failure> {
        let mut found: Vec<(PipelineId, Vec<JobIdx>)> = Vec::new();
        let mut known = Vec::new();
        let above = self.get(scope).map_or("", |member| &*member.label);
        for member in &self.members {
            let Some(prefix) = member.seen_from(scope, above) else {
                continue;
            };
            let pipeline = &member.facts.pipeline;
            known.extend(
                pipeline
                    .jobs
                    .iter()
                    .map(|job| format!("{prefix}{}", job.name)),
            );
            let jobs = name.strip_prefix(&prefix);
            let jobs = jobs.map_or_else(Vec::new, |name| found_jobs(pipeline, name));
            if !jobs.is_empty() {
                found.push((member.id, jobs));
            }
        }
        let of_scope = found.iter().position(|(id, _)| *id == scope);
        let (id, jobs) = match (of_scope, &*found) {
            (Some(at), _) => found.swap_remove(at),
            (None, [_]) => found.swap_remove(0),
            (None, []) => return Err(unknown(name, known.iter().map(String::as_str))),
            (None, several) => {
                let numbers: Vec<String> = several.iter().map(|(id, _)| id.to_string()).collect();
                return Err(Failure::unusable(format!(
                    "`{name}` is a job of the pipelines {}",
                    numbers.join(" and ")
                ))
                .hint(
                    "`--run` with the number of one, and the name of the job alone, says which",
                ));
            }
        };
        Ok(jobs.into_iter().map(|job| (id, job)).collect())
    }
}

impl Member {
    /// The name of one of its jobs after those of the trigger jobs.
    pub(super) fn qualified(&self, name: &str) -> String {
        match &*self.label {
            "" => name.to_owned(),
            label => format!("{label}/{name}"),
        }
    }

    /// What stands before the names of its jobs for who looks from the pipeline `scope`, whose label is `above`; `None` where it
    /// is not below that, or of a try that was retried.
    fn seen_from(&self, scope: PipelineId, above: &str) -> Option<String> {
        if self.id == scope {
            return Some(String::new());
        }
        if !self.is_present {
            return None;
        }
        let below = match above {
            "" => Some(&*self.label),
            above => self.label.strip_prefix(above)?.strip_prefix('/'),
        };
        below
            .filter(|below| !below.is_empty())
            .map(|below| format!("{below}/"))
    }
}
