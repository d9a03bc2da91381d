//! What comes before the first script of the user: the environment, the files, caches and artifacts.

use std::sync::Arc;
use std::time::Duration;

use tidegate_pipeline::{JobSpec, ShellKind};

use super::Driver;
use super::failure::{ErrorKind, JobError};
use super::phase::{Phase, StageBounds};
use super::results::names_files;
use super::stage::{Heard, StageScript};
use crate::login::{self, ACCOUNT, Account, Login, ShellEnvironment};
use crate::script::{self, Exports, Source};
use crate::settings::Strategy;
use crate::supervisor::owner::Supervisor;
use crate::supervisor::protocol::ShellStart;

/// Pause after the first failed attempt of a stage; the nth is n times as long. Nothing here is far away, so the runner's five seconds
/// and more would only be waited out.
const PAUSE: Duration = Duration::from_secs(1);

impl Driver {
    pub(super) fn prepare_script(&mut self, supervisor: &mut Supervisor) -> Result<(), JobError> {
        let (name, headline) = ("prepare_script", "Preparing environment");
        if let Some(greeting) = self.greeting() {
            return self.spoken(name, headline, &greeting, Phase::Before);
        }
        let logins = self.logins.clone();
        let prepared = match logins.ask_once(|| self.learn_login(supervisor, name, headline)) {
            Some(prepared) => prepared,
            None => {
                let script = self.script(|scripts| scripts.prepare(""));
                self.stage(
                    supervisor,
                    name,
                    headline,
                    &script,
                    StageBounds::before_scripts(),
                )
            }
        };
        self.look_at_login();
        prepared.map_err(|error| match error.kind {
            ErrorKind::Failed(_) => JobError::system(format!(
                "prepare environment: {}. Check https://docs.gitlab.com/runner/shells/\
                 #shell-profile-loading for more information",
                error.message
            )),
            _ => error,
        })
    }

    /// `prepare_script` by a login shell that says what its profile did to it.
    fn learn_login(
        &mut self,
        supervisor: &mut Supervisor,
        name: &str,
        headline: &str,
    ) -> Result<(), JobError> {
        let (shell, environment) = (self.run.spec.shell, self.run.environment.clone());
        let files = login::files(&environment);
        let account = match shell {
            ShellKind::Bash if !self.settings.debug_trace => ACCOUNT,
            ShellKind::Bash | ShellKind::Sh => "",
        };
        let script = StageScript {
            shell: ShellEnvironment::login(&environment),
            text: self.scripts(Exports::Written).prepare(account),
        };
        let mut heard = Heard::default();
        let leftovers = self.leftovers;
        let bounds = StageBounds::before_scripts();
        self.stage_heard(supervisor, (name, headline), &script, bounds, &mut heard)?;
        if self.settings.debug_trace || self.leftovers > leftovers {
            return Ok(());
        }
        let printed = heard.printed();
        let Some(login) = Login::silent(shell, &environment, files, printed) else {
            return Ok(());
        };
        let login = match self.proved_environment(supervisor, script, heard.all()) {
            Some(environment) => login.replaced_by(&environment),
            None => login,
        };
        self.logins.learn(login);
        Ok(())
    }

    /// The environment with which a shell without profile is what this login shell is.
    fn proved_environment(
        &mut self,
        supervisor: &mut Supervisor,
        script: StageScript,
        output: &[u8],
    ) -> Option<Vec<u8>> {
        let account = Account::of(output)?;
        let environment = account.environment(&script.shell.variables);
        let mut answer = Vec::new();
        let without = StageScript {
            shell: ShellEnvironment {
                start: ShellStart::WithoutProfile,
                variables: environment.as_slice().into(),
            },
            ..script
        };
        self.silently(supervisor, &without, &mut answer)?;
        let agrees = Account::of(&answer)?.agrees_with(&account);
        agrees.then_some(environment)
    }

    /// What `prepare_script` prints where no shell has to be asked: its profile is silent, and so is the trace of the shell.
    pub(super) fn greeting(&self) -> Option<Arc<[u8]>> {
        let traced = self.settings.debug_trace;
        let login = self.login.as_ref();
        login.map(|login| login.greeting()).filter(|_| !traced)
    }

    /// Finds out whether what is known of logging in still holds: an earlier stage may have changed a profile.
    pub(super) fn look_at_login(&mut self) {
        let (shell, environment) = (self.run.spec.shell, &self.run.environment);
        self.login = self.logins.known(shell, environment);
    }

    /// How to start the shells of a stage.
    pub(super) fn shell_environment(&mut self) -> ShellEnvironment {
        self.look_at_login();
        self.login
            .as_ref()
            .and_then(|login| login.without())
            .unwrap_or_else(|| ShellEnvironment::login(&self.run.environment))
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
            let script =
                self.script(|scripts| scripts.get_sources(source, &spec.pre_get_sources_script));
            let attempts = self.settings.sources_attempts;
            self.attempted(attempts, |driver| {
                let bounds = StageBounds::before_scripts();
                driver.stage(supervisor, name, headline, &script, bounds)
            })?;
        }
        self.attempted(self.settings.cache_attempts, Self::restore_cache)?;
        self.attempted(self.settings.artifact_attempts, Self::download_artifacts)
    }

    /// Tries a stage as often as the job's variables say, with a pause that grows.
    fn attempted(
        &mut self,
        attempts: u32,
        mut stage: impl FnMut(&mut Self) -> Result<(), JobError>,
    ) -> Result<(), JobError> {
        for attempt in 1..attempts {
            match stage(self) {
                Err(error) if self.dead.is_none() && matches!(error.kind, ErrorKind::Failed(_)) => {
                    let pause = PAUSE * attempt;
                    self.writer().warning(&format!(
                        "attempt {attempt} of {attempts} failed: {}. Retrying in {} s",
                        error.message,
                        pause.as_secs()
                    ));
                    std::thread::sleep(pause);
                }
                done => return done,
            }
        }
        stage(self)
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
