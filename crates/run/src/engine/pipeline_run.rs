//! One pipeline of a run: where it stands, and what its jobs share.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_expr::Variable;
use tidegate_pipeline::{
    Action as Work, Attempt, Bridge, Downstream, JobIdx, JobKey, Pipeline, PipelineId, Status,
};
use tidegate_schedule::Schedule;
use tidegate_store::{RunRecord, StoreError};

use crate::job::Shared;
use crate::stored_run::StoredRun;

/// A pipeline of the run.
pub(super) struct PipelineRun {
    pub(super) id: PipelineId,
    /// Its registration in the store.
    pub(super) record: RunRecord,
    /// What it was begun with.
    pub(super) facts: StoredRun,
    pub(super) schedule: Schedule,
    pub(super) status: Status,
    /// The try of the trigger job that made it.
    pub(super) parent: Option<JobKey>,
    /// The pipelines its trigger jobs made.
    pub(super) children: BTreeMap<(JobIdx, Attempt), PipelineId>,
    /// Variables out of the dotenv reports of jobs that are over.
    pub(super) dotenv: BTreeMap<JobIdx, Vec<Variable>>,
    /// What its jobs share.
    pub(super) shared: Arc<Shared>,
    /// Keeps its registration and its tree while the run goes on.
    pub(super) guard: Option<Box<dyn Send>>,
}

impl PipelineRun {
    pub(super) fn new(
        record: RunRecord,
        facts: StoredRun,
        parent: Option<JobKey>,
        shared: Shared,
    ) -> PipelineRun {
        PipelineRun {
            id: PipelineId(record.id.0),
            schedule: Schedule::new(Arc::clone(&facts.pipeline)),
            status: Status::Created,
            parent,
            children: BTreeMap::new(),
            dotenv: BTreeMap::new(),
            shared: Arc::new(shared),
            guard: None,
            record,
            facts,
        }
    }

    /// Gives its jobs their numbers.
    pub(super) fn number_jobs(&mut self) -> Result<(), StoreError> {
        let jobs = self.facts.pipeline.jobs.len() as u64;
        self.facts.first_job_id = self.shared.store.allocate_job_ids(jobs)?;
        Ok(())
    }

    /// Keeps what another process needs to go on with it.
    pub(super) fn save(&self) -> Result<(), StoreError> {
        let shared = &self.shared;
        self.facts
            .save(&shared.store, shared.run, &shared.tracked)?;
        shared.pins.save(&shared.store, shared.run)
    }

    pub(super) fn pipeline(&self) -> &Arc<Pipeline> {
        &self.facts.pipeline
    }

    pub(super) fn key(&self, job: JobIdx, attempt: Attempt) -> JobKey {
        JobKey {
            pipeline: self.id,
            job,
            attempt,
        }
    }

    /// What a trigger job asks for; `None` for one that runs scripts.
    pub(super) fn bridge(&self, job: JobIdx) -> Option<&Arc<Bridge>> {
        match &self.pipeline().job(job).action {
            Work::Bridge(bridge) => Some(bridge),
            Work::Build(_) => None,
        }
    }

    /// Whether a trigger job follows the pipeline it made.
    pub(super) fn follows(&self, job: JobIdx) -> bool {
        self.bridge(job).is_some_and(|bridge| {
            bridge.strategy.is_some() || matches!(bridge.downstream, Downstream::Mirror { .. })
        })
    }

    /// Whether a try is the present one and in this status.
    pub(super) fn stands(&self, key: JobKey, status: Status) -> bool {
        self.schedule.attempt(key.job) == key.attempt && self.schedule.status(key.job) == status
    }
}
