//! The final attributes of a job that is in, and where each came from (reference `compose.md` §2.2).

use std::sync::Arc;

use tidegate_config::{AllowFailureSpec, JobBody, Rule, RuleWhen};
use tidegate_pipeline::{AllowFailure, Job, Presence, ResourceGroup, StageIdx, When};
use tidegate_scenario::WorldError;

use crate::action::action;
use crate::cache_clause::recheck;
use crate::decision::{Origin, OriginKind, Origins};
use crate::environment;
use crate::scope::Scope;

/// The job as it enters the pipeline, its needs still open, and where its attributes came from.
pub(crate) fn planned_job(
    scope: &Scope<'_>,
    rule: Option<&Rule>,
    stage: StageIdx,
    presence: Presence,
) -> Result<(Job, Origins), WorldError> {
    let body = scope.written();
    let (when, when_origin) = when(body, rule);
    let (allow_failure, allow_failure_origin) = allow_failure(body, rule);
    let (interruptible, interruptible_origin) = interruptible(body, rule);
    let (start_in, start_in_origin) = start_in(body, rule);
    let job = scope.job();
    let recheck_caches = match (rule, presence) {
        (Some(rule), Presence::Included) => recheck(rule, scope),
        _ => Vec::new(),
    };
    let planned = Job {
        stage,
        when,
        start_in,
        allow_failure,
        presence,
        retry: body
            .inheritable
            .retry
            .as_ref()
            .map(|r| r.value.clone())
            .unwrap_or_default(),
        interruptible,
        resource_group: resource_group(scope),
        environment: planned_environment(scope),
        recheck_caches,
        variables: scope.variables().clone(),
        tags: body
            .inheritable
            .tags
            .iter()
            .map(|tag| scope.existing(&tag.value))
            .collect(),
        action: action(scope)?,
        ..Job::named(job.name.clone())
    };
    let origins = Origins {
        when: when_origin,
        start_in: start_in_origin,
        allow_failure: allow_failure_origin,
        interruptible: interruptible_origin,
        needs: needs_origin(scope, rule),
    };
    Ok((planned, origins))
}

fn when(body: &JobBody, rule: Option<&Rule>) -> (When, Origin) {
    if let Some(written) = rule.and_then(|rule| rule.when)
        && let RuleWhen::When(when) = written.value
    {
        return (when, Origin::new(OriginKind::Rule, written.span));
    }
    match body.when {
        Some(written) => (written.value, Origin::new(OriginKind::Job, written.span)),
        None => (When::OnSuccess, Origin::DEFAULT),
    }
}

fn start_in(body: &JobBody, rule: Option<&Rule>) -> (Option<tidegate_pipeline::Timeout>, Origin) {
    if let Some(written) = rule.and_then(|rule| rule.start_in.as_ref()) {
        let origin = Origin::new(OriginKind::Rule, written.span);
        return (Some(written.value.clone()), origin);
    }
    match &body.start_in {
        Some(written) => {
            let origin = Origin::new(OriginKind::Job, written.span);
            (Some(written.value.clone()), origin)
        }
        None => (None, Origin::DEFAULT),
    }
}

/// A rule's value replaces exit codes too; the default looks at the job-level `when` only.
fn allow_failure(body: &JobBody, rule: Option<&Rule>) -> (AllowFailure, Origin) {
    let always = |always| AllowFailure {
        always,
        exit_codes: Vec::new(),
    };
    if let Some(written) = rule.and_then(|rule| rule.allow_failure) {
        let origin = Origin::new(OriginKind::Rule, written.span);
        return (always(written.value), origin);
    }
    if let Some(written) = &body.allow_failure {
        let origin = Origin::new(OriginKind::Job, written.span);
        return match &written.value {
            AllowFailureSpec::Always(value) => (always(*value), origin),
            AllowFailureSpec::ExitCodes(codes) => {
                let exit_codes = codes.clone();
                let allowed = AllowFailure {
                    always: false,
                    exit_codes,
                };
                (allowed, origin)
            }
        };
    }
    match body.when {
        Some(when) if when.value == When::Manual => {
            let origin = Origin::new(OriginKind::JobLevelManual, when.span);
            (always(true), origin)
        }
        _ => (always(false), Origin::DEFAULT),
    }
}

fn interruptible(body: &JobBody, rule: Option<&Rule>) -> (Option<bool>, Origin) {
    if let Some(written) = rule.and_then(|rule| rule.interruptible) {
        let origin = Origin::new(OriginKind::Rule, written.span);
        return (Some(written.value), origin);
    }
    match body.interruptible {
        Some(written) => {
            let origin = Origin::new(OriginKind::Job, written.span);
            (Some(written.value), origin)
        }
        None => (None, Origin::DEFAULT),
    }
}

fn needs_origin(scope: &Scope<'_>, rule: Option<&Rule>) -> Origin {
    let of_rule = rule.and_then(|rule| rule.needs.as_ref());
    if let Some(needs) = of_rule.filter(|needs| !needs.entries.is_empty()) {
        return Origin::new(OriginKind::Rule, needs.span);
    }
    match &scope.job().needs {
        Some(needs) => Origin::new(OriginKind::Job, needs.span),
        None => Origin::DEFAULT,
    }
}

fn resource_group(scope: &Scope<'_>) -> Option<ResourceGroup> {
    let written = scope.written().resource_group.as_ref()?;
    let key = scope.blank(&written.value);
    (!key.trim().is_empty()).then_some(ResourceGroup { key })
}

fn planned_environment(scope: &Scope<'_>) -> Option<Arc<tidegate_pipeline::Environment>> {
    let written = scope.written().environment.as_ref()?;
    let name = scope.environment()?.expanded_name.clone();
    Some(Arc::new(environment::planned(written, name)))
}
