//! Judges one job after the other: in or out, and in what shape (GitLab's "seed" step, reference `compose.md` §0).

use std::sync::Arc;

use tidegate_config::{Job as ConfigJob, PolicyKind, Rule, RuleWhen};
use tidegate_pipeline::{Job, Presence, StageIdx};
use tidegate_scenario::WorldError;

use crate::attributes::planned_job;
use crate::cache_clause::{CacheView, derivations, looks_at_caches};
use crate::decision::{Basis, LeftOut, Origins};
use crate::detail::Detail;
use crate::nearest::nearest_rule;
use crate::policy::judge_policy;
use crate::rules::{RulesEnd, judge_rules};
use crate::scope::Scope;
use crate::shared::Shared;
use crate::sink::Kept;
use crate::trace::Trace;

/// One job after judging, before needs are resolved.
pub(crate) struct Seed<'a> {
    pub(crate) job: &'a ConfigJob,
    pub(crate) stage: StageIdx,
    pub(crate) basis: Basis,
    pub(crate) state: SeedState<'a>,
    pub(crate) trace: Option<Box<Trace>>,
    /// Variables in a circle: GitLab's message.
    pub(crate) circle: Option<String>,
}

/// In or out.
pub(crate) enum SeedState<'a> {
    In {
        planned: Box<Job>,
        origins: Origins,
        rule: Option<&'a Rule>,
    },
    Out(LeftOut),
    /// It would be in, but needs an absent job with `if_absent: skip`.
    Skipped {
        need: Arc<str>,
        rule: Option<&'a Rule>,
    },
}

impl Seed<'_> {
    pub(crate) fn planned(&self) -> Option<&Job> {
        match &self.state {
            SeedState::In { planned, .. } => Some(planned),
            SeedState::Out(_) | SeedState::Skipped { .. } => None,
        }
    }

    pub(crate) fn is_included(&self) -> bool {
        self.planned()
            .is_some_and(|job| job.presence == Presence::Included)
    }
}

/// Judges a job.
pub(crate) fn seed<'a>(
    shared: &'a Shared<'a>,
    job: &'a ConfigJob,
    stage: StageIdx,
    detail: &Detail,
) -> Result<Seed<'a>, WorldError> {
    let keep = detail.is_full_for(&job.name, &job.base);
    let mut trace = keep.then(Box::<Trace>::default);
    let scope = Scope::of_job(shared, job);
    let (basis, entry) = judged(shared, &scope, trace.as_deref_mut())?;
    let state = match entry {
        Entry::Out(why) => {
            if let (Some(trace), Some(rules)) = (trace.as_deref_mut(), &job.body.rules) {
                trace.nearest = nearest_rule(rules, &scope)?;
            }
            SeedState::Out(why)
        }
        Entry::In(presence, rule) => {
            let over = rule.map(|rule| shared.rule_layer(rule));
            let with_rule = over.filter(|layer| !layer.is_empty());
            let with_rule = with_rule.map(|layer| scope.with_rule(layer));
            let last = with_rule.as_ref().unwrap_or(&scope);
            let (planned, origins) = planned_job(last, rule, stage, presence)?;
            if let Some(trace) = trace.as_deref_mut() {
                trace.caches = derivations(last)?;
            }
            SeedState::In {
                planned: Box::new(planned),
                origins,
                rule,
            }
        }
    };
    // GitLab looks for circles in what the rules saw, and only for jobs that are in.
    let circle = match state {
        SeedState::In { .. } => scope.circle().map(|circle| circle.to_string()),
        SeedState::Out(_) | SeedState::Skipped { .. } => None,
    };
    Ok(Seed {
        job,
        stage,
        basis,
        state,
        trace,
        circle,
    })
}

enum Entry<'a> {
    In(Presence, Option<&'a Rule>),
    Out(LeftOut),
}

