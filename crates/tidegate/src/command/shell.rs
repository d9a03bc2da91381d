//! `tidegate shell`: a shell where a job would run.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGQUIT};
use tidegate_plan::Detail;
use tidegate_run::{JobPlace, ShellSetup};
use tidegate_store::RunId;

use super::machine::{Machine, environment, failed, providers};
use super::past::jobs_named;
use super::run::{Keep, base, facts, missing_artifacts_of, pipeline_of};
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
    let [job] = jobs_named(&pipeline, &args.job)?[..] else {
        return Err(Failure::unusable(format!("`{}` is several jobs", args.job))
            .hint("`tidegate list` shows the names of all"));
    };
    let machine = Machine::open(&project, args.workspace.as_deref())?;
    let runs = machine.store.runs(Some(&project.key()), RUNS);
    let runs = runs.map_err(|error| failed("list the runs", &error))?;
    let runs: Vec<RunId> = runs.into_iter().map(|record| record.id).collect();
    let run = runs.first().copied().unwrap_or(RunId(0));
    let base = base(&project, &machine.store, run, Keep::Process)?;
    let facts = facts(&project, pipeline);
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
        providers: providers(&project),
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
        None => Command::new("bash"),
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
