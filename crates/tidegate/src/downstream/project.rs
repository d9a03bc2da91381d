//! Projects on this machine that trigger jobs name.

use std::path::PathBuf;

use tidegate_scenario::Scenario;
use tidegate_settings::Settings;
use tidegate_world::{Checkout, Location};

use super::{Downstream, Origin};
use crate::cli::{DEFAULT_FILE, Global, ScenarioArgs};
use crate::exit::Failure;
use crate::project::{Place, Project};

/// Where a project is.
pub(super) enum Found {
    /// In a directory.
    Mapped(Box<Mapped>),
    /// Nowhere, for what the text says.
    Nowhere(String),
}

/// A project in a directory.
pub(super) struct Mapped {
    /// As it stands there.
    pub(super) project: Project,
    /// Its files are taken as they lie there, whatever ref is wanted.
    pub(super) work_tree: bool,
}

/// The directory that the settings of a project map the project `path` to, and whether its files are taken as they lie there.
pub(crate) fn directory_of(
    settings: &Settings,
    checkout: &Checkout,
    scenario: &Scenario,
    path: &str,
) -> Option<(PathBuf, bool)> {
    let sources = settings.sources(checkout, &scenario.project.path, &scenario.server.fqdn());
    match sources.project(&path.to_lowercase())?.location {
        Location::Directory { path, work_tree } => Some((path, work_tree)),
        Location::Url(_) => None,
    }
}

impl Origin {
    /// Where the project of the pipeline is.
    pub(super) fn place(&self) -> Place<'_> {
        Place {
            directory: &self.directory,
            file: &self.file,
            subject: self.subject,
        }
    }
}

impl Downstream {
    /// The project `path`, as the settings of the project that names it map it.
    pub(super) fn mapped(&self, above: &Origin, path: &str) -> Result<Found, Failure> {
        let settings = Project::settings_of(above.place())?;
        let checkout = Checkout::at(above.directory.clone(), above.file.clone());
        match directory_of(&settings, &checkout, &above.scenario, path) {
            Some((directory, work_tree)) => self.at(directory, work_tree),
            None => Ok(Found::Nowhere(format!(
                "no directory is mapped to it: `[includes.projects]` of tidegate.toml with `\"{path}\" = {{ path = \"DIRECTORY\" }}` has its pipeline run"
            ))),
        }
    }

    fn at(&self, path: PathBuf, work_tree: bool) -> Result<Found, Failure> {
        if !path.join(DEFAULT_FILE).is_file() {
            return Ok(Found::Nowhere(format!(
                "there is no {DEFAULT_FILE} in {}",
                path.display()
            )));
        }
        let global = Global {
            directory: Some(path),
            file: DEFAULT_FILE.to_owned(),
            data_dir: Some(self.store.directory().to_owned()),
            ..self.global.clone()
        };
        let project = Project::open(&global, &ScenarioArgs::default())?;
        Ok(Found::Mapped(Box::new(Mapped { project, work_tree })))
    }
}