fn judged<'a>(
    shared: &'a Shared<'a>,
    scope: &Scope<'a>,
    trace: Option<&mut Trace>,
) -> Result<(Basis, Entry<'a>), WorldError> {
    let job = scope.job();
    if let Some(wanted) = &shared.scenario.chat_job
        && **wanted != *job.name
    {
        return Ok((Basis::Unconditional, Entry::Out(LeftOut::NotAskedFor)));
    }
    match &job.body.rules {
        Some(rules) if !rules.is_empty() => judged_by_rules(rules, scope, trace),
        Some(_) => Ok((Basis::Unconditional, Entry::In(Presence::Included, None))),
        None => judged_by_policies(scope, trace),
    }
}

fn judged_by_rules<'a>(
    rules: &'a [Rule],
    scope: &Scope<'a>,
    trace: Option<&mut Trace>,
) -> Result<(Basis, Entry<'a>), WorldError> {
    let mut caches = CacheView::of_job(scope);
    let end = match trace {
        Some(trace) => {
            let mut kept = Kept::default();
            let end = judge_rules(rules, scope, &mut caches, &mut kept)?;
            trace.rules = kept.rules;
            end
        }
        None => judge_rules(rules, scope, &mut caches, &mut ())?,
    };
    let (basis, entry) = entry_of(rules, end);
    if matches!(entry, Entry::Out(_)) && looks_at_caches(rules) {
        // What only an existing cache keeps out stands as a success (reference `extensions.md` §1, point 7).
        let mut missing = CacheView::all_missing(scope);
        let end = judge_rules(rules, scope, &mut missing, &mut ())?;
        if let (basis, Entry::In(_, rule)) = entry_of(rules, end) {
            return Ok((basis, Entry::In(Presence::Satisfied, rule)));
        }
    }
    Ok((basis, entry))
}

fn entry_of(rules: &[Rule], end: RulesEnd) -> (Basis, Entry<'_>) {
    match end {
        RulesEnd::Matched(at) => {
            let basis = Basis::Rules { matched: Some(at) };
            let rule = rules.get(at as usize);
            let never = rule
                .and_then(|rule| rule.when)
                .is_some_and(|when| when.value == RuleWhen::Never);
            let entry = if never {
                Entry::Out(LeftOut::Never { rule: at })
            } else {
                Entry::In(Presence::Included, rule)
            };
            (basis, entry)
        }
        RulesEnd::NoneMatched => {
            let basis = Basis::Rules { matched: None };
            (basis, Entry::Out(LeftOut::NoRuleMatched))
        }
        RulesEnd::Error(rule, message) => {
            let basis = Basis::Rules { matched: None };
            (basis, Entry::Out(LeftOut::RuleError { rule, message }))
        }
    }
}

fn judged_by_policies<'a>(
    scope: &Scope<'a>,
    trace: Option<&mut Trace>,
) -> Result<(Basis, Entry<'a>), WorldError> {
    let body = scope.written();
    let keep = trace.is_some();
    let mut trials = Vec::new();
    let basis = match (&body.only, &body.except) {
        (None, None) => Basis::Unconditional,
        (Some(only), None) if only.kind == PolicyKind::Only && !only.span.is_some() => {
            Basis::DefaultOnly
        }
        _ => Basis::Policies,
    };
    let mut out = None;
    if let Some(only) = &body.only {
        let (holds, trial) = judge_policy(only, scope, keep)?;
        trials.extend(trial);
        out = (!holds).then_some(LeftOut::OnlyNotMet);
    }
    if let Some(except) = &body.except
        && (keep || out.is_none())
    {
        let (holds, trial) = judge_policy(except, scope, keep)?;
        trials.extend(trial);
        out = out.or(holds.then_some(LeftOut::ExceptMet));
    }
    if let Some(trace) = trace {
        trace.policies = trials;
    }
    let entry = match out {
        Some(why) => Entry::Out(why),
        None => Entry::In(Presence::Included, None),
    };
    Ok((basis, entry))
}

/// GitLab's message for a rule that could not be judged.
pub(crate) fn rule_error(job: &str, message: &Arc<str>) -> String {
    format!("Failed to parse rule for {job}: {message}")
}
