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
    /// `GET_SOURCES_ATTEMPTS`.
    pub(crate) sources_attempts: u32,
    /// `RESTORE_CACHE_ATTEMPTS`.
    pub(crate) cache_attempts: u32,
    /// `ARTIFACT_DOWNLOAD_ATTEMPTS`.
    pub(crate) artifact_attempts: u32,
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
        let mut attempts = |name| attempts(variables, name, &mut complaints);
        let sources_attempts = attempts("GET_SOURCES_ATTEMPTS");
        let cache_attempts = attempts("RESTORE_CACHE_ATTEMPTS");
        let artifact_attempts = attempts("ARTIFACT_DOWNLOAD_ATTEMPTS");
        // A shell cannot be lost as a container can, so its sections never have to be begun again; the value is still checked.
        attempts("EXECUTOR_JOB_SECTION_ATTEMPTS");
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
        complaints.extend(without_effect(variables));
        Self {
            strategy,
            sources_attempts,
            cache_attempts,
            artifact_attempts,
            debug_trace,
            after_script_ignore_errors,
            script_timeout,
            after_script_timeout,
            complaints,
        }
    }
}

/// Settings of GitLab's runner about fetching. A snapshot is fresh and has the whole history, so there is nothing for them to change.
const OF_FETCHING: [&str; 9] = [
    "GIT_DEPTH",
    "GIT_CLEAN_FLAGS",
    "GIT_CLONE_PATH",
    "GIT_FETCH_EXTRA_FLAGS",
    "GIT_CLONE_EXTRA_FLAGS",
    "GIT_SUBMODULE_DEPTH",
    "GIT_SUBMODULE_UPDATE_FLAGS",
    "GIT_SUBMODULE_FORCE_HTTPS",
    "GIT_LFS_SKIP_SMUDGE",
];

fn without_effect(variables: &JobVariables) -> Option<String> {
    let given = OF_FETCHING
        .iter()
        .filter(|name| variables.get(name).is_some_and(|value| !value.is_empty()));
    let names: Vec<&str> = given.copied().collect();
    (!names.is_empty()).then(|| {
        format!(
            "without effect here, where every job starts from a fresh snapshot: {}",
            names.join(", ")
        )
    })
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

/// How often a stage is tried: 1 to 10.
fn attempts(variables: &JobVariables, name: &str, complaints: &mut Vec<String>) -> u32 {
    let text = variables.get(name).unwrap_or_default();
    if text.is_empty() {
        return 1;
    }
    let Ok(number) = text.parse::<i64>() else {
        complaints.push(format!(
            "{name}: expected int got {text:?}, using default value: 1"
        ));
        return 1;
    };
    let clamped = number.clamp(1, 10);
    if clamped != number {
        complaints.push(format!(
            "{name}: number of attempts out of the range [1, 10], clamping to: {clamped}"
        ));
    }
    u32::try_from(clamped).unwrap_or(1)
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
