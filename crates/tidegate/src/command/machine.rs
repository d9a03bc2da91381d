//! What this machine gives a run: the store, a way to make work trees, an executor.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidegate_exec::{Environment, ShellExecutor, TraceOptions};
use tidegate_pipeline::{CacheSuffix, ShellKind};
use tidegate_run::{
    Base, Begun, Pins, Providers, RemoteCaches, Resumption, RunSetup, SecretSource, StoredRun,
};
use tidegate_settings::{Shell, Source, Sources};
use tidegate_store::Store;
use tidegate_workspace::{Backend, Wanted as WantedBackend, probe};

use super::cache::unopened;
use crate::SUPERVISE;
use crate::cli::{Global, RunArgs};
use crate::downstream::Downstream;
use crate::exit::Failure;
use crate::project::Project;
use crate::remote_cache::{Wanted, for_jobs};

/// What processes of a canceled job get between TERM and KILL. GitLab gives ten minutes; a person waits here.
const GRACE: Duration = Duration::from_secs(5);

/// The store and how work trees are made in it.
pub(super) struct Machine {
    /// How downstream pipelines are read.
    global: Global,
    /// How jobs are started.
    executor: ShellExecutor,
    /// The store.
    pub(super) store: Store,
    /// How work trees are made.
    pub(super) backend: Backend,
    /// The cache shared with other machines.
    remote: Wanted,
    /// What the settings say of runs.
    settings: tidegate_settings::Run,
    providers: Providers,
}

impl Machine {
    /// Opens the store, making it where it is missing, and finds the way to make work trees.
    pub(super) fn open(
        global: &Global,
        project: &Project,
        workspace: Option<&str>,
    ) -> Result<Machine, Failure> {
        let settings = project.settings.run.clone();
        let of_settings = settings.workspace.map(|workspace| workspace.name());
        let data_dir = &project.data_dir;
        let wanted: WantedBackend = match workspace.or(of_settings) {
            Some(text) => text
                .parse()
                .map_err(|error| failed("use --workspace", &error))?,
            None => WantedBackend::Best,
        };
        std::fs::create_dir_all(data_dir)
            .map_err(|error| failed("make the directory of the store", &error))?;
        let store = Store::open(data_dir).map_err(|error| unopened(&error))?;
        let backend =
            probe::choose(data_dir, wanted).map_err(|error| failed("make work trees", &error))?;
        Ok(Machine {
            global: global.clone(),
            executor: ShellExecutor::of_this_binary(SUPERVISE)
                .map_err(|error| failed("find this program's own file", &error))?,
            store,
            backend,
            remote: project.remote.clone(),
            settings,
            providers: providers(project),
        })
    }

    /// The cache shared with other machines, for jobs whose keys end so. One that cannot be used is told, and they go without.
    pub(super) fn remote(
        &self,
        suffix: CacheSuffix,
        project: &str,
    ) -> Option<Arc<dyn RemoteCaches>> {
        for_jobs(&self.remote, suffix, &self.store, project)
    }

    /// Starts what jobs will run below, while there are other things to do before them.
    pub(super) fn start_early(&self) -> Result<(), Failure> {
        let started = self.executor.start_early();
        started.map_err(|error| failed("start the supervisors of jobs", &error))
    }

    /// Everything a run needs; `pins` are the caches its plan relies on, `past` is what happened so far of one that goes on.
    pub(super) fn setup(
        self,
        args: &RunArgs,
        begun: Begun,
        base: Base,
        facts: StoredRun,
        pins: Pins,
        past: Option<Resumption>,
    ) -> Result<RunSetup, Failure> {
        let remote = self.remote(facts.suffix, &facts.project.key);
        Ok(RunSetup {
            remote,
            begun,
            past,
            facts,
            planner: Arc::new(Downstream::new(
                &self.global,
                args.executor,
                self.providers.clone(),
                self.store.clone(),
            )),
            store: self.store,
            executor: self.executor,
            environment: environment(&self.settings),
            backend: self.backend,
            base,
            pins,
            parallel: args.parallel.or(self.settings.jobs).unwrap_or_else(cores),
            grace: GRACE,
            log_limit: self
                .settings
                .log_limit
                .map_or(TraceOptions::DEFAULT_LIMIT, |size| size.0),
            providers: self.providers,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }
}

/// Where secrets and ID tokens come from.
pub(super) fn providers(project: &Project) -> Providers {
    let sources = |sources: &Sources| sources.iter().map(source).collect();
    Providers {
        secrets: sources(&project.settings.secrets),
        id_tokens: sources(&project.settings.id_tokens),
        directory: project.checkout.root.clone(),
        environment: std::env::vars_os().collect(),
    }
}

fn source((key, source): (&String, &Source)) -> (String, SecretSource) {
    let source = match source {
        Source::Variable(name) => SecretSource::Variable(name.clone()),
        Source::File(path) => SecretSource::File(path.clone()),
        Source::Command(command) => SecretSource::Command(command.clone()),
    };
    (key.clone(), source)
}

/// The environment jobs start from.
pub(super) fn environment(settings: &tidegate_settings::Run) -> Environment {
    match settings.environment {
        Some(tidegate_settings::Environment::Clean) => Environment::clean(std::env::vars_os()),
        _ => Environment::inherited(std::env::vars_os()),
    }
}

fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

pub(super) fn failed(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::unusable(format!("failed to {what}: {error}"))
}

/// What reads the scripts of jobs: what the settings say, else bash where there is one.
pub(super) fn shell(project: &Project) -> ShellKind {
    match project.settings.run.shell {
        Some(Shell::Bash) => ShellKind::Bash,
        Some(Shell::Sh) => ShellKind::Sh,
        None if on_path("bash").is_some() => ShellKind::Bash,
        None => ShellKind::Sh,
    }
}

/// Where a program is on the search path.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|dir| dir.join(name));
    found.find(|path| path.is_file())
}
