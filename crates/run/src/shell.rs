//! A shell where a job would run: its work tree, its layers, its variables. Nothing of it is saved.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use std::io::Write as _;

use tidegate_exec::{Environment, JobVariables};
use tidegate_expr::{Variable, VariableSource, slug};
use tidegate_pipeline::{
    Attempt, DependencySpec, JobIdx, JobKey, JobSpec, PipelineId, StartFacts, VariableSpec,
    job_spec,
};
use tidegate_store::{Artifact, Lease, RunId, Staging, Store};
use tidegate_workspace::{Backend, Layer, MountPlan, Workspace, WorkspaceSpec};

use crate::cache::{ResolvedCache, Shelf, facts};
use crate::earlier::{dotenv_of, newest_artifacts};
use crate::job::{runner_facts, variables};
use crate::pins::Pins;
use crate::remote::RemoteCaches;
use crate::secrets::{Providers, Requests};
use crate::setup::Base;
use crate::snapshot::layers;
use crate::sources::Sources;
use crate::stored_run::StoredRun;
use crate::trees::Trees;

/// What a shell in a job's place needs.
pub struct ShellSetup {
    /// The store.
    pub store: Store,
    /// What to start from.
    pub environment: Environment,
    /// How work trees are made.
    pub backend: Backend,
    /// The tree all jobs start from.
    pub base: Base,
    /// The pipeline and what goes with it; `first_job_id` stands for all job ids.
    pub facts: StoredRun,
    /// Which job.
    pub job: JobIdx,
    /// Earlier runs whose artifacts may be taken, newest first.
    pub runs: Vec<RunId>,
    /// Where the values of secrets and ID tokens come from.
    pub providers: Providers,
    /// Version of this program.
    pub version: String,
    /// Where caches are shared with other machines.
    pub remote: Option<Arc<dyn RemoteCaches>>,
}

/// A place where a job could run.
pub struct JobPlace {
    plan: MountPlan,
    environment: Environment,
    variables: JobVariables,
    workspace: Arc<Workspace>,
    private: Staging,
    /// Jobs whose artifacts it would get and of which no run has any.
    pub missing: Vec<Arc<str>>,
    _artifacts: Vec<Lease>,
    _caches: Vec<ResolvedCache>,
    _base: Base,
}

