//! What happened in a run, in order: what the terminal, the JSON stream, resuming and the server all read.

use std::sync::Arc;
use std::time::Duration;

use crate::id::{Attempt, JobIdx, JobKey, PipelineId};
use crate::reason::Reason;
use crate::result::JobResult;
use crate::status::Status;

/// Something that happened, never changed afterwards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The pipeline it happened in.
    pub pipeline: PipelineId,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// The pipeline was created; what is planned for its jobs is stored beside the log.
    PipelineCreated {
        /// The pipeline and job that triggered it.
        parent: Option<JobKey>,
        /// Names of its jobs; events name them by their position here.
        jobs: Arc<[Arc<str>]>,
    },
    /// A job came to a status.
    JobStatus {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// Its new status.
        status: Status,
        /// Its failure does not count; decided at the latest when it fails.
        allow_failure: bool,
        /// Why.
        reason: Reason,
    },
    /// A running job entered a section of its log.
    JobSection {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// Name of the section, such as `step_script`.
        section: Arc<str>,
    },
    /// A cache was restored, missed or saved.
    Cache {
        /// Job whose cache it is.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// Index among the job's caches, from 0.
        index: u32,
        /// Key used, final.
        key: Arc<str>,
        /// What became of it.
        outcome: CacheOutcome,
    },
    /// Artifacts were kept.
    Artifacts {
        /// Job whose artifacts they are.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// `archive`, or the kind of report.
        kind: Arc<str>,
        /// How many files.
        files: u64,
        /// How many bytes.
        bytes: u64,
    },
    /// A job succeeded and left something besides artifacts.
    JobResult {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// What it left.
        result: JobResult,
    },
    /// A trigger job was reached whose project is not on this machine: nothing was triggered.
    WouldTrigger {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// Path of the project.
        project: Arc<str>,
        /// Branch or tag; `None`: the project's default branch.
        reference: Option<Arc<str>>,
    },
    /// A job's processes are over.
    JobFinished {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// How long it ran.
        duration: Duration,
        /// Coverage found in its log, as text.
        coverage: Option<Arc<str>>,
    },
    /// The pipeline came to a status.
    PipelineStatus {
        /// Its new status.
        status: Status,
    },
    /// The run is over; nothing follows unless it is resumed.
    RunEnded {
        /// Status of the pipeline at that moment.
        status: Status,
    },
}

/// What became of a cache.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CacheOutcome {
    /// An entry with the exact key was restored.
    Hit,
    /// A fallback was restored.
    FallbackHit,
    /// Nothing was found.
    Miss,
    /// A new entry was saved.
    Saved,
    /// Nothing had changed, so nothing was saved.
    UpToDate,
    /// Saving failed; the job's result stands.
    SaveFailed,
}
