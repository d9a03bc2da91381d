//! The state of a running pipeline: [`Schedule`], its inputs dispatched, its state to be read.
//!
//! The parts, each in a file below: `transition` changes the status of one job and all counters that follow from it; `judge`
//! decides the jobs whose turn it is; `report`, `person`, `cancel`, `bridge` and `cache` take the inputs; `reset` brings
//! skipped jobs back; `progress` derives the statuses of stages and pipeline.

mod bridge;
mod cache;
mod cancel;
mod judge;
mod person;
mod progress;
mod report;
mod reset;
#[cfg(test)]
mod tests;
mod transition;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use tidegate_pipeline::{
    Attempt, FailureReason, Job, JobIdx, Pipeline, Presence, Reason, StageIdx, Status,
};

use crate::action::{Action, Claim};
use crate::composite::{Symbol, Tally};
use crate::graph::Graph;
use crate::input::{IllegalInput, Input, MetState};
use crate::predecessors::{AnyProgress, Needs, Stages};

/// A pipeline and how far it has come.
///
/// Replaying the same inputs is the only way to get to a state; see [`Schedule::replay`]. An input costs time in the order of
/// the needs and dependants of the jobs it changes, whatever the size of the pipeline.
#[derive(Clone, Debug)]
pub struct Schedule {
    pipeline: Arc<Pipeline>,
    graph: Arc<Graph>,
    started: bool,
    jobs: Vec<JobState>,
    /// Runs beside the jobs; of use only for those with `needs`.
    needs: Vec<Needs>,
    /// Runs beside [`Graph::any`].
    any: Vec<AnyProgress>,
    stages: Stages,
    stage_statuses: Vec<Status>,
    total: Tally,
    counts: [u32; Status::ALL.len()],
    pipeline_status: Status,
    warnings: bool,
    /// Stages whose status may have changed during this input.
    changed_stages: BTreeSet<StageIdx>,
    /// Jobs to judge during this input, by rank.
    ready: BinaryHeap<Reverse<u32>>,
    /// Created jobs without `needs`, by stage; those of stages not reached yet.
    waiting: BTreeMap<StageIdx, Vec<JobIdx>>,
    /// Skipped jobs without `needs`, by stage and what they start on.
    skipped: BTreeMap<StageIdx, judge::ByStart<Vec<JobIdx>>>,
    /// Skipped jobs with `needs` that would no longer be skipped if they were judged now.
    stale_skips: BTreeSet<JobIdx>,
    /// Jobs that have started and are not interruptible.
    protecting: u32,
    /// Why the jobs that are `canceling` are.
    cancel_reasons: BTreeMap<JobIdx, Reason>,
    /// Tries that were retried while `canceling`: their executors still have a word to say.
    lingering: BTreeMap<(JobIdx, Attempt), Reason>,
    /// The alternatives each started job took, one list per `needs: any`.
    alternatives: BTreeMap<JobIdx, Arc<[Vec<JobIdx>]>>,
    gates: cache::Gates,
    actions: Vec<Action>,
}

/// How far one job has come.
#[derive(Clone, Debug)]
struct JobState {
    status: Status,
    allow_failure: bool,
    attempt: Attempt,
    /// How many tries were retried, automatically or by a person.
    retries: u32,
    /// Does not wait for a person or a delay.
    enqueue_now: bool,
    /// Its caches are not asked for again before it starts.
    forced: bool,
    /// It stands as a success without having run.
    satisfied: bool,
    /// A downstream pipeline was created for this try.
    has_downstream: bool,
    /// The claim on the resource group that was last told.
    claim: Option<Claim>,
    /// Why the latest try failed.
    failure: Option<FailureReason>,
    /// It follows the status of its downstream pipeline.
    follows: bool,
    /// Why it is in its status.
    reason: Reason,
}

impl JobState {
    fn new(job: &Job) -> JobState {
        JobState {
            status: Status::Created,
            allow_failure: job.allow_failure.always,
            attempt: Attempt::FIRST,
            retries: 0,
            enqueue_now: false,
            forced: false,
            satisfied: false,
            has_downstream: false,
            claim: None,
            failure: None,
            follows: false,
            reason: Reason::PipelineCreated,
        }
    }

