//! The loop: one thread owns the state, everything that happens comes to it as a message.
//!
//! The parts, each in a file below: `pipeline_run` is one pipeline of the run; `start` gives jobs room and starts them; `ended`
//! takes their ends; `apply` feeds the schedulers and carries out what they ask for; `trigger` makes downstream pipelines;
//! `spec` makes what an executor needs of a job; `resume` goes on with a run of another process.

mod apply;
mod ended;
mod foreign;
mod forward;
mod pipeline_run;
mod resume;
mod spec;
mod start;
mod trigger;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidegate_exec::{CancelReason, Canceller};
use tidegate_pipeline::{Attempt, EventKind, JobIdx, JobKey, PipelineId, Status};
use tidegate_schedule::{CancelCause, Input, ResourceGroups};
use tidegate_store::{RunId, RunLog};

use crate::control::{Control, Interrupt};
use crate::downstream::Planner;
use crate::job::Shared;
use crate::message::Message;
use crate::redundant::superseded_by;
use crate::setup::{Base, Begun, Observer, RunEnd, RunError, RunSetup};
use crate::site::Sites;
use crate::workers::Workers;
use pipeline_run::PipelineRun;
pub use resume::{Refused, Resumption};

/// Messages that may wait: enough to keep jobs printing, few enough to bound memory (a piece of log is at most 64 KiB).
const WAITING: usize = 64;
/// How often the observer is told that time passes, and a newer run is looked for.
const TICK: Duration = Duration::from_millis(100);

/// Runs a pipeline to its end, and those its trigger jobs make.
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
    let Begun { record, log } = setup.begun;
    let root = PipelineId(record.id.0);
    let Base {
        layers,
        tracked,
        guard,
    } = setup.base;
    let shared = Shared {
        logs: setup.store.job_logs(record.id),
        store: setup.store,
        executor: setup.executor,
        environment: setup.environment,
        backend: setup.backend,
        sites: Sites::default(),
        base: layers,
        tracked,
        project: setup.facts.project.clone(),
        run: record.id,
        pins: setup.pins,
        grace: setup.grace,
        log_limit: setup.log_limit,
        version: setup.version,
        remote: setup.remote,
        providers: setup.providers,
        sender,
    };
    // Who resumes a run wants it, whatever is newer.
    let redundant = setup.past.is_some() && superseded_by(&shared.store, record.id)?.is_some();
    let pipeline = PipelineRun::new(record, setup.facts, None, shared);
    let engine = Engine {
        root,
        pipelines: BTreeMap::from([(root, pipeline)]),
        groups: ResourceGroups::default(),
        queue: VecDeque::new(),
        running: BTreeMap::new(),
        planning: BTreeSet::new(),
        workers: Workers::new(),
        threads: Vec::new(),
        timers: BTreeMap::new(),
        interrupted: None,
        job_ended: false,
        redundant,
        looked: Instant::now(),
        planner: setup.planner,
        parallel: setup.parallel.get(),
        log,
        observer,
    };
    let ended = engine.drive(&receiver, setup.past);
    // The layers of the base were needed until here.
    drop(guard);
    ended
}

struct Engine<'o> {
    /// The pipeline that all others are below.
    root: PipelineId,
    /// All pipelines of the run. None ever leaves it.
    pipelines: BTreeMap<PipelineId, PipelineRun>,
    groups: ResourceGroups,
    /// Jobs that may start and wait for room.
    queue: VecDeque<Start>,
    running: BTreeMap<(PipelineId, JobIdx), Running>,
    /// Trigger jobs whose pipelines are being planned.
    planning: BTreeSet<JobKey>,
    /// What jobs run in.
    workers: Workers,
    /// Those in which pipelines are planned.
    threads: Vec<JoinHandle<()>>,
    timers: BTreeMap<(Instant, PipelineId, JobIdx), Attempt>,
    interrupted: Option<Interrupt>,
    /// A job has ended since the log was last made durable.
    job_ended: bool,
    /// It is known that a newer run makes this one redundant.
    redundant: bool,
    /// When a newer run was last looked for.
    looked: Instant,
    planner: Arc<dyn Planner>,
    parallel: usize,
    log: RunLog,
    observer: &'o mut dyn Observer,
}

