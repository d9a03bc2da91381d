//! Inert data that crosses the walls: pipelines and their jobs, statuses, what an executor needs, reasons and events.
//!
//! Nothing here decides or runs anything. A [`Pipeline`] is what the planner made; [`Status`] and [`Reason`] are what the
//! scheduler speaks of; a [`JobSpec`] is all an executor needs of one job; [`Event`]s are what everybody else reads.
//!
//! The crate knows neither configuration files nor how anything runs.

mod artifact_sources;
mod cache_key;
mod event;
mod id;
mod job;
mod keyword;
mod pipeline;
mod reason;
mod result;
mod selection;
mod spec;
mod spec_builder;
mod status;
mod steps;
mod wire;
mod wire_pipeline;

pub use cache_key::{CleanCacheKey, clean_cache_key};
pub use event::{CacheOutcome, Event, EventKind};
pub use id::{Attempt, JobIdx, JobKey, PipelineId, StageIdx};
pub use job::{
    Action, AllowFailure, Alternatives, Bridge, Build, CrossNeed, Downstream, Environment,
    EnvironmentAction, Job, Need, NeedEntry, Pick, Presence, ResourceGroup, Strategy, Wait,
};
pub use keyword::{
    ArtifactFormat, Artifacts, Cache, CacheKey, CachePolicy, CacheWhen, Image, OnMiss, PullPolicy,
    PushIf, Report, Retry, Service, Timeout, When,
};
pub use pipeline::{
    AutoCancel, AutoCancelOnJobFailure, AutoCancelOnNewCommit, Pipeline, ProcessMode,
};
pub use reason::{FailureReason, Reason};
pub use result::{EnvironmentResult, JobResult, PagesResult, ReleaseResult};
pub use selection::UnknownJob;
pub use spec::{
    ArtifactSpec, CacheSpec, DependencySpec, GitSpec, JobSpec, ShellKind, StepSpec, VariableSpec,
};
pub use spec_builder::{CacheSuffix, StartFacts, job_spec, start_variables};
pub use status::Status;
pub use steps::NotRunnable;
pub use wire::{EVENT_VERSION, UnreadableEvent, event_from_json, event_to_json};
pub use wire_pipeline::{
    PIPELINE_VERSION, UnreadablePipeline, pipeline_from_json, pipeline_to_json,
};
