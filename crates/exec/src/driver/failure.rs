//! Why a job is not successful, and how that reads in its log.

use std::time::Duration;

use tidegate_pipeline::FailureReason;

use crate::cancel::CancelReason;
use crate::duration;
use crate::supervisor::protocol::ShellEnd;

/// Why a job is not successful.
#[derive(Clone, Debug)]
pub(super) struct JobError {
    pub(super) message: String,
    pub(super) kind: ErrorKind,
    pub(super) exit_code: Option<i32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ErrorKind {
    /// A script or a storage step failed.
    Failed(FailureReason),
    /// What runs the job is broken, or ends.
    System,
    TimedOut,
    Canceled,
}

impl JobError {
    pub(super) fn of_shell(end: ShellEnd) -> Self {
        let (message, exit_code) = match end {
            ShellEnd::Code(code) => (format!("exit status {code}"), Some(code)),
            ShellEnd::Signal(signal) => (format!("signal: {}", signal_name(signal)), None),
        };
        Self {
            message,
            kind: ErrorKind::Failed(FailureReason::ScriptFailure),
            exit_code,
        }
    }

    pub(super) fn is_of_system(&self) -> bool {
        self.kind == ErrorKind::System
    }

    pub(super) fn system(message: String) -> Self {
        Self {
            message,
            kind: ErrorKind::System,
            exit_code: None,
        }
    }

    pub(super) fn job_timeout(timeout: Duration) -> Self {
        let message = format!(
            "execution took longer than {} seconds",
            duration::text(timeout)
        );
        Self {
            message,
            kind: ErrorKind::TimedOut,
            exit_code: None,
        }
    }

    pub(super) fn stage_timeout(name: &str) -> Self {
        let message = match name {
            "after_script" => "context deadline exceeded".to_owned(),
            _ => "script timeout: context deadline exceeded".to_owned(),
        };
        Self {
            message,
            kind: ErrorKind::TimedOut,
            exit_code: None,
        }
    }

    pub(super) fn canceled(reason: CancelReason) -> Self {
        let (message, kind) = match reason {
            CancelReason::Canceled | CancelReason::Forced => ("canceled", ErrorKind::Canceled),
            CancelReason::Interrupted => ("aborted: interrupt", ErrorKind::Canceled),
            CancelReason::Terminated => ("aborted: terminated", ErrorKind::Canceled),
        };
        Self {
            message: message.to_owned(),
            kind,
            exit_code: None,
        }
    }
}

impl ErrorKind {
    pub(super) fn reason(self) -> Option<FailureReason> {
        match self {
            Self::Failed(reason) => Some(reason),
            Self::System => Some(FailureReason::RunnerSystemFailure),
            Self::TimedOut => Some(FailureReason::JobExecutionTimeout),
            Self::Canceled => None,
        }
    }
}

/// Names as Go prints them.
fn signal_name(signal: i32) -> String {
    match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        6 => "aborted",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return format!("signal {other}"),
    }
    .to_owned()
}
