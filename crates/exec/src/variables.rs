//! The variables a job's scripts see: order, the runner's own ones, expansion, file variables.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use tidegate_expr::expand_as_runner;
use tidegate_pipeline::{JobSpec, VariableSpec};

use crate::feature::Features;

/// What a runner tells a job about itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunnerFacts {
    /// `CI_RUNNER_SHORT_TOKEN`.
    pub short_token: String,
    /// `CI_RUNNER_VERSION`.
    pub version: String,
    /// `CI_RUNNER_REVISION`.
    pub revision: String,
    /// `CI_CONCURRENT_ID`: smallest number no other running job has.
    pub concurrent_id: u32,
    /// `CI_CONCURRENT_PROJECT_ID`: the same within the project.
    pub concurrent_project_id: u32,
}

/// One variable with its final value.
#[derive(Clone, PartialEq, Eq)]
pub struct JobVariable {
    /// Name.
    pub key: String,
    /// Expanded value; of a file variable the content of the file.
    pub value: String,
    /// Path of the file of a file variable; it is what the job sees.
    pub file: Option<String>,
    /// The value is masked in the log.
    pub masked: bool,
}

/// All variables of a job in the order of their export; names are unique, the last definition won. Clones are cheap.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct JobVariables {
    entries: Arc<Vec<JobVariable>>,
}

impl JobVariables {
    /// Puts together and expands the variables of a job.
    ///
    /// Each value that is not raw is expanded once against the unexpanded list; a reference to a
    /// file variable gives its path, one to an unknown name nothing. Source: reference `runner.md`
    /// §2.4.
    pub fn of(
        spec: &JobSpec,
        features: &Features,
        runner: &RunnerFacts,
        builds_dir: &str,
        project_dir: &str,
        temp_dir: &str,
    ) -> Self {
        let mut list = predefined(spec, features, runner, builds_dir, project_dir);
        let of_job = spec
            .variables
            .iter()
            .filter(|variable| !Features::is_flag(&variable.key));
        list.extend(of_job.cloned());
        list.extend(environment_facts(runner, temp_dir));
        let entries: Vec<JobVariable> = last_definitions(&list)
            .into_iter()
            .map(|variable| JobVariable {
                key: variable.key.to_string(),
                value: expanded(variable, &list, temp_dir),
                file: variable.file.then(|| file_path(temp_dir, &variable.key)),
                masked: variable.masked,
            })
            .collect();
        Self {
            entries: Arc::new(entries),
        }
    }

    /// The variables in the order of their export.
    pub fn iter(&self) -> impl Iterator<Item = &JobVariable> {
        self.entries.iter()
    }

    /// Returns what the job sees under a name: the value, or the path of a file variable.
    pub fn get(&self, key: &str) -> Option<&str> {
        let variable = self.entries.iter().find(|variable| variable.key == key)?;
        Some(variable.file.as_deref().unwrap_or(&variable.value))
    }

    /// Sets a plain variable, at its place where it exists already.
    pub fn set(&mut self, key: &str, value: &str) {
        let entries = Arc::make_mut(&mut self.entries);
        match entries.iter_mut().find(|variable| variable.key == key) {
            Some(variable) => {
                variable.value = value.to_owned();
                variable.file = None;
            }
            None => entries.push(JobVariable {
                key: key.to_owned(),
                value: value.to_owned(),
                file: None,
                masked: false,
            }),
        }
    }

    /// Expands a text as the runner does: once, unknown names become empty.
    pub fn expand(&self, text: &str) -> String {
        expand_as_runner(text, |name| self.get(name).map(Cow::from)).into_string()
    }

    /// The variables whose names are wanted; the others would only fill the snapshots.
    #[cfg(test)]
    pub(crate) fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let entries = self.entries.iter().filter(|variable| wanted(&variable.key));
        Self {
            entries: Arc::new(entries.cloned().collect()),
        }
    }

    /// The values to hide in the log.
    pub fn masked_values(&self) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .filter(|variable| variable.masked)
            .map(|variable| &*variable.value)
    }
}

impl std::fmt::Debug for JobVariables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A masked value must not reach any log by way of a debug print.
        f.debug_list()
            .entries(self.entries.iter().map(|variable| &variable.key))
            .finish()
    }
}

fn predefined(
    spec: &JobSpec,
    features: &Features,
    runner: &RunnerFacts,
    builds_dir: &str,
    project_dir: &str,
) -> Vec<VariableSpec> {
    let mut list: Vec<VariableSpec> = features
        .all()
        .map(|(name, on)| plain(name, if on { "true" } else { "false" }))
        .collect();
    if let Some(image) = &spec.image {
        // The runner exports the name as written; references in it are expanded like in any other
        // value.
        list.push(VariableSpec {
            raw: false,
            ..plain("CI_JOB_IMAGE", &image.name)
        });
    }
    list.extend([
        plain("CI_RUNNER_SHORT_TOKEN", &runner.short_token),
        plain("CI_BUILDS_DIR", builds_dir),
        plain("CI_PROJECT_DIR", project_dir),
        plain("CI_CONCURRENT_ID", &runner.concurrent_id.to_string()),
        plain(
            "CI_CONCURRENT_PROJECT_ID",
            &runner.concurrent_project_id.to_string(),
        ),
        plain("CI_SERVER", "yes"),
        plain("CI_JOB_STATUS", "running"),
        plain("CI_JOB_TIMEOUT", &spec.timeout.as_secs().to_string()),
    ]);
    list
}

fn environment_facts(runner: &RunnerFacts, temp_dir: &str) -> [VariableSpec; 5] {
    [
        plain("CI_SHARED_ENVIRONMENT", "true"),
        plain("CI_RUNNER_VERSION", &runner.version),
        plain("CI_RUNNER_REVISION", &runner.revision),
        plain("CI_RUNNER_EXECUTABLE_ARCH", &executable_arch()),
        plain("RUNNER_TEMP_PROJECT_DIR", temp_dir),
    ]
}

/// `linux/amd64`: the names are Go's.
fn executable_arch() -> String {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    };
    format!("{}/{arch}", std::env::consts::OS)
}

fn plain(key: &str, value: &str) -> VariableSpec {
    VariableSpec {
        key: key.into(),
        value: value.into(),
        file: false,
        masked: false,
        raw: true,
    }
}

/// The last definition of each name, at the place of that definition.
fn last_definitions(list: &[VariableSpec]) -> Vec<&VariableSpec> {
    let mut seen = std::collections::BTreeSet::new();
    let mut kept: Vec<&VariableSpec> = list
        .iter()
        .rev()
        .filter(|variable| seen.insert(&*variable.key))
        .collect();
    kept.reverse();
    kept
}

fn expanded(variable: &VariableSpec, list: &[VariableSpec], temp_dir: &str) -> String {
    if variable.raw {
        return variable.value.to_string();
    }
    let value_of = |name: &str| -> Option<Cow<'_, str>> {
        let referenced = list.iter().rfind(|other| &*other.key == name)?;
        Some(match referenced.file {
            true => file_path(temp_dir, &referenced.key).into(),
            false => Cow::from(&*referenced.value),
        })
    };
    expand_as_runner(&variable.value, value_of).into_string()
}

/// Where the content of a file variable goes; a name cannot lead out of the directory.
fn file_path(temp_dir: &str, key: &str) -> String {
    let name = key.replace('/', "_");
    Path::new(temp_dir)
        .join(name)
        .to_string_lossy()
        .into_owned()
}
