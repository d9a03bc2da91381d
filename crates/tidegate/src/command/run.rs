//! `tidegate run`: runs the pipeline on this machine.

use std::collections::BTreeSet;
use std::io::stderr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tidegate_exec::{Environment, ShellExecutor, TraceOptions};
use tidegate_pipeline::{CacheSuffix, GitSpec, Pipeline, Presence, ShellKind, Status};
use tidegate_plan::{Detail, Outcome, Plan};
use tidegate_report::run::summary;
use tidegate_run::{
    Base, Begun, Control, Interrupt, ProjectFacts, RunSetup, base_tree, begin, run as run_pipeline,
};
use tidegate_store::{RunId, Store};
use tidegate_workspace::{Layer, Wanted, probe};
use tidegate_world::{Subject, job_repository, tracked_paths, write_committed};

use super::explain::unknown;
use super::{require_planned, require_valid, show_diagnostics, unsupported};
use crate::SUPERVISE;
use crate::cli::{Global, RunArgs};
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::terminal::{style, tell};
use crate::view::view;

/// Timeout of jobs that set none, GitLab's default.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);
/// What processes of a canceled job get between TERM and KILL. GitLab gives ten minutes; a person waits here.
const GRACE: Duration = Duration::from_secs(5);

/// Plans and runs the pipeline.
pub(crate) fn run(global: &Global, args: &RunArgs) -> Result<Exit, Failure> {
    let project = Project::open(global, &args.scenario)?;
    let loaded = project.load()?;
    require_valid(global, &loaded)?;
    let plan = project
        .plan(&loaded, &Detail::Compact)?
        .ok_or_else(Failure::shown)?;
    require_planned(global, &loaded, &plan)?;
    let pipeline = chosen(pipeline_of(&plan)?, &args.jobs, &plan)?;
    if let Some(config) = &loaded.config {
        let problems = unsupported::problems(config, &pipeline, args.executor);
        if !problems.is_empty() {
            show_diagnostics(global, &loaded, &problems);
            return Err(Failure::unusable(
                "the run needs what Tidegate cannot do yet",
            ));
        }
    }
    let setup = setup(&project, args, Arc::clone(&pipeline))?;
    let mut view = view(pipeline, global, args.quiet);
    let mut signals = None;
    let ended = run_pipeline(setup, view.as_mut(), |control| signals = watch(control));
    view.close();
    if let Some(signals) = signals {
        signals.close();
    }
    let ended = ended.map_err(|error| Failure::unusable(format!("failed to {error}")))?;
    tell(&summary(view.progress(), style(global.color, &stderr())));
    Ok(match ended.status {
        _ if ended.interrupted => Exit::Interrupted,
        Status::Success | Status::Manual | Status::Skipped => Exit::Fine,
        _ => Exit::Failed,
    })
}

