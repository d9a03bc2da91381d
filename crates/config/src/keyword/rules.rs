//! `rules` of jobs and of the workflow (reference `config.md` §9.11, §9.16, §15).

use tidegate_pipeline::{Timeout, When};
use tidegate_source::Span;
use tidegate_yaml::{Map, Node, Value};

use super::artifacts::timeout;
use super::auto_cancel::auto_cancel;
use super::duration::{self, WEEK};
use super::needs::{Needing, needs};
use super::rules_cache::cache_clause;
use super::rules_files::{changes, exists};
use super::variables::plain_variables;
use crate::normalize::unexpanded_needs;
use crate::ruby::{Keys, inspect, to_s};
use crate::typed::{Check, Context, Faults, Place, flatten, specified};
use crate::{AutoCancelSpec, Clause, IfClause, Rule, RuleWhen, Spanned, Text};

/// Whose rules they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RulesOf {
    /// A job's.
    Job,
    /// The workflow's.
    Workflow,
}

impl RulesOf {
    fn keys(self) -> &'static [&'static str] {
        match self {
            RulesOf::Job => &[
                "if",
                "changes",
                "exists",
                "when",
                "start_in",
                "allow_failure",
                "variables",
                "needs",
                "interruptible",
            ],
            RulesOf::Workflow => &[
                "if",
                "changes",
                "exists",
                "when",
                "start_in",
                "allow_failure",
                "variables",
                "needs",
                "auto_cancel",
            ],
        }
    }

    fn whens(self) -> &'static [&'static str] {
        match self {
            RulesOf::Job => &[
                "on_success",
                "on_failure",
                "always",
                "never",
                "manual",
                "delayed",
            ],
            RulesOf::Workflow => &["always", "never"],
        }
    }
}

/// Own keys a rule may have one day.
const LATER: [&str; 1] = ["unless"];

/// The rules of a list, nested lists made flat.
pub(crate) fn rules(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    node: &Node,
    of: RulesOf,
    faults: &mut Faults,
) -> Option<Vec<Rule>> {
    let mut check = Check::new(place, node, faults);
    check.present("config", Some(node));
    if node.as_seq().is_none() {
        check.fault("config should be an array");
    }
    if !check.passed() {
        return None;
    }
    let place = place.child("rule");
    let mut written = Vec::new();
    for item in rule_nodes(node) {
        written.extend(rule(cx, &place, item, of, faults));
    }
    Some(written)
}

/// The nodes of the single rules, nested lists made flat.
pub(crate) fn rule_nodes(node: &Node) -> Vec<&Node> {
    let mut nodes = Vec::new();
    flatten(node, usize::MAX, &mut |item| {
        nodes.push(item);
        Some(())
    });
    nodes
}

fn rule(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    node: &Node,
    of: RulesOf,
    faults: &mut Faults,
) -> Option<Rule> {
    let mut check = Check::new(place, node, faults);
    // GitLab's entry checks the type twice, with presence between.
    check.map(node);
    check.present("config", Some(node));
    let map = check.map(node);
    let mut rule = empty(node.span);
    if let Some(map) = map {
        own_fields(cx, &mut check, map, node, of, &mut rule);
    }
    known_keys(cx, &mut check, node, of);
    let map = map?;
    if !check.passed() {
        return None;
    }
    children(cx, place, map, of, &mut rule, faults);
    Some(rule)
}

fn empty(span: Span) -> Rule {
    Rule {
        span,
        clauses: Vec::new(),
        when: None,
        start_in: None,
        allow_failure: None,
        variables: Vec::new(),
        needs: None,
        interruptible: None,
        auto_cancel: AutoCancelSpec::default(),
    }
}

fn known_keys(cx: &mut Context<'_>, check: &mut Check<'_>, node: &Node, of: RulesOf) {
    match of {
        RulesOf::Workflow => check.known_keys(node, of.keys()),
        RulesOf::Job => {
            let own = ["cache", LATER[0]];
            cx.known_keys(check, node, of.keys(), &own);
            if cx.has_extensions() {
                check.later_keys(node, &LATER);
            }
        }
    }
}

