//! The environment a job's shells start with; the variables of the job come on top, by its scripts.

use std::ffi::{OsStr, OsString};

/// Names a clean environment keeps: what a login shell and ordinary tools need to find a home and
/// programs.
const KEPT: [&str; 10] = [
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PATH",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
];

/// Environment of a job's processes. Nothing of Tidegate's own (`TIDEGATE_*`) is ever in it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Environment {
    variables: Vec<(OsString, OsString)>,
}

impl Environment {
    /// All of `variables`, as GitLab's shell executor hands its own environment on (reference
    /// `runner.md` §3.1).
    pub fn inherited(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut environment = Self::default();
        for (key, value) in variables {
            environment.set(&key, &value);
        }
        environment
    }

    /// Of `variables` only what says who and where the user is, as a runner started by a service
    /// manager has.
    ///
    /// What stands in a developer's shell by chance cannot decide a job then.
    pub fn clean(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let kept = |key: &OsStr| {
            key.to_str()
                .is_some_and(|key| KEPT.contains(&key) || key.starts_with("LC_"))
        };
        Self::inherited(variables.into_iter().filter(|(key, _)| kept(key)))
    }

    /// Sets one variable; one of Tidegate's own is left out.
    pub fn set(&mut self, key: &OsStr, value: &OsStr) {
        if key.as_encoded_bytes().starts_with(b"TIDEGATE_") {
            return;
        }
        self.variables.retain(|(other, _)| other != key);
        self.variables.push((key.to_owned(), value.to_owned()));
    }

    /// The variables.
    pub fn variables(&self) -> &[(OsString, OsString)] {
        &self.variables
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secrets of the user's shell.
        f.debug_list()
            .entries(self.variables.iter().map(|(key, _)| key))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given() -> Vec<(OsString, OsString)> {
        [
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("AWS_KEY", "x"),
            ("TIDEGATE_TOKEN", "secret"),
        ]
        .map(|(key, value)| (key.into(), value.into()))
        .into()
    }

    fn keys(environment: &Environment) -> Vec<&str> {
        environment
            .variables()
            .iter()
            .filter_map(|(key, _)| key.to_str())
            .collect()
    }

    #[test]
    fn tidegates_own_variables_never_reach_a_job() {
        assert_eq!(
            keys(&Environment::inherited(given())),
            ["PATH", "LC_ALL", "AWS_KEY"]
        );
    }

    #[test]
    fn a_clean_environment_keeps_home_and_path_and_language() {
        assert_eq!(keys(&Environment::clean(given())), ["PATH", "LC_ALL"]);
    }
}
