//! GitLab Runner's feature flags, as far as they change what a job sees.

use tidegate_pipeline::VariableSpec;

/// Flags every job gets as variables, with their defaults (reference `runner.md` §2.8).
///
/// `FF_TIMESTAMPS` is on by default at GitLab's runner; here a log is read by a person at a
/// terminal, so it is off.
const KNOWN: [(&str, bool); 27] = [
    ("FF_CLEAN_UP_FAILED_CACHE_EXTRACT", false),
    ("FF_CONCRETE", false),
    ("FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR", false),
    ("FF_ENABLE_BASH_EXIT_CODE_CHECK", false),
    ("FF_ENABLE_JOB_CLEANUP", false),
    ("FF_ENABLE_JOB_INPUTS_INTERPOLATION", true),
    ("FF_GIT_URLS_WITHOUT_TOKENS", false),
    ("FF_HASH_CACHE_KEYS", false),
    ("FF_MASK_ALL_DEFAULT_TOKENS", true),
    ("FF_NETWORK_PER_BUILD", false),
    ("FF_POSIXLY_CORRECT_ESCAPES", false),
    ("FF_SCRIPT_SECTIONS", false),
    ("FF_SECRET_RESOLVING_FAILS_IF_MISSING", true),
    ("FF_TIMESTAMPS", false),
    ("FF_USE_ADAPTIVE_REQUEST_CONCURRENCY", true),
    ("FF_USE_DIRECT_DOWNLOAD", true),
    ("FF_USE_DYNAMIC_TRACE_FORCE_SEND_INTERVAL", false),
    ("FF_USE_EXPONENTIAL_BACKOFF_STAGE_RETRY", true),
    ("FF_USE_FASTZIP", true),
    ("FF_USE_GITALY_CORRELATION_ID", true),
    ("FF_USE_GIT_BUNDLE_URIS", true),
    ("FF_USE_GIT_NATIVE_CLONE", false),
    ("FF_USE_INIT_WITH_DOCKER_EXECUTOR", false),
    ("FF_USE_LEGACY_BASH_EVAL", false),
    ("FF_USE_NATIVE_CONTAINER_STOP", false),
    ("FF_USE_PARALLEL_ARTIFACT_TRANSFER", false),
    ("FF_USE_PARALLEL_CACHE_TRANSFER", false),
];

/// The flags of one job, resolved from its variables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Features {
    flags: Vec<(&'static str, bool)>,
    given: Vec<&'static str>,
    /// One text per variable whose value is not a boolean, for a warning in the log.
    pub complaints: Vec<String>,
}

impl Features {
    /// Reads the flags out of a job's variables; the last definition counts, what is no boolean
    /// leaves the default.
    pub fn of(variables: &[VariableSpec]) -> Self {
        let mut features = Self {
            flags: Vec::new(),
            given: Vec::new(),
            complaints: Vec::new(),
        };
        for (name, default) in KNOWN {
            let variable = variables.iter().rfind(|variable| &*variable.key == name);
            let value = variable.map(|variable| parse_bool(&variable.value));
            if let (Some(variable), Some(None)) = (variable, value) {
                let text = format!(
                    "{name}: expected bool got {:?}, using default value: {default}",
                    &*variable.value
                );
                features.complaints.push(text);
            }
            if let Some(Some(_)) = value {
                features.given.push(name);
            }
            features
                .flags
                .push((name, value.flatten().unwrap_or(default)));
        }
        features
    }

    /// Returns whether the flag is on; an unknown one is off.
    pub fn is_on(&self, name: &str) -> bool {
        self.flags.iter().any(|(flag, on)| *flag == name && *on)
    }

    /// Returns whether the job itself set the flag to a valid value.
    pub fn is_given(&self, name: &str) -> bool {
        self.given.contains(&name)
    }

    /// All flags in the order of their names.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, bool)> + '_ {
        self.flags.iter().copied()
    }

    /// Returns whether a variable of this name is a flag.
    pub fn is_flag(name: &str) -> bool {
        KNOWN.iter().any(|(flag, _)| *flag == name)
    }
}

/// Reads a boolean as Go's `strconv.ParseBool` does.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(key: &str, value: &str) -> VariableSpec {
        VariableSpec {
            key: key.into(),
            value: value.into(),
            file: false,
            masked: false,
            raw: false,
        }
    }

    #[test]
    fn the_last_definition_counts_and_nonsense_leaves_the_default() {
        let features = Features::of(&[
            variable("FF_SCRIPT_SECTIONS", "false"),
            variable("FF_SCRIPT_SECTIONS", "1"),
            variable("FF_USE_FASTZIP", "maybe"),
        ]);
        assert!(features.is_on("FF_SCRIPT_SECTIONS"));
        assert!(features.is_given("FF_SCRIPT_SECTIONS"));
        assert!(features.is_on("FF_USE_FASTZIP"));
        assert_eq!(
            features.complaints,
            ["FF_USE_FASTZIP: expected bool got \"maybe\", using default value: true"]
        );
    }
}
