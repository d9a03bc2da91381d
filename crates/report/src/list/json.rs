//! The list as JSON, for programs. The format is described in `docs/json.md`.

use serde::Serialize;
use tidegate_pipeline::{Job, NeedEntry, Pick, Pipeline, Wait};
use tidegate_plan::{Decision, Plan, Verdict};

use super::{Counts, in_stage_order};
use crate::because::because;
use crate::not_created::{not_created, outcome_name};
use crate::secrets::Secrets;

/// Version of the format; rises when a field changes its meaning or goes.
pub const LIST_VERSION: u32 = 1;

/// Renders every job, in or out, by stage.
pub fn list_json(plan: &Plan) -> String {
    let secrets = Secrets::of(plan);
    let none = not_created(plan, &secrets);
    let counts = Counts::of(plan);
    let document = Document {
        version: LIST_VERSION,
        outcome: outcome_name(&plan.outcome),
        messages: none.map(|none| none.messages).unwrap_or_default(),
        name: plan
            .pipeline()
            .and_then(|pipeline| pipeline.name.as_deref()),
        stages: plan
            .pipeline()
            .map(|p| p.stages.iter().map(|stage| &**stage).collect()),
        counts: JobCounts {
            included: counts.included,
            satisfied: counts.satisfied,
            left_out: counts.left_out,
        },
        jobs: in_stage_order(plan)
            .map(|decision| entry(decision, plan, &secrets))
            .collect(),
    };
    pretty(&document)
}

/// A document as indented JSON with a line break at its end.
pub(crate) fn pretty(document: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(document)
        .expect("our documents have text keys only, so they always serialise");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Document<'p> {
    version: u32,
    outcome: &'static str,
    messages: Vec<String>,
    name: Option<&'p str>,
    stages: Option<Vec<&'p str>>,
    counts: JobCounts,
    jobs: Vec<Entry<'p>>,
}

#[derive(Serialize)]
struct JobCounts {
    included: usize,
    satisfied: usize,
    left_out: usize,
}

#[derive(Serialize)]
struct Entry<'p> {
    name: &'p str,
    stage: &'p str,
    state: &'static str,
    #[serde(flatten)]
    attributes: Option<Attributes<'p>>,
    because: Reason,
}

#[derive(Serialize)]
struct Reason {
    code: &'static str,
    rule: Option<u32>,
    text: String,
}

/// What is only known of jobs that stand in a pipeline.
#[derive(Serialize)]
struct Attributes<'p> {
    when: &'static str,
    start_in: Option<&'p str>,
    allow_failure: bool,
    allow_failure_exit_codes: &'p [i64],
    needs: Option<Vec<NeedRecord<'p>>>,
    environment: Option<String>,
    resource_group: Option<String>,
    tags: Vec<String>,
}

/// One entry of `needs`.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum NeedRecord<'p> {
    /// A job.
    Job(NeededJob<'p>),
    /// Some of several.
    Any {
        any: Vec<NeededJob<'p>>,
        min: u32,
        wait: &'static str,
        pick: &'static str,
    },
}

#[derive(Serialize)]
pub(crate) struct NeededJob<'p> {
    job: &'p str,
    artifacts: bool,
}

fn entry<'p>(decision: &'p Decision, plan: &'p Plan, secrets: &Secrets) -> Entry<'p> {
    let reason = because(decision, secrets);
    let found = plan.pipeline().zip(decision.job());
    let job = found.and_then(|(pipeline, at)| Some((&**pipeline, pipeline.jobs.get(at.at())?)));
    Entry {
        name: &decision.name,
        stage: &decision.stage,
        state: state_name(&decision.verdict),
        attributes: job.map(|(pipeline, job)| attributes(pipeline, job, secrets)),
        because: Reason {
            code: reason.code,
            rule: reason.rule,
            text: reason.text,
        },
    }
}

/// `included`, `satisfied` or `left_out`.
pub(crate) fn state_name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Included(_) => "included",
        Verdict::Satisfied(_) => "satisfied",
        Verdict::LeftOut(_) => "left_out",
    }
}

fn attributes<'p>(pipeline: &'p Pipeline, job: &'p Job, secrets: &Secrets) -> Attributes<'p> {
    let hidden = |text: &std::sync::Arc<str>| secrets.hide(text).into_owned();
    Attributes {
        when: job.when.name(),
        start_in: job.start_in.as_ref().map(|delay| &*delay.text),
        allow_failure: job.allow_failure.always,
        allow_failure_exit_codes: &job.allow_failure.exit_codes,
        needs: needs(pipeline, job),
        environment: job
            .environment
            .as_ref()
            .map(|place| hidden(&place.expanded_name)),
        resource_group: job.resource_group.as_ref().map(|group| hidden(&group.key)),
        tags: job.tags.iter().map(hidden).collect(),
    }
}

fn needs<'p>(pipeline: &'p Pipeline, job: &'p Job) -> Option<Vec<NeedRecord<'p>>> {
    let needed = |need: &tidegate_pipeline::Need| NeededJob {
        job: pipeline
            .jobs
            .get(need.job.at())
            .map_or("", |job| &*job.name),
        artifacts: need.artifacts,
    };
    let record = |entry: &NeedEntry| match entry {
        NeedEntry::Job(need) => NeedRecord::Job(needed(need)),
        NeedEntry::Any(any) => NeedRecord::Any {
            any: any.jobs.iter().map(needed).collect(),
            min: any.min,
            wait: match any.wait {
                Wait::First => "first",
                Wait::All => "all",
            },
            pick: match any.pick {
                Pick::First => "first",
                Pick::All => "all",
            },
        },
    };
    Some(job.needs.as_ref()?.iter().map(record).collect())
}
