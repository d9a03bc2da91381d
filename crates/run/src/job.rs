//! One try of one job, in a thread of its own: its work tree, its run, its end.

use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tidegate_exec::{
    Environment, Features, JobRun, JobVariables, Remains, RunnerFacts, ShellExecutor, TraceOptions,
};
use tidegate_expr::Pattern;
use tidegate_pipeline::{EventKind, JobKey, JobSpec, Status, VariableSpec};
use tidegate_store::{Artifact, JobLogWriter, JobLogs, Lease, RunId, Store};
use tidegate_workspace::{Backend, Layer, WorkspaceSpec};

use crate::cache::{ResolvedCache, Shelf, facts, unmet};
use crate::message::{JobEnd, Message};
use crate::pins::Pins;
use crate::remote::RemoteCaches;
use crate::results::Promised;
use crate::secrets::{Providers, Requests};
use crate::setup::ProjectFacts;
use crate::site::{Place, Site, Sites};
use crate::snapshot::layers;
use crate::sources::Sources;
use crate::storage::{Collected, JobStorage};
use crate::trees::Trees;

/// What all jobs of a pipeline share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) executor: ShellExecutor,
    pub(crate) environment: Environment,
    pub(crate) backend: Backend,
    pub(crate) sites: Sites,
    pub(crate) base: Vec<Layer>,
    pub(crate) tracked: Arc<[PathBuf]>,
    pub(crate) project: ProjectFacts,
    pub(crate) run: RunId,
    pub(crate) logs: JobLogs,
    pub(crate) pins: Pins,
    pub(crate) grace: Duration,
    pub(crate) log_limit: u64,
    pub(crate) version: String,
    pub(crate) remote: Option<Arc<dyn RemoteCaches>>,
    pub(crate) providers: Providers,
    pub(crate) sender: SyncSender<Message>,
}

impl Shared {
    /// What jobs of another pipeline of the same process have in common; they start from the same tree.
    pub(crate) fn of_another(
        &self,
        run: RunId,
        project: ProjectFacts,
        remote: Option<Arc<dyn RemoteCaches>>,
    ) -> Self {
        Self {
            run,
            logs: self.store.job_logs(run),
            project,
            remote,
            ..self.clone()
        }
    }
}

/// One try of a job, ready to be performed.
pub(crate) struct Task {
    pub(crate) spec: JobSpec,
    /// Archives of the jobs it depends on, in download order.
    pub(crate) artifacts: Vec<(Artifact, Lease)>,
    pub(crate) coverage: Option<Arc<str>>,
    pub(crate) promised: Promised,
    pub(crate) secrets: Option<Requests>,
    /// Smallest number no other running job has.
    pub(crate) slot: u32,
}

/// Performs the job and reports its end, then removes what is left of it: the next job need not wait for that.
pub(crate) fn perform(shared: &Shared, task: Task) {
    let key = task.spec.key;
    let attempted = std::panic::catch_unwind(AssertUnwindSafe(|| attempt_job(shared, task)));
    let ended = attempted.unwrap_or_else(|_| Err("the thread of the job panicked".to_owned()));
    let (end, left) = match ended {
        Ok((end, left)) => (end, left),
        Err(message) => (JobEnd::Broken { message }, None),
    };
    // Where the disk is full, the next job needs the room this one took: its files are there as long as its mount is.
    let (first, later) = match left {
        Some(left) if left.unsaved => (Some(left), None),
        left => (None, left),
    };
    if let Some(left) = first {
        left.clear(&shared.sites);
    }
    // An error says that the run is over.
    let _ = shared.sender.send(Message::Ended { key, end });
    if let Some(left) = later {
        left.clear(&shared.sites);
    }
}

/// What a job needs to know of its runner.
pub(crate) fn runner_facts(version: &str, slot: u32) -> RunnerFacts {
    RunnerFacts {
        short_token: "tidegate".to_owned(),
        version: version.to_owned(),
        revision: "HEAD".to_owned(),
        concurrent_id: slot,
        concurrent_project_id: slot,
    }
}

