//! `tidegate run`: runs the pipeline on this machine.

use std::io::stderr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tidegate_config::Loaded;
use tidegate_pipeline::{GitSpec, Pipeline, Presence, Status};
use tidegate_plan::{Detail, Outcome, Plan};
use tidegate_report::run::{RunProgress, html, junit, summary};
use tidegate_run::{
    Control, Interrupt, Pins, ProjectFacts, RunSetup, StoredRun, begin, missing_artifacts,
    run as run_pipeline, supersede, superseded_by,
};
use tidegate_store::{RunId, Store};

use super::base::{Keep, base};
use super::machine::{Machine, failed, providers, shell};
use super::selection::chosen;
use super::unsupported::Means;
use super::{
    require_planned, require_valid, resume, selection, show_diagnostics, unsupported, watch,
};
use crate::cli::{Global, RunArgs};
use crate::downstream::Origin;
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::terminal::{style, tell};
use crate::upkeep::{Limits, When, after_run};
use crate::view::view;

/// Timeout of jobs that set none, GitLab's default.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);

/// Plans and runs the pipeline.
pub(crate) fn run(global: &Global, args: &RunArgs) -> Result<Exit, Failure> {
    if args.resume.is_some() || !args.retry.is_empty() || !args.play.is_empty() {
        return resume::run(global, args);
    }
    if args.watch {
        return watch::run(global, args);
    }
    let project = Project::open(global, &args.scenario)?;
    let planned = planned(global, args, &project)?;
    let (exit, _) = start(global, args, &project, planned)?;
    Ok(exit)
}

/// A configuration with the part of its pipeline that shall run.
pub(super) struct Planned {
    /// The configuration.
    pub(super) loaded: Loaded,
    /// What shall run.
    pub(super) pipeline: Arc<Pipeline>,
    /// Caches that the plan relies on.
    pub(super) pins: Pins,
}

impl Planned {
    /// With another part of the pipeline.
    pub(super) fn with(self, pipeline: Arc<Pipeline>) -> Planned {
        Planned { pipeline, ..self }
    }
}

/// Loads, plans and chooses what the arguments ask for.
pub(super) fn planned(
    global: &Global,
    args: &RunArgs,
    project: &Project,
) -> Result<Planned, Failure> {
    let mut loaded = project.load()?;
    if loaded.config.is_none()
        && let Some(stopped) = project.stopped()
    {
        require_planned(global, &loaded, &stopped)?;
        pipeline_of(&stopped)?;
    }
    require_valid(global, &loaded)?;
    if args.force
        && let Some(config) = &mut loaded.config
    {
        selection::force(config, &args.jobs);
    }
    let detail = match &args.jobs[..] {
        [] => Detail::Compact,
        named => Detail::Full {
            jobs: named.iter().cloned().collect(),
        },
    };
    let pins = Pins::default();
    let plan = project
        .plan_to_run(&loaded, &detail, &pins)?
        .ok_or_else(Failure::shown)?;
    require_planned(global, &loaded, &plan)?;
    let pipeline = chosen(global, args, &loaded, &plan, project)?;
    Ok(Planned {
        loaded,
        pipeline,
        pins,
    })
}

/// Runs what was planned, from the files as they are now.
pub(super) fn start(
    global: &Global,
    args: &RunArgs,
    project: &Project,
    planned: Planned,
) -> Result<(Exit, RunProgress), Failure> {
    let Planned {
        loaded,
        pipeline,
        pins,
    } = planned;
    if let Some(config) = &loaded.config {
        let means = Means {
            executor: args.executor,
            providers: &providers(project),
            downstream: false,
            project,
        };
        let problems = unsupported::problems(config, &pipeline, &means);
        if !problems.is_empty() {
            show_diagnostics(global, &loaded, &problems);
            return Err(Failure::unusable(
                "the run needs what Tidegate cannot do yet",
            ));
        }
    }
    let setup = setup(global, project, args, pipeline, pins)?;
    let store = setup.store.clone();
    if is_whole(args) {
        supersede_older(&setup)?;
    }
    let ended = perform(global, args, setup);
    let when = match ended {
        Ok(_) => When::Due,
        // A full disk is a likely cause, and what is left of its jobs helps nobody.
        Err(_) => When::Now,
    };
    after_run(&store, &Limits::of(&project.settings), when);
    ended
}

