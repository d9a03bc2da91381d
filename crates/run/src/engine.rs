//! The loop: one thread owns the state, everything that happens comes to it as a message.

mod resume;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidegate_exec::{CancelReason, Canceller, Features, JobVariables, timestamp};
use tidegate_expr::{Variable, VariableSource, slug};
use tidegate_pipeline::{
    Attempt, DependencySpec, Event, EventKind, FailureReason, Job, JobIdx, JobKey, JobSpec,
    Pipeline, PipelineId, Reason, StartFacts, Status, event_to_json, job_spec,
};
use tidegate_schedule::{Action, CancelCause, Input, ResourceGroups, Schedule};
use tidegate_store::{ArtifactFilter, RunId, RunLog, RunRecord};

use crate::cache::Shelf;
use crate::control::{Control, Interrupt};
use crate::input_record::input_to_json;
use crate::job::{Shared, Task, perform, runner_facts};
use crate::message::{JobEnd, Message};
use crate::setup::{Begun, Observer, RunEnd, RunError, RunSetup};
pub use resume::Resumption;

/// Messages that may wait: enough to keep jobs printing, few enough to bound memory (a piece of log is at most 64 KiB).
const WAITING: usize = 64;
/// How often the observer is told that time passes.
const TICK: Duration = Duration::from_millis(100);

/// Runs a pipeline to its end.
///
/// `control` is handed the means to interrupt the run before anything starts.
///
/// # Errors
/// When the run itself cannot go on; jobs that still ran have been ended.
pub fn run(
    setup: RunSetup,
    observer: &mut dyn Observer,
    control: impl FnOnce(Control),
) -> Result<RunEnd, RunError> {
    let (sender, receiver) = sync_channel(WAITING);
    control(Control {
        sender: sender.clone(),
    });
    let run = setup.begun.record.id;
    let jobs = setup.pipeline.jobs.len() as u64;
    let first_job_id = match &setup.past {
        Some(past) => past.first_job_id,
        None => {
            let first = setup.store.allocate_job_ids(jobs)?;
            setup
                .stored(first)
                .save(&setup.store, run, &setup.base.tracked)?;
            first
        }
    };
    observer.begin(PipelineId(run.0));
    let Begun { record, log } = setup.begun;
    let job_ids = (first_job_id..first_job_id + jobs).collect();
    let engine = Engine {
        schedule: Schedule::new(Arc::clone(&setup.pipeline)),
        groups: ResourceGroups::default(),
        queue: VecDeque::new(),
        running: BTreeMap::new(),
        threads: Vec::new(),
        timers: BTreeMap::new(),
        dotenv: BTreeMap::new(),
        job_ids,
        pipeline_status: Status::Created,
        interrupted: None,
        shared: Arc::new(Shared {
            store: setup.store,
            executor: setup.executor,
            environment: setup.environment,
            backend: setup.backend,
            base: setup.base.layers,
            tracked: setup.base.tracked,
            project: setup.project,
            run: record.id,
            grace: setup.grace,
            log_limit: setup.log_limit,
            version: setup.version,
            remote: setup.remote,
            sender,
        }),
        pipeline: setup.pipeline,
        parallel: setup.parallel.get(),
        facts: Facts {
            git: setup.git,
            suffix: setup.suffix,
            default_timeout: setup.default_timeout,
            shell: setup.shell,
        },
        record,
        log,
        observer,
    };
    let ended = engine.drive(&receiver, setup.past);
    // The layers of the base were needed until here.
    drop(setup.base.guard);
    ended
}

/// What every job specification is made with.
struct Facts {
    git: tidegate_pipeline::GitSpec,
    suffix: tidegate_pipeline::CacheSuffix,
    default_timeout: Duration,
    shell: tidegate_pipeline::ShellKind,
}