    fn symbol(&self) -> Symbol {
        Symbol::of(self.status, self.allow_failure)
    }
}

impl Schedule {
    /// A pipeline to which nothing has happened yet. Linear in its jobs and needs.
    pub fn new(pipeline: Arc<Pipeline>) -> Schedule {
        let graph = Graph::new(&pipeline);
        let jobs: Vec<JobState> = pipeline.jobs.iter().map(JobState::new).collect();
        let mut stages = Stages::new(pipeline.stages.len());
        let mut total = Tally::default();
        let mut waiting: BTreeMap<StageIdx, Vec<JobIdx>> = BTreeMap::new();
        for (at, job) in pipeline.indexed() {
            let symbol = jobs[at.at()].symbol();
            stages.add(job.stage, at, symbol);
            total.add(symbol);
            if !job.is_dag() {
                waiting.entry(job.stage).or_default().push(at);
            }
        }
        let mut counts = [0; Status::ALL.len()];
        counts[Status::Created as usize] = jobs.len() as u32;
        let (needs, any) = initial_needs(&pipeline, &graph);
        Schedule {
            started: false,
            needs,
            any,
            stages,
            stage_statuses: vec![Status::Created; pipeline.stages.len()],
            total,
            counts,
            pipeline_status: Status::Created,
            warnings: false,
            changed_stages: BTreeSet::new(),
            ready: BinaryHeap::new(),
            waiting,
            skipped: BTreeMap::new(),
            stale_skips: BTreeSet::new(),
            protecting: 0,
            cancel_reasons: BTreeMap::new(),
            lingering: BTreeMap::new(),
            alternatives: BTreeMap::new(),
            gates: cache::Gates::default(),
            actions: Vec::new(),
            jobs,
            graph: Arc::new(graph),
            pipeline,
        }
    }

    /// The state after these inputs; what they asked for is past. [`Schedule::outstanding`] tells what is still to be done.
    ///
    /// # Errors
    /// The first input that was illegal.
    pub fn replay(
        pipeline: Arc<Pipeline>,
        inputs: impl IntoIterator<Item = Input>,
    ) -> Result<Schedule, IllegalInput> {
        let mut schedule = Schedule::new(pipeline);
        for input in inputs {
            schedule.apply(input)?;
        }
        Ok(schedule)
    }

    /// Takes an input and returns all that follows from it, in order.
    ///
    /// # Errors
    /// When the input cannot happen now; the state is then unchanged.
    pub fn apply(&mut self, input: Input) -> Result<Vec<Action>, IllegalInput> {
        if let Err(state) = self.take(&input) {
            return Err(IllegalInput { input, state });
        }
        if self.started {
            self.settle();
            self.refresh_statuses();
        }
        Ok(std::mem::take(&mut self.actions))
    }

    fn take(&mut self, input: &Input) -> Result<(), MetState> {
        if let Some(job) = input.job()
            && job.at() >= self.jobs.len()
        {
            return Err(MetState::NoSuchJob);
        }
        match (input, self.started) {
            (Input::Start, true) => return Err(MetState::Started),
            (Input::Start | Input::Play { .. }, false) | (_, true) => {}
            (_, false) => return Err(MetState::NotStarted),
        }
        match *input {
            Input::Start => self.start(),
            Input::JobStarted { job, attempt } => self.job_started(job, attempt)?,
            Input::JobSucceeded { job, attempt } => self.job_succeeded(job, attempt)?,
            Input::JobFailed {
                job,
                attempt,
                reason,
                exit_code,
            } => self.job_failed(job, attempt, reason, exit_code)?,
            Input::JobCanceled { job, attempt } => self.job_canceled(job, attempt)?,
            Input::DelayOver { job, attempt } => self.delay_over(job, attempt)?,
            Input::ResourceGranted { job, attempt } => self.resource_granted(job, attempt)?,
            Input::Play { job } => self.play(job)?,
            Input::Retry { job } => self.retry(job)?,
            Input::Cancel { job } => self.cancel(job)?,
            Input::Unschedule { job } => self.unschedule(job)?,
            Input::CancelAll { cause } => self.cancel_all(&cause.reason()),
            Input::NewCommit => self.new_commit(),
            Input::RunEnded => self.run_ended()?,
            Input::CacheHitAtStart {
                job,
                attempt,
                ref key,
            } => self.cache_hit(job, attempt, key)?,
            Input::CacheGone {
                job,
                attempt,
                ref key,
                producer,
            } => self.cache_gone(job, attempt, key, producer)?,
            Input::DownstreamCreated { job, attempt } => self.downstream_created(job, attempt)?,
            Input::BridgeStatus {
                job,
                attempt,
                status,
            } => self.bridge_status(job, attempt, status)?,
        }
        Ok(())
    }

