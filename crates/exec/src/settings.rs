//! What a job's variables say about how it is run.

use std::time::Duration;

use crate::duration::{self, NotADuration};
use crate::feature::parse_bool;
use crate::variables::JobVariables;

/// `RUNNER_AFTER_SCRIPT_TIMEOUT` where the job says nothing.
const AFTER_SCRIPT: Duration = Duration::from_secs(5 * 60);

/// Settings read from variables (reference `runner.md` §2.4, §2.7).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Settings {
    pub(crate) strategy: Strategy,
    pub(crate) debug_trace: bool,
    pub(crate) after_script_ignore_errors: bool,
    /// Of all steps together.
    pub(crate) script_timeout: Option<Duration>,
    pub(crate) after_script_timeout: Duration,
    /// Invalid values, one warning each.
    pub(crate) complaints: Vec<String>,
}

/// `GIT_STRATEGY`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Strategy {
    /// `fetch` or `clone`: a snapshot is fresh either way.
    Snapshot,
    None,
    Empty,
}

impl Settings {
    pub(crate) fn of(variables: &JobVariables, job_timeout: Duration) -> Self {
        let mut complaints = Vec::new();
        let strategy = strategy(variables, &mut complaints);
        let debug_trace = boolean(variables, "CI_DEBUG_TRACE", false, &mut complaints);
        let after_script_ignore_errors = boolean(
            variables,
            "AFTER_SCRIPT_IGNORE_ERRORS",
            true,
            &mut complaints,
        );
        let script_timeout = timeout(
            variables,
            "RUNNER_SCRIPT_TIMEOUT",
            job_timeout,
            &mut complaints,
        );
        let after_script_timeout = timeout(
            variables,
            "RUNNER_AFTER_SCRIPT_TIMEOUT",
            job_timeout,
            &mut complaints,
        )
        .unwrap_or(AFTER_SCRIPT);
        Self {
            strategy,
            debug_trace,
            after_script_ignore_errors,
            script_timeout,
            after_script_timeout,
            complaints,
        }
    }
}

fn strategy(variables: &JobVariables, complaints: &mut Vec<String>) -> Strategy {
    match variables.get("GIT_STRATEGY").unwrap_or_default() {
        "" | "fetch" | "clone" => Strategy::Snapshot,
        "none" => Strategy::None,
        "empty" => Strategy::Empty,
        other => {
            complaints.push(format!(
                "GIT_STRATEGY: expected either 'clone', 'fetch', 'none' or 'empty' got {other:?}, \
                 using default value 'fetch'"
            ));
            Strategy::Snapshot
        }
    }
}

fn boolean(
    variables: &JobVariables,
    name: &str,
    default: bool,
    complaints: &mut Vec<String>,
) -> bool {
    let text = variables.get(name).unwrap_or_default();
    if text.is_empty() {
        return default;
    }
    parse_bool(text).unwrap_or_else(|| {
        complaints.push(format!(
            "{name}: expected bool got {text:?}, using default value: {default}"
        ));
        default
    })
}

fn timeout(
    variables: &JobVariables,
    name: &str,
    job_timeout: Duration,
    complaints: &mut Vec<String>,
) -> Option<Duration> {
    let text = variables.get(name).unwrap_or_default();
    if text.is_empty() {
        return None;
    }
    match duration::parse(text) {
        Err(NotADuration::Malformed) => {
            complaints.push(format!("Ignoring malformed {name} timeout: {text}"));
            None
        }
        Err(NotADuration::Negative) => {
            complaints.push(format!("Ignoring relative {name} timeout: {text}"));
            None
        }
        Ok(timeout) if timeout > job_timeout => {
            complaints.push(format!(
                "{name} timeout: {text} is longer than job timeout. Setting to job timeout"
            ));
            Some(job_timeout)
        }
        Ok(timeout) => Some(timeout),
    }
}