struct Start {
    key: JobKey,
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
            // Planning that panicked was reported as a refusal.
            let _ = thread.join();
        }
        self.workers.finish();
        done?;
        self.close()
    }

    /// Says how the pipelines stand at the end of the run, the run's own last.
    fn close(&mut self) -> Result<RunEnd, RunError> {
        let below_first: Vec<PipelineId> = self.pipelines.keys().rev().copied().collect();
        for id in below_first {
            let status = self.final_status(id);
            self.emit(id, EventKind::RunEnded { status })?;
            if id == self.root {
                self.log.commit()?;
            }
            let pipeline = self.pipeline(id);
            let store = &pipeline.shared.store;
            store.finish_run(pipeline.record.id, status.name())?;
        }
        Ok(RunEnd {
            pipeline: self.root,
            status: self.final_status(self.root),
            unheeded_failure: self.has_unheeded_failure(),
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
                self.pipeline_mut(self.root).number_jobs()?;
                self.pipeline(self.root).save()?;
                self.observer.begin(self.root);
                self.created(self.root)?;
                self.apply(self.root, Input::Start)?;
            }
        }
        loop {
            self.fire_timers()?;
            self.start_queued()?;
            let idle = self.running.is_empty() && self.planning.is_empty();
            if idle && self.queue.is_empty() && self.timers.is_empty() {
                break;
            }
            self.wait(messages)?;
        }
        let all: Vec<PipelineId> = self.pipelines.keys().copied().collect();
        for id in all {
            let schedule = &self.pipeline(id).schedule;
            // A trigger job whose pipeline waits for a person is at work as long as that.
            if !schedule.is_over() && schedule.at_work() == 0 {
                self.apply(id, Input::RunEnded)?;
            }
        }
        Ok(())
    }

    /// Takes one message, and all others that are there already, so that one write of the log serves them all.
    fn wait(&mut self, messages: &Receiver<Message>) -> Result<(), RunError> {
        // After the jobs that could start have been started: one sync serves all ends.
        if std::mem::take(&mut self.job_ended) {
            self.log.commit_soon()?;
        }
        let next = self.timers.keys().next().map(|(at, ..)| *at);
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
        if self.looked.elapsed() >= TICK {
            self.looked = Instant::now();
            self.heed_newer_run()?;
        }
        self.log.flush()?;
        self.pipeline(self.root).shared.pins.let_old_go();
        self.observer.tick(now_ms());
        Ok(())
    }

    /// A newer run of the same ref makes this one redundant; each pipeline is judged by its own settings.
    fn heed_newer_run(&mut self) -> Result<(), RunError> {
        let store = &self.pipeline(self.root).shared.store;
        if self.redundant || superseded_by(store, RunId(self.root.0))?.is_none() {
            return Ok(());
        }
        self.redundant = true;
        let all: Vec<PipelineId> = self.pipelines.keys().copied().collect();
        for id in all {
            self.apply(id, Input::NewCommit)?;
        }
        Ok(())
    }

    fn take(&mut self, message: Message) -> Result<(), RunError> {
        match message {
            Message::Interrupt(how) => self.interrupt(how),
            Message::Cancellable { key, canceller } => {
                if let Some(running) = self.running_try(key) {
                    if let Some(reason) = running.cancel {
                        canceller.cancel(reason);
                    }
                    running.canceller = Some(canceller);
                }
                Ok(())
            }
            Message::Log { key, bytes } => {
                self.observer.log(key, &bytes);
                Ok(())
            }
            Message::Note { pipeline, kind } => self.emit(pipeline, kind),
            Message::Ended { key, end } => {
                self.job_ended = true;
                self.ended(key, end)
            }
            Message::Planned { key, triggered } => self.planned(key, triggered),
        }
    }

    /// Cancels everything; pipelines of other projects too, since nothing of a run outlives it.
    fn interrupt(&mut self, how: Interrupt) -> Result<(), RunError> {
        let first = self.interrupted.is_none();
        self.interrupted = self.interrupted.max(Some(how));
        if first {
            // Those below first: a job that hears of it from above would still run its `after_script`.
            let below_first: Vec<PipelineId> = self.pipelines.keys().rev().copied().collect();
            let cause = CancelCause::Interrupted;
            for id in below_first {
                self.apply(id, Input::CancelAll { cause })?;
            }
        }
        self.queue.clear();
        if !first {
            for running in self.running.values_mut() {
                running.end(how.reason());
            }
        }
        Ok(())
    }

    /// Ends all jobs after the run itself has failed, and waits until they are gone.
    fn end_everything(&mut self, messages: &Receiver<Message>) {
        for running in self.running.values_mut() {
            running.end(CancelReason::Forced);
        }
        while !self.running.is_empty() || !self.planning.is_empty() {
            match messages.recv() {
                Ok(Message::Ended { key, .. }) => {
                    self.running.remove(&(key.pipeline, key.job));
                }
                Ok(Message::Planned { key, .. }) => {
                    self.planning.remove(&key);
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
        while let Some((&(at, id, job), &attempt)) = self.timers.first_key_value() {
            if at > now {
                break;
            }
            self.timers.remove(&(at, id, job));
            self.apply(id, Input::DelayOver { job, attempt })?;
        }
        Ok(())
    }

    fn running_try(&mut self, key: JobKey) -> Option<&mut Running> {
        let running = self.running.get_mut(&(key.pipeline, key.job));
        running.filter(|running| running.attempt == key.attempt)
    }

    fn pipeline(&self, id: PipelineId) -> &PipelineRun {
        self.pipelines.get(&id).expect("no pipeline leaves its run")
    }

    fn pipeline_mut(&mut self, id: PipelineId) -> &mut PipelineRun {
        let found = self.pipelines.get_mut(&id);
        found.expect("no pipeline leaves its run")
    }

    /// How a pipeline stands when nothing more happens: one whose trigger job waits for a pipeline that waits for a person
    /// does so itself.
    fn final_status(&self, id: PipelineId) -> Status {
        match self.pipeline(id).status {
            Status::Running => Status::Manual,
            status => status,
        }
    }

    /// Whether a pipeline failed whose trigger job was done once it was created.
    fn has_unheeded_failure(&self) -> bool {
        self.pipelines.values().any(|pipeline| {
            let Some(parent) = pipeline.parent else {
                return false;
            };
            let above = self.pipeline(parent.pipeline);
            pipeline.status == Status::Failed
                && !above.follows(parent.job)
                && !above.schedule.allow_failure(parent.job)
                && self.is_present(pipeline)
        })
    }

    /// Whether no trigger job above a pipeline was tried again since.
    fn is_present(&self, pipeline: &PipelineRun) -> bool {
        let mut parent = pipeline.parent;
        while let Some(key) = parent {
            let above = self.pipeline(key.pipeline);
            if above.schedule.attempt(key.job) != key.attempt {
                return false;
            }
            parent = above.parent;
        }
        true
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

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
