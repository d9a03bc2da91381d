//! The one function that makes a [`JobSpec`] of a planned job.

use std::sync::Arc;
use std::time::Duration;

use tidegate_expr::{
    CircularReference, NestedOptions, Variable, VariableSource, Variables, sort_and_expand,
};

use crate::id::{JobIdx, JobKey};
use crate::job::{Build, Job};
use crate::keyword::{ArtifactFormat, Artifacts, Cache, Report};
use crate::pipeline::Pipeline;
use crate::spec::{
    ArtifactSpec, CacheSpec, DependencySpec, GitSpec, JobSpec, ShellKind, VariableSpec,
};

/// What is only known when a job starts.
#[derive(Clone, Debug)]
pub struct StartFacts {
    /// Which try of which job.
    pub key: JobKey,
    /// `CI_JOB_ID`.
    pub job_id: u64,
    /// Variables of pipeline and job that exist only now: ids, URLs, tokens.
    pub persisted: Vec<Variable>,
    /// Variables out of dotenv reports of the jobs whose artifacts this one gets, in download order.
    pub dotenv: Vec<Variable>,
    /// Jobs whose artifacts are wanted, in download order.
    pub dependencies: Vec<DependencySpec>,
    /// Timeout of jobs that set none.
    pub default_timeout: Duration,
    /// The commit.
    pub git: GitSpec,
    /// Shell the scripts are written for.
    pub shell: ShellKind,
    /// What is appended to cache keys.
    pub suffix: CacheSuffix,
}

/// What GitLab appends to cache keys when it hands a job out (reference `compose.md` §10.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CacheSuffix {
    /// How often the caches were cleared; 0 appends nothing.
    pub cleared: u64,
    /// Whether the job counts as protected; `None`: protected and other refs share caches.
    pub protected: Option<bool>,
}

impl CacheSuffix {
    /// The key with everything appended. `unprotect` is the cache's own keyword.
    pub fn apply(self, key: &str, unprotect: bool) -> String {
        let mut key = key.to_owned();
        if self.cleared > 0 {
            key.push_str(&format!("-{}", self.cleared));
        }
        match self.protected {
            Some(true) if !unprotect => key.push_str("-protected"),
            Some(_) => key.push_str("-non_protected"),
            None => {}
        }
        key
    }
}

/// Makes everything an executor needs of one try of a job that runs scripts; `None` for a trigger job.
///
/// Variables are sorted and expanded as GitLab sends them: undefined references stay, file and raw references too (reference
/// `compose.md` §9.3). Steps are those GitLab sends: `before_script` and `script` are one (reference `runner.md` §1.4).
///
/// # Errors
/// Variables that refer to each other in a circle.
pub fn job_spec(
    pipeline: &Pipeline,
    job: JobIdx,
    facts: StartFacts,
) -> Result<Option<JobSpec>, CircularReference> {
    let job = pipeline.job(job);
    let Some(build) = job.build() else {
        return Ok(None);
    };
    let build = &build.with_inputs();
    let layered = start_variables(job, &facts.persisted, &facts.dotenv);
    let sorted = sort_and_expand(&layered, NestedOptions::FOR_RUNNER)?;
    let variables = sorted.as_slice().iter().map(variable_spec).collect();
    Ok(Some(JobSpec {
        key: facts.key,
        job_id: facts.job_id,
        name: job.name.clone(),
        stage: pipeline
            .stages
            .get(job.stage.at())
            .cloned()
            .unwrap_or_else(|| "".into()),
        variables,
        steps: build.steps(),
        pre_get_sources_script: build.pre_get_sources_script.clone(),
        image: build.image.clone(),
        services: build.services.clone(),
        caches: caches(build, facts.suffix),
        artifacts: build
            .artifacts
            .as_ref()
            .map(artifact_specs)
            .unwrap_or_default(),
        dependencies: facts.dependencies,
        timeout: timeout(job, facts.default_timeout),
        git: facts.git,
        shell: facts.shell,
    }))
}

