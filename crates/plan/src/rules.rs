//! Judges `rules` (reference `compose.md` §2.1): the first rule whose clauses all hold decides.

use std::sync::Arc;

use tidegate_config::{Clause, Rule};
use tidegate_expr::{Environment, NoInputs, Value, evaluate_traced, evaluate_with};
use tidegate_scenario::WorldError;

use crate::cache_clause::{CacheView, judge_cache};
use crate::changes::rule_changes;
use crate::exists::rule_exists;
use crate::sink::Sink;
use crate::trace::{
    ChangesTrace, ChangesVerdict, ClauseOutcome, ClauseTrace, ClauseTrial, ExistsTrace,
    ExistsVerdict, RuleEnd, RuleTrial,
};
use crate::view::View;

/// What a list of rules came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RulesEnd {
    /// The rule at this position matched.
    Matched(u32),
    /// None did.
    NoneMatched,
    /// The rule at this position could not be judged; what GitLab says.
    Error(u32, Arc<str>),
}

/// Judges `rules` in order, telling `sink` of every step.
pub(crate) fn judge_rules<V: View, S: Sink>(
    rules: &[Rule],
    view: &V,
    caches: &mut CacheView<'_, '_>,
    sink: &mut S,
) -> Result<RulesEnd, WorldError> {
    let mut end = RulesEnd::NoneMatched;
    for (at, rule) in rules.iter().enumerate() {
        let decided = end != RulesEnd::NoneMatched;
        if decided && !S::KEEPS {
            break;
        }
        let rule_end = if decided {
            not_reached(&rule.clauses, sink);
            RuleEnd::NotTried
        } else {
            judge_clauses(&rule.clauses, view, caches, sink)?
        };
        match &rule_end {
            RuleEnd::Matched => end = RulesEnd::Matched(at as u32),
            RuleEnd::Error(message) => end = RulesEnd::Error(at as u32, message.clone()),
            RuleEnd::NotMatched | RuleEnd::NotTried => {}
        }
        sink.rule(|clauses| RuleTrial {
            span: rule.span,
            clauses,
            end: rule_end,
        });
    }
    Ok(end)
}

fn judge_clauses<V: View, S: Sink>(
    clauses: &[Clause],
    view: &V,
    caches: &mut CacheView<'_, '_>,
    sink: &mut S,
) -> Result<RuleEnd, WorldError> {
    for (at, clause) in clauses.iter().enumerate() {
        let outcome = judge_clause(clause, view, caches, sink)?;
        if outcome.holds() {
            continue;
        }
        not_reached(clauses.get(at + 1..).unwrap_or_default(), sink);
        return Ok(match outcome {
            ClauseOutcome::Error(message) => RuleEnd::Error(message),
            _ => RuleEnd::NotMatched,
        });
    }
    Ok(RuleEnd::Matched)
}

/// Judges every clause of a rule, whether or not an earlier one fails: what would have to differ for it to match.
pub(crate) fn judge_all_clauses<V: View, S: Sink>(
    rule: &Rule,
    view: &V,
    caches: &mut CacheView<'_, '_>,
    sink: &mut S,
) -> Result<(), WorldError> {
    for clause in &rule.clauses {
        judge_clause(clause, view, caches, sink)?;
    }
    Ok(())
}

fn judge_clause<V: View, S: Sink>(
    clause: &Clause,
    view: &V,
    caches: &mut CacheView<'_, '_>,
    sink: &mut S,
) -> Result<ClauseOutcome, WorldError> {
    let (span, outcome, trace) = match clause {
        Clause::If(clause) => {
            let environment = Environment {
                variables: view.lookup(),
                inputs: &NoInputs,
            };
            let (holds, tree) = if S::KEEPS {
                let tree = evaluate_traced(&clause.expression, environment);
                (tree.holds(), Some(tree))
            } else {
                let value = evaluate_with(&clause.expression, environment, &mut ());
                // An expression that cannot be evaluated is false.
                (value.is_ok_and(|value| Value::is_present(&value)), None)
            };
            let text = clause.text.value.clone();
            let trace = ClauseTrace::If { text, tree };
            (clause.text.span, truth(holds), trace)
        }
        Clause::Changes(clause) => {
            let trace = rule_changes(clause, view, S::KEEPS)?;
            let outcome = changes_outcome(&trace.verdict);
            (clause.span, outcome, ClauseTrace::Changes(trace))
        }
        Clause::Exists(clause) => {
            let trace = rule_exists(clause, view, S::KEEPS)?;
            let outcome = exists_outcome(&trace.verdict);
            (clause.span, outcome, ClauseTrace::Exists(trace))
        }
        Clause::Cache(clause) => {
            let (outcome, asked) = judge_cache(clause, caches)?;
            let wanted = clause.wanted;
            (clause.span, outcome, ClauseTrace::Cache { wanted, asked })
        }
    };
    sink.clause(|| ClauseTrial {
        span,
        outcome: outcome.clone(),
        trace,
    });
    Ok(outcome)
}

pub(crate) fn truth(holds: bool) -> ClauseOutcome {
    if holds {
        ClauseOutcome::Holds
    } else {
        ClauseOutcome::Fails
    }
}

pub(crate) fn changes_outcome(verdict: &ChangesVerdict) -> ClauseOutcome {
    match verdict {
        ChangesVerdict::Matched { .. } | ChangesVerdict::LimitExceeded { .. } => {
            ClauseOutcome::Holds
        }
        ChangesVerdict::Unknown(why) => ClauseOutcome::HoldsUnknown(why.clone()),
        ChangesVerdict::NoMatch { .. }
        | ChangesVerdict::NothingChanged
        | ChangesVerdict::NoGlobs => ClauseOutcome::Fails,
        ChangesVerdict::Error(message) => ClauseOutcome::Error(message.clone()),
        ChangesVerdict::NotReached => ClauseOutcome::NotReached,
    }
}

fn exists_outcome(verdict: &ExistsVerdict) -> ClauseOutcome {
    match verdict {
        ExistsVerdict::Matched { .. } | ExistsVerdict::LimitExceeded { .. } => ClauseOutcome::Holds,
        ExistsVerdict::Unknown(why) => ClauseOutcome::HoldsUnknown(why.clone()),
        ExistsVerdict::NoMatch { .. } | ExistsVerdict::NoGlobs => ClauseOutcome::Fails,
        ExistsVerdict::Error(message) => ClauseOutcome::Error(message.clone()),
        ExistsVerdict::NotReached => ClauseOutcome::NotReached,
    }
}

fn not_reached<S: Sink>(clauses: &[Clause], sink: &mut S) {
    for clause in clauses {
        sink.clause(|| {
            let (span, trace) = match clause {
                Clause::If(clause) => {
                    let text = clause.text.value.clone();
                    (clause.text.span, ClauseTrace::If { text, tree: None })
                }
                Clause::Changes(clause) => {
                    let trace = ChangesTrace {
                        globs: Vec::new(),
                        base: None,
                        verdict: ChangesVerdict::NotReached,
                    };
                    (clause.span, ClauseTrace::Changes(trace))
                }
                Clause::Exists(clause) => {
                    let trace = ExistsTrace {
                        globs: Vec::new(),
                        place: None,
                        verdict: ExistsVerdict::NotReached,
                    };
                    (clause.span, ClauseTrace::Exists(trace))
                }
                Clause::Cache(clause) => {
                    let (wanted, asked) = (clause.wanted, Vec::new());
                    (clause.span, ClauseTrace::Cache { wanted, asked })
                }
            };
            ClauseTrial {
                span,
                outcome: ClauseOutcome::NotReached,
                trace,
            }
        });
    }
}
