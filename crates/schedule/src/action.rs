//! What the state machine asks for.

use std::sync::Arc;
use std::time::Duration;

use tidegate_pipeline::{Attempt, JobIdx, ProcessMode, Reason, Status};

/// Something to do or to tell. Actions of one input come in the order in which they happen.
///
/// An action that asks for something follows the [`Action::SetStatus`] that made it necessary, and has the same reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// A job came to a status.
    SetStatus {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// Its status.
        status: Status,
        /// Its failure does not count; decided at the latest when it fails.
        allow_failure: bool,
        /// Why.
        reason: Reason,
    },
    /// A pending job wants an executor; answered by [`Input::JobStarted`](crate::Input::JobStarted) and what follows it.
    StartJob {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// Its `recheck_caches` are to be asked for first; when all are there, answer
        /// [`Input::CacheHitAtStart`](crate::Input::CacheHitAtStart). False on a retry by a person.
        recheck_caches: bool,
        /// Why.
        reason: Reason,
    },
    /// A pending trigger job wants its pipeline; answered by
    /// [`Input::DownstreamCreated`](crate::Input::DownstreamCreated) or [`Input::JobFailed`](crate::Input::JobFailed).
    StartDownstream {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// Why.
        reason: Reason,
    },
    /// An executor shall let go of a job. When the job is `canceling`, the executor's last word is awaited;
    /// when it is `canceled` already, nothing more is expected of it.
    CancelJob {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// Why.
        reason: Reason,
    },
    /// The child pipeline of a trigger job shall be canceled, if there is one that is not over.
    CancelDownstream {
        /// Which trigger job.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// Why.
        reason: Reason,
    },
    /// [`Input::DelayOver`](crate::Input::DelayOver) is wanted after a time.
    ArmTimer {
        /// Which job.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// How long from now: 1 second to 1 week.
        delay: Duration,
        /// Why.
        reason: Reason,
    },
    /// The timer is no longer wanted.
    DisarmTimer {
        /// Which job.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// Why.
        reason: Reason,
    },
    /// A job's claim on its resource group changed; tell [`ResourceGroups`](crate::ResourceGroups).
    Resource {
        /// Which job.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// The group's key.
        key: Arc<str>,
        /// Its process mode, as this pipeline knows it.
        mode: ProcessMode,
        /// The claim.
        claim: Claim,
        /// Why.
        reason: Reason,
    },
    /// The pipeline came to a status.
    PipelineStatus {
        /// Its status.
        status: Status,
        /// It passed with warnings; only ever true of a success.
        warnings: bool,
        /// The rule of the composite status that decided, 1 to 16; 0 for a pipeline without jobs.
        rule: u8,
    },
}

/// A job's claim on its resource group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Claim {
    /// It may want the slot later; matters to groups that go by the age of pipelines, and is only told to those.
    Expected,
    /// It wants the slot; answered by [`Input::ResourceGranted`](crate::Input::ResourceGranted).
    Requested,
    /// It has the slot; only told by [`Schedule::outstanding`](crate::Schedule::outstanding).
    Held,
    /// It gives the slot back, or no longer wants it.
    Released,
}
