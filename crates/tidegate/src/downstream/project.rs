//! Projects on this machine that trigger jobs name.

use std::path::PathBuf;

use tidegate_world::Location;

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
        let checkout = tidegate_world::Checkout::at(above.directory.clone(), above.file.clone());
        let scenario = &above.scenario;
        let sources = settings.sources(&checkout, &scenario.project.path, &scenario.server.fqdn());
        let source = sources.project(&path.to_lowercase());
        Ok(match source.map(|source| source.location) {
            Some(Location::Directory { path, work_tree }) => self.at(path, work_tree)?,
            Some(Location::Url(_)) | None => Found::Nowhere(format!(
                "no directory is mapped to it: `[includes.projects]` of tidegate.toml with `\"{path}\" = {{ path = \"DIRECTORY\" }}` has its pipeline run"
            )),
        })
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
