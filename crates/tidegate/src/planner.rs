//! Where a plan comes from: the project, or a recording of it.

use std::cell::RefCell;
use std::path::PathBuf;

use tidegate_config::Loaded;
use tidegate_plan::{Detail, Plan};
use tidegate_scenario::Facts;

use crate::cli::{DEFAULT_FILE, Global, RecordingArgs, ScenarioArgs};
use crate::exit::Failure;
use crate::project::{Project, override_reading};
use crate::recording::Recording;
use crate::terminal::tell;

/// Loads and plans, with or without a repository.
#[expect(clippy::large_enum_variant, reason = "a process has one of them")]
pub(crate) enum Planner {
    /// The project in a directory.
    Project(Box<Project>),
    /// The project, and what is asked for is written down.
    Recorded {
        /// The project.
        project: Box<Project>,
        /// What loading asked for.
        asked: RefCell<Facts>,
        /// Where the recording goes.
        into: PathBuf,
    },
    /// A recording, and nothing else.
    Replayed(Box<Recording>),
}

impl Planner {
    /// What the arguments ask for.
    pub(crate) fn open(
        global: &Global,
        scenario: &ScenarioArgs,
        recording: &RecordingArgs,
    ) -> Result<Planner, Failure> {
        if let Some(path) = &recording.replay {
            let mut recorded = Recording::read(path)?;
            override_reading(global, &mut recorded.reading)?;
            if global.file != DEFAULT_FILE && global.file != recorded.root.name {
                let (asked, held) = (&global.file, &recorded.root.name);
                return Err(Failure::unusable(format!(
                    "--file {asked}: the recording holds {held}"
                )));
            }
            if let Some(caution) = recorded.caution() {
                tell(&caution);
            }
            return Ok(Planner::Replayed(Box::new(recorded)));
        }
        let project = Box::new(Project::open(global, scenario)?);
        Ok(match &recording.record {
            None => Planner::Project(project),
            Some(into) => Planner::Recorded {
                project,
                asked: RefCell::default(),
                into: into.clone(),
            },
        })
    }

    /// Loads the configuration.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        match self {
            Planner::Project(project) => project.load(),
            Planner::Recorded { project, asked, .. } => {
                let (loaded, facts) = project.load_recorded()?;
                asked.replace(facts);
                Ok(loaded)
            }
            Planner::Replayed(recording) => recording.load(),
        }
    }

    /// The plan of a pipeline that GitLab ends before it reads the configuration, whatever stands there.
    pub(crate) fn stopped(&self) -> Option<Plan> {
        match self {
            Planner::Project(project) | Planner::Recorded { project, .. } => project.stopped(),
            Planner::Replayed(recording) => recording.stopped(),
        }
    }

    /// Plans the pipeline of a configuration that loaded without errors.
    ///
    /// What is recorded is planned in full, so that it can answer any question about the plan.
    pub(crate) fn plan(&self, loaded: &Loaded, detail: &Detail) -> Result<Option<Plan>, Failure> {
        match self {
            Planner::Project(project) => project.plan(loaded, detail),
            Planner::Recorded {
                project,
                asked,
                into,
            } => {
                let Some(plan) = project.plan(loaded, &Detail::All)? else {
                    return Ok(None);
                };
                let mut facts = asked.borrow().clone();
                facts.absorb(plan.facts.clone());
                let written = project.recording(facts).write(&plan, into)?;
                if let Some(caution) = written.caution() {
                    tell(&caution);
                }
                match detail {
                    Detail::All => Ok(Some(plan)),
                    less => project.plan(loaded, less),
                }
            }
            Planner::Replayed(recording) => recording.plan(loaded, detail),
        }
    }
}
