//! A plan's inputs in one document: what `--record` writes and `--replay` plans from (docs/json.md).
//!
//! A recording holds the configuration's first file, how it is read, the scenario and every answer of the world that loading and
//! planning asked for. Values of masked variables are replaced by placeholders before it leaves the process; what
//! that changes in the plan is found out while recording, and said in the document.

mod mask;
mod reading;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_config::{Loaded, RootFile, load};
use tidegate_plan::{Detail, Plan, ProtectedCaches, plan_with, stopped_before_loading};
use tidegate_report::list_json;
use tidegate_scenario::{ContentRecord, Facts, FactsRecord, Scenario, ScenarioRecord};

use crate::exit::Failure;
use crate::project::for_planning;
use mask::Mask;
use reading::ReadingRecord;

/// Version of the document.
const RECORDING_VERSION: u32 = 1;

/// All a plan depends on.
pub(crate) struct Recording {
    pub(crate) root: RootFile,
    pub(crate) reading: tidegate_config::Settings,
    /// Settings of the instance the plan depends on.
    pub(crate) planning: tidegate_plan::Settings,
    pub(crate) scenario: Scenario,
    pub(crate) facts: Facts,
    /// Names of variables whose values are placeholders.
    pub(crate) masked: Vec<String>,
    /// Jobs about which the recording decides otherwise than the plan that was recorded did.
    pub(crate) differs: Vec<String>,
}

/// Written by hand rather than derived from [`Recording`]: this is the format.
#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    /// Which Tidegate wrote it; for people.
    tidegate: String,
    root: RootRecord,
    reading: ReadingRecord,
    /// Which jobs use the caches of protected refs; absent: GitLab's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    protected_caches: Option<ProtectedRecord>,
    masked: Vec<String>,
    differs: Vec<String>,
    scenario: ScenarioRecord,
    facts: FactsRecord,
}

/// [`ProtectedCaches`] where it is not the default.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ProtectedRecord {
    Ref,
    Maintainer,
}

impl ProtectedRecord {
    fn of(caches: ProtectedCaches) -> Option<ProtectedRecord> {
        match caches {
            ProtectedCaches::RefOrMaintainer => None,
            ProtectedCaches::Ref => Some(ProtectedRecord::Ref),
            ProtectedCaches::Maintainer => Some(ProtectedRecord::Maintainer),
        }
    }

    fn caches(record: Option<ProtectedRecord>) -> ProtectedCaches {
        match record {
            None => ProtectedCaches::RefOrMaintainer,
            Some(ProtectedRecord::Ref) => ProtectedCaches::Ref,
            Some(ProtectedRecord::Maintainer) => ProtectedCaches::Maintainer,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct RootRecord {
    name: String,
    content: ContentRecord,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Recording {
    /// Writes the recording of a plan, and says on which jobs it decides otherwise because masked values are not in it.
    pub(crate) fn write(mut self, original: &Plan, path: &Path) -> Result<Recording, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::unusable(format!("failed to write {}: {error}", path.display()))
        };
        let mut document = self.document();
        let kept = Recording::of_document(document.clone()).map_err(|error| failed(&error))?;
        self.masked.clone_from(&kept.masked);
        self.differs = kept.differing(original)?;
        if let Some(place) = document.get_mut("differs") {
            *place = self.differs.clone().into();
        }
        let mut text = serde_json::to_string_pretty(&document).map_err(|error| failed(&error))?;
        text.push('\n');
        std::fs::write(path, text).map_err(|error| failed(&error))?;
        Ok(self)
    }

    /// Reads what [`Recording::write`] wrote.
    pub(crate) fn read(path: &Path) -> Result<Recording, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::unusable(format!("failed to read {}: {error}", path.display()))
        };
        let text = std::fs::read(path).map_err(|error| failed(&error))?;
        let version: Version = serde_json::from_slice(&text).map_err(|error| failed(&error))?;
        if version.version != RECORDING_VERSION {
            let found = version.version;
            return Err(failed(&format!(
                "it is a recording of version {found}, and this Tidegate reads version {RECORDING_VERSION}"
            )));
        }
        let document = serde_json::from_slice(&text).map_err(|error| failed(&error))?;
        Recording::of_document(document).map_err(|error| failed(&error))
    }

