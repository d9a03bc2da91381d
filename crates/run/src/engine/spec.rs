//! What an executor needs of a job, as it is known when the job starts.

use std::sync::Arc;
use std::time::SystemTime;

use tidegate_exec::{Features, JobVariables, timestamp};
use tidegate_expr::{Variable, VariableSource, slug};
use tidegate_pipeline::{
    Attempt, CachePolicy, DependencySpec, Job, JobIdx, JobSpec, StartFacts, job_spec,
};
use tidegate_store::{Artifact, ArtifactFilter, Lease, RunId};

use super::pipeline_run::PipelineRun;
use crate::cache::{Shelf, final_key_of, policy, shown};
use crate::earlier::{dotenv_of, newest_artifacts, runs_of};
use crate::job::{Shared, runner_facts};
use crate::setup::RunError;

/// What a job gets of jobs that are not in its pipeline.
#[derive(Default)]
pub(super) struct Foreign {
    /// Of earlier runs; what jobs of its pipeline left stands above it.
    pub(super) earlier: Taken,
    /// Of other pipelines of its family; stands above all.
    pub(super) other: Taken,
}

/// What was taken of some jobs.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) dependencies: Vec<DependencySpec>,
    pub(super) dotenv: Vec<Variable>,
    pub(super) archives: Vec<(Artifact, Lease)>,
}

impl PipelineRun {
    /// The specification of a try; the error is a fault of the configuration only seen now.
    pub(super) fn spec(
        &self,
        at: JobIdx,
        attempt: Attempt,
        foreign: &Foreign,
    ) -> Result<JobSpec, String> {
        let job = self.pipeline().job(at);
        let sources = self.sources(at);
        let job_id = self.job_id(at, attempt);
        let Foreign { earlier, other } = foreign;
        let dotenv = [&*earlier.dotenv, &self.dotenv_of(&sources), &other.dotenv].concat();
        let own: Vec<_> = sources.iter().map(|at| self.dependency(*at)).collect();
        let dependencies = [&*earlier.dependencies, &own, &other.dependencies].concat();
        let facts = StartFacts {
            key: self.key(at, attempt),
            job_id,
            persisted: self.persisted(at, job, job_id),
            dotenv,
            dependencies,
            default_timeout: self.facts.default_timeout,
            git: self.facts.git.clone(),
            shell: self.facts.shell,
            suffix: self.facts.suffix,
        };
        match job_spec(self.pipeline(), at, facts) {
            Ok(Some(spec)) => Ok(spec),
            Ok(None) => Err("a trigger job runs no scripts".to_owned()),
            Err(circle) => Err(circle.to_string()),
        }
    }

    /// The jobs whose artifacts a job gets.
    pub(super) fn sources(&self, at: JobIdx) -> Vec<JobIdx> {
        let alternatives = self.schedule.alternatives(at);
        self.pipeline().artifact_sources(at, alternatives)
    }

    pub(super) fn dotenv_of(&self, sources: &[JobIdx]) -> Vec<Variable> {
        let reported = sources.iter().filter_map(|source| self.dotenv.get(source));
        reported.flatten().cloned().collect()
    }

    pub(super) fn dependency(&self, source: JobIdx) -> DependencySpec {
        let job_id = self.job_id(source, self.schedule.attempt(source));
        DependencySpec {
            job: Some(source),
            name: self.pipeline().job(source).name.clone(),
            job_id,
        }
    }

    /// `CI_JOB_ID`: the number of the job, with the try above the first in its higher part, so that tries differ.
    pub(super) fn job_id(&self, job: JobIdx, attempt: Attempt) -> u64 {
        let number = self.facts.first_job_id + u64::from(job.0);
        number + (u64::from(attempt.0 - 1) << 40)
    }