fn attempt_job(shared: &Shared, mut task: Task) -> Result<(JobEnd, Option<Left>), String> {
    let store = &shared.store;
    let mut site = shared.sites.take(store).map_err(text)?;
    let trees = Trees::of(
        shared.backend,
        store.directory(),
        site.private(),
        &shared.project,
    );
    let runner = runner_facts(&shared.version, task.slot);
    add_secrets(shared, &mut task, &runner, &trees)?;
    let variables = variables(&task.spec, &runner, &trees)?;
    let shelf = Shelf {
        store,
        project: &shared.project.key,
        run: shared.run,
        pins: &shared.pins,
        remote: shared.remote.as_deref(),
    };
    let caches = shelf.resolve(&task.spec, &variables).map_err(text)?;
    if let Some(unmet) = unmet(&caches, &variables) {
        let end = JobEnd::CacheMissing {
            key: unmet.key,
            produce: unmet.produce,
        };
        return Ok((end, None));
    }
    let base = Sources::of(&variables)?.layers(&shared.base)?;
    let spec = workspace(shared, &trees, base, &caches, &task.artifacts);
    let place = site.stand(&shared.executor, spec)?;
    let collected = Collected::default();
    let ran = run(
        shared, task, &trees, &runner, variables, caches, place, &collected,
    );
    let (end, remains) = match ran {
        Ok((end, remains)) => (end, Some(remains)),
        Err(message) => (JobEnd::Broken { message }, None),
    };
    let unsaved = collected.unsaved.load(Ordering::Relaxed);
    let left = Left {
        remains,
        site,
        unsaved,
    };
    Ok((end, Some(left)))
}

/// Gets the secrets and ID tokens the job asks for; they are variables of it from here on, and of nothing that is kept.
fn add_secrets(
    shared: &Shared,
    task: &mut Task,
    runner: &RunnerFacts,
    trees: &Trees,
) -> Result<(), String> {
    let Some(requests) = task.secrets.take().filter(|requests| !requests.is_empty()) else {
        return Ok(());
    };
    let with = |more: &[VariableSpec]| {
        let mut spec = task.spec.clone();
        spec.variables.extend_from_slice(more);
        variables(&spec, runner, trees)
    };
    let got = shared.providers.provide(&requests, with)?;
    task.spec.variables.extend(got);
    Ok(())
}

/// The job's variables as its scripts will see them, for what must be known before they start.
pub(crate) fn variables(
    spec: &JobSpec,
    runner: &RunnerFacts,
    trees: &Trees,
) -> Result<JobVariables, String> {
    let features = Features::of(&spec.variables);
    let [builds, project, temp] =
        [&trees.builds_dir, &trees.project_dir, &trees.temp_dir].map(|path| utf8(path));
    Ok(JobVariables::of(
        spec, &features, runner, builds?, project?, temp?,
    ))
}

