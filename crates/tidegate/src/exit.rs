//! How the process ends: the only table from what went wrong to an exit code.

use std::fmt;
use std::process::ExitCode;

/// Exit codes (DESIGN §5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Everything is fine.
    Fine,
    /// The pipeline or the configuration failed.
    Failed,
    /// Wrong usage, or an environment in which nothing can be done.
    Unusable,
    /// The user interrupted.
    Interrupted,
    /// As a command that was run for the user ended.
    Of(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Fine => 0,
            Exit::Failed => 1,
            Exit::Unusable => 2,
            Exit::Interrupted => 130,
            Exit::Of(code) => code,
        })
    }
}

/// Why a command could not do its work; shown as `error: …` with hints below.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// What failed; empty where everything was shown already.
    pub message: String,
    /// What would help, one sentence each.
    pub hints: Vec<String>,
}

impl Failure {
    /// Nothing can be done in this environment, or with these arguments.
    pub(crate) fn unusable(message: impl fmt::Display) -> Failure {
        Failure {
            exit: Exit::Unusable,
            message: message.to_string(),
            hints: Vec::new(),
        }
    }

    /// The configuration or the pipeline failed, and everything about it was shown already.
    pub(crate) fn shown() -> Failure {
        Failure {
            exit: Exit::Failed,
            message: String::new(),
            hints: Vec::new(),
        }
    }

    /// The configuration or the pipeline failed.
    pub(crate) fn failed(message: impl fmt::Display) -> Failure {
        Failure {
            exit: Exit::Failed,
            message: message.to_string(),
            hints: Vec::new(),
        }
    }

    /// Adds what would help.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hints.push(hint.into());
        self
    }
}
