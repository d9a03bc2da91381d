//! Which jobs of a pipeline run: names, patterns, stages.

use std::collections::BTreeSet;
use std::io::stderr;
use std::sync::Arc;

use tidegate_config::{Config, Loaded};
use tidegate_expr::job_group_name;
use tidegate_glob::Fnmatch;
use tidegate_pipeline::{Action, Event, EventKind, JobIdx, Pipeline, Status, When};
use tidegate_plan::Plan;
use tidegate_report::explain;
use tidegate_report::run::quoted;
use tidegate_run::Journal;

use super::explain::{of_downstream, unknown};
use super::job_input;
use super::past::{Past, failure, found_jobs};
use super::run::pipeline_of;
use crate::cli::{Global, RunArgs};
use crate::exit::Failure;
use crate::project::Project;
use crate::terminal::{style, tell};

/// The part of the pipeline that the arguments choose; the whole where they choose nothing.
pub(super) fn chosen(
    global: &Global,
    args: &RunArgs,
    loaded: &Loaded,
    plan: &Plan,
    project: &Project,
) -> Result<Arc<Pipeline>, Failure> {
    let of_no_pipeline = |failure| match left_out_of(args, plan) {
        Some(name) if plan.pipeline().is_none() => left_out(global, name, loaded, plan),
        _ => failure,
    };
    let pipeline = pipeline_of(plan).map_err(of_no_pipeline)?;
    let names = if args.only_failed {
        failed_last(global)?
    } else {
        expanded(&args.jobs, &pipeline)?
    };
    let pipeline = with_job_inputs(args, &names, pipeline, project)?;
    let pipeline = started_by_hand(if args.only_failed { &names } else { &args.jobs }, pipeline);
    let pipeline = from_stage(args.from_stage.as_deref(), pipeline)?;
    if names.is_empty() {
        return Ok(pipeline);
    }
    let selected = pipeline
        .select(&names)
        .map_err(|missing| left_out(global, &missing.0, loaded, plan))?;
    if !args.no_needs {
        return Ok(Arc::new(selected));
    }
    let named: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let alone = pipeline
        .only(|_, job| named.contains(&*job.name) || named.contains(job_group_name(&job.name)));
    Ok(Arc::new(alone))
}

/// The pipeline with the values of `--job-input` for the named jobs.
fn with_job_inputs(
    args: &RunArgs,
    names: &[String],
    pipeline: Arc<Pipeline>,
    project: &Project,
) -> Result<Arc<Pipeline>, Failure> {
    let given = job_input::given(args)?;
    if given.is_empty() {
        return Ok(pipeline);
    }
    if names.is_empty() {
        return Err(Failure::unusable("--job-input: no job is named").hint(
            "`tidegate run JOB --job-input NAME=VALUE`, or with `--play JOB` or `--retry JOB`",
        ));
    }
    let jobs: Vec<JobIdx> = names
        .iter()
        .flat_map(|name| found_jobs(&pipeline, name))
        .collect();
    job_input::with_inputs(&pipeline, &jobs, &given, project)
}

/// The pipeline in which nobody need start the jobs that bear one of these names: who names a job means it to run. A pattern
/// that happens to match does not say so much.
fn started_by_hand(names: &[String], mut pipeline: Arc<Pipeline>) -> Arc<Pipeline> {
    let named = names.iter().flat_map(|name| found_jobs(&pipeline, name));
    let waiting: Vec<JobIdx> = named
        .filter(|job| pipeline.job(*job).when == When::Manual)
        .collect();
    for at in waiting {
        if let Some(job) = Arc::make_mut(&mut pipeline).jobs.get_mut(at.at()) {
            job.when = When::OnSuccess;
        }
    }
    pipeline
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

/// The first named job that is known and was left out.
fn left_out_of<'a>(args: &'a RunArgs, plan: &Plan) -> Option<&'a str> {
    let is_out = |name: &&String| {
        let decision = plan.decision(name);
        decision.is_some_and(|decision| decision.job().is_none())
    };
    args.jobs.iter().find(is_out).map(String::as_str)
}

/// Explains why a job is not in the pipeline.
fn left_out(global: &Global, name: &str, loaded: &Loaded, plan: &Plan) -> Failure {
    let mut known = plan.decisions.iter().map(|decision| &*decision.name);
    if known.any(|known| known == name || job_group_name(known) == name) {
        let style = style(global.color, &stderr());
        tell(&explain(plan, &[name], &loaded.sources, style));
        let name_typed = quoted(name);
        return Failure::failed(format!("the job `{name}` is not in this pipeline")).hint(format!(
            "`tidegate run --force {name_typed}` runs it all the same"
        ));
    }
    let below = plan.pipeline().and_then(|pipeline| below(name, pipeline));
    if let Some(told) = below {
        return told;
    }
    unknown(name, plan.decisions.iter().map(|decision| &*decision.name))
}

/// What is said of a job of a downstream pipeline.
fn below(name: &str, pipeline: &Pipeline) -> Option<Failure> {
    of_downstream(name, |above| {
        let found = pipeline.find(above).map(|at| pipeline.job(at));
        found.is_some_and(|job| matches!(job.action, Action::Bridge(_)))
    })
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
            if let Some(told) = below(name, pipeline) {
                return Err(told);
            }
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
    Ok(Arc::new(pipeline.only(|_, job| job.stage.at() >= first)))
}

/// Names of the jobs that failed in the last run.
fn failed_last(global: &Global) -> Result<Vec<String>, Failure> {
    let past = Past::open(global)?;
    let run = past.choose(None)?.id;
    let facts = past.facts(run)?;
    let journal = Journal::read(&past.store, run).map_err(|error| failure(&error))?;
    let mut failed = BTreeSet::new();
    let own = |event: &&Event| event.pipeline.0 == run.0;
    for event in journal.events.iter().filter(own) {
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