/// Whether the arguments ask for the whole pipeline: a part of one makes no other redundant.
fn is_whole(args: &RunArgs) -> bool {
    args.jobs.is_empty() && args.from_stage.is_none() && !args.only_failed
}

/// Tells running pipelines of older commits of the same ref that they are redundant; their `auto_cancel` says what follows.
fn supersede_older(setup: &RunSetup) -> Result<(), Failure> {
    let facts = &setup.facts;
    let run = setup.begun.record.id;
    let told = supersede(&setup.store, &facts.project.key, run, &facts.git);
    for older in told.map_err(|error| failed("look for older runs", &error))? {
        tell(&format!(
            "run {older} of an older commit of {} is still going on; its `workflow:auto_cancel` says what becomes of it\n",
            facts.git.ref_name
        ));
    }
    Ok(())
}

/// Runs what was set up, shows it, and says how it ended.
pub(super) fn perform(
    global: &Global,
    args: &RunArgs,
    setup: RunSetup,
) -> Result<(Exit, RunProgress), Failure> {
    let (store, run) = (setup.store.clone(), setup.begun.record.id);
    let pipeline = Arc::clone(&setup.facts.pipeline);
    let mut view = view(pipeline, global, args.quiet, args.format);
    let mut signals = None;
    let ended = run_pipeline(setup, view.as_mut(), |control| signals = watch(control));
    view.close();
    if let Some(signals) = signals {
        signals.close();
    }
    let ended = ended.map_err(|error| Failure::unusable(format!("failed to {error}")))?;
    tell(&summary(view.progress(), style(global.color, &stderr())));
    if ended.status == Status::Canceled && !ended.interrupted {
        tell(&newer_run(&store, run));
    }
    tell(&manual_hint(view.progress()));
    write_reports(args, view.progress())?;
    let exit = match ended.status {
        _ if ended.interrupted => Exit::Interrupted,
        _ if ended.unheeded_failure => Exit::Failed,
        Status::Success | Status::Manual | Status::Skipped => Exit::Fine,
        _ => Exit::Failed,
    };
    Ok((exit, view.progress().clone()))
}

/// Why a run was canceled by another.
fn newer_run(store: &Store, run: RunId) -> String {
    match superseded_by(store, run) {
        Ok(Some(newer)) => format!(
            "run {newer} of a newer commit makes this one redundant; `workflow:auto_cancel:on_new_commit: none` lets both go on\n"
        ),
        _ => String::new(),
    }
}

/// How to start the jobs that wait for a person.
fn manual_hint(progress: &RunProgress) -> String {
    let mut waiting = Vec::new();
    for member in progress.members() {
        let manual = member
            .jobs()
            .filter(|(_, job)| job.status == Status::Manual);
        waiting.extend(manual.map(|(at, _)| format!("`{}`", member.name(at))));
    }
    if waiting.is_empty() {
        return String::new();
    }
    let names = waiting.join(", ");
    format!("hint: `tidegate run --play JOB` starts a job that waits for you: {names}\n")
}

fn write_reports(args: &RunArgs, progress: &RunProgress) -> Result<(), Failure> {
    let write = |path: &Option<PathBuf>, render: fn(&RunProgress) -> String| match path {
        Some(path) => std::fs::write(path, render(progress))
            .map_err(|error| failed(&format!("write {}", path.display()), &error)),
        None => Ok(()),
    };
    write(&args.junit, junit)?;
    write(&args.html, html)
}

