//! Smallest jobs, shared with the host binary.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tidegate_exec::{
    Environment, Features, JobRun, JobVariables, RunnerFacts, ShellExecutor, Storage,
    StorageContext, StorageFailure, SupervisorCommand, TraceOptions, TraceSink, TraceWriter,
};
use tidegate_pipeline::{
    ArtifactSpec, Attempt, CacheSpec, DependencySpec, GitSpec, JobIdx, JobKey, JobSpec, PipelineId,
    ShellKind, StepSpec,
};

/// A job of one `script` step.
pub(crate) fn spec(script: &[&str]) -> JobSpec {
    JobSpec {
        key: JobKey {
            pipeline: PipelineId(1),
            job: JobIdx(0),
            attempt: Attempt::FIRST,
        },
        job_id: 1,
        name: "job".into(),
        stage: "test".into(),
        variables: Vec::new(),
        steps: vec![step("script", script)],
        pre_get_sources_script: Vec::new(),
        image: None,
        services: Vec::new(),
        caches: Vec::new(),
        artifacts: Vec::new(),
        dependencies: Vec::new(),
        timeout: Duration::from_secs(60),
        git: GitSpec {
            sha: "0123456789abcdef".to_owned(),
            ..GitSpec::default()
        },
        shell: ShellKind::Bash,
    }
}

/// A step.
pub(crate) fn step(name: &str, script: &[&str]) -> StepSpec {
    StepSpec {
        name: name.into(),
        script: script.iter().map(|line| Arc::from(*line)).collect(),
        always: name == "after_script",
    }
}

/// A run of a job below `dir`.
pub(crate) fn run(dir: &Path, spec: JobSpec, sink: Box<dyn TraceSink>) -> JobRun {
    let project_dir = dir.join("project");
    std::fs::create_dir_all(&project_dir).expect("the directory can be made");
    let runner = RunnerFacts {
        short_token: "local".to_owned(),
        version: "0.0.0".to_owned(),
        revision: "0".to_owned(),
        concurrent_id: 0,
        concurrent_project_id: 0,
    };
    let temp_dir = dir.join("project.tmp");
    let [builds, project, temp] =
        [dir, &project_dir, &temp_dir].map(|path| path.to_str().expect("paths of tests are text"));
    let features = Features::of(&spec.variables);
    JobRun {
        variables: JobVariables::of(&spec, &features, &runner, builds, project, temp),
        version: runner.version,
        spec: Arc::new(spec),
        project_dir,
        builds_dir: dir.to_owned(),
        temp_dir,
        ground: None,
        rested: None,
        environment: Environment::clean([
            ("PATH".into(), std::env::var_os("PATH").expect("a PATH")),
            ("HOME".into(), dir.as_os_str().to_owned()),
            ("LANG".into(), "C".into()),
        ]),
        trace: TraceOptions {
            limit: TraceOptions::DEFAULT_LIMIT,
            timestamps: None,
            sections: true,
            token_prefixes: Vec::new(),
        },
        sink,
        storage: Box::new(NoStorage),
        coverage: None,
        grace: Duration::from_secs(1),
    }
}

/// An executor whose supervisor is the host binary.
pub(crate) fn executor(program: PathBuf) -> ShellExecutor {
    ShellExecutor::new(SupervisorCommand {
        program,
        word: "__supervise".into(),
    })
}

/// Keeps nothing and says what it was asked.
pub(crate) struct NoStorage;

type Done = Result<(), StorageFailure>;

impl Storage for NoStorage {
    fn restore_cache(
        &mut self,
        caches: &[&CacheSpec],
        context: &StorageContext<'_>,
        trace: &mut TraceWriter<'_>,
    ) -> Done {
        for cache in caches {
            trace.line(&format!("restore {}", context.variables.expand(&cache.key)));
        }
        Ok(())
    }

    fn download_artifacts(
        &mut self,
        dependencies: &[DependencySpec],
        _: &StorageContext<'_>,
        trace: &mut TraceWriter<'_>,
    ) -> Done {
        for dependency in dependencies {
            trace.line(&format!("download {}", dependency.name));
        }
        Ok(())
    }

    fn save_cache(
        &mut self,
        caches: &[&CacheSpec],
        context: &StorageContext<'_>,
        trace: &mut TraceWriter<'_>,
    ) -> Done {
        for cache in caches {
            trace.line(&format!("save {}", context.variables.expand(&cache.key)));
        }
        Ok(())
    }

    fn upload_artifacts(
        &mut self,
        artifacts: &[&ArtifactSpec],
        context: &StorageContext<'_>,
        trace: &mut TraceWriter<'_>,
    ) -> Done {
        for artifact in artifacts {
            trace.line(&format!("upload {} {}", artifact.kind, context.succeeded));
            let made = std::fs::read_to_string(context.project_dir.join("made"));
            trace.line(&format!("made {}", made.unwrap_or_default().trim()));
        }
        Ok(())
    }
}
