//! What a run asks of whoever plans pipelines when it reaches a trigger job.

use std::path::PathBuf;
use std::sync::Arc;

use tidegate_expr::Variable;
use tidegate_pipeline::{Bridge, FailureReason, JobKey, PipelineId, Status};
use tidegate_store::Artifact;

use crate::pins::Pins;
use crate::remote::RemoteCaches;
use crate::setup::{Base, Begun};
use crate::stored_run::StoredRun;

/// Plans the pipelines that trigger jobs ask for.
///
/// Called on threads of their own, several at a time: planning may fetch files.
pub trait Planner: Send + Sync {
    /// Plans what the trigger job asks for and, where something comes of it, registers the pipeline.
    fn plan(&self, request: &TriggerRequest) -> Triggered;

    /// The cache that another project than the run's shares with other machines, for the pipeline of these facts.
    fn remote(&self, facts: &StoredRun) -> Option<Arc<dyn RemoteCaches>>;

    /// What the newest successful job of another project left; the error says what is missing.
    fn artifacts(&self, wanted: &ProjectNeed) -> Result<Vec<Artifact>, String>;
}

/// A planner of runs whose pipelines have no trigger jobs.
#[derive(Clone, Copy, Debug)]
pub struct NoPlanner;

impl Planner for NoPlanner {
    fn plan(&self, _: &TriggerRequest) -> Triggered {
        Triggered::Refused(Refusal {
            reason: FailureReason::DownstreamPipelineCreationFailed,
            messages: vec!["nobody plans downstream pipelines here".to_owned()],
        })
    }

    fn remote(&self, _: &StoredRun) -> Option<Arc<dyn RemoteCaches>> {
        None
    }

    fn artifacts(&self, wanted: &ProjectNeed) -> Result<Vec<Artifact>, String> {
        let project = &wanted.project;
        Err(format!("nobody knows where the project {project} is"))
    }
}

/// A job of another project whose artifacts are wanted (`needs:project`), its texts expanded.
#[derive(Clone, Debug)]
pub struct ProjectNeed {
    /// Path of the project.
    pub project: String,
    /// Branch or tag.
    pub reference: String,
    /// Name of the job.
    pub job: String,
    /// What the planner kept of the pipeline that wants them: [`StoredRun::origin`].
    pub origin: Arc<str>,
}

/// A trigger job that was reached.
#[derive(Clone, Debug)]
pub struct TriggerRequest {
    /// Which try of which job.
    pub key: JobKey,
    /// Full name of the job.
    pub job: Arc<str>,
    /// Its `CI_JOB_ID`.
    pub job_id: u64,
    /// What it asks for.
    pub bridge: Arc<Bridge>,
    /// Variables it passes on, expanded.
    pub variables: Vec<Variable>,
    /// The pipelines above the one that is asked for: the trigger job's own first, the run's last.
    pub lineage: Vec<Ancestor>,
    /// The directories its pipeline's jobs start from, lowest first; read-only.
    pub tree: Vec<PathBuf>,
    /// The caches the run keeps; those that decisions of the plan rely on are added.
    pub pins: Pins,
    /// How many pipelines the run has so far.
    pub pipelines: usize,
}

/// A pipeline above the one that is asked for.
#[derive(Clone, Debug)]
pub struct Ancestor {
    /// Which.
    pub id: PipelineId,
    /// What its planner kept of it: [`StoredRun::origin`].
    pub origin: Arc<str>,
}

/// What came of a trigger job.
pub enum Triggered {
    /// There is a pipeline.
    Created(Box<Created>),
    /// It shows the status of a pipeline of another project (`needs:pipeline` on a job without script).
    Mirrored(Status),
    /// Its project is not on this machine.
    Elsewhere(Elsewhere),
    /// There is none, as there would be none at GitLab.
    Refused(Refusal),
}

/// A pipeline that was made for a trigger job.
pub struct Created {
    /// Its registration.
    pub begun: Begun,
    /// What it runs.
    pub facts: StoredRun,
    /// The tree its jobs start from; `None`: that of the pipeline above it.
    pub base: Option<Base>,
    /// What the log of the trigger job says of it.
    pub messages: Vec<String>,
}

/// A pipeline that would have been triggered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Elsewhere {
    /// Path of its project.
    pub project: Arc<str>,
    /// Branch or tag; `None`: the project's default branch.
    pub reference: Option<Arc<str>>,
    /// What the log of the trigger job says of it.
    pub messages: Vec<String>,
}

/// Why there is no pipeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// In GitLab's word.
    pub reason: FailureReason,
    /// What the log of the trigger job says of it.
    pub messages: Vec<String>,
}