    /// What only exists now (reference `compose.md` §9.1, point 1).
    pub(super) fn persisted(&self, at: JobIdx, job: &Job, job_id: u64) -> Vec<Variable> {
        let project = &self.shared.project.url;
        let run = self.record.id;
        let mut facts = vec![
            ("CI_PIPELINE_ID", run.to_string()),
            ("CI_PIPELINE_IID", self.record.iid.to_string()),
            ("CI_PIPELINE_URL", format!("{project}/-/pipelines/{run}")),
            ("CI_PIPELINE_CREATED_AT", timestamp(self.record.created)),
            ("CI_JOB_ID", job_id.to_string()),
            ("CI_JOB_URL", format!("{project}/-/jobs/{job_id}")),
            ("CI_JOB_STARTED_AT", timestamp(SystemTime::now())),
            ("CI_REPOSITORY_URL", format!("{project}.git")),
            ("CI_RUNNER_ID", "1".to_owned()),
            ("CI_RUNNER_DESCRIPTION", "tidegate".to_owned()),
            ("CI_RUNNER_TAGS", json_list(&job.tags)),
        ];
        if let Some(name) = &self.pipeline().name {
            facts.push(("CI_PIPELINE_NAME", name.to_string()));
        }
        if let Some(environment) = &job.environment {
            facts.push(("CI_ENVIRONMENT_SLUG", slug(&environment.expanded_name)));
        }
        let alternatives = self.schedule.alternatives(at).unwrap_or_default();
        let named = alternatives.iter().enumerate().map(|(entry, taken)| {
            let names: Vec<&str> = taken
                .iter()
                .map(|at| &*self.pipeline().job(*at).name)
                .collect();
            (format!("TIDEGATE_NEEDS_ANY_{entry}"), names.join(","))
        });
        let facts = facts
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value));
        let persisted =
            |(key, value): (String, String)| Variable::new(key, value, VariableSource::Persisted);
        facts.chain(named).map(persisted).collect()
    }

    fn variables(&self, spec: &JobSpec, slot: u32) -> JobVariables {
        let features = Features::of(&spec.variables);
        let runner = runner_facts(&self.shared.version, slot);
        JobVariables::of(spec, &features, &runner, "", "", "")
    }

    /// The last of these caches' keys, as it may be told, where entries with exactly the keys of all exist.
    pub(super) fn present(
        &self,
        spec: &JobSpec,
        wanted: &[u32],
        slot: u32,
    ) -> Result<Option<Arc<str>>, RunError> {
        let shared = &self.shared;
        let shelf = Shelf {
            store: &shared.store,
            project: &shared.project.key,
            run: self.record.id,
            pins: &shared.pins,
            remote: shared.remote.as_deref(),
        };
        let variables = self.variables(spec, slot);
        let last = shelf.all_present(spec, wanted, &variables)?;
        Ok(last.map(|key| shown(&key, &variables)))
    }

    /// A key of a job as it may be told: without masked values.
    pub(super) fn shown_key(&self, at: JobIdx, key: &str) -> Arc<str> {
        match self.spec(at, Attempt::FIRST, &Foreign::default()) {
            Ok(spec) => shown(key, &self.variables(&spec, 0)),
            Err(_) => key.into(),
        }
    }

    /// The keys of a job's caches as the store has them, as they may be told; where it has none yet they are as written.
    pub(super) fn shown_keys(&self, at: JobIdx) -> Option<Arc<str>> {
        let spec = self.spec(at, Attempt::FIRST, &Foreign::default()).ok()?;
        let variables = self.variables(&spec, 0);
        let keys = spec.caches.iter().map(|cache| {
            let key = final_key_of(&spec, cache, &variables);
            shown(&key.unwrap_or_else(|| cache.key.clone()), &variables).to_string()
        });
        let keys: Vec<String> = keys.collect();
        Some(keys.join(", ").into())
    }

    /// What earlier runs left for a job that runs without those it comes from.
    pub(super) fn earlier(&self, at: JobIdx) -> Result<Taken, RunError> {
        let names = &self.pipeline().job(at).from_earlier_runs;
        let mut taken = Taken::default();
        if names.is_empty() {
            return Ok(taken);
        }
        let Shared { store, project, .. } = &*self.shared;
        let runs = runs_of(store, &project.key)?;
        for name in names {
            let found = newest_artifacts(store, &runs, name, self.record.id)?;
            taken.dotenv.extend(dotenv_of(&found));
            let archives = found
                .into_iter()
                .filter(|(found, _)| found.r#type == "archive");
            taken.archives.extend(archives);
            taken.dependencies.push(DependencySpec {
                job: None,
                name: Arc::clone(name),
                job_id: 0,
            });
        }
        Ok(taken)
    }

    /// The archives a job gets of jobs of its own pipeline.
    pub(super) fn artifacts_for(&self, job: JobIdx) -> Result<Vec<(Artifact, Lease)>, RunError> {
        let mut all = Vec::new();
        for source in self.sources(job) {
            all.extend(self.archives_of(source, self.record.id)?);
        }
        Ok(all)
    }

    /// The archives that the latest try of a job left, leased for the pipeline `run`.
    pub(super) fn archives_of(
        &self,
        job: JobIdx,
        run: RunId,
    ) -> Result<Vec<(Artifact, Lease)>, RunError> {
        let store = &self.shared.store;
        let filter = ArtifactFilter {
            run: Some(self.record.id),
            job: Some(&self.pipeline().job(job).name),
            attempt: Some(self.schedule.attempt(job).0),
            r#type: Some("archive"),
        };
        let mut all = Vec::new();
        for artifact in store.find_artifacts(filter)? {
            let lease = store.lease_artifact(&artifact, run)?;
            all.push((artifact, lease));
        }
        Ok(all)
    }

    /// The only other job that saves the key, if there is exactly one.
    pub(super) fn producer_of(&self, reader: JobIdx, key: &str) -> Option<JobIdx> {
        let saves = |at: &JobIdx| {
            let Ok(spec) = self.spec(*at, Attempt::FIRST, &Foreign::default()) else {
                return false;
            };
            let variables = self.variables(&spec, 0);
            spec.caches.iter().any(|cache| {
                let pushes = !matches!(policy(cache, &variables), CachePolicy::Pull);
                pushes && final_key_of(&spec, cache, &variables).as_deref() == Some(key)
            })
        };
        let all = self.pipeline().indexed().map(|(at, _)| at);
        let mut producers = all.filter(|at| *at != reader).filter(saves);
        producers.next().filter(|_| producers.next().is_none())
    }
}

/// Texts as a JSON list, as GitLab writes `CI_RUNNER_TAGS`. The runner of this machine has the tags any job asks for.
fn json_list(texts: &[Arc<str>]) -> String {
    let quoted = texts.iter().map(|text| {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"")
    });
    format!("[{}]", quoted.collect::<Vec<_>>().join(","))
}
