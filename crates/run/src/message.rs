//! Everything that can happen to a run.

use std::sync::Arc;

use tidegate_exec::{Canceller, Outcome};
use tidegate_expr::Variable;
use tidegate_pipeline::{EventKind, JobKey, PipelineId};

use crate::control::Interrupt;
use crate::downstream::Triggered;

/// Something that happened outside the thread of the run.
pub(crate) enum Message {
    /// The user wants the run to end.
    Interrupt(Interrupt),
    /// A job can be canceled from now on.
    Cancellable { key: JobKey, canceller: Canceller },
    /// A job printed.
    Log { key: JobKey, bytes: Vec<u8> },
    /// Something worth an event happened in a job.
    Note {
        pipeline: PipelineId,
        kind: EventKind,
    },
    /// A job is over.
    Ended { key: JobKey, end: JobEnd },
    /// The planner answered for a trigger job.
    Planned { key: JobKey, triggered: Triggered },
}

/// How a job ended.
pub(crate) enum JobEnd {
    /// Its scripts were run, or at least begun.
    Ran {
        outcome: Outcome,
        /// Variables out of its dotenv reports.
        dotenv: Vec<Variable>,
    },
    /// It could not be begun.
    Broken { message: String },
    /// A cache it cannot do without is missing.
    CacheMissing { key: Arc<str>, produce: bool },
}
