//! Pipelines made by hand, with as many variables as GitLab gives a job.

use std::path::Path;
use std::sync::Arc;

use tidegate_expr::{Variable, VariableSource, Variables};
use tidegate_pipeline::{Action, Build, Job, JobIdx, Need, NeedEntry, Pipeline};

/// Predefined variables of an ordinary job.
const VARIABLES: u32 = 80;

/// So many jobs of `true` in one stage.
pub(crate) fn stage(count: u32) -> Pipeline {
    pipeline((0..count).map(|at| job(at, "true")).collect())
}

/// So many jobs of `true`, each needing the one before.
pub(crate) fn chain(count: u32) -> Pipeline {
    let link = |at: u32| Job {
        needs: Some(at.checked_sub(1).map(need).into_iter().collect()),
        ..job(at, "true")
    };
    pipeline((0..count).map(link).collect())
}

/// One job that prints a file.
pub(crate) fn cat(file: &Path) -> Pipeline {
    pipeline(vec![job(0, &format!("cat {}", file.display()))])
}

fn need(job: u32) -> NeedEntry {
    NeedEntry::Job(Need {
        job: JobIdx(job),
        artifacts: true,
    })
}

fn pipeline(jobs: Vec<Job>) -> Pipeline {
    Pipeline {
        stages: vec!["test".into()],
        jobs,
        ..Pipeline::default()
    }
}

fn job(at: u32, command: &str) -> Job {
    let build = Build {
        script: vec![command.into()],
        ..Build::default()
    };
    let mut variables = Variables::default();
    variables.push(predefined());
    let name = format!("job {at}");
    let own = Variable::new("CI_JOB_NAME", name.as_str(), VariableSource::Pipeline);
    variables.push([own].into());
    Job {
        variables,
        action: Action::Build(Arc::new(build)),
        ..Job::named(name)
    }
}

fn predefined() -> Arc<[Variable]> {
    let variable = |at: u32| {
        let key = format!("CI_PREDEFINED_VARIABLE_{at}");
        let value = format!("https://gitlab.example.com/group/project/-/pipelines/{at}");
        Variable::new(key.as_str(), value.as_str(), VariableSource::Pipeline)
    };
    (0..VARIABLES).map(variable).collect()
}