fn pipeline_of(plan: &Plan) -> Result<Arc<Pipeline>, Failure> {
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

/// The whole pipeline, or the named jobs and what they need.
fn chosen(
    pipeline: Arc<Pipeline>,
    names: &[String],
    plan: &Plan,
) -> Result<Arc<Pipeline>, Failure> {
    if names.is_empty() {
        return Ok(pipeline);
    }
    pipeline.select(names).map(Arc::new).map_err(|missing| {
        let name = missing.0;
        if plan
            .decisions
            .iter()
            .any(|decision| *decision.name == *name)
        {
            return Failure::failed(format!("the job `{name}` is not in this pipeline"))
                .hint(format!("`tidegate explain {name}` says why"));
        }
        unknown(&name, plan.decisions.iter().map(|decision| &*decision.name))
    })
}

fn setup(project: &Project, args: &RunArgs, pipeline: Arc<Pipeline>) -> Result<RunSetup, Failure> {
    let failed = |what: &'static str| {
        move |error: &dyn std::fmt::Display| Failure::unusable(format!("failed to {what}: {error}"))
    };
    let settings = &project.settings.run;
    let of_settings = settings.workspace.map(|workspace| workspace.name());
    let wanted: Wanted = match args.workspace.as_deref().or(of_settings) {
        Some(text) => text
            .parse()
            .map_err(|error| failed("use --workspace")(&error))?,
        None => Wanted::Best,
    };
    std::fs::create_dir_all(&project.data_dir)
        .map_err(|error| failed("make the directory of the store")(&error))?;
    let store = Store::open(&project.data_dir).map_err(|error| failed("open the store")(&error))?;
    let backend = probe::probe(&project.data_dir)
        .choose(wanted)
        .map_err(|error| failed("make work trees")(&error))?;
    let key = project.key();
    let begun = begin(&store, &key).map_err(|error| failed("begin the run")(&error))?;
    let base = base(project, &store, &key, begun.record.id)?;
    let scenario = &project.scenario;
    let separate = scenario.project.separate_protected_caches;
    let path = &scenario.project.path;
    let server = &scenario.server;
    Ok(RunSetup {
        begun: Begun {
            record: begun.record,
            log: begun.log,
        },
        pipeline,
        store,
        executor: ShellExecutor::of_this_binary(SUPERVISE)
            .map_err(|error| failed("find this program's own file")(&error))?,
        environment: match settings.environment {
            Some(tidegate_settings::Environment::Clean) => Environment::clean(std::env::vars_os()),
            _ => Environment::inherited(std::env::vars_os()),
        },
        backend,
        base,
        parallel: args.parallel.or(settings.jobs).unwrap_or_else(cores),
        project: ProjectFacts {
            key,
            directory: path.rsplit('/').next().unwrap_or(path).to_owned(),
            url: format!("{}/{path}", server.url()),
        },
        git: git(project),
        suffix: CacheSuffix {
            cleared: scenario.project.cache_counter,
            protected: separate.then_some(scenario.protected),
        },
        default_timeout: settings
            .default_timeout
            .map_or(DEFAULT_TIMEOUT, |period| period.0),
        grace: GRACE,
        log_limit: settings
            .log_limit
            .map_or(TraceOptions::DEFAULT_LIMIT, |size| size.0),
        shell: ShellKind::Bash,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
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

/// The tree all jobs start from: a picture of the files, below a repository of their own.
fn base(project: &Project, store: &Store, key: &str, run: RunId) -> Result<Base, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::unusable(format!(
            "failed to take a picture of the work tree: {error}"
        ))
    };
    let private = store.staging().map_err(|error| failed(&error))?;
    let (root, paths) = match project.subject {
        Subject::WorkTree => (project.checkout.root.clone(), project.paths()?),
        Subject::Commit => {
            let into = private.path().join("committed");
            std::fs::create_dir(&into).map_err(|error| failed(&error))?;
            write_committed(&project.checkout, &into).map_err(|error| failed(&error))?;
            (into, project.paths()?)
        }
    };
    let taken = base_tree(store, key, &root, &paths, run).map_err(|error| failed(&error))?;
    for skipped in &taken.skipped {
        tell(&format!(
            "warning: jobs do not see {}: {}\n",
            skipped.path.display(),
            skipped.why
        ));
    }
    let repository = private.path().join("repository");
    std::fs::create_dir(&repository).map_err(|error| failed(&error))?;
    let made = job_repository(&project.checkout, &repository).map_err(|error| failed(&error))?;
    let mut layers = taken.layers;
    if made {
        layers.push(Layer::borrowed(repository));
    }
    let tracked = tracked_paths(&project.checkout).map_err(|error| failed(&error))?;
    let tracked: BTreeSet<PathBuf> = tracked.unwrap_or(paths).into_iter().collect();
    let tracked: Vec<PathBuf> = tracked.into_iter().collect();
    let guard = Box::new((private, taken.lease));
    Ok(Base {
        layers,
        tracked: tracked.into(),
        guard,
    })
}

/// Turns signals into interruptions: the first asks jobs to end, further ones end them at once.
fn watch(control: Control) -> Option<signal_hook::iterator::Handle> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).ok()?;
    let handle = signals.handle();
    let thread = std::thread::Builder::new().name("signals".to_owned());
    thread
        .spawn(move || {
            for (count, _) in signals.forever().enumerate() {
                control.interrupt(if count == 0 {
                    Interrupt::Gently
                } else {
                    Interrupt::AtOnce
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
