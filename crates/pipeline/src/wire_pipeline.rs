//! Pipelines as JSON: what a run keeps of its plan, so that it can go on without planning again.
//!
//! The types below are the format; they mirror [`Pipeline`] by hand, as those of events do. Layers of variables and builds that
//! jobs share are written once. Version 1: unknown fields are ignored on reading, an unknown word or version is an error.
//!
//! Values of masked variables are in the text as they are: whoever keeps it must keep it from others.

mod job;
mod keyword;
mod mirror;
mod variable;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_expr::{Variable, Variables};

use crate::id::{JobIdx, StageIdx};
use crate::job::{
    Action, AllowFailure, Bridge, Build, CrossNeed, Environment, Job, NeedEntry, Presence,
    ResourceGroup,
};
use crate::keyword::{Retry, Timeout, When};
use crate::pipeline::{
    AutoCancel, AutoCancelOnJobFailure, AutoCancelOnNewCommit, Pipeline, ProcessMode,
};
use mirror::{Mirrored, record, words};

/// Version of the format, the field `v` of the object.
pub const PIPELINE_VERSION: u32 = 1;

/// A text that is no pipeline of this version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnreadablePipeline(pub String);

impl std::fmt::Display for UnreadablePipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "read a pipeline: {}", self.0)
    }
}

impl std::error::Error for UnreadablePipeline {}

/// The pipeline as JSON, masked values included.
pub fn pipeline_to_json(pipeline: &Pipeline) -> String {
    let mut shared = Sharing::default();
    let jobs = pipeline.jobs.iter().map(|job| shared.job(job)).collect();
    let record = PipelineWire {
        v: PIPELINE_VERSION,
        name: pipeline.name.wire(),
        stages: pipeline.stages.wire(),
        variables: shared.layers.wire,
        builds: shared.builds.wire,
        jobs,
        auto_cancel: pipeline.auto_cancel.wire(),
        process_modes: pipeline.process_modes.wire(),
    };
    serde_json::to_string(&record).expect("numbers, texts and lists are always JSON")
}

