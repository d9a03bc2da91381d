//! Where a run stands: its pipeline, and those that trigger jobs made.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_pipeline::{Event, JobIdx, JobKey, Pipeline, PipelineId};

use super::progress::{JobProgress, Progress};

/// Where all pipelines of a run stand.
#[derive(Clone, Debug)]
pub struct RunProgress {
    /// Number of the run's own pipeline; `None` before its first event.
    id: Option<PipelineId>,
    root: Progress,
    below: BTreeMap<PipelineId, Below>,
}

/// A pipeline that a trigger job made.
#[derive(Clone, Debug)]
struct Below {
    parent: JobKey,
    /// Full name of the trigger job.
    label: Arc<str>,
    depth: usize,
    progress: Progress,
}

/// One pipeline of a run.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Full name of the trigger job that made it; empty for the run's own pipeline.
    pub label: &'a str,
    /// How many trigger jobs lead here.
    pub depth: usize,
    /// The try of the trigger job that made it.
    pub parent: Option<JobKey>,
    /// Where it stands.
    pub progress: &'a Progress,
}

impl RunProgress {
    /// A run of which nothing has happened yet.
    pub fn new(pipeline: Arc<Pipeline>) -> RunProgress {
        RunProgress {
            id: None,
            root: Progress::new(pipeline),
            below: BTreeMap::new(),
        }
    }

    /// Takes in a pipeline that a trigger job made, before its first event.
    pub fn add(&mut self, id: PipelineId, parent: JobKey, pipeline: Arc<Pipeline>) {
        let depth = match self.below.get(&parent.pipeline) {
            Some(above) => above.depth + 1,
            None => 1,
        };
        let below = Below {
            parent,
            label: self.name(parent.pipeline, parent.job).into(),
            depth,
            progress: Progress::new(pipeline),
        };
        self.below.insert(id, below);
    }

    /// The run's own pipeline.
    pub fn root(&self) -> &Progress {
        &self.root
    }

    /// One of its pipelines.
    pub fn of(&self, id: PipelineId) -> &Progress {
        match self.below.get(&id) {
            Some(below) => &below.progress,
            None => &self.root,
        }
    }

    pub(super) fn of_mut(&mut self, id: PipelineId) -> &mut Progress {
        match self.below.get_mut(&id) {
            Some(below) => &mut below.progress,
            None => &mut self.root,
        }
    }

    /// Takes an event in; one of a pipeline that was not taken in changes nothing.
    pub fn apply(&mut self, event: &Event) {
        let root = *self.id.get_or_insert(event.pipeline);
        if event.pipeline == root || self.below.contains_key(&event.pipeline) {
            self.of_mut(event.pipeline).apply(event);
        }
    }

    /// What people call a job: its name, after those of the trigger jobs that lead to its pipeline.
    pub fn name(&self, id: PipelineId, job: JobIdx) -> Cow<'_, str> {
        match self.below.get(&id) {
            Some(below) => qualified(&below.label, &below.progress, job),
            None => qualified("", &self.root, job),
        }
    }

    /// The pipelines in the order people see: each after the one above it, in the order of the trigger jobs. Those of tries
    /// that were retried are left out.
    pub fn members(&self) -> Vec<Member<'_>> {
        let mut members = vec![Member {
            label: "",
            depth: 0,
            parent: None,
            progress: &self.root,
        }];
        self.add_below(self.id, &mut members);
        members
    }

    fn add_below<'a>(&'a self, id: Option<PipelineId>, members: &mut Vec<Member<'a>>) {
        let Some(id) = id else { return };
        let above = self.of(id);
        let present = |below: &Below| {
            below.parent.pipeline == id
                && above.job(below.parent.job).attempt == below.parent.attempt
        };
        let mut all: Vec<_> = self.below.iter().filter(|(_, b)| present(b)).collect();
        let stage = |below: &Below| above.pipeline().job(below.parent.job).stage;
        all.sort_by_key(|(_, below)| (stage(below), below.parent.job));
        for (child, below) in all {
            members.push(Member {
                label: &below.label,
                depth: below.depth,
                parent: Some(below.parent),
                progress: &below.progress,
            });
            self.add_below(Some(*child), members);
        }
    }
}

impl<'a> Member<'a> {
    /// What people call a job of this pipeline.
    pub fn name(&self, job: JobIdx) -> Cow<'a, str> {
        qualified(self.label, self.progress, job)
    }

    /// Its jobs with where they stand, in the order people see.
    pub fn jobs(&self) -> impl Iterator<Item = (JobIdx, &'a JobProgress)> + use<'a> {
        self.progress.in_stage_order()
    }
}

fn qualified<'a>(label: &str, progress: &'a Progress, job: JobIdx) -> Cow<'a, str> {
    let name = &*progress.pipeline().job(job).name;
    if label.is_empty() {
        return name.into();
    }
    format!("{label}/{name}").into()
}
