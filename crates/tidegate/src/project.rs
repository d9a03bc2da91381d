//! The project a command works on: where it is, what git says, its configuration and plan.

use std::path::{Path, PathBuf};

use tidegate_config::{Dialect, Edition, Loaded, RootFile, Settings, load};
use tidegate_plan::{Detail, Plan, plan};
use tidegate_scenario::{CacheState, Fact, Place, Scenario, World, WorldError};
use tidegate_store::Store;
use tidegate_world::{CacheProbe, Checkout, CheckoutError, GitWorld, Subject, local_scenario};

use crate::cli::{DialectName, EditionName, Global, ScenarioArgs};
use crate::exit::Failure;
use crate::scenario_args;
use crate::statement::Statement;

/// A project with the situation its pipeline is planned for.
pub(crate) struct Project {
    /// Where it is and what git says.
    pub checkout: Checkout,
    /// The situation.
    pub scenario: Scenario,
    /// Which tree the jobs see.
    pub subject: Subject,
    /// Directory of the store.
    pub data_dir: PathBuf,
    root: RootFile,
    settings: Settings,
}

impl Project {
    /// Finds the project and makes the scenario the arguments describe.
    pub(crate) fn open(global: &Global, args: &ScenarioArgs) -> Result<Project, Failure> {
        let start = match &global.directory {
            Some(directory) => directory.clone(),
            None => std::env::current_dir().map_err(|error| {
                Failure::unusable(format!("failed to find the current directory: {error}"))
            })?,
        };
        let checkout = Checkout::find(&start, &global.file).map_err(|error| not_found(&error))?;
        let path = checkout.root.join(&checkout.config_path);
        let bytes = std::fs::read(&path).map_err(|error| {
            Failure::unusable(format!("failed to read {}: {error}", path.display()))
        })?;
        let stated = Statement::of(args)?;
        let mut scenario = local_scenario(&checkout, stated.base.as_deref());
        scenario_args::apply(&mut scenario, &checkout, stated)?;
        let subject = if args.committed {
            Subject::Commit
        } else {
            Subject::WorkTree
        };
        let root = RootFile {
            name: checkout.config_path.clone(),
            bytes: bytes.into(),
        };
        let data_dir = data_dir(global.data_dir.as_deref())?;
        let settings = settings(global)?;
        Ok(Project {
            checkout,
            scenario,
            subject,
            data_dir,
            root,
            settings,
        })
    }

    /// Loads the configuration.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        let caches = self.caches();
        let world = GitWorld::new(&self.checkout, self.subject, &caches);
        load(&self.root, &self.scenario, &world, &self.settings).map_err(broken)
    }

    /// Plans the pipeline of a configuration that loaded without errors.
    pub(crate) fn plan(&self, loaded: &Loaded, detail: &Detail) -> Result<Option<Plan>, Failure> {
        let Some(config) = &loaded.config else {
            return Ok(None);
        };
        let caches = self.caches();
        let world = GitWorld::new(&self.checkout, self.subject, &caches);
        plan(config, &self.scenario, &world, detail)
            .map(Some)
            .map_err(broken)
    }

    /// The files jobs see, relative to the project root.
    pub(crate) fn paths(&self) -> Result<Vec<PathBuf>, Failure> {
        let caches = self.caches();
        let world = GitWorld::new(&self.checkout, self.subject, &caches);
        match world.tree(&Place::Here).map_err(broken)? {
            Fact::Known(paths) => Ok(paths
                .as_slice()
                .iter()
                .map(|path| (**path).into())
                .collect()),
            Fact::Unknown(why) => Err(Failure::unusable(format!(
                "failed to list the files: {why}"
            ))),
        }
    }

    /// Under which name the store keeps what belongs to this project: its path where it has a remote, else its directory, so that
    /// two projects of one name do not share caches.
    pub(crate) fn key(&self) -> String {
        match self.checkout.remote {
            Some(_) => format!(
                "{}/{}",
                self.scenario.server.host, self.scenario.project.path
            ),
            None => self.checkout.root.to_string_lossy().into_owned(),
        }
    }

    fn caches(&self) -> StoredCaches<'_> {
        StoredCaches {
            directory: &self.data_dir,
            key: self.key(),
        }
    }
}

/// How the configuration is read.
fn settings(global: &Global) -> Result<Settings, Failure> {
    let mut settings = Settings::default();
    match global.dialect {
        Some(DialectName::Gitlab) => settings.dialect = Dialect::Gitlab,
        Some(DialectName::Tidegate) => settings.dialect = Dialect::Tidegate,
        None => {}
    }
    match global.edition {
        Some(EditionName::Ce) => settings.edition = Edition::Community,
        Some(EditionName::Ee) => settings.edition = Edition::Enterprise,
        None => {}
    }
    if let Some(text) = &global.gitlab_version {
        let parts = text.split_once('.').and_then(|(major, minor)| {
            Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
        });
        settings.gitlab_version = parts.ok_or_else(|| {
            Failure::unusable(format!(
                "--gitlab-version {text}: expected a version such as 18.11"
            ))
        })?;
    }
    Ok(settings)
}

/// Answers from the store whether a cache exists. The store is only opened when asked.
struct StoredCaches<'a> {
    directory: &'a Path,
    key: String,
}

impl CacheProbe for StoredCaches<'_> {
    fn state(&self, key: &str) -> Result<CacheState, String> {
        if !self.directory.exists() {
            return Ok(CacheState::Missing);
        }
        let store = Store::open(self.directory).map_err(|error| error.to_string())?;
        let found = store
            .find_cache(&self.key, key)
            .map_err(|error| error.to_string())?;
        Ok(if found.is_some() {
            CacheState::Present
        } else {
            CacheState::Missing
        })
    }
}

fn broken(error: WorldError) -> Failure {
    Failure::unusable(format!("failed to {error}"))
}

fn not_found(error: &CheckoutError) -> Failure {
    let failure = Failure::unusable(format!("failed to {error}"));
    match error {
        CheckoutError::NoConfiguration { .. } => {
            failure.hint("-C DIR works in another directory, -f FILE reads another file")
        }
        CheckoutError::Unreadable { .. } => failure,
    }
}

/// `--data-dir`, else `$XDG_DATA_HOME/tidegate`, else `~/.local/share/tidegate`.
pub(crate) fn data_dir(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        return std::path::absolute(given).map_err(|error| {
            Failure::unusable(format!("failed to use {}: {error}", given.display()))
        });
    }
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
    let base = base.ok_or_else(|| {
        Failure::unusable(
            "failed to find a place for the store: neither XDG_DATA_HOME nor HOME is set",
        )
        .hint("--data-dir DIR names one")
    })?;
    Ok(base.join("tidegate"))
}
