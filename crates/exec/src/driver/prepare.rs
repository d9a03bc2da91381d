//! What comes before the first script of the user: the environment, the files, caches and artifacts.

use std::sync::Arc;

use tidegate_pipeline::JobSpec;

use super::Driver;
use super::failure::{ErrorKind, JobError};
use super::phase::{Phase, StageBounds};
use super::results::names_files;
use crate::script::{self, Source};
use crate::settings::Strategy;
use crate::supervisor::owner::Supervisor;

impl Driver {
    pub(super) fn prepare_script(&mut self, supervisor: &mut Supervisor) -> Result<(), JobError> {
        let (name, headline) = ("prepare_script", "Preparing environment");
        if let Some(greeting) = self.greeting() {
            // What an earlier job left in a directory that was not removed; mostly there is nothing.
            let _ = std::fs::remove_file(self.reachable(self.scripts().env_file().as_ref()));
            return self.spoken(name, headline, &greeting, Phase::Before);
        }
        let script = self.scripts().prepare();
        let bounds = StageBounds::before_scripts();
        let mut printed = Vec::new();
        let prepared = self.stage_heard(
            supervisor,
            (name, headline),
            &script,
            bounds,
            &mut |bytes| {
                printed.extend_from_slice(bytes);
            },
        );
        if prepared.is_ok() {
            let (shell, environment) = (self.run.spec.shell, &self.run.environment);
            self.profile.heard(shell, environment, &printed);
        }
        prepared.map_err(|error| match error.kind {
            ErrorKind::Failed(_) => JobError::system(format!(
                "prepare environment: {}. Check https://docs.gitlab.com/runner/shells/\
                 #shell-profile-loading for more information",
                error.message
            )),
            _ => error,
        })
    }

    /// What `prepare_script` prints where no shell has to be asked: its profile is silent, and so is the trace of the shell.
    pub(super) fn greeting(&self) -> Option<Arc<[u8]>> {
        let traced = self.settings.debug_trace;
        self.profile
            .greeting(self.run.spec.shell, &self.run.environment)
            .filter(|_| !traced)
    }

    /// Everything before the first script of the user.
    pub(super) fn sources(&mut self, supervisor: &mut Supervisor) -> Result<(), JobError> {
        let spec = self.run.spec.clone();
        let source = match self.settings.strategy {
            Strategy::Snapshot => Source::Snapshot { sha: &spec.git.sha },
            Strategy::None => Source::None,
            Strategy::Empty => Source::Empty,
        };
        let (name, headline) = ("get_sources", "Getting source from Git repository");
        if let Some(notice) = self.only_notice(source, &spec) {
            self.spoken(name, headline, notice.as_bytes(), Phase::Before)?;
        } else {
            let script = self
                .scripts()
                .get_sources(source, &spec.pre_get_sources_script);
            let bounds = StageBounds::before_scripts();
            self.stage(supervisor, name, headline, &script, bounds)?;
        }
        self.restore_cache()?;
        self.download_artifacts()
    }

    /// What `get_sources` prints where it does nothing else and its exports cannot fail.
    fn only_notice(&self, source: Source<'_>, spec: &JobSpec) -> Option<String> {
        let silent = self.greeting().is_some() && spec.pre_get_sources_script.is_empty();
        let exportable = || {
            self.variables
                .iter()
                .all(|variable| is_exportable(&variable.key))
        };
        match source {
            Source::Snapshot { sha } if silent && exportable() => Some(script::snapshot_line(sha)),
            _ => None,
        }
    }

    fn restore_cache(&mut self) -> Result<(), JobError> {
        let spec = self.run.spec.clone();
        let caches: Vec<_> = spec
            .caches
            .iter()
            .filter(|cache| names_files(cache))
            .collect();
        if caches.is_empty() {
            return Ok(());
        }
        self.storage_stage(
            ("restore_cache", "Restoring cache"),
            Phase::Before,
            true,
            |storage, context, trace| storage.restore_cache(&caches, context, trace),
        )
    }

    fn download_artifacts(&mut self) -> Result<(), JobError> {
        let spec = self.run.spec.clone();
        if !self.run.storage.has_artifacts(&spec.dependencies) {
            return Ok(());
        }
        self.storage_stage(
            ("download_artifacts", "Downloading artifacts"),
            Phase::Before,
            true,
            |storage, context, trace| {
                storage.download_artifacts(&spec.dependencies, context, trace)
            },
        )
    }
}

/// Whether `export` takes the name in every shell; of the others `get_sources` fails already.
fn is_exportable(name: &str) -> bool {
    let mut bytes = name.bytes();
    let starts = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let goes_on = bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    starts && goes_on && !READ_ONLY.contains(&name)
}

/// Names of variables that bash does not let anyone set.
const READ_ONLY: [&str; 6] = [
    "BASHOPTS",
    "BASH_VERSINFO",
    "EUID",
    "PPID",
    "SHELLOPTS",
    "UID",
];
