//! One decision as a record.

use tidegate_pipeline::{Job, NeedEntry, Pipeline};
use tidegate_plan::{
    BaseOrigin, ClauseTrace, Decision, NeedFate, NeedTrial, Origin, Plan, PolicyAtom, Trace,
    UnmetRule,
};

use super::clause::{clauses, policy, rules};
use super::files::no_base;
use super::key::cache;
use super::quirk::note;
use super::record::{
    AttributeRecord, BecauseRecord, JobRecord, NearestRecord, NeedRecord, NoteRecord,
};
use super::teller::Teller;
use crate::because::because;
use crate::list::state_name;

/// Everything known about the decision.
pub(crate) fn job(decision: &Decision, plan: &Plan, teller: &Teller<'_>) -> JobRecord {
    let reason = because(decision, &teller.secrets);
    let none = Trace::default();
    let trace = decision.trace.as_deref().unwrap_or(&none);
    let found = plan.pipeline().zip(decision.job());
    let job = found.and_then(|(pipeline, at)| Some((&**pipeline, pipeline.jobs.get(at.at())?)));
    JobRecord {
        name: decision.name.to_string(),
        stage: decision.stage.to_string(),
        at: teller.at(decision.span),
        state: state_name(&decision.verdict),
        because: BecauseRecord {
            code: reason.code,
            rule: reason.rule,
            text: reason.text,
        },
        rules: rules(&trace.rules, teller),
        policies: trace
            .policies
            .iter()
            .map(|trial| policy(trial, teller))
            .collect(),
        caches: trace
            .caches
            .iter()
            .map(|derivation| cache(derivation, teller))
            .collect(),
        needs: trace
            .needs
            .iter()
            .map(|trial| need(trial, teller))
            .collect(),
        attributes: job.map_or_else(Vec::new, |(pipeline, job)| {
            attributes(pipeline, job, decision, teller)
        }),
        notes: notes(trace, teller),
        nearest: trace
            .nearest
            .as_ref()
            .map(|unmet| nearest(unmet, trace, teller)),
    }
}

fn need(trial: &NeedTrial, teller: &Teller<'_>) -> NeedRecord {
    let (fate, text) = match trial.fate {
        NeedFate::Present => ("present", "is in the pipeline"),
        NeedFate::Satisfied => ("satisfied", "is satisfied: what it would produce exists"),
        NeedFate::AbsentOptional => ("absent_optional", "is absent; optional, so ignored"),
        NeedFate::AbsentError => ("absent_error", "is absent, so no pipeline can be created"),
        NeedFate::Ignored => ("ignored", "is absent; ignored, as needs of a rule are"),
        NeedFate::Dropped => (
            "dropped",
            "is absent; the entry is dropped (if_absent: stage)",
        ),
        NeedFate::LeavesOut => (
            "leaves_out",
            "is absent, so this job is left out (if_absent: skip)",
        ),
        NeedFate::Elsewhere => ("elsewhere", "belongs to another pipeline"),
    };
    NeedRecord {
        name: teller.text(&trial.name),
        at: teller.at(trial.span),
        artifacts: trial.artifacts,
        optional: trial.optional,
        entry: trial.entry,
        fate,
        text,
    }
}

fn attributes(
    pipeline: &Pipeline,
    job: &Job,
    decision: &Decision,
    teller: &Teller<'_>,
) -> Vec<AttributeRecord> {
    let origins = &decision.origins;
    let mut all = Vec::new();
    let mut add = |name, value: String, origin: Option<Origin>| {
        all.push(AttributeRecord {
            name,
            value: teller.text(&value),
            origin: origin.map(|origin| teller.origin(origin)),
        });
    };
    add("when", job.when.name().to_owned(), Some(origins.when));
    if let Some(delay) = &job.start_in {
        add("start_in", delay.text.to_string(), Some(origins.start_in));
    }
    add(
        "allow_failure",
        allow_failure(job),
        Some(origins.allow_failure),
    );
    add("needs", needs(pipeline, job), Some(origins.needs));
    if let Some(interruptible) = job.interruptible {
        add(
            "interruptible",
            interruptible.to_string(),
            Some(origins.interruptible),
        );
    }
    if let Some(environment) = &job.environment {
        add("environment", environment.expanded_name.to_string(), None);
    }
    if let Some(group) = &job.resource_group {
        add("resource_group", group.key.to_string(), None);
    }
    if !job.tags.is_empty() {
        let tags: Vec<&str> = job.tags.iter().map(|tag| &**tag).collect();
        add("tags", tags.join(", "), None);
    }
    all
}

fn allow_failure(job: &Job) -> String {
    let allowed = &job.allow_failure;
    if allowed.always || allowed.exit_codes.is_empty() {
        return allowed.always.to_string();
    }
    let codes: Vec<String> = allowed.exit_codes.iter().map(i64::to_string).collect();
    format!("for exit code {}", codes.join(", "))
}

fn needs(pipeline: &Pipeline, job: &Job) -> String {
    let Some(entries) = &job.needs else {
        return "waits for all earlier stages".to_owned();
    };
    if entries.is_empty() {
        return "nothing: starts at once".to_owned();
    }
    let name =
        |at: tidegate_pipeline::JobIdx| pipeline.jobs.get(at.at()).map_or("", |job| &*job.name);
    let told = entries.iter().map(|entry| match entry {
        NeedEntry::Job(need) => name(need.job).to_owned(),
        NeedEntry::Any(any) => {
            let names: Vec<&str> = any.jobs.iter().map(|need| name(need.job)).collect();
            format!("{} of {}", any.min, names.join(" | "))
        }
    });
    told.collect::<Vec<String>>().join(", ")
}

fn notes(trace: &Trace, teller: &Teller<'_>) -> Vec<NoteRecord> {
    let base = unknown_base(trace).and_then(no_base);
    trace
        .quirks
        .iter()
        .map(|quirk| note(quirk, base.as_deref(), teller))
        .collect()
}

/// Why there is nothing to compare with, from the first `changes` that has nothing.
fn unknown_base(trace: &Trace) -> Option<&BaseOrigin> {
    let clauses = trace.rules.iter().flat_map(|rule| &rule.clauses);
    let of_rules = clauses.filter_map(|clause| match &clause.trace {
        ClauseTrace::Changes(changes) => changes.base.as_ref(),
        _ => None,
    });
    let atoms = trace.policies.iter().flat_map(|policy| &policy.atoms);
    let of_policies = atoms.filter_map(|atom| match atom {
        PolicyAtom::Changes(changes) => changes.base.as_ref(),
        _ => None,
    });
    let mut all = of_rules.chain(of_policies).map(|base| &base.origin);
    all.find(|origin| no_base(origin).is_some())
}

fn nearest(unmet: &UnmetRule, trace: &Trace, teller: &Teller<'_>) -> NearestRecord {
    let rule = trace.rules.get(unmet.rule as usize);
    NearestRecord {
        rule: unmet.rule + 1,
        at: rule.and_then(|rule| teller.at(rule.span)),
        clauses: clauses(&unmet.clauses, teller),
        blocked_by: unmet.blocked_by.map(|rule| rule + 1),
    }
}
