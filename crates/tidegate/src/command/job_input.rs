//! `--job-input`: values for the `inputs` of jobs that are started by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_config::{job_input_values, nearest};
use tidegate_pipeline::{Action, JobIdx, Pipeline, PipelineId};

use super::run_tree::RunTree;
use crate::cli::RunArgs;
use crate::exit::Failure;
use crate::project::Project;

/// What was given, as name and text.
pub(super) fn given(args: &RunArgs) -> Result<Vec<(String, String)>, Failure> {
    let pair = |text: &String| {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| Failure::unusable(format!("--job-input {text}: expected NAME=VALUE")))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    args.job_inputs.iter().map(pair).collect()
}

/// The pipeline with values for the inputs of these jobs, each of which must have all of them.
pub(super) fn with_inputs(
    pipeline: &Pipeline,
    jobs: &[JobIdx],
    given: &[(String, String)],
    project: &Project,
) -> Result<Arc<Pipeline>, Failure> {
    let mut pipeline = pipeline.clone();
    for at in jobs {
        let Some(job) = pipeline.jobs.get_mut(at.at()) else {
            continue;
        };
        let build = job.build();
        let declared = build.and_then(|build| build.inputs()).unwrap_or_default();
        let values = job_input_values(&declared, given, project.gitlab_version());
        let values = values.map_err(|problems| {
            let known: Vec<&str> = declared.keys().map(String::as_str).collect();
            wrong(&job.name, &problems, &known, given)
        })?;
        if let Action::Build(build) = &mut job.action {
            *build = Arc::new(build.given(&values));
        }
    }
    Ok(Arc::new(pipeline))
}

/// The pipelines of an earlier run that have jobs among these, with the values.
pub(super) fn of_earlier_run(
    tree: &RunTree,
    jobs: &[(PipelineId, JobIdx)],
    given: &[(String, String)],
    project: &Project,
) -> Result<BTreeMap<PipelineId, Arc<Pipeline>>, Failure> {
    let mut by_pipeline: BTreeMap<PipelineId, Vec<JobIdx>> = BTreeMap::new();
    for (id, job) in jobs {
        by_pipeline.entry(*id).or_default().push(*job);
    }
    let mut changed = BTreeMap::new();
    for (id, jobs) in by_pipeline {
        if let Some(member) = tree.get(id) {
            let pipeline = with_inputs(&member.facts.pipeline, &jobs, given, project)?;
            changed.insert(id, pipeline);
        }
    }
    Ok(changed)
}

fn wrong(job: &str, problems: &[String], known: &[&str], given: &[(String, String)]) -> Failure {
    let failure = Failure::unusable(format!("the job `{job}`: {}", problems.join(", ")));
    if known.is_empty() {
        return failure.hint(format!("`{job}` has no `inputs`"));
    }
    let unknown = given.iter().find(|(name, _)| !known.contains(&&**name));
    let near = unknown.and_then(|(name, _)| nearest(name, known.iter().copied()));
    match (unknown, near) {
        (Some(_), Some(near)) => failure.hint(format!("did you mean `{near}`?")),
        (Some(_), None) => failure.hint(format!("its inputs are {}", known.join(", "))),
        (None, _) => failure,
    }
}
