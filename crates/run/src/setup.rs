//! What a run is given, and what it gives.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tidegate_exec::{Environment, ShellExecutor};
use tidegate_pipeline::{Event, JobKey, Pipeline, PipelineId, Status};
use tidegate_store::{NewRun, RunId, RunLog, RunRecord, Store, StoreError};
use tidegate_workspace::{Backend, Layer};

use crate::downstream::Planner;
use crate::engine::Resumption;
use crate::pins::Pins;
use crate::remote::RemoteCaches;
use crate::secrets::Providers;
use crate::stored_run::{StoredRun, StoredRunError};

/// A run that is registered and has not started.
pub struct Begun {
    /// Its numbers.
    pub record: RunRecord,
    /// Its event log.
    pub log: RunLog,
}

/// Registers a run of the project `key`, so that what it needs can be leased for it.
///
/// # Errors
/// The store cannot be used.
pub fn begin(store: &Store, key: &str) -> Result<Begun, StoreError> {
    begin_below(store, key, None)
}

/// Registers a pipeline of the project `key` that a trigger job of the pipeline `parent` asked for.
///
/// # Errors
/// The store cannot be used.
pub fn begin_downstream(store: &Store, key: &str, parent: PipelineId) -> Result<Begun, StoreError> {
    begin_below(store, key, Some(RunId(parent.0)))
}

fn begin_below(store: &Store, key: &str, parent: Option<RunId>) -> Result<Begun, StoreError> {
    let (record, log) = store.begin_run(NewRun {
        project: key,
        parent,
        note: "",
    })?;
    Ok(Begun { record, log })
}

/// Everything a run needs.
pub struct RunSetup {
    /// The run, registered.
    pub begun: Begun,
    /// What happened so far, of a run that goes on.
    pub past: Option<Resumption>,
    /// What to run, and for whom. Its jobs get their numbers when the run starts.
    pub facts: StoredRun,
    /// Plans what trigger jobs trigger.
    pub planner: Arc<dyn Planner>,
    /// Where caches, artifacts and logs go.
    pub store: Store,
    /// Where caches are shared with other machines.
    pub remote: Option<Arc<dyn RemoteCaches>>,
    /// Runs the jobs.
    pub executor: ShellExecutor,
    /// The environment jobs start from.
    pub environment: Environment,
    /// How work trees are made.
    pub backend: Backend,
    /// The tree all jobs start from.
    pub base: Base,
    /// Caches that decisions of the plan relied on.
    pub pins: Pins,
    /// How many jobs run at once, those of downstream pipelines included.
    pub parallel: NonZeroUsize,
    /// What processes get between TERM and KILL when a job is canceled.
    pub grace: Duration,
    /// Bytes of log kept of each job.
    pub log_limit: u64,
    /// Where the values of secrets and ID tokens come from.
    pub providers: Providers,
    /// Version of this program, shown to jobs as their runner's.
    pub version: String,
}

/// The tree all jobs of a run start from.
pub struct Base {
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
    /// Paths that git tracks, sorted; what `untracked` does not mean.
    pub tracked: Arc<[PathBuf]>,
    /// Keeps the layers alive.
    pub guard: Box<dyn Send>,
}

/// Facts of the project a run belongs to.
#[derive(Clone, Debug)]
pub struct ProjectFacts {
    /// Under which caches and runs are kept; not shown to jobs.
    pub key: String,
    /// Directory name of the work trees, the last part of the project path.
    pub directory: String,
    /// `CI_PROJECT_URL`, for URLs of pipeline and jobs.
    pub url: String,
}

/// Is told everything that happens, on the thread of the run.
pub trait Observer {
    /// The pipeline has its number; told before anything else.
    fn begin(&mut self, pipeline: PipelineId);
    /// Something happened before the run was resumed; told after its beginning, before anything else.
    fn past(&mut self, event: &Event);
    /// Something happened.
    fn event(&mut self, event: &Event);
    /// A trigger job made a pipeline; told before the first event of that pipeline, also before past ones.
    fn downstream(&mut self, id: PipelineId, parent: JobKey, pipeline: &Arc<Pipeline>);
    /// A job printed; pieces end anywhere.
    fn log(&mut self, key: JobKey, bytes: &[u8]);
    /// Time passed; told at least ten times a second.
    fn tick(&mut self, now_ms: u64);
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunEnd {
    /// Its number.
    pub pipeline: PipelineId,
    /// Status of the pipeline; `manual` also where a trigger job waits for a pipeline that waits for a person.
    pub status: Status,
    /// A downstream pipeline failed that its trigger job does not answer for.
    pub unheeded_failure: bool,
    /// The user interrupted it.
    pub interrupted: bool,
}

/// The run itself failed, not a job of it.
#[derive(Debug, Error)]
pub enum RunError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was stored of a downstream pipeline cannot be read.
    #[error(transparent)]
    Stored(#[from] StoredRunError),
    /// A thread could not be started.
    #[error("start a thread for a job: {0}")]
    Thread(#[source] std::io::Error),
    /// The scheduler was told something that cannot be; a fault of this program.
    #[error("go on with the pipeline: {0}")]
    Schedule(String),
}
