//! Which jobs of a pipeline run: names, patterns, stages.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidegate_config::Config;
use tidegate_expr::job_group_name;
use tidegate_glob::Fnmatch;
use tidegate_pipeline::{EventKind, Pipeline, Status};
use tidegate_plan::Plan;
use tidegate_run::Journal;

use super::explain::unknown;
use super::past::{Past, failure};
use crate::cli::{Global, RunArgs};
use crate::exit::Failure;

/// The part of the pipeline that the arguments choose; the whole where they choose nothing.
pub(super) fn chosen(
    global: &Global,
    args: &RunArgs,
    pipeline: Arc<Pipeline>,
    plan: &Plan,
) -> Result<Arc<Pipeline>, Failure> {
    let names = if args.only_failed {
        failed_last(global)?
    } else {
        expanded(&args.jobs, &pipeline)?
    };
    let pipeline = from_stage(args.from_stage.as_deref(), pipeline)?;
    if names.is_empty() {
        return Ok(pipeline);
    }
    let selected = pipeline
        .select(&names)
        .map_err(|missing| left_out(&missing.0, plan))?;
    if !args.no_needs {
        return Ok(Arc::new(selected));
    }
    let named: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let alone = pipeline
        .only(|job| named.contains(&*job.name) || named.contains(job_group_name(&job.name)));
    Ok(Arc::new(alone))
}

/// Takes the named jobs into the pipeline, whatever `rules`, `only` and `except` say of them.
pub(super) fn force(config: &mut Config, names: &[String]) {
    for job in config.jobs.values_mut() {
        let is_named = |name: &String| **name == *job.name || **name == *job.base;
        if names.iter().any(is_named) {
            let body = Arc::make_mut(&mut job.body);
            // A job without any rule is always in.
            body.rules = Some(Arc::default());
            body.only = None;
            body.except = None;
        }
    }
}

fn left_out(name: &str, plan: &Plan) -> Failure {
    let mut known = plan.decisions.iter().map(|decision| &*decision.name);
    if known.any(|known| known == name) {
        return Failure::failed(format!("the job `{name}` is not in this pipeline"))
            .hint(format!("`tidegate explain {name}` says why"))
            .hint(format!(
                "`tidegate run --force {name}` runs it all the same"
            ));
    }
    unknown(name, plan.decisions.iter().map(|decision| &*decision.name))
}

/// Names with patterns replaced by the names they match; a name that a job has is no pattern.
fn expanded(names: &[String], pipeline: &Pipeline) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    for name in names {
        let is_pattern = name.contains(['*', '?']) && pipeline.find(name).is_none();
        if !is_pattern {
            all.push(name.clone());
            continue;
        }
        let before = all.len();
        // A name is one word here: a slash in it is a letter like any other.
        let plain = |text: &str| text.replace('/', "\u{1}");
        let pattern = Fnmatch::new(&plain(name))
            .map_err(|_| Failure::unusable(format!("the pattern `{name}` is too long")))?;
        let matching = pipeline
            .jobs
            .iter()
            .filter(|job| pattern.matches(&plain(&job.name)));
        all.extend(matching.map(|job| job.name.to_string()));
        if all.len() == before {
            return Err(
                Failure::unusable(format!("no job of this pipeline matches `{name}`"))
                    .hint("`tidegate list` shows the jobs"),
            );
        }
    }
    Ok(all)
}

fn from_stage(stage: Option<&str>, pipeline: Arc<Pipeline>) -> Result<Arc<Pipeline>, Failure> {
    let Some(stage) = stage else {
        return Ok(pipeline);
    };
    let Some(first) = pipeline.stages.iter().position(|name| **name == *stage) else {
        let names = pipeline.stages.join(", ");
        return Err(Failure::unusable(format!("there is no stage `{stage}`"))
            .hint(format!("the stages are {names}")));
    };
    Ok(Arc::new(pipeline.only(|job| job.stage.at() >= first)))
}

/// Names of the jobs that failed in the last run.
fn failed_last(global: &Global) -> Result<Vec<String>, Failure> {
    let past = Past::open(global)?;
    let run = past.choose(None)?.id;
    let facts = past.facts(run)?;
    let journal = Journal::read(&past.store, run).map_err(|error| failure(&error))?;
    let mut failed = BTreeSet::new();
    for event in &journal.events {
        if let EventKind::JobStatus { job, status, .. } = event.kind {
            match status {
                Status::Failed => failed.insert(job),
                _ => failed.remove(&job),
            };
        }
    }
    if failed.is_empty() {
        return Err(Failure::unusable(format!(
            "no job failed in run {run}, the last one"
        )));
    }
    let jobs = failed.into_iter();
    Ok(jobs
        .filter_map(|job| facts.pipeline.jobs.get(job.at()))
        .map(|job| job.name.to_string())
        .collect())
}