fn own_fields(
    cx: &mut Context<'_>,
    check: &mut Check<'_>,
    map: &Map,
    node: &Node,
    of: RulesOf,
    rule: &mut Rule,
) {
    let delayed = specified(map, "when").is_some_and(|node| node.as_str() == Some("delayed"));
    let start_in = specified(map, "start_in");
    if delayed {
        check.present("start in", start_in);
        rule.start_in = check_start_in(check, start_in);
    } else {
        check.without_keys(node, &["start_in"], "config contains disallowed keys");
    }
    if let Some(node) = specified(map, "if") {
        let valid = condition(cx, node).is_some();
        check.ensure(valid, node.span, "if invalid expression syntax");
    }
    let spanned = |value: Option<bool>, node: Option<&Node>| {
        value
            .zip(node)
            .map(|(value, node)| Spanned::new(value, node.span))
    };
    let allow = specified(map, "allow_failure");
    rule.allow_failure = spanned(check.boolean("allow failure", allow), allow);
    if of == RulesOf::Job {
        let node = specified(map, "interruptible");
        rule.interruptible = spanned(check.boolean("interruptible", node), node);
    }
    if let Some(node) = specified(map, "when") {
        let text = to_s(&node.value, Keys::Symbols);
        let shown = match &node.value {
            Value::Seq(_) | Value::Map(_) => inspect(&node.value, Keys::Symbols),
            _ => text.clone(),
        };
        let known = of.whens().contains(&&*text);
        check.ensure(
            known,
            node.span,
            format_args!("when unknown value: {shown}"),
        );
        rule.when = rule_when(&text).map(|when| Spanned::new(when, node.span));
    }
}

fn rule_when(text: &str) -> Option<RuleWhen> {
    match text {
        "never" => Some(RuleWhen::Never),
        text => When::from_name(text).map(RuleWhen::When),
    }
}

/// Checks a `start_in` that must be there, and gives it.
pub(crate) fn check_start_in(
    check: &mut Check<'_>,
    node: Option<&Node>,
) -> Option<Spanned<Timeout>> {
    check_duration(check, "start in", node, WEEK)
}

/// `NAME should be a duration` and `NAME should not exceed the limit`.
pub(crate) fn check_duration(
    check: &mut Check<'_>,
    name: &str,
    node: Option<&Node>,
    limit: f64,
) -> Option<Spanned<Timeout>> {
    let seconds = node.and_then(duration::parse_node);
    let span = node.map_or(Span::NONE, |node| node.span);
    let text = format_args!("{name} should be a duration");
    check.ensure(seconds.is_some(), span, text);
    let within = seconds.is_some_and(|seconds| seconds.as_f64() <= limit);
    let text = format_args!("{name} should not exceed the limit");
    check.ensure(within, span, text);
    match (&node?.value, seconds) {
        (Value::Str(text), Some(seconds)) => Some(Spanned::new(timeout(text, seconds), span)),
        _ => None,
    }
}

fn condition(cx: &mut Context<'_>, node: &Node) -> Option<IfClause> {
    let Value::Str(text) = &node.value else {
        return None;
    };
    Some(IfClause {
        expression: cx.expression(text)?,
        text: Text::new(text.clone(), node.span),
    })
}

