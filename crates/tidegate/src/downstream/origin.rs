//! What is kept of how a pipeline was planned, for the pipelines its trigger jobs ask for: also another process can go on.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_scenario::{PipelineSource, Scenario, ScenarioRecord};
use tidegate_world::Subject;

use crate::exit::Failure;
use crate::project::Project;

/// Version of the format.
const VERSION: u32 = 1;

/// How a pipeline was planned. Holds values of masked variables; the store keeps it for its user alone.
pub(crate) struct Origin {
    /// Root of the project.
    pub(super) directory: PathBuf,
    /// Its configuration file.
    pub(super) file: String,
    /// Which tree its jobs see.
    pub(super) subject: Subject,
    /// The situation.
    pub(super) scenario: Scenario,
}

#[derive(Serialize, Deserialize)]
struct Record {
    v: u32,
    directory: PathBuf,
    file: String,
    committed: bool,
    scenario: ScenarioRecord,
}

impl Origin {
    /// The text of how the pipeline of a project is planned.
    pub(crate) fn text(project: &Project) -> Arc<str> {
        let record = Record {
            v: VERSION,
            directory: project.checkout.root.clone(),
            file: project.checkout.config_path.clone(),
            committed: project.subject == Subject::Commit,
            scenario: ScenarioRecord::of(&project.scenario),
        };
        // Only a path that is not UTF-8 is no JSON; a run there has no downstream pipelines.
        serde_json::to_string(&record).unwrap_or_default().into()
    }

    /// Reads what [`Origin::text`] wrote.
    pub(super) fn read(text: &str) -> Result<Origin, Failure> {
        let unreadable = |error: &dyn std::fmt::Display| {
            Failure::unusable(format!(
                "failed to read how the pipeline above was planned: {error}"
            ))
        };
        let record: Record = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        if record.v != VERSION {
            return Err(unreadable(&format!("version {}", record.v)));
        }
        let scenario = record.scenario.scenario();
        Ok(Origin {
            directory: record.directory,
            file: record.file,
            subject: match record.committed {
                true => Subject::Commit,
                false => Subject::WorkTree,
            },
            scenario: scenario.map_err(|error| unreadable(&error))?,
        })
    }

    /// How many parent/child steps lead to this pipeline.
    pub(super) fn depth(&self) -> u32 {
        match (&self.scenario.upstream, self.is_child()) {
            (Some(upstream), true) => upstream.depth,
            _ => 0,
        }
    }

    /// Whether a trigger job of the same project made it.
    pub(super) fn is_child(&self) -> bool {
        self.scenario.source == PipelineSource::ParentPipeline
    }
}
