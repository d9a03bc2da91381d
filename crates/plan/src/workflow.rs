//! The workflow: whether there is a pipeline at all, its variables, its name, what cancels it (reference `compose.md` §1).

use std::sync::Arc;

use tidegate_config::{AutoCancelSpec, Rule, RuleWhen, Workflow};
use tidegate_expr::{NestedOptions, RefOptions, Resolver, expand_blank};
use tidegate_pipeline::AutoCancel;
use tidegate_scenario::WorldError;

use crate::cache_clause::CacheView;
use crate::decision::{Origin, OriginKind};
use crate::plan::{AutoCancelDecision, NameDerivation, WorkflowDecision};
use crate::rules::{RulesEnd, judge_rules};
use crate::shared::Shared;
use crate::sink::Kept;
use crate::view::GlobalView;

/// Whether the workflow lets the pipeline be, with the rule that matched.
pub(crate) struct Judged<'a> {
    pub(crate) allowed: bool,
    pub(crate) rule: Option<&'a Rule>,
    pub(crate) decision: WorkflowDecision,
}

/// Judges `workflow:rules`; name and cancelling are decided later, once it is known which rule matched.
pub(crate) fn judge<'a>(
    workflow: &'a Workflow,
    shared: &Shared<'_>,
) -> Result<Judged<'a>, WorldError> {
    let mut decision = WorkflowDecision::default();
    let Some(rules) = &workflow.rules else {
        return Ok(Judged {
            allowed: true,
            rule: None,
            decision,
        });
    };
    let view = GlobalView::new(shared);
    let mut kept = Kept::default();
    let end = judge_rules(rules, &view, &mut CacheView::none(), &mut kept)?;
    decision.rules = kept.rules;
    let rule = match end {
        RulesEnd::Matched(at) => {
            decision.matched = Some(at);
            rules.get(at as usize)
        }
        RulesEnd::NoneMatched => None,
        RulesEnd::Error(_, message) => {
            decision.error = Some(message.to_string());
            None
        }
    };
    let allowed =
        rule.is_some_and(|rule| rule.when.is_none_or(|when| when.value != RuleWhen::Never));
    Ok(Judged {
        allowed,
        rule,
        decision,
    })
}

/// The pipeline's name, where it gets one: expanded with everything nested, then stripped.
pub(crate) fn name(workflow: &Workflow, shared: &Shared<'_>) -> Option<NameDerivation> {
    let written: &Arc<str> = &workflow.name.as_ref()?.value;
    let view = GlobalView::new(shared);
    let resolver = Resolver::new(view.variables(), NestedOptions::FOR_DECISIONS);
    let expanded = expand_blank(written, &resolver, RefOptions::ALL);
    let blank = |c: char| c.is_ascii_whitespace() || c == '\0' || c == '\u{b}';
    Some(NameDerivation {
        written: written.clone(),
        expanded: expanded.trim_matches(blank).to_owned(),
    })
}

/// What cancels the pipeline: the rule's settings over the workflow's, key by key.
pub(crate) fn auto_cancel(workflow: &Workflow, rule: Option<&Rule>) -> AutoCancelDecision {
    let mut decision = AutoCancelDecision::default();
    let mut apply = |spec: AutoCancelSpec, origin: Origin| {
        let AutoCancel {
            on_new_commit,
            on_job_failure,
        } = &mut decision.value;
        if let Some(value) = spec.on_new_commit {
            *on_new_commit = value;
            decision.on_new_commit = origin;
        }
        if let Some(value) = spec.on_job_failure {
            *on_job_failure = value;
            decision.on_job_failure = origin;
        }
    };
    let none = tidegate_source::Span::NONE;
    apply(
        workflow.auto_cancel,
        Origin::new(OriginKind::Workflow, none),
    );
    if let Some(rule) = rule {
        apply(rule.auto_cancel, Origin::new(OriginKind::Rule, rule.span));
    }
    decision
}