impl JobPlace {
    /// Makes the place.
    ///
    /// # Errors
    /// What could not be made, as text.
    pub fn prepare(setup: ShellSetup) -> Result<JobPlace, String> {
        let store = &setup.store;
        let run = setup.runs.first().copied().unwrap_or(RunId(0));
        let (found, missing) = artifacts(&setup, run)?;
        let mut spec = spec(&setup, run, &found)?;
        let private = store.staging().map_err(text)?;
        let project = &setup.facts.project;
        let trees = Trees::of(setup.backend, store.directory(), private.path(), project);
        let runner = runner_facts(&setup.version, 0);
        if let Some(build) = setup.facts.pipeline.job(setup.job).build() {
            let with = |more: &[VariableSpec]| {
                let mut spec = spec.clone();
                spec.variables.extend_from_slice(more);
                variables(&spec, &runner, &trees)
            };
            let got = setup.providers.provide(&Requests::of(build), with)?;
            spec.variables.extend(got);
        }
        let before = variables(&spec, &runner, &trees)?;
        let shelf = Shelf {
            store,
            project: &project.key,
            run,
            pins: &Pins::default(),
            remote: setup.remote.as_deref(),
        };
        let caches = shelf.resolve(&spec, &before).map_err(text)?;
        let of_caches = facts(&caches).into_iter();
        spec.variables
            .extend(of_caches.map(|(key, value)| crate::job::plain(&key, &value)));
        let variables = variables(&spec, &runner, &trees)?;
        write_file_variables(&variables, &trees.temp_dir).map_err(text)?;
        let (found, leases): (Vec<Artifact>, Vec<Lease>) = found.into_iter().unzip();
        let mut stack = Sources::of(&variables)?.layers(&setup.base.layers)?;
        for cache in caches.iter().filter_map(|cache| cache.found.as_ref()) {
            stack.extend(layers(&cache.entry.layers));
        }
        let archives = found.iter().filter(|artifact| artifact.r#type == "archive");
        stack.extend(archives.map(|artifact| Layer::stored(&artifact.tree)));
        let workspace = Workspace::prepare(WorkspaceSpec {
            dir: trees.project_dir.clone(),
            layers: stack,
            scratch: trees.scratch,
            backend: setup.backend,
        });
        let workspace = Arc::new(workspace.map_err(text)?);
        Ok(JobPlace {
            plan: workspace.plan(),
            environment: setup.environment,
            variables,
            workspace,
            private,
            missing,
            _artifacts: leases,
            _caches: caches,
            _base: setup.base,
        })
    }

    /// Makes a command run in this place: in its work tree, with the job's variables.
    ///
    /// # Errors
    /// A path that cannot be passed to the system.
    pub fn enter(&self, command: &mut Command) -> Result<(), String> {
        command.env_clear();
        let inherited = self.environment.variables().iter();
        command.envs(inherited.map(|(key, value)| (key, value)));
        for variable in self.variables.iter() {
            let value = variable.file.as_deref().unwrap_or(&variable.value);
            command.env(&variable.key, value);
        }
        self.plan.enter_on_spawn(command).map_err(text)
    }

    /// Removes the place with everything that was done in it. No process may be in it any more.
    pub fn discard(self) {
        crate::site::remove(self.workspace);
        drop(self.private);
    }
}

/// Artifacts that were found, and names of the jobs that have none.
type FoundArtifacts = (Vec<(Artifact, Lease)>, Vec<Arc<str>>);

/// Artifacts of the jobs it depends on, from the newest run that has any, and those without.
fn artifacts(setup: &ShellSetup, run: RunId) -> Result<FoundArtifacts, String> {
    let pipeline = &setup.facts.pipeline;
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for source in pipeline.artifact_sources(setup.job, None) {
        let name = &pipeline.job(source).name;
        let before = found.len();
        found.extend(newest_artifacts(&setup.store, &setup.runs, name, run).map_err(text)?);
        let hands_on = pipeline.job(source).build();
        if found.len() == before && hands_on.is_some_and(|build| build.artifacts.is_some()) {
            missing.push(Arc::clone(name));
        }
    }
    Ok((found, missing))
}

fn spec(setup: &ShellSetup, run: RunId, found: &[(Artifact, Lease)]) -> Result<JobSpec, String> {
    let pipeline = &setup.facts.pipeline;
    let job_id = setup.facts.first_job_id;
    let dependencies = pipeline.artifact_sources(setup.job, None).into_iter();
    let facts = StartFacts {
        key: JobKey {
            pipeline: PipelineId(run.0),
            job: setup.job,
            attempt: Attempt::FIRST,
        },
        job_id,
        persisted: persisted(setup, run),
        dotenv: dotenv_of(found).collect(),
        dependencies: dependencies
            .map(|job| DependencySpec {
                job: Some(job),
                name: Arc::clone(&pipeline.job(job).name),
                job_id,
            })
            .collect(),
        default_timeout: setup.facts.default_timeout,
        git: setup.facts.git.clone(),
        shell: setup.facts.shell,
        suffix: setup.facts.suffix,
    };
    match job_spec(pipeline, setup.job, facts) {
        Ok(Some(spec)) => Ok(spec),
        Ok(None) => Err("a trigger job runs no scripts".to_owned()),
        Err(circle) => Err(circle.to_string()),
    }
}

/// What a run would know; the numbers are those of the last run.
fn persisted(setup: &ShellSetup, run: RunId) -> Vec<Variable> {
    let project = &setup.facts.project.url;
    let job_id = setup.facts.first_job_id;
    let mut facts = vec![
        ("CI_PIPELINE_ID", run.to_string()),
        ("CI_PIPELINE_URL", format!("{project}/-/pipelines/{run}")),
        ("CI_JOB_ID", job_id.to_string()),
        ("CI_JOB_URL", format!("{project}/-/jobs/{job_id}")),
        ("CI_RUNNER_ID", "1".to_owned()),
        ("CI_RUNNER_DESCRIPTION", "tidegate".to_owned()),
    ];
    if let Some(environment) = &setup.facts.pipeline.job(setup.job).environment {
        facts.push(("CI_ENVIRONMENT_SLUG", slug(&environment.expanded_name)));
    }
    let persisted =
        |(key, value): (&str, String)| Variable::new(key, value, VariableSource::Persisted);
    facts.into_iter().map(persisted).collect()
}

fn write_file_variables(variables: &JobVariables, temp_dir: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(temp_dir)?;
    for variable in variables.iter() {
        if let Some(path) = &variable.file {
            let mut options = std::fs::File::options();
            options.write(true).create(true).truncate(true).mode(0o600);
            options.open(path)?.write_all(variable.value.as_bytes())?;
        }
    }
    Ok(())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