fn children(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    map: &Map,
    of: RulesOf,
    rule: &mut Rule,
    faults: &mut Faults,
) {
    let changes = specified(map, "changes").map(|node| changes(cx, place, node, faults));
    let exists = specified(map, "exists").map(|node| exists(cx, place, node, faults));
    let (mut changes, mut exists) = (changes.flatten(), exists.flatten());
    for (key, _) in map {
        rule.clauses.extend(match key.as_str() {
            Some("if") => specified(map, "if")
                .and_then(|node| condition(cx, node))
                .map(Clause::If),
            Some("changes") => changes.take().map(Clause::Changes),
            Some("exists") => exists.take().map(Clause::Exists),
            _ => None,
        });
    }
    if let Some(node) = specified(map, "variables") {
        rule.variables = plain_variables(&place.child("variables"), node, faults);
    }
    let written = specified(map, "needs");
    let needs =
        written.and_then(|node| needs(cx, &place.child("needs"), node, Needing::Rule, faults));
    if of == RulesOf::Job {
        rule.needs = needs.as_ref().map(unexpanded_needs);
    }
    if of == RulesOf::Workflow {
        if let Some(node) = specified(map, "auto_cancel") {
            rule.auto_cancel = auto_cancel(&place.child("auto_cancel"), node, faults);
        }
    } else if cx.has_extensions() {
        let clause = map.get("cache");
        let clause = clause.and_then(|node| cache_clause(&place.child("cache"), node, faults));
        rule.clauses.extend(clause.map(Clause::Cache));
    }
}

/// Whether the last rule has `when` as its only key and lets the job in.
pub(crate) fn ends_with_bare_when(node: &Node) -> bool {
    let nodes = rule_nodes(node);
    let Some(map) = nodes.last().and_then(|node| node.as_map()) else {
        return false;
    };
    let written = map.iter().filter(|(_, node)| !node.is_null()).count();
    let when = specified(map, "when").filter(|_| written == 1);
    when.is_some_and(|node| node.as_str() != Some("never"))
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn conditions_and_words_of_rules_are_checked() {
        check(
            "j: {script: x, rules: 1}",
            &["jobs:j rules should be an array containing hashes and arrays of hashes"],
        );
        check(
            "j: {script: x, rules: []}",
            &["jobs:j:rules config can't be blank"],
        );
        check(
            "j: {script: x, rules: [1]}",
            &["jobs:j rules should be an array containing hashes and arrays of hashes"],
        );
        check(
            "j: {script: x, rules: [{}]}",
            &["jobs:j:rules:rule config can't be blank"],
        );
        check(
            "j: {script: x, rules: [{foo: 1}]}",
            &["jobs:j:rules:rule config contains unknown keys: foo"],
        );
        check(
            "j: {script: x, rules: [{if: 1}]}",
            &["jobs:j:rules:rule if invalid expression syntax"],
        );
        check(
            "j: {script: x, rules: [{if: '$X =='}]}",
            &["jobs:j:rules:rule if invalid expression syntax"],
        );
        check(
            "j: {script: x, rules: [{if: $X, when: delayed}]}",
            &[
                "jobs:j:rules:rule start in can't be blank",
                "jobs:j:rules:rule start in should be a duration",
                "jobs:j:rules:rule start in should not exceed the limit",
            ],
        );
        check(
            "j: {script: x, rules: [{if: $X, when: delayed, start_in: foo}]}",
            &[
                "jobs:j:rules:rule start in should be a duration",
                "jobs:j:rules:rule start in should not exceed the limit",
            ],
        );
        check(
            "j: {script: x, rules: [{if: $X, start_in: 1 day}]}",
            &["jobs:j:rules:rule config contains disallowed keys: start_in"],
        );
        check(
            "j: {script: x, rules: [{if: $X, allow_failure: 1}]}",
            &["jobs:j:rules:rule allow failure should be a boolean value"],
        );
        check(
            "j: {script: x, rules: [{if: $X, interruptible: 1}]}",
            &["jobs:j:rules:rule interruptible should be a boolean value"],
        );
        check(
            "j: {script: x, rules: [{needs: 1}]}",
            &["jobs:j:rules:rule:needs config can only be a hash or an array"],
        );
        check(
            "j: {script: x, rules: [{variables: 1}]}",
            &["jobs:j:rules:rule:variables config should be a hash"],
        );
        check(
            "j: {script: x, rules: [{if: $X}], only: [main]}",
            &["jobs:j config key may not be used with `rules`: only"],
        );
        check(
            "j: {script: x, rules: [[[[[[[[[[[{when: never}]]]]]]]]]]]}",
            &["jobs:j rules should be an array containing hashes and arrays of hashes"],
        );
    }
}