    /// The jobs that stand as success come first, then every job whose turn it is.
    fn start(&mut self) {
        self.started = true;
        let pipeline = Arc::clone(&self.pipeline);
        for (at, job) in pipeline.indexed() {
            self.changed_stages.insert(job.stage);
            if job.presence == Presence::Satisfied {
                self.jobs[at.at()].satisfied = true;
                self.set_status(at, Status::Success, cache::satisfied_reason(job));
            } else {
                self.follow_claim(at, &Reason::PipelineCreated);
            }
        }
        for (at, job) in pipeline.indexed() {
            if job.is_dag() {
                self.judge_if_decided(at);
            }
        }
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    /// Status of a job's latest try.
    ///
    /// # Panics
    /// When `job` is of another pipeline, as [`Pipeline::job`] does.
    pub fn status(&self, job: JobIdx) -> Status {
        self.jobs[job.at()].status
    }

    /// The latest try of a job.
    ///
    /// # Panics
    /// When `job` is of another pipeline, as [`Pipeline::job`] does.
    pub fn attempt(&self, job: JobIdx) -> Attempt {
        self.jobs[job.at()].attempt
    }

    /// Whether a failure of the latest try does not count; final once it failed.
    ///
    /// # Panics
    /// When `job` is of another pipeline, as [`Pipeline::job`] does.
    pub fn allow_failure(&self, job: JobIdx) -> bool {
        self.jobs[job.at()].allow_failure
    }

    /// Why a job's latest try is in its status.
    ///
    /// # Panics
    /// When `job` is of another pipeline, as [`Pipeline::job`] does.
    pub fn reason(&self, job: JobIdx) -> &Reason {
        &self.jobs[job.at()].reason
    }

    /// Status of a stage; `created` for one without jobs.
    pub fn stage_status(&self, stage: StageIdx) -> Status {
        let found = self.stage_statuses.get(stage.at());
        found.copied().unwrap_or(Status::Created)
    }

    /// Status of the pipeline.
    pub fn pipeline_status(&self) -> Status {
        self.pipeline_status
    }

    /// The pipeline passed with warnings; only ever true of a success.
    pub fn warnings(&self) -> bool {
        self.warnings
    }

    /// How many jobs are in a status.
    pub fn count(&self, status: Status) -> u32 {
        self.counts[status as usize]
    }

    /// How many jobs executors or downstream pipelines are at work on, or are asked for.
    pub fn at_work(&self) -> u32 {
        [
            Status::Pending,
            Status::Preparing,
            Status::Running,
            Status::Canceling,
            Status::WaitingForCallback,
        ]
        .into_iter()
        .map(|status| self.count(status))
        .sum()
    }

    /// Nothing will happen unless a person does something: no job is at work, scheduled or waits for a resource group.
    ///
    /// Jobs may be left that wait for a person, and `created` ones behind them.
    pub fn is_quiet(&self) -> bool {
        self.started
            && self.at_work() == 0
            && self.count(Status::Scheduled) == 0
            && self.count(Status::WaitingForResource) == 0
            && self.lingering.is_empty()
    }

    /// [`Input::Start`] was taken.
    pub fn has_started(&self) -> bool {
        self.started
    }

    /// Every job is over.
    pub fn is_over(&self) -> bool {
        let complete = Status::ALL
            .into_iter()
            .filter(|status| status.is_complete());
        let over: u32 = complete.map(|status| self.count(status)).sum();
        self.started && over as usize == self.jobs.len()
    }

    /// The alternatives that a job took of each of its `needs: any`, in the order of its needs; recorded when it first became
    /// pending, so that a retry uses the same. `None` before that, and for jobs without `needs: any`.
    pub fn alternatives(&self, job: JobIdx) -> Option<&[Vec<JobIdx>]> {
        self.alternatives.get(&job).map(|taken| &**taken)
    }

    /// Everything asked for and not answered yet, in definition order: what a run that was resumed by [`Schedule::replay`] has
    /// to do again. Timers have their full delay. Jobs that are `running` or `canceling` are not listed: what
    /// became of them only their executors can tell.
    pub fn outstanding(&self) -> Vec<Action> {
        let mut actions: Vec<Action> = self
            .lingering
            .iter()
            .filter_map(|((job, attempt), reason)| {
                self.lingering_claim(*job, *attempt, Claim::Held, reason)
            })
            .collect();
        for (job, _) in self.pipeline.indexed() {
            actions.extend(self.outstanding_claim(job));
            actions.extend(self.outstanding_start(job));
        }
        actions
    }

    /// Tries that were retried while they were being canceled, and whose executors have not had their last word:
    /// [`Input::JobCanceled`] or whatever became of them.
    pub fn lingering(&self) -> impl Iterator<Item = (JobIdx, Attempt)> + '_ {
        self.lingering.keys().copied()
    }

