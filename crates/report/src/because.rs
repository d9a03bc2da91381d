//! The reason of a decision in one line.

use tidegate_plan::{
    Basis, CacheAsked, ChangesVerdict, ClauseTrace, ClauseTrial, Decision, ExistsVerdict, KeyState,
    LeftOut, PolicyAtom, PolicyTrial, RuleTrial, Trace, Verdict,
};
use tidegate_scenario::{CacheState, Fact};

use crate::expression_text::expression_text;
use crate::one_line::{one_line, unwrapped};
use crate::secrets::Secrets;

/// Why a job is in or out: a stable word for programs and a sentence fragment for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Because {
    /// `rule`, `only`, `default_only`, `unconditional`, `cache_exists`, `no_rule_matched`, `never`, `rule_error`, `only_not_met`,
    /// `except_met`, `need_absent`, `not_asked_for`.
    pub(crate) code: &'static str,
    /// The rule that decided, from 1.
    pub(crate) rule: Option<u32>,
    /// For people; on one line, secrets hidden.
    pub(crate) text: String,
}

/// The reason of `decision`. Says more where the decision has a trace.
pub(crate) fn because(decision: &Decision, secrets: &Secrets) -> Because {
    let trace = decision.trace.as_deref();
    let (code, rule, text) = match &decision.verdict {
        Verdict::Included(_) => included(decision.basis, trace),
        Verdict::Satisfied(_) => satisfied(trace),
        Verdict::LeftOut(why) => left_out(why, decision.basis, trace),
    };
    Because {
        code,
        rule,
        text: one_line(&secrets.hide(&text)).into_owned(),
    }
}

/// The conditions of a rule on one line.
pub(crate) fn conditions(rule: &RuleTrial) -> String {
    if rule.clauses.is_empty() {
        return "no conditions".to_owned();
    }
    let all: Vec<String> = rule.clauses.iter().map(clause).collect();
    all.join(", ")
}

