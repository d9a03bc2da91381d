//! Keywords that are valid and cannot be carried out yet: named with their line, never ignored.

use tidegate_config::{Config, Job, JobKind, NeedSpec};
use tidegate_pipeline::Pipeline;
use tidegate_source::{Diagnostic, Span};

use super::run::will_run;
use crate::cli::Executor;

/// What the jobs of a pipeline ask for that a run cannot give.
///
/// An image or a service needs a container engine, which is not used yet; who asks for the shell executor does without.
pub(super) fn problems(
    config: &Config,
    pipeline: &Pipeline,
    executor: Option<Executor>,
) -> Vec<Diagnostic> {
    let jobs = config
        .jobs
        .values()
        .filter(|job| will_run(pipeline, &job.name));
    let mut problems: Vec<Diagnostic> = Vec::new();
    for problem in jobs.flat_map(|job| of_job(job, executor)) {
        // Instances of a parallel job share their keywords.
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems
}

fn of_job(job: &Job, executor: Option<Executor>) -> Vec<Diagnostic> {
    let body = &job.body;
    let mut problems = Vec::new();
    let mut say = |keyword: &str, span: Span, what: &str| {
        let text = format!(
            "`{keyword}` of the job `{}` cannot be carried out yet: {what}",
            job.base
        );
        problems.push(Diagnostic::error("not-built-yet", text).at(span));
    };
    if let JobKind::Bridge(trigger) = &body.kind {
        say(
            "trigger",
            trigger.span,
            "pipelines triggered by a pipeline are not run",
        );
    }
    if executor.is_none() {
        let hint =
            "containers are not run; `--executor shell` runs the job in the shell of this machine";
        if let Some(image) = &body.inheritable.image {
            say("image", image.span, hint);
        }
        if let Some(service) = body.inheritable.services.first() {
            say("services", service.span, hint);
        }
    }
    for need in job.needs.iter().flat_map(|needs| &needs.entries) {
        let what = "artifacts of other pipelines are not fetched";
        match need {
            NeedSpec::Pipeline(need) => say("needs:pipeline", need.pipeline.span, what),
            NeedSpec::Project(need) => say("needs:project", need.project.span, what),
            NeedSpec::Job { .. } | NeedSpec::Any(_) => {}
        }
    }
    for (keyword, _) in &body.further {
        match &*keyword.value {
            "run" => say("run", keyword.span, "steps have no executor"),
            "secrets" | "id_tokens" | "identity" => {
                say(
                    &keyword.value,
                    keyword.span,
                    "no provider can be configured",
                );
            }
            "inputs" => say("inputs", keyword.span, "inputs of jobs are not handed over"),
            "release" => say("release", keyword.span, "there is no server to release on"),
            "dast_configuration" => say("dast_configuration", keyword.span, "there is no scanner"),
            // A folder that is published is an artifact, and kept as one.
            _ => {}
        }
    }
    problems
}