    /// Loads and plans from the recording alone.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        let reading = for_planning(&self.reading);
        load(&self.root, &self.scenario, &self.facts, &reading).map_err(broken)
    }

    /// As [`Project::stopped`](crate::project::Project::stopped).
    pub(crate) fn stopped(&self) -> Option<Plan> {
        stopped_before_loading(&self.scenario, &self.planning)
    }

    /// Plans from the recording alone; `None` where the configuration has errors.
    pub(crate) fn plan(&self, loaded: &Loaded, detail: &Detail) -> Result<Option<Plan>, Failure> {
        let config = loaded.config.as_ref();
        config
            .map(|config| {
                plan_with(config, &self.scenario, &self.facts, detail, &self.planning)
                    .map_err(broken)
            })
            .transpose()
    }

    /// What to tell a reader of the plan about masked values.
    pub(crate) fn caution(&self) -> Option<String> {
        if self.masked.is_empty() {
            return None;
        }
        let masked = self.masked.join(", ");
        Some(if self.differs.is_empty() {
            format!("note: the recording holds placeholders for the masked values of {masked}\n")
        } else {
            format!(
                "warning: the recording holds placeholders for the masked values of {masked}, which gives another plan than \
                 the one recorded: {}\n",
                self.differs.join(", ")
            )
        })
    }

    /// The document without masked values.
    fn document(&self) -> Value {
        let mask = Mask::of(&self.scenario);
        let mut scenario = self.scenario.clone();
        mask.hide_variables(&mut scenario);
        let document = Document {
            version: RECORDING_VERSION,
            tidegate: env!("CARGO_PKG_VERSION").to_owned(),
            root: RootRecord {
                name: self.root.name.clone(),
                content: ContentRecord::of(&self.root.bytes),
            },
            reading: ReadingRecord::of(&self.reading),
            protected_caches: ProtectedRecord::of(self.planning.protected_caches),
            masked: mask.names().to_vec(),
            differs: self.differs.clone(),
            scenario: ScenarioRecord::of(&scenario),
            facts: FactsRecord::of(&self.facts),
        };
        let mut document = serde_json::to_value(document)
            .expect("our documents have text keys only, so they always serialise");
        mask.hide_everywhere(&mut document);
        document
    }

    fn of_document(document: Value) -> Result<Recording, String> {
        let document: Document =
            serde_json::from_value(document).map_err(|error| error.to_string())?;
        let text = |error: tidegate_scenario::UnreadableRecord| error.to_string();
        Ok(Recording {
            root: RootFile {
                name: document.root.name,
                bytes: document.root.content.bytes().map_err(text)?,
            },
            reading: document.reading.reading(),
            planning: tidegate_plan::Settings {
                protected_caches: ProtectedRecord::caches(document.protected_caches),
                ..tidegate_plan::Settings::default()
            },
            scenario: document.scenario.scenario().map_err(text)?,
            facts: document.facts.facts().map_err(text)?,
            masked: document.masked,
            differs: document.differs,
        })
    }

    /// The jobs about which this recording decides otherwise than `original`; the outcome's name where all are the same and
    /// the pipelines are not.
    fn differing(&self, original: &Plan) -> Result<Vec<String>, Failure> {
        let loaded = self.load()?;
        let Some(replayed) = self.plan(&loaded, &Detail::All)? else {
            return Ok(vec!["the configuration".to_owned()]);
        };
        let (before, after) = (list_json(original), list_json(&replayed));
        if before == after {
            return Ok(Vec::new());
        }
        let (before, after) = (jobs(&before), jobs(&after));
        let names = before.keys().chain(after.keys());
        let mut differing: Vec<String> = names
            .filter(|name| before.get(*name) != after.get(*name))
            .cloned()
            .collect();
        differing.sort();
        differing.dedup();
        if differing.is_empty() {
            differing.push("the pipeline as a whole".to_owned());
        }
        Ok(differing)
    }
}

/// The entries of a list by the names of their jobs.
fn jobs(list: &str) -> BTreeMap<String, Value> {
    let list: Value = serde_json::from_str(list).unwrap_or_default();
    let entries = list.get("jobs").and_then(Value::as_array);
    let entries = entries.into_iter().flatten();
    entries
        .filter_map(|job| Some((job.get("name")?.as_str()?.to_owned(), job.clone())))
        .collect()
}

fn broken(error: tidegate_scenario::WorldError) -> Failure {
    Failure::unusable(format!("failed to {error}"))
}
