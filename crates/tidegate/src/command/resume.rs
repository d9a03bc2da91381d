//! `tidegate run --resume`, `--retry`, `--play`: going on with an earlier run.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_pipeline::{JobIdx, Pipeline, PipelineId};
use tidegate_run::{Begun, Journal, Pins, Refused, Resumption, StoredRun};
use tidegate_schedule::{Input, MetState};
use tidegate_store::{RunId, RunRecord, Store, StoreError};

use super::job_input;
use super::machine::{Machine, failed};
use super::past::{Past, failure};
use super::run::perform;
use super::run_tree::RunTree;
use crate::cli::{Global, RunArgs};
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::upkeep::{Limits, When, after_run};

/// Goes on with the run the arguments mean.
pub(crate) fn run(global: &Global, args: &RunArgs) -> Result<Exit, Failure> {
    let past = Past::open(global)?;
    let (record, scope) = match args.resume {
        Some(id) => {
            let record = past.stopped(id)?;
            let scope = PipelineId(record.id.0);
            (record, scope)
        }
        None => past.pipeline(args.run)?,
    };
    let mut facts = past.facts(record.id)?;
    let tree = RunTree::read(&past.store, record.id)?;
    let asked = asked(&tree, scope, args)?;
    let project = Project::open(global, &args.scenario)?;
    let given = given_inputs(&tree, &asked, args, &project)?;
    let log = past
        .store
        .open_run_log(record.id)
        .map_err(|error| match error {
            StoreError::RunBusy { .. } => {
                Failure::unusable(format!("run {} is going on in another process", record.id))
                    .hint("`tidegate logs JOB --follow` shows what a job of it does")
            }
            error => failed("go on with the run", &error),
        })?;
    let journal = Journal::read(&past.store, record.id).map_err(|error| failure(&error))?;
    let pins = pins(&past, record.id, &journal)?;
    let resumption = |facts: &StoredRun, journal: Journal| {
        let past_run = Resumption::new(
            &past.store,
            record.id,
            facts.clone(),
            journal,
            asked.clone(),
        );
        past_run.map_err(|error| refused(&tree, &record, &error))
    };
    if !given.is_empty() {
        // Only what can be done changes what is stored.
        resumption(&facts, journal.clone())?;
        keep(&past.store, &given)?;
        facts = past.facts(record.id)?;
    }
    let past_run = resumption(&facts, journal)?;
    if record.finished.is_some() && !past_run.has_work() {
        let id = record.id;
        return Err(Failure::unusable(format!("run {id} is over")).hint(format!(
            "`tidegate run --retry JOB --run {id}` runs a job again"
        )));
    }
    let base = facts
        .base(&past.store, record.id)
        .map_err(|error| failure(&error))?;
    let machine = Machine::open(global, &project, args.workspace.as_deref())?;
    let store = machine.store.clone();
    store
        .reopen_run(record.id)
        .map_err(|error| failed("go on with the run", &error))?;
    let begun = Begun { record, log };
    let setup = machine.setup(args, begun, base, facts, pins, Some(past_run))?;
    let ended = perform(global, args, setup);
    // What the stopped process had in hand was moved to the trash when the store was opened.
    after_run(&store, &Limits::of(&project.settings), When::Now);
    ended.map(|(exit, _)| exit)
}

/// The pipelines with the values of `--job-input` for the jobs that were asked for.
fn given_inputs(
    tree: &RunTree,
    asked: &[(PipelineId, Input)],
    args: &RunArgs,
    project: &Project,
) -> Result<BTreeMap<PipelineId, Arc<Pipeline>>, Failure> {
    let given = job_input::given(args)?;
    if given.is_empty() {
        return Ok(BTreeMap::new());
    }
    let job = |(id, input): &(PipelineId, Input)| Some((*id, input.job()?));
    let jobs: Vec<(PipelineId, JobIdx)> = asked.iter().filter_map(job).collect();
    job_input::of_earlier_run(tree, &jobs, &given, project)
}

/// Keeps them: what a job was given it also has when it is retried, as at GitLab.
fn keep(store: &Store, given: &BTreeMap<PipelineId, Arc<Pipeline>>) -> Result<(), Failure> {
    for (id, pipeline) in given {
        StoredRun::keep_pipeline(store, RunId(id.0), pipeline)
            .map_err(|error| failed("keep the values of inputs", &error))?;
    }
    Ok(())
}

/// The caches that the run relied on, as far as they are still there.
fn pins(past: &Past, run: RunId, journal: &Journal) -> Result<Pins, Failure> {
    let downstream = journal.downstream().map(|(id, _)| RunId(id.0));
    Pins::of_past(&past.store, std::iter::once(run).chain(downstream))
        .map_err(|error| failed("look for the caches of the run", &error))
}

/// What a person wants of the scheduler.
fn asked(
    tree: &RunTree,
    scope: PipelineId,
    args: &RunArgs,
) -> Result<Vec<(PipelineId, Input)>, Failure> {
    let mut asked = Vec::new();
    for name in &args.retry {
        let jobs = tree.named(scope, name)?.into_iter();
        asked.extend(jobs.map(|(id, job)| (id, Input::Retry { job })));
    }
    for name in &args.play {
        let jobs = tree.named(scope, name)?.into_iter();
        asked.extend(jobs.map(|(id, job)| (id, Input::Play { job })));
    }
    Ok(asked)
}

fn refused(tree: &RunTree, record: &RunRecord, error: &Refused) -> Failure {
    let (pipeline, error) = match error {
        Refused::Illegal { pipeline, error } => (*pipeline, error),
        Refused::Stored(error) => return failure(error),
        Refused::Orphan { .. } => {
            let run = record.id;
            return Failure::unusable(format!("failed to go on with run {run}: {error}"))
                .hint("`tidegate run` begins a new one");
        }
    };
    let (verb, expected) = match error.input {
        Input::Retry { .. } => ("retry", "only a finished job can be run again"),
        Input::Play { .. } => (
            "play",
            "only a manual or delayed job that waits can be played",
        ),
        _ => return Failure::unusable(format!("failed to go on with run {}: {error}", record.id)),
    };
    let name = error.input.job();
    let name = name.map_or_else(String::new, |job| tree.name(pipeline, job));
    let state = match error.state {
        MetState::Job { status, .. } => format!("it is {status}"),
        _ => error.to_string(),
    };
    Failure::unusable(format!(
        "failed to {verb} `{name}` of run {}: {state}",
        record.id
    ))
    .hint(expected)
}
