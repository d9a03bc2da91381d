//! Why a job changed its status.

use std::sync::Arc;

use crate::id::{Attempt, JobIdx};
use crate::status::Status;

/// Why a job failed, in GitLab's words (reference `compose.md` §8.6, `runner.md` §7).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum FailureReason {
    /// Nobody knows.
    UnknownFailure,
    /// A script ended badly.
    ScriptFailure,
    /// The coordinator could not be reached.
    ApiFailure,
    /// No runner took it, or the runner fell silent.
    StuckOrTimeoutFailure,
    /// What runs the job is broken: no workspace, no shell.
    RunnerSystemFailure,
    /// Artifacts it depends on are gone.
    MissingDependencyFailure,
    /// The runner cannot do what the job asks for.
    RunnerUnsupported,
    /// A delayed job was not started in time.
    StaleSchedule,
    /// It ran longer than its timeout.
    JobExecutionTimeout,
    /// A prerequisite could not be met.
    UnmetPrerequisites,
    /// The scheduler is broken.
    SchedulerFailure,
    /// Its data is damaged.
    DataIntegrityFailure,
    /// Its log became too long.
    TraceSizeExceeded,
    /// The environment could not be created.
    EnvironmentCreationFailure,
    /// A newer deployment happened first.
    FailedOutdatedDeploymentJob,
    /// The downstream project was not found.
    DownstreamBridgeProjectNotFound,
    /// The trigger makes no sense.
    InvalidBridgeTrigger,
    /// The upstream project was not found.
    UpstreamBridgeProjectNotFound,
    /// The downstream pipeline could not be created.
    DownstreamPipelineCreationFailed,
    /// No provider of a secret is configured.
    SecretsProviderNotFound,
    /// Child pipelines are nested too deep.
    ReachedMaxDescendantPipelinesDepth,
    /// There are too many pipelines in the tree.
    ReachedMaxPipelineHierarchySize,
    /// Pipelines trigger each other for ever.
    PipelineLoopDetected,
    /// A cache that `on_miss: fail` or `produce` relied on was not there (extension).
    CacheMissing,
}

impl FailureReason {
    /// All reasons.
    pub const ALL: [FailureReason; 24] = [
        FailureReason::UnknownFailure,
        FailureReason::ScriptFailure,
        FailureReason::ApiFailure,
        FailureReason::StuckOrTimeoutFailure,
        FailureReason::RunnerSystemFailure,
        FailureReason::MissingDependencyFailure,
        FailureReason::RunnerUnsupported,
        FailureReason::StaleSchedule,
        FailureReason::JobExecutionTimeout,
        FailureReason::UnmetPrerequisites,
        FailureReason::SchedulerFailure,
        FailureReason::DataIntegrityFailure,
        FailureReason::TraceSizeExceeded,
        FailureReason::EnvironmentCreationFailure,
        FailureReason::FailedOutdatedDeploymentJob,
        FailureReason::DownstreamBridgeProjectNotFound,
        FailureReason::InvalidBridgeTrigger,
        FailureReason::UpstreamBridgeProjectNotFound,
        FailureReason::DownstreamPipelineCreationFailed,
        FailureReason::SecretsProviderNotFound,
        FailureReason::ReachedMaxDescendantPipelinesDepth,
        FailureReason::ReachedMaxPipelineHierarchySize,
        FailureReason::PipelineLoopDetected,
        FailureReason::CacheMissing,
    ];

    /// GitLab's word, as in `retry:when`.
    pub fn name(self) -> &'static str {
        match self {
            FailureReason::UnknownFailure => "unknown_failure",
            FailureReason::ScriptFailure => "script_failure",
            FailureReason::ApiFailure => "api_failure",
            FailureReason::StuckOrTimeoutFailure => "stuck_or_timeout_failure",
            FailureReason::RunnerSystemFailure => "runner_system_failure",
            FailureReason::MissingDependencyFailure => "missing_dependency_failure",
            FailureReason::RunnerUnsupported => "runner_unsupported",
            FailureReason::StaleSchedule => "stale_schedule",
            FailureReason::JobExecutionTimeout => "job_execution_timeout",
            FailureReason::UnmetPrerequisites => "unmet_prerequisites",
            FailureReason::SchedulerFailure => "scheduler_failure",
            FailureReason::DataIntegrityFailure => "data_integrity_failure",
            FailureReason::TraceSizeExceeded => "trace_size_exceeded",
            FailureReason::EnvironmentCreationFailure => "environment_creation_failure",
            FailureReason::FailedOutdatedDeploymentJob => "failed_outdated_deployment_job",
            FailureReason::DownstreamBridgeProjectNotFound => "downstream_bridge_project_not_found",
            FailureReason::InvalidBridgeTrigger => "invalid_bridge_trigger",
            FailureReason::UpstreamBridgeProjectNotFound => "upstream_bridge_project_not_found",
            FailureReason::DownstreamPipelineCreationFailed => {
                "downstream_pipeline_creation_failed"
            }
            FailureReason::SecretsProviderNotFound => "secrets_provider_not_found",
            FailureReason::ReachedMaxDescendantPipelinesDepth => {
                "reached_max_descendant_pipelines_depth"
            }
            FailureReason::ReachedMaxPipelineHierarchySize => "reached_max_pipeline_hierarchy_size",
            FailureReason::PipelineLoopDetected => "pipeline_loop_detected",
            FailureReason::CacheMissing => "cache_missing",
        }
    }

    /// The reason of a word.
    pub fn from_name(name: &str) -> Option<FailureReason> {
        FailureReason::ALL
            .into_iter()
            .find(|reason| reason.name() == name)
    }
}

/// Why a job is in the status it is in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The pipeline was created.
    PipelineCreated,
    /// What it waited for came to this status.
    Predecessors {
        /// Combined status of the jobs it waited for; `None` where it waited for nothing.
        status: Option<Status>,
        /// The job that decided it, where one did.
        decided_by: Option<JobIdx>,
    },
    /// What it would produce exists in the cache.
    CacheHit {
        /// The key that was found.
        key: Arc<str>,
    },
    /// A cache it reads is gone; its producer runs first.
    CacheGone {
        /// The key that was missing.
        key: Arc<str>,
    },
    /// An executor took it.
    Started,
    /// Its scripts ended well.
    Succeeded,
    /// It failed.
    Failed {
        /// Why.
        reason: FailureReason,
        /// Exit code of the script, where there is one.
        exit_code: Option<i32>,
    },
    /// It is tried again automatically.
    Retried {
        /// The try that failed.
        after: Attempt,
        /// Why that one failed.
        reason: FailureReason,
    },
    /// A person started, retried or canceled it.
    ByUser,
    /// Its delay is over.
    DelayOver,
    /// Its resource group is taken, or was given to it.
    ResourceGroup {
        /// The group's key.
        key: Arc<str>,
    },
    /// The user interrupted the run.
    Interrupted,
    /// `auto_cancel` canceled it.
    AutoCanceled {
        /// The job whose failure did it; `None`: a newer commit.
        because: Option<JobIdx>,
    },
    /// The pipeline that triggered this one was canceled.
    UpstreamCanceled,
    /// Something that made it skip was played again.
    Reset,
    /// The triggered pipeline came to this status.
    Downstream {
        /// Its status.
        status: Status,
    },
    /// The run ended while it waited for a person or a time.
    RunEnded,
}