/// Reads what [`pipeline_to_json`] wrote; variables have no place in a file any more.
///
/// # Errors
/// The text is no JSON, of another version, holds a word this version does not know, or an index that points nowhere.
pub fn pipeline_from_json(text: &str) -> Result<Pipeline, UnreadablePipeline> {
    let unreadable = |error: serde_json::Error| UnreadablePipeline(error.to_string());
    let version: Version = serde_json::from_str(text).map_err(unreadable)?;
    if version.v != PIPELINE_VERSION {
        return Err(UnreadablePipeline(format!(
            "version {} is not {PIPELINE_VERSION}",
            version.v
        )));
    }
    let record: PipelineWire = serde_json::from_str(text).map_err(unreadable)?;
    let pipeline = record
        .model()
        .ok_or_else(|| UnreadablePipeline("unknown word".to_owned()))?;
    if points_nowhere(&pipeline) {
        return Err(UnreadablePipeline("an index points nowhere".to_owned()));
    }
    Ok(pipeline)
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Serialize, Deserialize)]
struct PipelineWire {
    v: u32,
    name: Option<String>,
    stages: Vec<String>,
    /// Layers of variables; jobs name them by position.
    variables: Vec<<Vec<Variable> as Mirrored>::Wire>,
    /// Jobs name them by position.
    builds: Vec<<Build as Mirrored>::Wire>,
    jobs: Vec<JobWire>,
    auto_cancel: AutoCancelWire,
    process_modes: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct JobWire {
    name: String,
    stage: u32,
    when: <When as Mirrored>::Wire,
    start_in: <Option<Timeout> as Mirrored>::Wire,
    allow_failure: <AllowFailure as Mirrored>::Wire,
    needs: <Option<Vec<NeedEntry>> as Mirrored>::Wire,
    dependencies: Option<Vec<u32>>,
    cross_needs: <Vec<CrossNeed> as Mirrored>::Wire,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    from_earlier_runs: Vec<String>,
    presence: <Presence as Mirrored>::Wire,
    retry: <Retry as Mirrored>::Wire,
    interruptible: Option<bool>,
    resource_group: <Option<ResourceGroup> as Mirrored>::Wire,
    environment: <Option<Environment> as Mirrored>::Wire,
    recheck_caches: Vec<u32>,
    /// Positions of its layers, lowest precedence first.
    variables: Vec<u32>,
    tags: Vec<String>,
    action: ActionWire,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActionWire {
    /// Position of its build.
    Build(u32),
    Bridge(<Bridge as Mirrored>::Wire),
}

words!(AutoCancelOnNewCommit {
    Conservative = "conservative",
    Interruptible = "interruptible",
    None = "none",
});

words!(AutoCancelOnJobFailure { None = "none", All = "all" });

words!(ProcessMode {
    Unordered = "unordered",
    OldestFirst = "oldest_first",
    NewestFirst = "newest_first",
    NewestReadyFirst = "newest_ready_first",
});

record!(AutoCancel as AutoCancelWire {
    on_new_commit: AutoCancelOnNewCommit,
    on_job_failure: AutoCancelOnJobFailure,
});

/// What several jobs share, each thing once.
#[derive(Default)]
struct Sharing {
    layers: Once<<Vec<Variable> as Mirrored>::Wire>,
    builds: Once<<Build as Mirrored>::Wire>,
}

/// Things by where they are in memory.
struct Once<W> {
    known: HashMap<usize, u32>,
    wire: Vec<W>,
}

impl<W> Default for Once<W> {
    fn default() -> Self {
        Once {
            known: HashMap::new(),
            wire: Vec::new(),
        }
    }
}

impl<W> Once<W> {
    fn position(&mut self, address: usize, wire: impl FnOnce() -> W) -> u32 {
        *self.known.entry(address).or_insert_with(|| {
            self.wire.push(wire());
            self.wire.len() as u32 - 1
        })
    }
}

impl Sharing {
    fn job(&mut self, job: &Job) -> JobWire {
        let layers = job.variables.layers().iter().map(|layer| {
            let address = Arc::as_ptr(layer).cast::<Variable>() as usize;
            self.layers
                .position(address, || layer.iter().map(Mirrored::wire).collect())
        });
        let variables = layers.collect();
        let action = match &job.action {
            Action::Build(build) => ActionWire::Build(
                self.builds
                    .position(Arc::as_ptr(build) as usize, || build.wire()),
            ),
            Action::Bridge(bridge) => ActionWire::Bridge(bridge.wire()),
        };
        JobWire {
            name: job.name.wire(),
            stage: job.stage.0,
            when: job.when.wire(),
            start_in: job.start_in.wire(),
            allow_failure: job.allow_failure.wire(),
            needs: job.needs.wire(),
            dependencies: job.dependencies.wire(),
            cross_needs: job.cross_needs.wire(),
            from_earlier_runs: job.from_earlier_runs.wire(),
            presence: job.presence.wire(),
            retry: job.retry.wire(),
            interruptible: job.interruptible,
            resource_group: job.resource_group.wire(),
            environment: job.environment.as_deref().map(Mirrored::wire),
            recheck_caches: job.recheck_caches.clone(),
            variables,
            tags: job.tags.wire(),
            action,
        }
    }
}

impl PipelineWire {
    fn model(self) -> Option<Pipeline> {
        let layer = |wire| Some(Arc::from(<Vec<Variable>>::model(wire)?));
        let layers: Vec<Arc<[Variable]>> = self
            .variables
            .into_iter()
            .map(layer)
            .collect::<Option<_>>()?;
        let build = |wire| Build::model(wire).map(Arc::new);
        let builds: Vec<Arc<Build>> = self.builds.into_iter().map(build).collect::<Option<_>>()?;
        let job = |wire: JobWire| wire.model(&layers, &builds);
        Some(Pipeline {
            name: Mirrored::model(self.name)?,
            stages: Mirrored::model(self.stages)?,
            jobs: self.jobs.into_iter().map(job).collect::<Option<_>>()?,
            auto_cancel: Mirrored::model(self.auto_cancel)?,
            process_modes: <BTreeMap<Arc<str>, ProcessMode>>::model(self.process_modes)?,
        })
    }
}

impl JobWire {
    fn model(self, layers: &[Arc<[Variable]>], builds: &[Arc<Build>]) -> Option<Job> {
        let mut variables = Variables::default();
        for position in self.variables {
            variables.push(Arc::clone(layers.get(position as usize)?));
        }
        let action = match self.action {
            ActionWire::Build(position) => {
                Action::Build(Arc::clone(builds.get(position as usize)?))
            }
            ActionWire::Bridge(bridge) => Action::Bridge(Arc::new(Mirrored::model(bridge)?)),
        };
        let environment: Option<Environment> = Mirrored::model(self.environment)?;
        Some(Job {
            name: self.name.into(),
            stage: StageIdx(self.stage),
            when: Mirrored::model(self.when)?,
            start_in: Mirrored::model(self.start_in)?,
            allow_failure: Mirrored::model(self.allow_failure)?,
            needs: Mirrored::model(self.needs)?,
            dependencies: <Option<Vec<JobIdx>>>::model(self.dependencies)?,
            cross_needs: Mirrored::model(self.cross_needs)?,
            from_earlier_runs: Mirrored::model(self.from_earlier_runs)?,
            presence: Mirrored::model(self.presence)?,
            retry: Mirrored::model(self.retry)?,
            interruptible: self.interruptible,
            resource_group: Mirrored::model(self.resource_group)?,
            environment: environment.map(Arc::new),
            recheck_caches: self.recheck_caches,
            variables,
            tags: Mirrored::model(self.tags)?,
            action,
        })
    }
}

/// Whether a job or stage is named that does not exist; the invariant of [`Pipeline`].
fn points_nowhere(pipeline: &Pipeline) -> bool {
    let no_job = |at: JobIdx| at.at() >= pipeline.jobs.len();
    pipeline.jobs.iter().any(|job| {
        job.stage.at() >= pipeline.stages.len()
            || job.needed_jobs().any(|need| no_job(need.job))
            || job.dependencies.iter().flatten().any(|at| no_job(*at))
    })
}

#[cfg(test)]
mod tests;
