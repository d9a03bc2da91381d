//! Where a pipeline stands, folded from its events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tidegate_pipeline::{
    Attempt, CacheOutcome, Event, EventKind, FailureReason, JobIdx, JobResult, Pipeline, Presence,
    Reason, Status,
};

/// How many of a job's last lines are kept for when it fails.
const KEPT_LINES: usize = 12;

/// Where one job stands.
#[derive(Clone, Debug)]
pub struct JobProgress {
    /// Its latest status.
    pub status: Status,
    /// Its latest try.
    pub attempt: Attempt,
    /// Its failure does not count.
    pub allow_failure: bool,
    /// Why it is in this status.
    pub reason: Reason,
    /// When it started, in milliseconds since the Unix epoch.
    pub started_ms: Option<u64>,
    /// How long it ran.
    pub duration: Option<Duration>,
    /// The section of its log it is in.
    pub section: Option<Arc<str>>,
    /// The last command echoed in its log.
    pub command: Option<String>,
    /// The last lines of its log.
    pub lines: VecDeque<String>,
    /// What stands after the last of them without a line break so far, such as how far a download is; often empty.
    pub unfinished: String,
    /// What became of its caches, in order of events.
    pub caches: Vec<(Arc<str>, CacheOutcome)>,
    /// Coverage found in its log.
    pub coverage: Option<Arc<str>>,
    /// The project it would trigger a pipeline of, with the branch where one is named, and did not.
    pub would_trigger: Option<Arc<str>>,
}

/// Where a pipeline stands.
#[derive(Clone, Debug)]
pub struct Progress {
    pipeline: Arc<Pipeline>,
    jobs: Vec<JobProgress>,
    results: Vec<(JobIdx, JobResult)>,
    /// Status of the pipeline.
    pub status: Status,
    /// When the first event happened, in milliseconds since the Unix epoch.
    pub began_ms: Option<u64>,
    /// When the last event happened.
    pub last_ms: u64,
}

impl Progress {
    /// A pipeline of which nothing has happened yet.
    pub fn new(pipeline: Arc<Pipeline>) -> Progress {
        let jobs = pipeline.jobs.iter().map(|job| JobProgress {
            status: match job.presence {
                Presence::Included => Status::Created,
                Presence::Satisfied => Status::Success,
            },
            attempt: Attempt::FIRST,
            allow_failure: job.allow_failure.always,
            reason: Reason::PipelineCreated,
            started_ms: None,
            duration: None,
            section: None,
            command: None,
            lines: VecDeque::new(),
            unfinished: String::new(),
            caches: Vec::new(),
            coverage: None,
            would_trigger: None,
        });
        let jobs = jobs.collect();
        Progress {
            pipeline,
            jobs,
            results: Vec::new(),
            status: Status::Created,
            began_ms: None,
            last_ms: 0,
        }
    }

    /// The pipeline that runs.
    pub fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    /// Where a job stands.
    pub fn job(&self, at: JobIdx) -> &JobProgress {
        &self.jobs[at.at()]
    }

    /// All jobs with where they stand, in the order people see.
    pub fn in_stage_order(&self) -> impl Iterator<Item = (JobIdx, &JobProgress)> {
        self.pipeline
            .in_stage_order()
            .into_iter()
            .map(|at| (at, self.job(at)))
    }

    /// What jobs left besides artifacts, in order of events.
    pub fn results(&self) -> &[(JobIdx, JobResult)] {
        &self.results
    }

    /// Takes an event in.
    pub fn apply(&mut self, event: &Event) {
        self.began_ms.get_or_insert(event.at_ms);
        self.last_ms = event.at_ms;
        match &event.kind {
            EventKind::JobStatus {
                job,
                attempt,
                status,
                allow_failure,
                reason,
            } => {
                let progress = &mut self.jobs[job.at()];
                if *attempt != progress.attempt {
                    progress.restart(*attempt);
                    self.results.retain(|(of, _)| of != job);
                }
                progress.status = *status;
                progress.allow_failure = *allow_failure;
                progress.reason = reason.clone();
                if *status == Status::Running {
                    progress.started_ms = Some(event.at_ms);
                }
            }
            EventKind::JobSection { job, section, .. } => {
                self.jobs[job.at()].section = Some(section.clone());
            }
            EventKind::Cache {
                job, key, outcome, ..
            } => {
                self.jobs[job.at()].caches.push((key.clone(), *outcome));
            }
            EventKind::JobFinished {
                job,
                duration,
                coverage,
                ..
            } => {
                let progress = &mut self.jobs[job.at()];
                progress.duration = Some(*duration);
                progress.coverage.clone_from(coverage);
            }
            EventKind::JobResult { job, result, .. } => {
                self.results.push((*job, result.clone()));
            }
            EventKind::PipelineStatus { status } | EventKind::RunEnded { status } => {
                self.status = *status;
            }
            EventKind::WouldTrigger {
                job,
                project,
                reference,
                ..
            } => {
                self.jobs[job.at()].would_trigger = Some(match reference {
                    Some(reference) => format!("{project} on {reference}").into(),
                    None => Arc::clone(project),
                });
            }
            EventKind::PipelineCreated { .. } | EventKind::Artifacts { .. } => {}
        }
    }

    /// Takes the beginning of a section of a job's log in.
    pub fn section(&mut self, job: JobIdx, name: &str) {
        let progress = &mut self.jobs[job.at()];
        if name.starts_with("step_") {
            // What was said before the scripts is of no use to who wants to know why they failed.
            progress.lines.clear();
        }
        progress.section = Some(name.into());
    }

    /// Takes what a job has printed of its next line in.
    pub fn unfinished(&mut self, job: JobIdx, text: String) {
        self.jobs[job.at()].unfinished = text;
    }

    /// Takes a visible line of a job's log in.
    pub fn line(&mut self, job: JobIdx, line: &str) {
        let progress = &mut self.jobs[job.at()];
        let cleaning = progress.section.as_deref() == Some("cleanup_file_variables");
        if cleaning && !line.starts_with("ERROR") {
            return;
        }
        if let Some(command) = line.strip_prefix("$ ") {
            progress.command = Some(command.to_owned());
        }
        // The headline of the section says nothing about a failure in it.
        if line.trim().is_empty() || line.starts_with("Executing \"step_") {
            return;
        }
        if progress.lines.len() == KEPT_LINES {
            progress.lines.pop_front();
        }
        progress.lines.push_back(line.to_owned());
    }
}

impl JobProgress {
    /// Why the job failed and with which exit code, where it failed.
    pub fn failure(&self) -> Option<(FailureReason, Option<i32>)> {
        match self.reason {
            Reason::Failed { reason, exit_code } if self.status == Status::Failed => {
                Some((reason, exit_code))
            }
            _ => None,
        }
    }

    fn restart(&mut self, attempt: Attempt) {
        self.attempt = attempt;
        self.started_ms = None;
        self.duration = None;
        self.section = None;
        self.command = None;
        self.would_trigger = None;
        self.lines.clear();
        self.unfinished.clear();
        self.caches.clear();
    }
}