struct Engine<'o> {
    pipeline: Arc<Pipeline>,
    schedule: Schedule,
    groups: ResourceGroups,
    /// Jobs that may start and wait for room.
    queue: VecDeque<Start>,
    running: BTreeMap<JobIdx, Running>,
    threads: Vec<JoinHandle<()>>,
    timers: BTreeMap<(Instant, JobIdx), Attempt>,
    /// Variables out of the dotenv reports of jobs that are over.
    dotenv: BTreeMap<JobIdx, Vec<Variable>>,
    job_ids: Vec<u64>,
    pipeline_status: Status,
    interrupted: Option<Interrupt>,
    shared: Arc<Shared>,
    parallel: usize,
    facts: Facts,
    record: RunRecord,
    log: RunLog,
    observer: &'o mut dyn Observer,
}

struct Start {
    job: JobIdx,
    attempt: Attempt,
    recheck_caches: bool,
    /// It had started before the run was resumed.
    resumed: bool,
}

struct Running {
    attempt: Attempt,
    slot: u32,
    canceller: Option<Canceller>,
    /// Somebody wanted it to end before it could be told.
    cancel: Option<CancelReason>,
}

impl Engine<'_> {
    fn drive(
        mut self,
        messages: &Receiver<Message>,
        past: Option<Resumption>,
    ) -> Result<RunEnd, RunError> {
        let done = self.run_to_end(messages, past);
        if done.is_err() {
            self.end_everything(messages);
        }
        for thread in self.threads.drain(..) {
            // A panic in a job's thread was reported as that job's failure, or there is nothing to report it to.
            let _ = thread.join();
        }
        done?;
        let status = self.pipeline_status;
        self.emit(EventKind::RunEnded { status })?;
        self.log.commit()?;
        self.shared
            .store
            .finish_run(self.record.id, status.name())?;
        Ok(RunEnd {
            pipeline: PipelineId(self.record.id.0),
            status,
            interrupted: self.interrupted.is_some(),
        })
    }

    fn run_to_end(
        &mut self,
        messages: &Receiver<Message>,
        past: Option<Resumption>,
    ) -> Result<(), RunError> {
        match past {
            Some(past) => self.resume(past)?,
            None => {
                self.emit(EventKind::PipelineCreated { parent: None })?;
                self.apply(Input::Start)?;
            }
        }
        loop {
            self.fire_timers()?;
            self.start_queued()?;
            if self.running.is_empty() && self.queue.is_empty() && self.timers.is_empty() {
                break;
            }
            self.wait(messages)?;
        }
        if !self.schedule.is_over() {
            self.apply(Input::RunEnded)?;
        }
        Ok(())
    }

    /// Takes one message, and all others that are there already, so that one write of the log serves them all.
    fn wait(&mut self, messages: &Receiver<Message>) -> Result<(), RunError> {
        let next = self.timers.keys().next().map(|(at, _)| *at);
        let until = next.map_or(TICK, |at| {
            at.saturating_duration_since(Instant::now()).min(TICK)
        });
        match messages.recv_timeout(until) {
            Ok(message) => self.take(message)?,
            // The sender lives in `shared`, so the channel cannot be closed.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        for _ in 0..WAITING {
            let Ok(message) = messages.try_recv() else {
                break;
            };
            self.take(message)?;
        }
        self.log.flush()?;
        self.observer.tick(now_ms());
        Ok(())
    }

    fn take(&mut self, message: Message) -> Result<(), RunError> {
        match message {
            Message::Interrupt(how) => self.interrupt(how),
            Message::Cancellable {
                job,
                attempt,
                canceller,
            } => {
                let running = self.running.get_mut(&job).filter(|r| r.attempt == attempt);
                if let Some(running) = running {
                    if let Some(reason) = running.cancel {
                        canceller.cancel(reason);
                    }
                    running.canceller = Some(canceller);
                }
                Ok(())
            }
            Message::Log {
                job,
                attempt,
                bytes,
            } => {
                self.observer.log(job, attempt, &bytes);
                Ok(())
            }
            Message::Note(kind) => self.emit(kind),
            Message::Ended { job, attempt, end } => self.ended(job, attempt, end),
        }
    }

    fn interrupt(&mut self, how: Interrupt) -> Result<(), RunError> {
        let first = self.interrupted.is_none();
        self.interrupted = self.interrupted.max(Some(how));
        if first {
            self.apply(Input::CancelAll {
                cause: CancelCause::Interrupted,
            })?;
        }
        self.queue.clear();
        if how == Interrupt::AtOnce {
            for running in self.running.values_mut() {
                running.end(CancelReason::Forced);
            }
        }
        Ok(())
    }

    /// Ends all jobs after the run itself has failed, and waits until they are gone.
    fn end_everything(&mut self, messages: &Receiver<Message>) {
        for running in self.running.values_mut() {
            running.end(CancelReason::Forced);
        }
        while !self.running.is_empty() {
            match messages.recv() {
                Ok(Message::Ended { job, .. }) => {
                    self.running.remove(&job);
                }
                Ok(Message::Cancellable { canceller, .. }) => {
                    canceller.cancel(CancelReason::Forced)
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }

    fn fire_timers(&mut self) -> Result<(), RunError> {
        let now = Instant::now();
        while let Some((&(at, job), &attempt)) = self.timers.first_key_value() {
            if at > now {
                break;
            }
            self.timers.remove(&(at, job));
            self.apply(Input::DelayOver { job, attempt })?;
        }
        Ok(())
    }

    fn start_queued(&mut self) -> Result<(), RunError> {
        while self.running.len() < self.parallel {
            let Some(start) = self.queue.pop_front() else {
                break;
            };
            let (job, attempt) = (start.job, start.attempt);
            let current = self.schedule.attempt(job) == attempt;
            let expected = if start.resumed {
                Status::Running
            } else {
                Status::Pending
            };
            if current && self.schedule.status(job) == expected {
                self.start(start)?;
            }
        }
        Ok(())
    }

    fn start(&mut self, start: Start) -> Result<(), RunError> {
        let Start {
            job,
            attempt,
            recheck_caches,
            resumed,
        } = start;
        let used: BTreeSet<u32> = self.running.values().map(|running| running.slot).collect();
        let slot = (0..).find(|slot| !used.contains(slot)).unwrap_or_default();
        let spec = match self.spec(job, attempt)? {
            Ok(spec) => spec,
            Err(message) => return self.broken(job, attempt, resumed, &message),
        };
        let recheck = &self.pipeline.job(job).recheck_caches;
        if recheck_caches
            && !recheck.is_empty()
            && let Some(key) = self.present(&spec, recheck, slot)?
        {
            return self.apply(Input::CacheHitAtStart { job, attempt, key });
        }
        let artifacts = self.artifacts_of(&spec)?;
        let coverage = self
            .pipeline
            .job(job)
            .build()
            .and_then(|build| build.coverage.clone());
        let task = Task {
            job,
            attempt,
            spec,
            artifacts,
            coverage,
            slot,
        };
        self.note_start(job, attempt, resumed)?;
        self.running.insert(
            job,
            Running {
                attempt,
                slot,
                canceller: None,
                cancel: None,
            },
        );
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new()
            .name(format!("job {}", job.0))
            .spawn(move || perform(&shared, task))
            .map_err(RunError::Thread);
        match thread {
            Ok(thread) => {
                self.threads.retain(|thread| !thread.is_finished());
                self.threads.push(thread);
                Ok(())
            }
            Err(error) => {
                self.running.remove(&job);
                Err(error)
            }
        }
    }

    /// From here on a crash means that the job may have run: that must be in the log before it does.
    fn note_start(&mut self, job: JobIdx, attempt: Attempt, resumed: bool) -> Result<(), RunError> {
        if !resumed {
            self.apply(Input::JobStarted { job, attempt })?;
        }
        Ok(self.log.flush()?)
    }

    fn broken(
        &mut self,
        job: JobIdx,
        attempt: Attempt,
        resumed: bool,
        message: &str,
    ) -> Result<(), RunError> {
        self.note_start(job, attempt, resumed)?;
        self.say(job, attempt, message);
        let reason = FailureReason::RunnerSystemFailure;
        self.apply(Input::JobFailed {
            job,
            attempt,
            reason,
            exit_code: None,
        })
    }

    fn say(&mut self, job: JobIdx, attempt: Attempt, message: &str) {
        let line = format!("\u{1b}[31;1mERROR: Job failed (system failure): {message}\u{1b}[0;m\n");
        self.observer.log(job, attempt, line.as_bytes());
    }

    fn ended(&mut self, job: JobIdx, attempt: Attempt, end: JobEnd) -> Result<(), RunError> {
        let Some(running) = self.running.get(&job).filter(|r| r.attempt == attempt) else {
            return Ok(());
        };
        let canceled = running.cancel.is_some();
        self.running.remove(&job);
        if self.schedule.attempt(job) != attempt || self.schedule.status(job).is_complete() {
            return Ok(());
        }
        let input = match end {
            JobEnd::Ran { outcome, dotenv } => {
                self.dotenv.insert(job, dotenv);
                let coverage = outcome.coverage.map(Into::into);
                let duration = outcome.duration;
                self.emit(EventKind::JobFinished {
                    job,
                    attempt,
                    duration,
                    coverage,
                })?;
                match outcome.status {
                    Status::Success => Input::JobSucceeded { job, attempt },
                    Status::Canceled => Input::JobCanceled { job, attempt },
                    _ if canceled => Input::JobCanceled { job, attempt },
                    _ => Input::JobFailed {
                        job,
                        attempt,
                        reason: outcome
                            .failure_reason
                            .unwrap_or(FailureReason::UnknownFailure),
                        exit_code: outcome.exit_code,
                    },
                }
            }
            JobEnd::Broken { .. } if canceled => Input::JobCanceled { job, attempt },
            JobEnd::Broken { message } => {
                self.say(job, attempt, &message);
                let reason = FailureReason::RunnerSystemFailure;
                Input::JobFailed {
                    job,
                    attempt,
                    reason,
                    exit_code: None,
                }
            }
            JobEnd::CacheMissing { key, produce: true } => {
                let producer = self.producer_of(job, &key);
                Input::CacheGone {
                    job,
                    attempt,
                    key,
                    producer,
                }
            }
            JobEnd::CacheMissing {
                key,
                produce: false,
            } => {
                self.say(job, attempt, &format!("the cache {key} is missing"));
                let reason = FailureReason::CacheMissing;
                Input::JobFailed {
                    job,
                    attempt,
                    reason,
                    exit_code: None,
                }
            }
        };
        self.apply(input)
    }

    /// The only other job that saves the key, if there is exactly one.
    fn producer_of(&self, reader: JobIdx, key: &str) -> Option<JobIdx> {
        let saves = |at: &JobIdx| {
            let Ok(Ok(spec)) = self.spec(*at, Attempt::FIRST) else {
                return false;
            };
            let variables = self.variables(&spec, 0);
            spec.caches.iter().any(|cache| {
                let pushes = !matches!(
                    crate::cache::policy(cache, &variables),
                    tidegate_pipeline::CachePolicy::Pull
                );
                pushes
                    && crate::cache::final_key_of(&spec, cache, &variables).as_deref() == Some(key)
            })
        };
        let all = self
            .pipeline
            .indexed()
            .map(|(at, _)| at)
            .filter(|at| *at != reader);
        let mut producers = all.filter(saves);
        producers.next().filter(|_| producers.next().is_none())
    }

    /// Gives the scheduler an input and carries out what it asks for.
    ///
    /// The input is in the log before anything that follows from it happens: what is logged can be replayed.
    fn apply(&mut self, input: Input) -> Result<(), RunError> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let record = input_to_json(now_ms(), &input);
            let actions = self.schedule.apply(input);
            let actions = actions.map_err(|error| RunError::Schedule(error.to_string()))?;
            self.log.append(record.as_bytes())?;
            for action in actions {
                inputs.extend(self.carry_out(action)?);
            }
        }
        Ok(())
    }

    /// Carries an action out; returns what follows from it at once.
    fn carry_out(&mut self, action: Action) -> Result<Option<Input>, RunError> {
        match action {
            Action::SetStatus {
                job,
                attempt,
                status,
                allow_failure,
                reason,
            } => {
                self.emit(EventKind::JobStatus {
                    job,
                    attempt,
                    status,
                    allow_failure,
                    reason,
                })?;
            }
            Action::StartJob {
                job,
                attempt,
                recheck_caches,
                ..
            } => {
                self.queue.push_back(Start {
                    job,
                    attempt,
                    recheck_caches,
                    resumed: false,
                });
            }
            Action::StartDownstream { job, attempt, .. } => {
                let reason = FailureReason::DownstreamPipelineCreationFailed;
                return Ok(Some(Input::JobFailed {
                    job,
                    attempt,
                    reason,
                    exit_code: None,
                }));
            }
            Action::CancelJob {
                job,
                attempt,
                reason,
            } => {
                let how = match reason {
                    Reason::Interrupted => CancelReason::Interrupted,
                    _ => CancelReason::Canceled,
                };
                self.log.flush()?;
                let resumed = |start: &Start| start.resumed && start.job == job;
                let was_to_resume = self.queue.iter().any(resumed);
                self.queue.retain(|start| start.job != job);
                if was_to_resume && self.schedule.status(job) == Status::Canceling {
                    // Its executor went with the process that had started it.
                    return Ok(Some(Input::JobCanceled { job, attempt }));
                }
                if let Some(running) = self.running.get_mut(&job)
                    && running.attempt == attempt
                {
                    running.end(how);
                }
            }
            // Downstream pipelines are never created, so there is none to cancel.
            Action::CancelDownstream { .. } => {}
            Action::ArmTimer {
                job,
                attempt,
                delay,
                ..
            } => {
                self.timers.insert((Instant::now() + delay, job), attempt);
            }
            Action::DisarmTimer { job, attempt, .. } => {
                self.timers
                    .retain(|(_, armed), tried| *armed != job || *tried != attempt);
            }
            Action::Resource {
                job,
                attempt,
                key,
                mode,
                claim,
                ..
            } => {
                let asker = JobKey {
                    pipeline: PipelineId(self.record.id.0),
                    job,
                    attempt,
                };
                let granted = self.groups.claim(&key, mode, asker, claim);
                return Ok(granted.map(|granted| Input::ResourceGranted {
                    job: granted.job,
                    attempt: granted.attempt,
                }));
            }
            Action::PipelineStatus { status, .. } => {
                self.pipeline_status = status;
                self.emit(EventKind::PipelineStatus { status })?;
            }
        }
        Ok(None)
    }

    fn emit(&mut self, kind: EventKind) -> Result<(), RunError> {
        let event = Event {
            at_ms: now_ms(),
            pipeline: PipelineId(self.record.id.0),
            kind,
        };
        self.log.append(event_to_json(&event).as_bytes())?;
        self.observer.event(&event);
        Ok(())
    }

    /// The specification of a try; the inner error is a fault of the configuration only seen now.
    fn spec(&self, at: JobIdx, attempt: Attempt) -> Result<Result<JobSpec, String>, RunError> {
        let job = self.pipeline.job(at);
        let sources = self
            .pipeline
            .artifact_sources(at, self.schedule.alternatives(at));
        let dotenv = sources
            .iter()
            .filter_map(|source| self.dotenv.get(source))
            .flatten();
        let job_id = self.job_id(at, attempt);
        let facts = StartFacts {
            key: JobKey {
                pipeline: PipelineId(self.record.id.0),
                job: at,
                attempt,
            },
            job_id,
            persisted: self.persisted(at, job, job_id),
            dotenv: dotenv.cloned().collect(),
            dependencies: sources
                .iter()
                .map(|source| self.dependency(*source))
                .collect(),
            default_timeout: self.facts.default_timeout,
            git: self.facts.git.clone(),
            shell: self.facts.shell,
            suffix: self.facts.suffix,
        };
        Ok(match job_spec(&self.pipeline, at, facts) {
            Ok(Some(spec)) => Ok(spec),
            Ok(None) => Err("a trigger job runs no scripts".to_owned()),
            Err(circle) => Err(circle.to_string()),
        })
    }

    fn dependency(&self, source: JobIdx) -> DependencySpec {
        let job_id = self.job_id(source, self.schedule.attempt(source));
        DependencySpec {
            job: source,
            name: self.pipeline.job(source).name.clone(),
            job_id,
        }
    }

    /// `CI_JOB_ID`: the number of the job, with the try above the first in its higher part, so that tries differ.
    fn job_id(&self, job: JobIdx, attempt: Attempt) -> u64 {
        let first = self.job_ids.get(job.at()).copied().unwrap_or_default();
        first + (u64::from(attempt.0 - 1) << 40)
    }

    /// What only exists now (reference `compose.md` §9.1, point 1).
    fn persisted(&self, at: JobIdx, job: &Job, job_id: u64) -> Vec<Variable> {
        let project = &self.shared.project.url;
        let run = self.record.id;
        let mut facts = vec![
            ("CI_PIPELINE_ID", run.to_string()),
            ("CI_PIPELINE_IID", self.record.iid.to_string()),
            ("CI_PIPELINE_URL", format!("{project}/-/pipelines/{run}")),
            ("CI_PIPELINE_CREATED_AT", timestamp(self.record.created)),
            ("CI_JOB_ID", job_id.to_string()),
            ("CI_JOB_URL", format!("{project}/-/jobs/{job_id}")),
            ("CI_JOB_STARTED_AT", timestamp(SystemTime::now())),
            ("CI_REPOSITORY_URL", format!("{project}.git")),
            ("CI_RUNNER_ID", "1".to_owned()),
            ("CI_RUNNER_DESCRIPTION", "tidegate".to_owned()),
            ("CI_RUNNER_TAGS", json_list(&job.tags)),
        ];
        if let Some(name) = &self.pipeline.name {
            facts.push(("CI_PIPELINE_NAME", name.to_string()));
        }
        if let Some(environment) = &job.environment {
            facts.push(("CI_ENVIRONMENT_SLUG", slug(&environment.expanded_name)));
        }
        let alternatives = self.schedule.alternatives(at).unwrap_or_default();
        let named = alternatives.iter().enumerate().map(|(entry, taken)| {
            let names: Vec<&str> = taken
                .iter()
                .map(|at| &*self.pipeline.job(*at).name)
                .collect();
            (format!("TIDEGATE_NEEDS_ANY_{entry}"), names.join(","))
        });
        let facts = facts
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value));
        let persisted =
            |(key, value): (String, String)| Variable::new(key, value, VariableSource::Persisted);
        facts.chain(named).map(persisted).collect()
    }

    fn variables(&self, spec: &JobSpec, slot: u32) -> JobVariables {
        let features = Features::of(&spec.variables);
        let runner = runner_facts(&self.shared.version, slot);
        JobVariables::of(spec, &features, &runner, "", "", "")
    }

    fn present(
        &self,
        spec: &JobSpec,
        wanted: &[u32],
        slot: u32,
    ) -> Result<Option<Arc<str>>, RunError> {
        let shared = &self.shared;
        let shelf = Shelf {
            store: &shared.store,
            project: &shared.project.key,
            run: self.record.id,
            remote: shared.remote.as_deref(),
        };
        Ok(shelf.all_present(spec, wanted, &self.variables(spec, slot))?)
    }

    fn artifacts_of(
        &self,
        spec: &JobSpec,
    ) -> Result<Vec<(tidegate_store::Artifact, tidegate_store::Lease)>, RunError> {
        let run: RunId = self.record.id;
        let mut all = Vec::new();
        for dependency in &spec.dependencies {
            let filter = ArtifactFilter {
                run: Some(run),
                job: Some(&dependency.name),
                attempt: Some(self.schedule.attempt(dependency.job).0),
                r#type: Some("archive"),
            };
            for artifact in self.shared.store.find_artifacts(filter)? {
                let lease = self.shared.store.lease_artifact(&artifact, run)?;
                all.push((artifact, lease));
            }
        }
        Ok(all)
    }
}

impl Running {
    fn end(&mut self, reason: CancelReason) {
        self.cancel = self.cancel.max(Some(reason));
        if let Some(canceller) = &self.canceller {
            canceller.cancel(reason);
        }
    }
}

/// Texts as a JSON list, as GitLab writes `CI_RUNNER_TAGS`. The runner of this machine has the tags any job asks for.
fn json_list(texts: &[Arc<str>]) -> String {
    let quoted = texts.iter().map(|text| {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"")
    });
    format!("[{}]", quoted.collect::<Vec<_>>().join(","))
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