type Parts = (&'static str, Option<u32>, String);

fn included(basis: Basis, trace: Option<&Trace>) -> Parts {
    match basis {
        Basis::Rules { matched: Some(at) } => ("rule", Some(at + 1), numbered(at, trace, "")),
        Basis::Rules { matched: None } => ("rule", None, "its rules are empty".to_owned()),
        Basis::Policies => ("only", None, policies(trace, "only and except let it in")),
        Basis::DefaultOnly => {
            let text = policies(trace, "default only: branches, tags");
            ("default_only", None, text)
        }
        Basis::Unconditional => ("unconditional", None, "it has no conditions".to_owned()),
    }
}

fn satisfied(trace: Option<&Trace>) -> Parts {
    let keys = trace.iter().flat_map(|trace| &trace.caches);
    let present = keys.filter(|cache| {
        matches!(
            cache.state,
            KeyState::Asked(Fact::Known(CacheState::Present))
        )
    });
    let keys: Vec<&str> = present
        .filter_map(|cache| cache.key.as_deref().ok())
        .collect();
    let text = if keys.is_empty() {
        "what it would produce exists".to_owned()
    } else {
        format!("cache exists: {}", keys.join(", "))
    };
    ("cache_exists", None, text)
}

fn left_out(why: &LeftOut, basis: Basis, trace: Option<&Trace>) -> Parts {
    match why {
        LeftOut::NoRuleMatched => {
            let text = match trace.map(|trace| trace.rules.len()) {
                Some(1) => "its only rule does not match".to_owned(),
                Some(count) if count > 1 => format!("none of its {count} rules matches"),
                _ => "no rule matches".to_owned(),
            };
            ("no_rule_matched", None, text)
        }
        LeftOut::Never { rule } => (
            "never",
            Some(rule + 1),
            numbered(*rule, trace, " says never"),
        ),
        LeftOut::RuleError { rule, message } => {
            let text = format!("rule {} cannot be judged: {message}", rule + 1);
            ("rule_error", Some(rule + 1), text)
        }
        LeftOut::OnlyNotMet => {
            let text = match basis {
                Basis::DefaultOnly => "default only: neither a branch nor a tag".to_owned(),
                _ => unmet(trace).unwrap_or_else(|| "only does not hold".to_owned()),
            };
            ("only_not_met", None, text)
        }
        LeftOut::ExceptMet => {
            let met = trace.and_then(|trace| trace.policies.iter().rev().find(|p| p.holds));
            let atom = met.and_then(|policy| Some((policy, policy.atoms.iter().find(holding)?)));
            let text = match atom {
                Some((policy, found)) => format!("{} holds: {}", policy.keyword, atom_text(found)),
                None => "except holds".to_owned(),
            };
            ("except_met", None, text)
        }
        LeftOut::NeedAbsent { need } => {
            let text = format!("needs {need}, which is absent (if_absent: skip)");
            ("need_absent", None, text)
        }
        LeftOut::NotAskedFor => {
            let text = "the chat command asked for another job".to_owned();
            ("not_asked_for", None, text)
        }
    }
}

fn numbered(at: u32, trace: Option<&Trace>, said: &str) -> String {
    let number = at + 1;
    match trace.and_then(|trace| trace.rules.get(at as usize)) {
        Some(rule) => format!("rule {number}{said}: {}", conditions(rule)),
        None => format!("rule {number}{said}"),
    }
}

fn clause(clause: &ClauseTrial) -> String {
    match &clause.trace {
        ClauseTrace::If { text, .. } => format!("if {}", unwrapped(text)),
        ClauseTrace::Changes(changes) => match &changes.verdict {
            ChangesVerdict::Matched { path, .. } => format!("changes: {path}"),
            ChangesVerdict::Unknown(why) => format!("changes: unknown, {why}"),
            _ => "changes".to_owned(),
        },
        ClauseTrace::Exists(exists) => match &exists.verdict {
            ExistsVerdict::Matched { path, .. } => format!("exists: {path}"),
            ExistsVerdict::Unknown(why) => format!("exists: unknown, {why}"),
            _ => "exists".to_owned(),
        },
        ClauseTrace::Cache { asked, .. } => {
            let all: Vec<String> = asked.iter().map(asked_text).collect();
            format!("cache {}", all.join(", "))
        }
    }
}

fn asked_text(asked: &CacheAsked) -> String {
    let state = match asked.state {
        Fact::Known(CacheState::Present) => "present",
        Fact::Known(CacheState::Missing) => "missing",
        Fact::Unknown(_) => "unknown",
    };
    match &asked.key {
        Ok(key) => format!("{state}: {key}"),
        Err(_) => state.to_owned(),
    }
}

/// What of the positive policy holds.
fn policies(trace: Option<&Trace>, otherwise: &str) -> String {
    let positive = trace.and_then(|trace| trace.policies.first());
    let Some(policy) = positive.filter(|policy| policy.holds) else {
        return otherwise.to_owned();
    };
    let held: Vec<String> = policy.atoms.iter().filter(holding).map(atom_text).collect();
    if held.is_empty() {
        return otherwise.to_owned();
    }
    let default = !policy.span.is_some();
    let word = if default {
        "default only"
    } else {
        policy.keyword
    };
    format!("{word}: {}", held.join(", "))
}

fn unmet(trace: Option<&Trace>) -> Option<String> {
    let failed: &PolicyTrial = trace?.policies.iter().find(|policy| !policy.holds)?;
    let atom = failed.atoms.iter().find(|atom| !atom.holds())?;
    Some(format!(
        "{} does not hold: {}",
        failed.keyword,
        atom_text(atom)
    ))
}

fn holding(atom: &&PolicyAtom) -> bool {
    atom.holds()
}

/// What a condition is about: the pattern that matches where it holds, all of them where it does not.
pub(crate) fn atom_text(atom: &PolicyAtom) -> String {
    match atom {
        PolicyAtom::Refs {
            patterns, holds, ..
        } => {
            let shown = patterns.iter().filter(|pattern| pattern.holds == *holds);
            let texts: Vec<&str> = shown.map(|pattern| &*pattern.text).collect();
            texts.join(", ")
        }
        PolicyAtom::Variables { expressions, holds } => {
            let shown = expressions.iter().filter(|node| node.holds() == *holds);
            let texts: Vec<String> = shown
                .map(|node| format!("variables {}", expression_text(node)))
                .collect();
            if texts.is_empty() {
                "variables".to_owned()
            } else {
                texts.join(", ")
            }
        }
        PolicyAtom::Changes(changes) => match &changes.verdict {
            ChangesVerdict::Matched { path, .. } => format!("changes: {path}"),
            _ => "changes".to_owned(),
        },
        PolicyAtom::Kubernetes { .. } => "kubernetes".to_owned(),
    }
}
