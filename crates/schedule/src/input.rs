//! What can happen to a pipeline.

use std::fmt;
use std::sync::Arc;

use tidegate_pipeline::{Attempt, FailureReason, JobIdx, Reason, Status};

/// Something that happened. What executors and timers report names the try it is about; what people ask for is about the latest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// The pipeline begins. Everything but [`Input::Play`] must wait for it.
    Start,
    /// An executor took a pending job.
    JobStarted {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
    },
    /// A job ended well.
    JobSucceeded {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
    },
    /// A job failed, or could not be started, or its pipeline could not be created.
    JobFailed {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// Why.
        reason: FailureReason,
        /// Exit code of the script, where there is one.
        exit_code: Option<i32>,
    },
    /// An executor stopped a job before its end.
    JobCanceled {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
    },
    /// A person starts a manual or delayed job. One that is not reached yet starts as soon as it is.
    Play {
        /// Which.
        job: JobIdx,
    },
    /// A person has a finished job done again.
    Retry {
        /// Which.
        job: JobIdx,
    },
    /// A person cancels a job.
    Cancel {
        /// Which.
        job: JobIdx,
    },
    /// Everything that is not over is canceled, child pipelines too.
    CancelAll {
        /// Why.
        cause: CancelCause,
    },
    /// A person turns a delayed job into a manual one.
    Unschedule {
        /// Which.
        job: JobIdx,
    },
    /// The delay of a scheduled job is over.
    DelayOver {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
    },
    /// What a pending job would produce was found right before it started (reference `extensions.md` §1, point 8).
    CacheHitAtStart {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// The key that was found.
        key: Arc<str>,
    },
    /// A cache with `on_miss: produce` is not there (reference `extensions.md` §2). The executor has let go of the job.
    CacheGone {
        /// The job that reads it.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// The key that was missing.
        key: Arc<str>,
        /// The only job that saves this key; `None` where there is none or are several.
        producer: Option<JobIdx>,
    },
    /// The pipeline of a trigger job was created.
    DownstreamCreated {
        /// Which trigger job.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
    },
    /// The pipeline of a trigger job came to a status.
    BridgeStatus {
        /// Which trigger job.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
        /// The status of its pipeline.
        status: Status,
    },
    /// A job got the slot of its resource group.
    ResourceGranted {
        /// Which.
        job: JobIdx,
        /// Which try.
        attempt: Attempt,
    },
    /// A newer pipeline of the same ref makes this one redundant.
    NewCommit,
    /// The run ends while jobs wait for a person or a time. They stay as they are, and can go on when the run is resumed.
    RunEnded,
}

/// Why everything is canceled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CancelCause {
    /// The user interrupted the run.
    Interrupted,
    /// A person canceled the pipeline.
    User,
    /// The pipeline that triggered this one was canceled.
    Upstream,
}

impl CancelCause {
    pub(crate) fn reason(self) -> Reason {
        match self {
            CancelCause::Interrupted => Reason::Interrupted,
            CancelCause::User => Reason::ByUser,
            CancelCause::Upstream => Reason::UpstreamCanceled,
        }
    }
}

impl Input {
    /// The job it is about, if it is about one.
    pub fn job(&self) -> Option<JobIdx> {
        match self {
            Input::JobStarted { job, .. }
            | Input::JobSucceeded { job, .. }
            | Input::JobFailed { job, .. }
            | Input::JobCanceled { job, .. }
            | Input::Play { job }
            | Input::Retry { job }
            | Input::Cancel { job }
            | Input::Unschedule { job }
            | Input::DelayOver { job, .. }
            | Input::CacheHitAtStart { job, .. }
            | Input::CacheGone { job, .. }
            | Input::DownstreamCreated { job, .. }
            | Input::BridgeStatus { job, .. }
            | Input::ResourceGranted { job, .. } => Some(*job),
            Input::Start | Input::CancelAll { .. } | Input::NewCommit | Input::RunEnded => None,
        }
    }

    /// The try it is about, if it names one.
    pub fn attempt(&self) -> Option<Attempt> {
        match self {
            Input::JobStarted { attempt, .. }
            | Input::JobSucceeded { attempt, .. }
            | Input::JobFailed { attempt, .. }
            | Input::JobCanceled { attempt, .. }
            | Input::DelayOver { attempt, .. }
            | Input::CacheHitAtStart { attempt, .. }
            | Input::CacheGone { attempt, .. }
            | Input::DownstreamCreated { attempt, .. }
            | Input::BridgeStatus { attempt, .. }
            | Input::ResourceGranted { attempt, .. } => Some(*attempt),
            _ => None,
        }
    }

    /// What happened, in a few words for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Input::Start => "start",
            Input::JobStarted { .. } => "job started",
            Input::JobSucceeded { .. } => "job succeeded",
            Input::JobFailed { .. } => "job failed",
            Input::JobCanceled { .. } => "job canceled",
            Input::Play { .. } => "play",
            Input::Retry { .. } => "retry",
            Input::Cancel { .. } => "cancel",
            Input::CancelAll { .. } => "cancel all",
            Input::Unschedule { .. } => "unschedule",
            Input::DelayOver { .. } => "delay over",
            Input::CacheHitAtStart { .. } => "cache hit at start",
            Input::CacheGone { .. } => "cache gone",
            Input::DownstreamCreated { .. } => "downstream pipeline created",
            Input::BridgeStatus { .. } => "downstream pipeline status",
            Input::ResourceGranted { .. } => "resource granted",
            Input::NewCommit => "new commit",
            Input::RunEnded => "run ended",
        }
    }
}

/// An input that cannot happen in the present state. The state is unchanged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IllegalInput {
    /// The input.
    pub input: Input,
    /// The state it met.
    pub state: MetState,
}

/// The state that an illegal input met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetState {
    /// The pipeline has not begun.
    NotStarted,
    /// The pipeline has begun before.
    Started,
    /// There is no such job.
    NoSuchJob,
    /// The job is in another state than the input is for.
    Job {
        /// The latest try.
        attempt: Attempt,
        /// Its status.
        status: Status,
        /// It is a trigger job.
        bridge: bool,
    },
    /// Executors or downstream pipelines are at work on this many jobs.
    AtWork(u32),
}

impl fmt::Display for IllegalInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "input `{}`", self.input.name())?;
        if let Some(job) = self.input.job() {
            write!(f, " for job {}", job.0)?;
        }
        if let Some(attempt) = self.input.attempt() {
            write!(f, ", attempt {attempt},")?;
        }
        match self.state {
            MetState::NotStarted => f.write_str(" before the pipeline started"),
            MetState::Started => f.write_str(" after the pipeline started"),
            MetState::NoSuchJob => f.write_str(" met a pipeline without this job"),
            MetState::Job {
                attempt,
                status,
                bridge,
            } => {
                let kind = if bridge { "trigger job" } else { "job" };
                write!(f, " met a {kind} whose attempt {attempt} is {status}")
            }
            MetState::AtWork(count) => write!(f, " while {count} jobs are at work"),
        }
    }
}

impl std::error::Error for IllegalInput {}
