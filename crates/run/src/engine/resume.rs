//! Going on with a run whose process has ended, at any point, by itself or not.
//!
//! The schedules are where their logged inputs led them. What was asked for and not answered is asked for again; jobs that were
//! running have lost their process with their executor (its supervisor saw to that) and start again as the same try; jobs that
//! were being canceled are canceled. Whatever readers were not told any more is told now, and so are trigger jobs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use tidegate_expr::Variable;
use tidegate_pipeline::{Attempt, EventKind, JobIdx, JobKey, PipelineId, Status};
use tidegate_schedule::{Action, Claim, IllegalInput, Input, Schedule};
use tidegate_store::{ArtifactFilter, RunId, Store, StoreError};

use super::pipeline_run::PipelineRun;
use super::{Engine, Start, now_ms};
use crate::dotenv;
use crate::journal::{Journal, Told};
use crate::setup::RunError;
use crate::stored_run::{StoredRun, StoredRunError};
use crate::tree_files::tree_files;

/// A run that goes on where its log ends.
pub struct Resumption {
    root: PipelineId,
    pipelines: BTreeMap<PipelineId, Past>,
    journal: Journal,
    asked: Vec<(PipelineId, Input)>,
}

/// One pipeline of the run as it was left.
struct Past {
    facts: StoredRun,
    parent: Option<JobKey>,
    schedule: Schedule,
}

/// A run that cannot go on as wanted.
#[derive(Debug, Error)]
pub enum Refused {
    /// Something asked for cannot be done now, or the journal is of another pipeline.
    #[error("{error}")]
    Illegal {
        /// Of which pipeline.
        pipeline: PipelineId,
        /// What is illegal.
        error: IllegalInput,
    },
    /// What was stored of a downstream pipeline cannot be read.
    #[error(transparent)]
    Stored(#[from] StoredRunError),
    /// The journal names a trigger job that is not in it. This program writes no such journal.
    #[error(
        "the event log says that pipeline {} was triggered by job {} of pipeline {}, which the log does not have; it was changed",
        pipeline.0, parent.job.0, parent.pipeline.0
    )]
    Orphan {
        /// The pipeline that was triggered.
        pipeline: PipelineId,
        /// The trigger job it names.
        parent: JobKey,
    },
}

/// Line in the log of a job that starts again.
const AGAIN: &[u8] =
    b"\x1b[0;33mWARNING: Tidegate was stopped while this job ran; it starts again\x1b[0;m\n";

impl Resumption {
    /// Goes to where the journal of the run `root` ends, then does what a person `asked` for.
    ///
    /// # Errors
    /// The first of the things asked for that cannot be done now, or a journal of another pipeline.
    pub fn new(
        store: &Store,
        root: RunId,
        facts: StoredRun,
        journal: Journal,
        asked: Vec<(PipelineId, Input)>,
    ) -> Result<Resumption, Refused> {
        let root = PipelineId(root.0);
        let mut pipelines = BTreeMap::from([(root, Past::new(facts, None))]);
        for (pipeline, parent) in journal.downstream() {
            let above = pipelines.get(&parent.pipeline);
            if above.is_none_or(|above: &Past| above.facts.pipeline.jobs.len() <= parent.job.at()) {
                return Err(Refused::Orphan { pipeline, parent });
            }
            let facts = StoredRun::load(store, RunId(pipeline.0))?;
            pipelines.insert(pipeline, Past::new(facts, Some(parent)));
        }
        let mut resumption = Resumption {
            root,
            pipelines,
            journal,
            asked: Vec::new(),
        };
        for (id, input) in &resumption.journal.inputs {
            feed(&mut resumption.pipelines, *id, input)?;
        }
        // Tried on copies: the run itself does it when it goes on, and logs it.
        let mut trial: BTreeMap<PipelineId, Schedule> = BTreeMap::new();
        for (id, input) in &asked {
            if let Some(past) = resumption.pipelines.get(id) {
                let schedule = trial.entry(*id).or_insert_with(|| past.schedule.clone());
                illegal(*id, schedule.apply(input.clone()))?;
            }
        }
        resumption.asked = asked;
        Ok(resumption)
    }

    /// Whether anything is left to do.
    pub fn has_work(&self) -> bool {
        !self.asked.is_empty() || self.pipelines.keys().any(|id| self.is_busy(*id))
    }

    fn is_busy(&self, id: PipelineId) -> bool {
        let Some(past) = self.pipelines.get(&id) else {
            return false;
        };
        let schedule = &past.schedule;
        if schedule.lingering().next().is_some() {
            return true;
        }
        // A trigger job that follows its pipeline is as busy as that.
        let follows = |(at, _): &(JobIdx, _)| {
            let waits = schedule.status(*at) == Status::Running;
            waits && self.has_child(id, *at, schedule.attempt(*at))
        };
        let waiting = past.facts.pipeline.indexed().filter(follows).count();
        let quiet = schedule.at_work() as usize == waiting
            && schedule.count(Status::Scheduled) == 0
            && schedule.count(Status::WaitingForResource) == 0;
        !quiet || !schedule.has_started()
    }