fn workspace(
    shared: &Shared,
    trees: &Trees,
    base: Vec<Layer>,
    caches: &[ResolvedCache],
    artifacts: &[(Artifact, Lease)],
) -> WorkspaceSpec {
    let mut stack = base;
    for found in caches.iter().filter_map(|cache| cache.found.as_ref()) {
        stack.extend(layers(&found.entry.layers));
    }
    stack.extend(
        artifacts
            .iter()
            .map(|(artifact, _)| Layer::stored(&artifact.tree)),
    );
    WorkspaceSpec {
        dir: trees.project_dir.clone(),
        layers: stack,
        scratch: trees.scratch.clone(),
        backend: shared.backend,
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "each is another stage's product, used once"
)]
fn run(
    shared: &Shared,
    mut task: Task,
    trees: &Trees,
    runner: &RunnerFacts,
    before: JobVariables,
    caches: Vec<ResolvedCache>,
    place: Place,
    collected: &Collected,
) -> Result<(JobEnd, Remains), String> {
    let key = task.spec.key;
    let of_caches = facts(&caches);
    let known = if of_caches.is_empty() {
        before
    } else {
        let of_caches = of_caches.iter().map(|(key, value)| plain(key, value));
        task.spec.variables.extend(of_caches);
        variables(&task.spec, runner, trees)?
    };
    let features = Features::of(&task.spec.variables);
    let (artifacts, leases): (Vec<Artifact>, Vec<Lease>) = task.artifacts.into_iter().unzip();
    let storage = JobStorage {
        store: shared.store.clone(),
        project: shared.project.key.clone(),
        run: shared.run,
        pins: shared.pins.clone(),
        job: key.job,
        attempt: key.attempt,
        job_name: task.spec.name.clone(),
        workspace: place.workspace,
        project_dir: trees.project_dir.clone(),
        tracked: Arc::clone(&shared.tracked),
        caches,
        artifacts,
        uploads: task.spec.artifacts.clone(),
        remote: shared.remote.clone(),
        sender: shared.sender.clone(),
        collected: collected.clone(),
    };
    let log = shared.logs.append_to(u64::from(key.job.0), key.attempt.0);
    let log = log.map_err(text)?;
    let coverage = task.coverage.as_deref().and_then(coverage_pattern);
    let run = JobRun {
        spec: Arc::new(task.spec),
        project_dir: trees.project_dir.clone(),
        builds_dir: trees.builds_dir.clone(),
        temp_dir: trees.temp_dir.clone(),
        ground: place.ground,
        rested: place.rested,
        environment: shared.environment.clone(),
        variables: known.clone(),
        version: shared.version.clone(),
        trace: TraceOptions {
            limit: shared.log_limit,
            // A person reads this as it comes, so lines have times only where the job asks for them.
            timestamps: (!features.is_given("FF_TIMESTAMPS")).then_some(false),
            sections: true,
            token_prefixes: Vec::new(),
        },
        sink: Box::new(sink(log, shared.sender.clone(), key)),
        storage: Box::new(storage),
        coverage,
        grace: shared.grace,
    };
    let cancellable = |canceller| {
        let _ = shared.sender.send(Message::Cancellable { key, canceller });
    };
    let ran = shared.executor.run(run, cancellable);
    let (outcome, remains) = ran.map_err(|error: io::Error| error.to_string())?;
    drop(leases);
    let dotenv = std::mem::take(
        &mut *collected
            .dotenv
            .lock()
            .unwrap_or_else(PoisonError::into_inner),
    );
    if outcome.status == Status::Success {
        for result in task.promised.kept(&known, &dotenv) {
            let kind = EventKind::JobResult {
                job: key.job,
                attempt: key.attempt,
                result,
            };
            let pipeline = key.pipeline;
            let _ = shared.sender.send(Message::Note { pipeline, kind });
        }
    }
    Ok((JobEnd::Ran { outcome, dotenv }, remains))
}

/// The pattern of `coverage`; configuration has checked it, but flags keep their closing slash (reference `config.md` §9.4).
fn coverage_pattern(text: &str) -> Option<Pattern> {
    Pattern::compile(text, "").ok()
}

/// Keeps the log and hands it on.
fn sink(
    mut log: JobLogWriter,
    sender: SyncSender<Message>,
    key: JobKey,
) -> impl FnMut(&[u8]) + Send {
    move |bytes: &[u8]| {
        // A full disk must not end the job; what is shown live still is.
        let _ = log.append(bytes);
        let _ = sender.send(Message::Log {
            key,
            bytes: bytes.to_vec(),
        });
    }
}

/// What is left of a job that is over.
struct Left {
    remains: Option<Remains>,
    site: Site,
    /// Something could not be saved.
    unsaved: bool,
}

impl Left {
    /// Removes it all, but for a site the next job can have.
    fn clear(self, sites: &Sites) {
        if let Some(remains) = self.remains {
            sites.give_back(self.site, remains);
        }
    }
}

pub(crate) fn plain(key: &str, value: &str) -> VariableSpec {
    VariableSpec {
        key: key.into(),
        value: value.into(),
        file: false,
        masked: false,
        raw: true,
    }
}

fn utf8(path: &Path) -> Result<&str, String> {
    path.to_str()
        .ok_or_else(|| format!("{} is not UTF-8", path.display()))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
