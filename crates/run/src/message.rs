//! Everything that can happen to a run.

use std::sync::Arc;

use tidegate_exec::{Canceller, Outcome};
use tidegate_expr::Variable;
use tidegate_pipeline::{Attempt, EventKind, JobIdx};

use crate::control::Interrupt;

/// Something that happened outside the thread of the run.
pub(crate) enum Message {
    /// The user wants the run to end.
    Interrupt(Interrupt),
    /// A job can be canceled from now on.
    Cancellable {
        job: JobIdx,
        attempt: Attempt,
        canceller: Canceller,
    },
    /// A job printed.
    Log {
        job: JobIdx,
        attempt: Attempt,
        bytes: Vec<u8>,
    },
    /// Something worth an event happened in a job.
    Note(EventKind),
    /// A job is over.
    Ended {
        job: JobIdx,
        attempt: Attempt,
        end: JobEnd,
    },
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