pub(super) fn pipeline_of(plan: &Plan) -> Result<Arc<Pipeline>, Failure> {
    match &plan.outcome {
        Outcome::Created(pipeline) => Ok(Arc::clone(pipeline)),
        Outcome::Filtered { message } | Outcome::Empty { message } => {
            Err(Failure::failed(message)
                .hint("`tidegate list --all` says why each job is left out"))
        }
        Outcome::Skipped { .. } => Err(Failure::failed(
            "the commit or push asks for no pipeline (`[skip ci]`, `ci.skip`)",
        )),
        Outcome::Failed => Err(Failure::shown()),
    }
}

fn setup(
    global: &Global,
    project: &Project,
    args: &RunArgs,
    pipeline: Arc<Pipeline>,
    pins: Pins,
) -> Result<RunSetup, Failure> {
    let machine = Machine::open(global, project, args.workspace.as_deref())?;
    let key = project.key();
    warn_of_missing(&machine.store, &key, &pipeline)?;
    let begun = begin(&machine.store, &key).map_err(|error| failed("begin the run", &error))?;
    machine.start_early()?;
    let base = base(
        project,
        &machine.store,
        begun.record.id,
        Keep::Run,
        &pipeline,
    )?;
    let facts = facts(project, pipeline);
    machine.setup(args, begun, base, facts, pins, None)
}

/// Says which artifacts of jobs that were left out cannot be had.
fn warn_of_missing(store: &Store, key: &str, pipeline: &Pipeline) -> Result<(), Failure> {
    let missing = missing_artifacts(store, key, pipeline);
    for name in missing.map_err(|error| failed("look for artifacts", &error))? {
        tell(&missing_artifacts_of(&name));
    }
    Ok(())
}

pub(super) fn missing_artifacts_of(name: &str) -> String {
    format!("warning: no run has artifacts of `{name}`; `tidegate run {name}` makes some\n")
}

/// What a run of the project is begun with; its jobs get their numbers when it starts.
pub(crate) fn facts(project: &Project, pipeline: Arc<Pipeline>) -> StoredRun {
    let scenario = &project.scenario;
    let path = &scenario.project.path;
    let server = &scenario.server;
    StoredRun {
        pipeline,
        first_job_id: 0,
        project: ProjectFacts {
            key: project.key(),
            directory: path.rsplit('/').next().unwrap_or(path).to_owned(),
            url: format!("{}/{path}", server.url()),
        },
        git: git(project),
        suffix: project.cache_suffix(),
        default_timeout: project
            .settings
            .run
            .default_timeout
            .map_or(DEFAULT_TIMEOUT, |period| period.0),
        shell: shell(project),
        origin: Origin::text(project),
        base_of: None,
    }
}

fn git(project: &Project) -> GitSpec {
    let scenario = &project.scenario;
    GitSpec {
        ref_name: scenario.ref_name().to_owned(),
        sha: scenario.commit.sha.clone(),
        before_sha: scenario
            .commit
            .before_sha
            .clone()
            .unwrap_or_else(|| "0".repeat(40)),
        is_tag: scenario.tag().is_some(),
    }
}

/// Turns signals into interruptions: Ctrl-C cancels as GitLab's button does; who presses it again, or ends the process from
/// outside, does not wait for `after_script`; who insists waits for nothing.
fn watch(control: Control) -> Option<signal_hook::iterator::Handle> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).ok()?;
    let handle = signals.handle();
    let thread = std::thread::Builder::new().name("signals".to_owned());
    thread
        .spawn(move || {
            for (before, signal) in signals.forever().enumerate() {
                control.interrupt(match before + usize::from(signal != SIGINT) {
                    0 => {
                        tell("canceling: scripts end, after_script still runs; Ctrl-C again ends everything\n");
                        Interrupt::Gently
                    }
                    1 => Interrupt::Soon,
                    _ => Interrupt::AtOnce,
                });
            }
        })
        .ok()?;
    Some(handle)
}

/// Whether a job of the pipeline will run at all; satisfied ones may never.
pub(super) fn will_run(pipeline: &Pipeline, name: &str) -> bool {
    pipeline
        .jobs
        .iter()
        .any(|job| &*job.name == name && job.presence == Presence::Included)
}