    fn has_child(&self, pipeline: PipelineId, job: JobIdx, attempt: Attempt) -> bool {
        let key = JobKey {
            pipeline,
            job,
            attempt,
        };
        let mut all = self.pipelines.values();
        all.any(|past| past.parent == Some(key))
    }
}

impl Past {
    fn new(facts: StoredRun, parent: Option<JobKey>) -> Past {
        Past {
            schedule: Schedule::new(Arc::clone(&facts.pipeline)),
            facts,
            parent,
        }
    }
}

fn feed(
    pipelines: &mut BTreeMap<PipelineId, Past>,
    id: PipelineId,
    input: &Input,
) -> Result<(), Refused> {
    match pipelines.get_mut(&id) {
        Some(past) => illegal(id, past.schedule.apply(input.clone())),
        None => Ok(()),
    }
}

fn illegal<T>(pipeline: PipelineId, applied: Result<T, IllegalInput>) -> Result<(), Refused> {
    let refused = |error| Refused::Illegal { pipeline, error };
    applied.map(drop).map_err(refused)
}

impl Engine<'_> {
    /// Takes up what was going on, then does what was asked for.
    pub(super) fn resume(&mut self, past: Resumption) -> Result<(), RunError> {
        let told = past.journal.told();
        self.observer.begin(self.root);
        for (id, past) in past.pipelines {
            self.take_up(id, past)?;
        }
        for event in &past.journal.events {
            self.observer.past(event);
        }
        self.remove_strays()?;
        if past.journal.events.is_empty() {
            self.created(past.root)?;
        }
        let all: Vec<PipelineId> = self.pipelines.keys().copied().collect();
        let begun = |id: &PipelineId| self.pipeline(*id).schedule.has_started();
        let (begun, fresh): (Vec<PipelineId>, Vec<PipelineId>) = all.into_iter().partition(begun);
        for id in &begun {
            self.tell_what_was_not_told(*id, &told)?;
        }
        for id in begun {
            self.ask_again(id, &told)?;
            self.take_up_jobs(id)?;
            self.tell_trigger_job(id)?;
        }
        for id in fresh {
            // The trigger job that was asked for again has started its pipeline by now.
            if !self.pipeline(id).schedule.has_started() {
                self.apply(id, Input::Start)?;
            }
        }
        for (id, input) in past.asked {
            self.apply(id, input)?;
        }
        Ok(self.log.flush()?)
    }

    fn take_up(&mut self, id: PipelineId, past: Past) -> Result<(), RunError> {
        let store = self.pipeline(self.root).shared.store.clone();
        if id != self.root {
            let child = self.reopened(&store, id, past.facts, past.parent)?;
            self.adopt(child);
        }
        let dotenv = stored_dotenv(&store, RunId(id.0), &past.schedule)?;
        let pipeline = self.pipeline_mut(id);
        pipeline.status = past.schedule.pipeline_status();
        pipeline.schedule = past.schedule;
        pipeline.dotenv = dotenv;
        Ok(())
    }

    /// A downstream pipeline of the run, with its tree.
    fn reopened(
        &self,
        store: &Store,
        id: PipelineId,
        facts: StoredRun,
        parent: Option<JobKey>,
    ) -> Result<PipelineRun, RunError> {
        let run = RunId(id.0);
        let log = store.open_run_log(run)?;
        store.reopen_run(run)?;
        let gone = || StoreError::Gone {
            what: format!("run {run}"),
        };
        let record = store.run(run)?.ok_or_else(gone)?;
        let root = &self.pipeline(self.root).shared;
        let mut shared = root.of_another(run, facts.project.clone(), self.remote_of(&facts));
        let mut guard: Option<Box<dyn Send>> = None;
        let of = facts.base_of.map(|of| PipelineId(of.0));
        if let Some(of) = of.and_then(|of| self.pipelines.get(&of)) {
            shared.base.clone_from(&of.shared.base);
            shared.tracked = Arc::clone(&of.shared.tracked);
        } else {
            let base = facts.base(store, run)?;
            shared.base = base.layers;
            shared.tracked = base.tracked;
            guard = Some(base.guard);
        }
        let mut child = PipelineRun::new(record, facts, parent, shared);
        child.guard = Some(Box::new((guard, log)));
        Ok(child)
    }

    /// Removes pipelines that were registered for trigger jobs and had not come into the log.
    fn remove_strays(&mut self) -> Result<(), RunError> {
        let store = self.pipeline(self.root).shared.store.clone();
        let all: Vec<PipelineId> = self.pipelines.keys().copied().collect();
        for id in all {
            for record in store.runs_below(RunId(id.0))? {
                if !self.pipelines.contains_key(&PipelineId(record.id.0)) {
                    store.remove_run(record.id)?;
                }
            }
        }
        Ok(())
    }

    fn tell_what_was_not_told(
        &mut self,
        id: PipelineId,
        told: &BTreeMap<(PipelineId, JobIdx), Told>,
    ) -> Result<(), RunError> {
        let pipeline = Arc::clone(self.pipeline(id).pipeline());
        for (job, _) in pipeline.indexed() {
            let schedule = &self.pipeline(id).schedule;
            let (attempt, status) = (schedule.attempt(job), schedule.status(job));
            let known = told
                .get(&(id, job))
                .map_or((Attempt::FIRST, Status::Created), |told| {
                    (told.attempt, told.status)
                });
            if known != (attempt, status) {
                let kind = EventKind::JobStatus {
                    job,
                    attempt,
                    status,
                    allow_failure: schedule.allow_failure(job),
                    reason: schedule.reason(job).clone(),
                };
                self.emit(id, kind)?;
            }
        }
        let status = self.pipeline(id).status;
        self.emit(id, EventKind::PipelineStatus { status })
    }

    fn ask_again(
        &mut self,
        id: PipelineId,
        told: &BTreeMap<(PipelineId, JobIdx), Told>,
    ) -> Result<(), RunError> {
        let mut outstanding = self.pipeline(id).schedule.outstanding();
        // Who has a slot keeps it, whoever else asks for it.
        outstanding.sort_by_key(|action| {
            let held = matches!(
                action,
                Action::Resource {
                    claim: Claim::Held,
                    ..
                }
            );
            !held
        });
        for action in outstanding {
            if let Action::ArmTimer {
                job,
                attempt,
                delay,
                ..
            } = action
            {
                let since = told
                    .get(&(id, job))
                    .map_or_else(now_ms, |told| told.since_ms);
                let over = Duration::from_millis(now_ms().saturating_sub(since));
                let at = Instant::now() + delay.saturating_sub(over);
                self.timers.insert((at, id, job), attempt);
            } else {
                for (id, input) in self.carry_out(id, action)? {
                    self.apply(id, input)?;
                }
            }
        }
        Ok(())
    }

    /// What executors had: they are gone.
    fn take_up_jobs(&mut self, id: PipelineId) -> Result<(), RunError> {
        let schedule = &self.pipeline(id).schedule;
        let lingering: Vec<_> = schedule.lingering().collect();
        for (job, attempt) in lingering {
            self.apply(id, Input::JobCanceled { job, attempt })?;
        }
        let pipeline = Arc::clone(self.pipeline(id).pipeline());
        let mut again = Vec::new();
        for (job, _) in pipeline.indexed() {
            let this = self.pipeline(id);
            let attempt = this.schedule.attempt(job);
            if let Some(bridge) = this.bridge(job) {
                let alone = !this.children.contains_key(&(job, attempt));
                if alone && this.schedule.status(job) == Status::Running {
                    self.plan_downstream(this.key(job, attempt), Arc::clone(bridge))?;
                }
                continue;
            }
            match this.schedule.status(job) {
                Status::Canceling => self.apply(id, Input::JobCanceled { job, attempt })?,
                Status::Running => again.push(self.pipeline(id).key(job, attempt)),
                _ => {}
            }
        }
        for key in again.into_iter().rev() {
            self.forget_half_done(key)?;
            self.queue.push_front(Start {
                key,
                recheck_caches: false,
                resumed: true,
            });
        }
        Ok(())
    }

    /// Tells the trigger job of a pipeline how that stands, in case it had not heard.
    fn tell_trigger_job(&mut self, id: PipelineId) -> Result<(), RunError> {
        let status = self.pipeline(id).status;
        match self.tell_above(id, status) {
            Some((above, input)) => self.apply(above, input),
            None => Ok(()),
        }
    }

    /// Removes what the interrupted try had stored already, and marks its log.
    fn forget_half_done(&mut self, key: JobKey) -> Result<(), RunError> {
        let pipeline = self.pipeline(key.pipeline);
        let (store, run) = (&pipeline.shared.store, pipeline.record.id);
        let filter = ArtifactFilter {
            run: Some(run),
            job: Some(&pipeline.pipeline().job(key.job).name),
            attempt: Some(key.attempt.0),
            r#type: None,
        };
        for artifact in store.find_artifacts(filter)? {
            store.remove_artifact(&artifact)?;
        }
        let id = u64::from(key.job.0);
        let has_said = store.read_job_logs(run).open(id, key.attempt.0)?;
        if has_said.is_some() {
            let mut log = pipeline.shared.logs.append_to(id, key.attempt.0)?;
            log.append(AGAIN)?;
        }
        Ok(())
    }
}

/// The variables that jobs which are over have handed on, from the reports they left.
fn stored_dotenv(
    store: &Store,
    run: RunId,
    schedule: &Schedule,
) -> Result<BTreeMap<JobIdx, Vec<Variable>>, StoreError> {
    let filter = ArtifactFilter {
        run: Some(run),
        r#type: Some("dotenv"),
        ..ArtifactFilter::default()
    };
    let mut all: BTreeMap<JobIdx, Vec<Variable>> = BTreeMap::new();
    for artifact in store.find_artifacts(filter)? {
        let job = schedule.pipeline().find(&artifact.job);
        let Some(job) = job.filter(|job| schedule.attempt(*job).0 == artifact.attempt) else {
            continue;
        };
        // They were readable when the job ended, or it would have failed.
        if let Ok(variables) = dotenv::parse(&tree_files(&artifact.tree)) {
            all.entry(job).or_default().extend(variables);
        }
    }
    Ok(all)
}
