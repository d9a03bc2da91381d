//! Earlier runs of the project: finding one, and its jobs by name.

use tidegate_expr::job_group_name;
use tidegate_pipeline::{JobIdx, Pipeline, PipelineId};
use tidegate_run::StoredRun;
use tidegate_store::{RunId, RunRecord, Store};

use super::cache::unopened;
use super::explain::unknown;
use super::machine::failed;
use crate::cli::{Global, ScenarioArgs};
use crate::exit::Failure;
use crate::project::Project;

/// How many runs are looked through for one that fits.
const LOOKED_AT: usize = 200;

/// The store with the runs of one project.
pub(super) struct Past {
    /// The store.
    pub(super) store: Store,
    /// Whose runs.
    pub(super) key: String,
}

impl Past {
    /// The runs of the project in the present directory.
    pub(super) fn open(global: &Global) -> Result<Past, Failure> {
        let project = Project::open(global, &ScenarioArgs::default())?;
        if !project.data_dir.exists() {
            return Err(none());
        }
        let store = Store::open(&project.data_dir).map_err(|error| unopened(&error))?;
        Ok(Past {
            store,
            key: project.key(),
        })
    }

    /// The runs, newest first.
    pub(super) fn runs(&self, limit: usize) -> Result<Vec<RunRecord>, Failure> {
        self.store
            .runs(Some(&self.key), limit)
            .map_err(|error| failed("list the runs", &error))
    }

    /// The run of this number, else the newest that got as far as its first job.
    pub(super) fn choose(&self, id: Option<u64>) -> Result<RunRecord, Failure> {
        self.find(id, |_| true)?.ok_or_else(none)
    }

    /// As [`Past::choose`], where the number may be that of a downstream pipeline: the run it is of, and the pipeline.
    pub(super) fn pipeline(&self, id: Option<u64>) -> Result<(RunRecord, PipelineId), Failure> {
        let record = self.choose(id)?;
        let pipeline = PipelineId(record.id.0);
        Ok((self.top_of(record)?, pipeline))
    }

    /// The run that a downstream pipeline is of.
    fn top_of(&self, mut record: RunRecord) -> Result<RunRecord, Failure> {
        while let Some(parent) = record.parent {
            let above = self.store.run(parent);
            let above = above.map_err(|error| failed("find the run", &error))?;
            record = above.ok_or_else(none)?;
        }
        Ok(record)
    }

    /// The run of this number, else the newest that was stopped before its end.
    pub(super) fn stopped(&self, id: Option<u64>) -> Result<RunRecord, Failure> {
        let stopped = |record: &RunRecord| {
            record.finished.is_none() && !self.store.is_run_live(record.id).unwrap_or(true)
        };
        let found = self.find(id, stopped)?.ok_or_else(|| {
            Failure::unusable("no run of this project was stopped before its end")
                .hint("`tidegate runs` lists the runs")
        })?;
        self.top_of(found)
    }

    fn find(
        &self,
        id: Option<u64>,
        fits: impl Fn(&RunRecord) -> bool,
    ) -> Result<Option<RunRecord>, Failure> {
        let Some(id) = id else {
            let mut runs = self.runs(LOOKED_AT)?.into_iter();
            return Ok(runs.find(|run| StoredRun::exists(&self.store, run.id) && fits(run)));
        };
        let record = self.store.run(RunId(id));
        let record = record.map_err(|error| failed("find the run", &error))?;
        let is_ours = |record: &RunRecord| {
            let top = self.top_of(record.clone());
            record.project == self.key || top.is_ok_and(|top| top.project == self.key)
        };
        let record = record.filter(is_ours);
        let missing = || {
            Failure::unusable(format!("this project has no run {id}"))
                .hint("`tidegate runs` lists the runs")
        };
        record.ok_or_else(missing).map(Some)
    }

    /// What a run was begun with.
    pub(super) fn facts(&self, run: RunId) -> Result<StoredRun, Failure> {
        StoredRun::load(&self.store, run).map_err(|error| failure(&error))
    }
}

/// The job of a full name, or all instances of the parallel job of that name.
pub(super) fn jobs_named(pipeline: &Pipeline, name: &str) -> Result<Vec<JobIdx>, Failure> {
    let found = found_jobs(pipeline, name);
    if found.is_empty() {
        let names = pipeline.jobs.iter().map(|job| &*job.name);
        return Err(unknown(name, names));
    }
    Ok(found)
}

/// As [`jobs_named`], none where there is none.
pub(super) fn found_jobs(pipeline: &Pipeline, name: &str) -> Vec<JobIdx> {
    let exact: Vec<JobIdx> = pipeline.find(name).into_iter().collect();
    if !exact.is_empty() {
        return exact;
    }
    let of_group = pipeline
        .indexed()
        .filter(|(_, job)| job_group_name(&job.name) == name);
    of_group.map(|(at, _)| at).collect()
}

/// Something about a run that failed, as `failed to …`.
pub(super) fn failure(error: &dyn std::fmt::Display) -> Failure {
    Failure::unusable(format!("failed to {error}"))
}

fn none() -> Failure {
    Failure::unusable("this project has no runs yet").hint("`tidegate run` makes one")
}