/// A job's variables, unexpanded, with those that only exist now at their place in GitLab's order of precedence (reference
/// `compose.md` §9.1).
pub fn start_variables(job: &Job, persisted: &[Variable], dotenv: &[Variable]) -> Variables {
    let planned = job.variables.layers().iter();
    let mut layers: Vec<Arc<[Variable]>> = planned.map(|layer| filled(layer, persisted)).collect();
    let above = |layer: &Arc<[Variable]>| {
        layer
            .first()
            .is_some_and(|variable| variable.source > VariableSource::Dotenv)
    };
    let at = layers.iter().position(above).unwrap_or(layers.len());
    layers.insert(at, dotenv.into());
    layers.insert(0, persisted.into());
    let mut all = Variables::default();
    for layer in layers {
        all.push(layer);
    }
    all
}

/// The layer with values that only exist now in the place of nil ones (`CI_PIPELINE_CREATED_AT`, reference `compose.md` §9.6).
fn filled(layer: &Arc<[Variable]>, persisted: &[Variable]) -> Arc<[Variable]> {
    let late = |variable: &Variable| {
        let nil = variable.value.is_none();
        let late = persisted.iter().find(|late| late.key == variable.key);
        late.filter(|_| nil).and_then(|late| late.value.clone())
    };
    if layer.iter().all(|variable| late(variable).is_none()) {
        return layer.clone();
    }
    let with_value = |variable: &Variable| Variable {
        value: late(variable).or_else(|| variable.value.clone()),
        ..variable.clone()
    };
    layer.iter().map(with_value).collect()
}

fn variable_spec(variable: &Variable) -> VariableSpec {
    VariableSpec {
        key: variable.key.clone(),
        value: variable.value.clone().unwrap_or_else(|| "".into()),
        file: variable.file,
        masked: variable.masked,
        raw: variable.raw,
    }
}

fn timeout(job: &Job, default: Duration) -> Duration {
    let written = job.build().and_then(|build| build.timeout.as_ref());
    written.map_or(default, |timeout| timeout.duration)
}

fn caches(build: &Build, suffix: CacheSuffix) -> Vec<CacheSpec> {
    build
        .caches
        .iter()
        .zip(&build.cache_keys)
        .map(|(cache, key)| spec_of(cache, key, suffix))
        .collect()
}

fn spec_of(cache: &Cache, key: &str, suffix: CacheSuffix) -> CacheSpec {
    let fallback = |key: &Arc<str>| suffix.apply(key, cache.unprotect).into();
    CacheSpec {
        key: suffix.apply(key, cache.unprotect).into(),
        fallback_keys: cache.fallback_keys.iter().map(fallback).collect(),
        paths: cache.paths.clone(),
        untracked: cache.untracked,
        policy: cache.policy.text().into(),
        when: cache.when,
        on_miss: cache.on_miss,
        push_if: cache.push_if,
    }
}

/// The archive first, then one entry per kind of report (reference `runner.md` §1.4, §5.6).
fn artifact_specs(artifacts: &Artifacts) -> Vec<ArtifactSpec> {
    let expire_in = artifacts.expire_in.as_ref().map(|timeout| timeout.duration);
    let mut specs = Vec::new();
    if !artifacts.paths.is_empty() || artifacts.untracked {
        specs.push(ArtifactSpec {
            name: artifacts.name.clone(),
            kind: "archive".into(),
            format: ArtifactFormat::Zip,
            paths: artifacts.paths.clone(),
            exclude: artifacts.exclude.clone(),
            untracked: artifacts.untracked,
            when: artifacts.when,
            expire_in,
        });
    }
    specs.extend(
        artifacts
            .reports
            .iter()
            .map(|report| report_spec(report, expire_in)),
    );
    specs
}

fn report_spec(report: &Report, expire_in: Option<Duration>) -> ArtifactSpec {
    ArtifactSpec {
        name: None,
        kind: report.kind.clone(),
        format: report_format(&report.kind),
        paths: report.paths.clone(),
        exclude: Vec::new(),
        untracked: false,
        when: crate::keyword::CacheWhen::Always,
        expire_in,
    }
}

