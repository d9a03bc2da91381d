//! `tidegate shell`: a shell where a job would run.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGQUIT};
use tidegate_pipeline::JobIdx;
use tidegate_plan::Detail;
use tidegate_run::{Base, JobPlace, ShellSetup, StoredRun};
use tidegate_store::RunId;

use super::base::{Keep, base};
use super::machine::{Machine, environment, failed, on_path, providers};
use super::past::{Past, failure, found_jobs, jobs_named};
use super::run::{facts, missing_artifacts_of, pipeline_of};
use super::run_tree::RunTree;
use super::{require_planned, require_valid};
use crate::cli::{Global, ShellArgs};
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::terminal::tell;

/// Artifacts are looked for in this many runs.
const RUNS: usize = 20;

/// Runs a shell, or one command, in the job's place, and removes the place.
pub(crate) fn run(global: &Global, args: &ShellArgs) -> Result<Exit, Failure> {
    let project = Project::open(global, &args.scenario)?;
    let loaded = project.load()?;
    require_valid(global, &loaded)?;
    let plan = project
        .plan(&loaded, &Detail::Compact)?
        .ok_or_else(Failure::shown)?;
    require_planned(global, &loaded, &plan)?;
    let pipeline = pipeline_of(&plan)?;
    let found = found_jobs(&pipeline, &args.job);
    if found.is_empty() && args.job.contains('/') {
        return downstream(global, args, &project);
    }
    if found.is_empty() {
        jobs_named(&pipeline, &args.job)?;
    }
    let [job] = found[..] else {
        return Err(Failure::unusable(format!("`{}` is several jobs", args.job))
            .hint("`tidegate list` shows the names of all"));
    };
    let machine = Machine::open(global, &project, args.workspace.as_deref())?;
    let runs = machine.store.runs(Some(&project.key()), RUNS);
    let runs = runs.map_err(|error| failed("list the runs", &error))?;
    let runs: Vec<RunId> = runs.into_iter().map(|record| record.id).collect();
    let run = runs.first().copied().unwrap_or(RunId(0));
    let base = base(&project, &machine.store, run, Keep::Process, &pipeline)?;
    let facts = facts(&project, pipeline);
    open(args, &project, machine, base, facts, job, runs)
}

/// A shell in the place of a job of a downstream pipeline, as the last run that has it made that: it exists in runs alone.
fn downstream(global: &Global, args: &ShellArgs, project: &Project) -> Result<Exit, Failure> {
    let past = Past::open(global)?;
    let (record, scope) = past.pipeline(None)?;
    let tree = RunTree::read(&past.store, record.id)?;
    let [(id, job)] = tree.named(scope, &args.job)?[..] else {
        return Err(Failure::unusable(format!("`{}` is several jobs", args.job))
            .hint("`tidegate runs` and `tidegate logs` show what the last run had"));
    };
    let facts = tree.get(id).map(|member| member.facts.clone());
    let facts = facts.ok_or_else(|| Failure::unusable("the pipeline is gone"))?;
    let of = facts.base_of.unwrap_or(RunId(id.0));
    let base = past.facts(of)?.base(&past.store, of);
    let base = base.map_err(|error| failure(&error))?;
    let machine = Machine::open(global, project, args.workspace.as_deref())?;
    let place = format!("run {}", record.id);
    tell(&format!(
        "`{}` is a job of a downstream pipeline: its files and variables are those of {place}\n",
        args.job
    ));
    if !facts.pipeline.job(job).cross_needs.is_empty() {
        tell("warning: artifacts of other pipelines are not in the shell\n");
    }
    open(args, project, machine, base, facts, job, vec![RunId(id.0)])
}

fn open(
    args: &ShellArgs,
    project: &Project,
    machine: Machine,
    base: Base,
    facts: StoredRun,
    job: JobIdx,
    runs: Vec<RunId>,
) -> Result<Exit, Failure> {
    let remote = machine.remote(facts.suffix, &facts.project.key);
    let place = JobPlace::prepare(ShellSetup {
        remote,
        store: machine.store,
        environment: environment(&project.settings.run),
        backend: machine.backend,
        base,
        facts,
        job,
        runs,
        providers: providers(project),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    });
    let place = place.map_err(|error| failed("make the place of the job", &error))?;
    for name in &place.missing {
        tell(&missing_artifacts_of(name));
    }
    let ended = enter(&place, args);
    place.discard();
    ended
}

fn enter(place: &JobPlace, args: &ShellArgs) -> Result<Exit, Failure> {
    let mut command = match args.command.split_first() {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
        None => Command::new(match on_path("bash") {
            Some(_) => "bash",
            None => "sh",
        }),
    };
    place
        .enter(&mut command)
        .map_err(|error| failed("enter the place of the job", &error))?;
    // Ctrl-C is for what runs in the shell; this process must stay to tidy up.
    for signal in [SIGINT, SIGQUIT] {
        let caught = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal, caught)
            .map_err(|error| failed("catch a signal", &error))?;
    }
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .map_err(|error| failed(&format!("start `{program}`"), &error))?;
    // As a shell says how its last command ended.
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(code
        .and_then(|code| u8::try_from(code).ok())
        .map_or(Exit::Failed, Exit::Of))
}
