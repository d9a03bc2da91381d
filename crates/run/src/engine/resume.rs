//! Going on with a run whose process has ended, at any point, by itself or not.
//!
//! The schedule is where its logged inputs led it. What was asked for and not answered is asked for again; jobs that were
//! running have lost their process with their executor (its supervisor saw to that) and start again as the same try; jobs that
//! were being canceled are canceled. Whatever readers were not told any more is told now.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_expr::Variable;
use tidegate_pipeline::{Attempt, EventKind, JobIdx, Pipeline, Status};
use tidegate_schedule::{Action, Claim, IllegalInput, Input, Schedule};
use tidegate_store::{ArtifactFilter, RunId, Store, StoreError};

use super::{Engine, Start, now_ms};
use crate::dotenv;
use crate::journal::{Journal, Told};
use crate::setup::RunError;

/// A run that goes on where its log ends.
pub struct Resumption {
    pub(super) schedule: Schedule,
    pub(super) journal: Journal,
    pub(super) first_job_id: u64,
    pub(super) asked: Vec<Input>,
}

/// Line in the log of a job that starts again.
const AGAIN: &[u8] =
    b"\x1b[0;33mWARNING: Tidegate was stopped while this job ran; it starts again\x1b[0;m\n";

impl Resumption {
    /// Goes to where the journal ends, then does what a person `asked` for.
    ///
    /// # Errors
    /// The first of the things asked for that cannot be done now, or a journal of another pipeline.
    pub fn new(
        pipeline: Arc<Pipeline>,
        first_job_id: u64,
        journal: Journal,
        asked: Vec<Input>,
    ) -> Result<Resumption, IllegalInput> {
        let schedule = Schedule::replay(pipeline, journal.inputs.iter().cloned())?;
        let mut trial = schedule.clone();
        for input in &asked {
            trial.apply(input.clone())?;
        }
        Ok(Resumption {
            schedule,
            journal,
            first_job_id,
            asked,
        })
    }

    /// Whether anything is left to do.
    pub fn has_work(&self) -> bool {
        let schedule = &self.schedule;
        !self.asked.is_empty() || !schedule.is_quiet() || schedule.lingering().next().is_some()
    }

    /// Where the run stands.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }
}

impl Engine<'_> {
    /// Takes up what was going on, then does what was asked for.
    pub(super) fn resume(&mut self, past: Resumption) -> Result<(), RunError> {
        let told = past.journal.told();
        for event in &past.journal.events {
            self.observer.past(event);
        }
        self.schedule = past.schedule;
        self.pipeline_status = self.schedule.pipeline_status();
        self.dotenv = stored_dotenv(&self.shared.store, self.record.id, &self.schedule)?;
        if past.journal.events.is_empty() {
            self.emit(EventKind::PipelineCreated { parent: None })?;
        }
        if past.journal.inputs.is_empty() {
            self.apply(Input::Start)?;
        } else {
            self.tell_what_was_not_told(&told)?;
            self.ask_again(&told)?;
            self.take_up_jobs()?;
        }
        for input in past.asked {
            self.apply(input)?;
        }
        Ok(self.log.flush()?)
    }

    fn tell_what_was_not_told(&mut self, told: &BTreeMap<JobIdx, Told>) -> Result<(), RunError> {
        let pipeline = Arc::clone(&self.pipeline);
        for (job, _) in pipeline.indexed() {
            let (attempt, status) = (self.schedule.attempt(job), self.schedule.status(job));
            let known = told
                .get(&job)
                .map_or((Attempt::FIRST, Status::Created), |told| {
                    (told.attempt, told.status)
                });
            if known != (attempt, status) {
                self.emit(EventKind::JobStatus {
                    job,
                    attempt,
                    status,
                    allow_failure: self.schedule.allow_failure(job),
                    reason: self.schedule.reason(job).clone(),
                })?;
            }
        }
        self.emit(EventKind::PipelineStatus {
            status: self.pipeline_status,
        })
    }

    fn ask_again(&mut self, told: &BTreeMap<JobIdx, Told>) -> Result<(), RunError> {
        let mut outstanding = self.schedule.outstanding();
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
                let since = told.get(&job).map_or_else(now_ms, |told| told.since_ms);
                let over = Duration::from_millis(now_ms().saturating_sub(since));
                let at = Instant::now() + delay.saturating_sub(over);
                self.timers.insert((at, job), attempt);
            } else if let Some(input) = self.carry_out(action)? {
                self.apply(input)?;
            }
        }
        Ok(())
    }

    /// What executors had: they are gone.
    fn take_up_jobs(&mut self) -> Result<(), RunError> {
        let lingering: Vec<_> = self.schedule.lingering().collect();
        for (job, attempt) in lingering {
            self.apply(Input::JobCanceled { job, attempt })?;
        }
        let pipeline = Arc::clone(&self.pipeline);
        let mut again = Vec::new();
        for (job, _) in pipeline.indexed() {
            let attempt = self.schedule.attempt(job);
            match self.schedule.status(job) {
                Status::Canceling => self.apply(Input::JobCanceled { job, attempt })?,
                Status::Running => again.push((job, attempt)),
                _ => {}
            }
        }
        for (job, attempt) in again.into_iter().rev() {
            self.forget_half_done(job, attempt)?;
            self.queue.push_front(Start {
                job,
                attempt,
                recheck_caches: false,
                resumed: true,
            });
        }
        Ok(())
    }

    /// Removes what the interrupted try had stored already, and marks its log.
    fn forget_half_done(&mut self, job: JobIdx, attempt: Attempt) -> Result<(), RunError> {
        let (store, run) = (&self.shared.store, self.record.id);
        let filter = ArtifactFilter {
            run: Some(run),
            job: Some(&self.pipeline.job(job).name),
            attempt: Some(attempt.0),
            r#type: None,
        };
        for artifact in store.find_artifacts(filter)? {
            store.remove_artifact(&artifact)?;
        }
        let id = u64::from(job.0);
        if store.read_job_log(run, id, attempt.0)?.is_some() {
            store.append_job_log(run, id, attempt.0)?.append(AGAIN)?;
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
        if let Ok(variables) = dotenv::parse(&files(&artifact.tree)) {
            all.entry(job).or_default().extend(variables);
        }
    }
    Ok(all)
}

/// The contents of all files of a small tree, by path.
fn files(tree: &Path) -> Vec<Vec<u8>> {
    let mut open = vec![tree.to_owned()];
    let mut found: Vec<PathBuf> = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .flatten()
        {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    let contents = found.into_iter().map(std::fs::read);
    contents.filter_map(Result::ok).collect()
}
