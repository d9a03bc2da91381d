//! What a job asks of whoever keeps caches and artifacts.

use std::path::Path;
use std::time::Instant;

use tidegate_pipeline::{ArtifactSpec, CacheSpec, DependencySpec, FailureReason};

use crate::cancel::Canceller;
use crate::trace::TraceWriter;
use crate::variables::JobVariables;

/// Caches and artifacts of one job. Implementations print to the log what GitLab's runner prints.
///
/// A method is called inside its section and only where there is something to do.
pub trait Storage: Send {
    /// Restores caches; those whose policy says `push` are not in the list.
    fn restore_cache(
        &mut self,
        caches: &[&CacheSpec],
        context: &StorageContext<'_>,
        trace: &mut TraceWriter<'_>,
    ) -> Result<(), StorageFailure>;

    /// Whether any of these jobs left artifacts; without them the stage is passed over, as by GitLab's runner.
    fn has_artifacts(&self, dependencies: &[DependencySpec]) -> bool {
        !dependencies.is_empty()
    }

    /// Puts the artifacts of other jobs into the work tree.
    fn download_artifacts(
        &mut self,
        dependencies: &[DependencySpec],
        context: &StorageContext<'_>,
        trace: &mut TraceWriter<'_>,
    ) -> Result<(), StorageFailure>;

    /// Saves the caches whose `when` fits the outcome; those whose policy says `pull` are not in
    /// the list.
    fn save_cache(
        &mut self,
        caches: &[&CacheSpec],
        context: &StorageContext<'_>,
        trace: &mut TraceWriter<'_>,
    ) -> Result<(), StorageFailure>;

    /// Keeps the archives and reports whose `when` fits the outcome. A failure turns a green job
    /// red.
    fn upload_artifacts(
        &mut self,
        artifacts: &[&ArtifactSpec],
        context: &StorageContext<'_>,
        trace: &mut TraceWriter<'_>,
    ) -> Result<(), StorageFailure>;
}

/// What a storage method may need to know.
#[derive(Clone, Copy, Debug)]
pub struct StorageContext<'a> {
    /// Variables at this moment, those that scripts wrote to `GITLAB_ENV` included.
    pub variables: &'a JobVariables,
    /// The work tree as this process reaches it: below `/proc/<supervisor>/root` where the job has
    /// a mount namespace.
    pub project_dir: &'a Path,
    /// The job succeeded so far.
    pub succeeded: bool,
    /// When the job's time is over.
    pub deadline: Instant,
    /// Tells whether somebody wants the job to end.
    pub canceller: &'a Canceller,
}

/// A storage method failed the job.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct StorageFailure {
    /// Stands after `Job failed: `, `exit status 1` at GitLab.
    pub message: String,
    /// Reason of the job.
    pub reason: FailureReason,
}