    fn outstanding_claim(&self, job: JobIdx) -> Option<Action> {
        let state = &self.jobs[job.at()];
        let group = self.job(job).resource_group.as_ref()?;
        let claim = match state.status {
            Status::WaitingForResource | Status::Created | Status::Scheduled => state.claim?,
            _ => state.claim.map(|_| Claim::Held)?,
        };
        Some(self.claim_action(job, &group.key, claim, &state.reason))
    }

    fn outstanding_start(&self, job: JobIdx) -> Option<Action> {
        let reason = self.reason(job).clone();
        match self.status(job) {
            Status::Pending => Some(self.start_action(job, reason)),
            Status::Scheduled => Some(Action::ArmTimer {
                job,
                attempt: self.attempt(job),
                delay: judge::delay_of(self.job(job).start_in.as_ref()?),
                reason,
            }),
            _ => None,
        }
    }

    fn job(&self, job: JobIdx) -> &Job {
        self.pipeline.job(job)
    }

    /// The state of a job as an error names it.
    fn met(&self, job: JobIdx) -> MetState {
        let state = &self.jobs[job.at()];
        MetState::Job {
            attempt: state.attempt,
            status: state.status,
            bridge: self.job(job).build().is_none(),
        }
    }

    /// Fails unless `attempt` is the latest try and its status one of these.
    fn expect(&self, job: JobIdx, attempt: Attempt, statuses: &[Status]) -> Result<(), MetState> {
        let state = &self.jobs[job.at()];
        if state.attempt == attempt && statuses.contains(&state.status) {
            Ok(())
        } else {
            Err(self.met(job))
        }
    }
}

fn initial_needs(pipeline: &Pipeline, graph: &Graph) -> (Vec<Needs>, Vec<AnyProgress>) {
    let any: Vec<AnyProgress> = graph.any.iter().map(AnyProgress::new).collect();
    let mut classes = any.iter().map(|progress| progress.class);
    let needs = pipeline.jobs.iter().map(|job| {
        let mut needs = Needs::default();
        for entry in job.needs.iter().flatten() {
            match entry {
                tidegate_pipeline::NeedEntry::Job(_) => needs.add(crate::composite::Class::Open),
                // The graph lists entries in the same order.
                tidegate_pipeline::NeedEntry::Any(_) => needs.add(
                    classes
                        .next()
                        .expect("the graph has every `any` of the pipeline"),
                ),
            }
        }
        needs
    });
    (needs.collect(), any)
}
