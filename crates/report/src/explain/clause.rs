//! Rules, their clauses and policies, as records.

use tidegate_expr::{Outcome, TraceNode, Value};
use tidegate_plan::{
    ClauseOutcome, ClauseTrace, ClauseTrial, PolicyAtom, PolicyTrial, RuleEnd, RuleTrial,
};

use super::files::{changes, exists};
use super::key::asked;
use super::record::{
    ClauseRecord, ConditionRecord, ExpressionRecord, NodeRecord, PolicyRecord, RefRecord,
    RuleRecord,
};
use super::teller::Teller;
use crate::expression_text::expression_text;
use crate::one_line::unwrapped;

/// Rules in order, numbered from 1.
pub(crate) fn rules(trials: &[RuleTrial], teller: &Teller<'_>) -> Vec<RuleRecord> {
    let numbered = trials.iter().zip(1..);
    numbered
        .map(|(trial, number)| rule(trial, number, teller))
        .collect()
}

fn rule(trial: &RuleTrial, number: u32, teller: &Teller<'_>) -> RuleRecord {
    let (end, message) = match &trial.end {
        RuleEnd::Matched => ("matched", None),
        RuleEnd::NotMatched => ("not_matched", None),
        RuleEnd::Error(message) => ("error", Some(teller.text(message))),
        RuleEnd::NotTried => ("not_tried", None),
    };
    RuleRecord {
        rule: number,
        at: teller.at(trial.span),
        end,
        message,
        clauses: clauses(&trial.clauses, teller),
    }
}

/// Clauses in the order they are judged.
pub(crate) fn clauses(trials: &[ClauseTrial], teller: &Teller<'_>) -> Vec<ClauseRecord> {
    trials.iter().map(|trial| clause(trial, teller)).collect()
}

fn clause(trial: &ClauseTrial, teller: &Teller<'_>) -> ClauseRecord {
    let (outcome, reason) = match &trial.outcome {
        ClauseOutcome::Holds => ("holds", None),
        ClauseOutcome::Fails => ("fails", None),
        ClauseOutcome::HoldsUnknown(why) => ("holds_unknown", Some(teller.text(&why.to_string()))),
        ClauseOutcome::NotReached => ("not_reached", None),
        ClauseOutcome::Error(message) => ("error", Some(teller.text(message))),
    };
    let mut record = ClauseRecord {
        kind: "if",
        at: teller.at(trial.span),
        outcome,
        reason,
        expression: None,
        files: None,
        wanted: None,
        caches: None,
    };
    match &trial.trace {
        ClauseTrace::If { text, tree } => {
            record.expression = Some(ExpressionRecord {
                text: teller.text(&unwrapped(text)),
                tree: tree.as_ref().map(|tree| node(tree, teller)),
            });
        }
        ClauseTrace::Changes(trace) => {
            record.kind = "changes";
            record.files = Some(changes(trace, teller));
        }
        ClauseTrace::Exists(trace) => {
            record.kind = "exists";
            record.files = Some(exists(trace, teller));
        }
        ClauseTrace::Cache { wanted, asked: all } => {
            record.kind = "cache";
            record.wanted = Some(wanted.words());
            record.caches = Some(all.iter().map(|one| asked(one, teller)).collect());
        }
    }
    record
}

/// A node of an expression. A text that a masked variable had a part in is hidden, whatever operator it came through.
pub(crate) fn node(node: &TraceNode, teller: &Teller<'_>) -> NodeRecord {
    let mut record = NodeRecord {
        text: teller.text(&expression_text(node)),
        outcome: "skipped",
        kind: None,
        value: serde_json::Value::Null,
        shown: String::new(),
        holds: false,
        error: None,
        is_variable: node.operands.is_empty() && node.text.starts_with('$'),
        origin: node
            .variable
            .as_ref()
            .map(|variable| teller.variable(variable)),
        operands: node
            .operands
            .iter()
            .map(|operand| self::node(operand, teller))
            .collect(),
    };
    match &node.outcome {
        Outcome::Skipped => {}
        Outcome::Value(value) => {
            record.outcome = "value";
            record.kind = Some(kind(value));
            (record.shown, record.value) = teller.value(value, is_masked(node));
            record.holds = value.is_present();
        }
        Outcome::Failed(error) => {
            record.outcome = "failed";
            let message = error.message.as_deref().unwrap_or("it cannot be evaluated");
            record.error = Some(teller.text(message));
        }
    }
    record
}

fn is_masked(node: &TraceNode) -> bool {
    node.variable
        .as_ref()
        .is_some_and(|variable| variable.masked)
        || node.operands.iter().any(is_masked)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Bool(_) => "bool",
        Value::Text(_) => "text",
        Value::Pattern(_) => "pattern",
        Value::Number(_) => "number",
        Value::List(_) => "list",
    }
}

/// A policy with its conditions.
pub(crate) fn policy(trial: &PolicyTrial, teller: &Teller<'_>) -> PolicyRecord {
    PolicyRecord {
        keyword: trial.keyword,
        at: teller.at(trial.span),
        default: !trial.span.is_some(),
        holds: trial.holds,
        conditions: trial
            .atoms
            .iter()
            .map(|atom| condition(atom, teller))
            .collect(),
    }
}

fn condition(atom: &PolicyAtom, teller: &Teller<'_>) -> ConditionRecord {
    let mut record = ConditionRecord {
        kind: "kubernetes",
        holds: atom.holds(),
        refs: Vec::new(),
        expressions: Vec::new(),
        files: None,
    };
    match atom {
        PolicyAtom::Refs { patterns, .. } => {
            record.kind = "refs";
            let one = |pattern: &tidegate_plan::RefTrial| RefRecord {
                text: teller.text(&pattern.text),
                at: teller.at(pattern.span),
                holds: pattern.holds,
            };
            record.refs = patterns.iter().map(one).collect();
        }
        PolicyAtom::Variables { expressions, .. } => {
            record.kind = "variables";
            record.expressions = expressions.iter().map(|tree| node(tree, teller)).collect();
        }
        PolicyAtom::Changes(trace) => {
            record.kind = "changes";
            record.files = Some(changes(trace, teller));
        }
        PolicyAtom::Kubernetes { .. } => {}
    }
    record
}