fn report_format(kind: &str) -> ArtifactFormat {
    match kind {
        "junit"
        | "metrics"
        | "dotenv"
        | "cobertura"
        | "jacoco"
        | "cyclonedx"
        | "annotations"
        | "repository_xray"
        | "cluster_applications" => ArtifactFormat::Gzip,
        "lsif" | "scip" | "archive" => ArtifactFormat::Zip,
        _ => ArtifactFormat::Raw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Attempt, PipelineId};
    use crate::job::Action;

    fn facts() -> StartFacts {
        let key = JobKey {
            pipeline: PipelineId(1),
            job: JobIdx(0),
            attempt: Attempt::FIRST,
        };
        StartFacts {
            key,
            job_id: 7,
            persisted: vec![Variable::new("CI_JOB_ID", "7", VariableSource::Persisted)],
            dotenv: vec![Variable::new("V", "dotenv", VariableSource::Dotenv)],
            dependencies: Vec::new(),
            default_timeout: Duration::from_secs(3600),
            git: GitSpec::default(),
            shell: ShellKind::Bash,
            suffix: CacheSuffix::default(),
        }
    }

    fn spec(build: Build, variables: &[(&str, &str, VariableSource)]) -> JobSpec {
        let mut layers = Variables::default();
        for (key, value, source) in variables {
            layers.push([Variable::new(*key, *value, *source)].into());
        }
        let action = Action::Build(Arc::new(build));
        let job = Job {
            variables: layers,
            action,
            ..Job::named("j")
        };
        let pipeline = Pipeline {
            stages: vec!["s".into()],
            jobs: vec![job],
            ..Pipeline::default()
        };
        job_spec(&pipeline, JobIdx(0), facts())
            .expect("no circle")
            .expect("it runs scripts")
    }

    fn last<'s>(spec: &'s JobSpec, key: &str) -> Option<&'s str> {
        spec.variables
            .iter()
            .rev()
            .find(|v| &*v.key == key)
            .map(|v| &*v.value)
    }

    #[test]
    fn dotenv_stands_above_yaml_and_below_settings() {
        let yaml = spec(Build::default(), &[("V", "yaml", VariableSource::YamlJob)]);
        assert_eq!(last(&yaml, "V"), Some("dotenv"));
        let given = spec(Build::default(), &[("V", "given", VariableSource::Given)]);
        assert_eq!(last(&given, "V"), Some("given"));
    }

    #[test]
    fn a_name_without_a_value_gets_the_one_that_only_exists_now() {
        let nil = |key: &str| Variable {
            value: None,
            ..Variable::new(key, "", VariableSource::Pipeline)
        };
        let stated = Variable::new("CI_JOB_ID", "stated", VariableSource::Pipeline);
        let late = [Variable::new("CI_JOB_ID", "7", VariableSource::Persisted)];
        let values = |layer: Arc<[Variable]>| -> Vec<Option<String>> {
            let filled = filled(&layer, &late);
            let values = filled.iter().map(|v| v.value.as_deref().map(str::to_owned));
            values.collect()
        };
        assert_eq!(
            values([nil("CI_JOB_ID"), nil("OTHER")].into()),
            [Some("7".to_owned()), None]
        );
        assert_eq!(values([stated].into()), [Some("stated".to_owned())]);
    }

    #[test]
    fn values_are_nested_and_unknown_names_stay() {
        let spec = spec(
            Build::default(),
            &[("A", "$CI_JOB_ID $NOPE", VariableSource::YamlJob)],
        );
        assert_eq!(last(&spec, "A"), Some("7 $NOPE"));
    }

    #[test]
    fn before_script_and_script_are_one_step() {
        let build = Build {
            before_script: vec!["a".into()],
            script: vec!["b".into()],
            after_script: vec!["c".into()],
            ..Build::default()
        };
        let steps: Vec<_> = spec(build, &[])
            .steps
            .iter()
            .map(|step| (step.name.to_string(), step.script.len(), step.always))
            .collect();
        assert_eq!(
            steps,
            [
                ("script".into(), 2, false),
                ("after_script".into(), 1, true)
            ]
        );
    }

    #[test]
    fn suffixes_are_appended_in_gitlabs_order() {
        let suffix = CacheSuffix {
            cleared: 3,
            protected: Some(true),
        };
        assert_eq!(suffix.apply("k", false), "k-3-protected");
        assert_eq!(suffix.apply("k", true), "k-3-non_protected");
        assert_eq!(CacheSuffix::default().apply("k", false), "k");
    }
}
