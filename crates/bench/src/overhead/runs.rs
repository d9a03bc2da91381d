//! Running a pipeline in this process, on a fresh store.

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidegate_exec::{Environment, ShellExecutor};
use tidegate_pipeline::{
    CacheSuffix, Event, GitSpec, JobKey, Pipeline, PipelineId, ShellKind, Status,
};
use tidegate_run::{
    Base, NoPlanner, Observer, Pins, ProjectFacts, Providers, RunSetup, StoredRun, base_tree, begin,
};
use tidegate_store::Store;
use tidegate_workspace::{Wanted, probe};

/// The private word of a supervisor.
pub(crate) const SUPERVISE: &str = "__supervise";
/// Files of the work tree.
const FILES: u32 = 100;
const KEY: &str = "bench";

/// Everything up to the first job: a store, a work tree and its picture.
pub(crate) fn setup(place: &Path, pipeline: Pipeline) -> io::Result<RunSetup> {
    let store = Store::open(&place.join("store")).map_err(io::Error::other)?;
    let begun = begin(&store, KEY).map_err(io::Error::other)?;
    let root = place.join("tree");
    std::fs::create_dir(&root)?;
    let mut files = Vec::new();
    for at in 0..FILES {
        let file = format!("file-{at:03}");
        std::fs::write(root.join(&file), "content\n")?;
        files.push(file.into());
    }
    let taken = base_tree(&store, KEY, &root, &files, begun.record.id).map_err(io::Error::other)?;
    let backend = probe::probe(store.directory())
        .choose(Wanted::Best)
        .map_err(io::Error::other)?;
    Ok(RunSetup {
        begun,
        past: None,
        facts: StoredRun {
            pipeline: Arc::new(pipeline),
            first_job_id: 0,
            project: ProjectFacts {
                key: KEY.to_owned(),
                directory: "project".to_owned(),
                url: "https://gitlab.example.com/group/project".to_owned(),
            },
            git: GitSpec::default(),
            suffix: CacheSuffix::default(),
            default_timeout: Duration::from_secs(3600),
            shell: ShellKind::Bash,
            origin: "".into(),
            base_of: None,
        },
        planner: Arc::new(NoPlanner),
        executor: ShellExecutor::of_this_binary(SUPERVISE)?,
        environment: Environment::inherited(std::env::vars_os()),
        backend,
        base: Base {
            layers: taken.layers,
            tracked: files.into(),
            guard: Box::new(taken.lease),
        },
        store,
        pins: Pins::default(),
        parallel: NonZeroUsize::MIN.saturating_add(1),
        grace: Duration::from_secs(5),
        log_limit: 1 << 30,
        providers: Providers::default(),
        version: "0".to_owned(),
        remote: None,
    })
}

/// Runs a pipeline, all jobs of which succeed.
pub(crate) fn run(setup: RunSetup) -> io::Result<()> {
    let end = tidegate_run::run(setup, &mut Silent, |_| {}).map_err(io::Error::other)?;
    match end.status {
        Status::Success => Ok(()),
        other => Err(io::Error::other(format!("the pipeline ended: {other:?}"))),
    }
}

/// An observer that shows nothing.
struct Silent;

impl Observer for Silent {
    fn begin(&mut self, _: PipelineId) {}
    fn past(&mut self, _: &Event) {}
    fn event(&mut self, _: &Event) {}
    fn downstream(&mut self, _: PipelineId, _: JobKey, _: &Arc<Pipeline>) {}
    fn log(&mut self, _: JobKey, _: &[u8]) {}
    fn tick(&mut self, _: u64) {}
}
