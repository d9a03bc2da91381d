//! `only`, `except` and the four keywords that combine as their names say
//! (reference `config.md` §9.12, `extensions.md` §3).

use std::sync::Arc;

use tidegate_expr::Pattern;
use tidegate_source::Span;
use tidegate_yaml::{Map, Node, Value};

use crate::ruby::{Keys, to_s};
use crate::typed::{Check, Context, Faults, Place, raw_fault, specified, text};
use crate::{Policy, PolicyKind, RefPattern, Text};

const REFS_TEXT: &str = "should be an array of strings or regular expressions using re2 syntax";

/// The policy of one of the six keywords.
pub(crate) fn policy(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    node: &Node,
    kind: PolicyKind,
    faults: &mut Faults,
) -> Option<Policy> {
    let mut policy = Policy {
        kind,
        span: node.span,
        refs: None,
        default_refs: false,
        variables: None,
        changes: None,
        kubernetes: false,
    };
    if node.as_seq().is_some() {
        let mut check = Check::new(place, node, faults);
        policy.refs = refs(cx, &mut check, "config", node);
        return check.passed().then_some(policy);
    }
    let Some(map) = node.as_map() else {
        let text = "has to be either an array of conditions or a hash";
        faults.push(raw_fault(place, node.span, text));
        return None;
    };
    let mut check = Check::new(place, node, faults);
    check.present("config", Some(node));
    check.known_keys(node, &["refs", "kubernetes", "variables", "changes"]);
    fields(cx, &mut check, map, &mut policy);
    if !check.passed() {
        return None;
    }
    let takes_default = matches!(kind, PolicyKind::Only | PolicyKind::OnlyAnd);
    if takes_default && !map.contains("refs") {
        policy.refs = Some(default_refs(cx));
        policy.default_refs = true;
    }
    Some(policy)
}

/// What a job without rules and `only` has.
pub(crate) fn default_policy(cx: &mut Context<'_>) -> Policy {
    Policy {
        kind: PolicyKind::Only,
        span: Span::NONE,
        refs: Some(default_refs(cx)),
        default_refs: true,
        variables: None,
        changes: None,
        kubernetes: false,
    }
}

fn default_refs(cx: &mut Context<'_>) -> Vec<RefPattern> {
    let words = ["branches", "tags"].into_iter();
    words
        .map(|word| ref_pattern(cx, Text::new(word.into(), Span::NONE)))
        .collect()
}

fn fields(cx: &mut Context<'_>, check: &mut Check<'_>, map: &Map, policy: &mut Policy) {
    let variables = specified(map, "variables");
    policy.variables = variables.and_then(|node| conditions(cx, check, node));
    if let Some(node) = specified(map, "refs") {
        policy.refs = refs(cx, check, "refs", node);
    }
    if let Some(node) = specified(map, "kubernetes") {
        let shown = to_s(&node.value, Keys::Symbols);
        policy.kubernetes = shown == "active";
        let text = format_args!("kubernetes unknown value: {shown}");
        check.ensure(policy.kubernetes, node.span, text);
    }
    check.strings("variables", variables);
    policy.changes = check.strings("changes", specified(map, "changes"));
}

fn conditions(
    cx: &mut Context<'_>,
    check: &mut Check<'_>,
    node: &Node,
) -> Option<Vec<(Text, Arc<tidegate_expr::Expression>)>> {
    let mut conditions = Vec::new();
    for item in node.as_seq()? {
        let Value::Str(text) = &item.value else {
            continue;
        };
        match cx.expression(text) {
            Some(expression) => {
                conditions.push((Text::new(text.clone(), item.span), expression));
            }
            None => check.fault_at(item.span, "variables invalid expression syntax"),
        }
    }
    Some(conditions)
}

fn refs(
    cx: &mut Context<'_>,
    check: &mut Check<'_>,
    name: &str,
    node: &Node,
) -> Option<Vec<RefPattern>> {
    let items = node.as_seq();
    let found = items.and_then(|items| {
        items
            .iter()
            .map(|item| {
                let pattern = ref_pattern(cx, text(item)?);
                let broken =
                    pattern.regex.is_none() && Pattern::looks_like_literal(&pattern.text.value);
                (!broken).then_some(pattern)
            })
            .collect::<Option<Vec<_>>>()
    });
    check.ensure(
        found.is_some(),
        node.span,
        format_args!("{name} {REFS_TEXT}"),
    );
    found
}

fn ref_pattern(cx: &mut Context<'_>, text: Text) -> RefPattern {
    let (pattern, project) = match text.value.split_once('@') {
        Some((pattern, project)) => (Arc::from(pattern), Some(Arc::from(project))),
        None => (text.value.clone(), None),
    };
    let regex = Pattern::looks_like_literal(&pattern)
        .then(|| cx.pattern(&pattern))
        .flatten();
    RefPattern {
        text,
        pattern,
        project,
        regex,
    }
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn refs_variables_and_kubernetes_are_checked() {
        check(
            "j: {script: x, only: [1]}",
            &[
                "jobs:j:only config should be an array of strings or regular expressions using re2 syntax",
            ],
        );
        check(
            "j: {script: x, only: {}}",
            &["jobs:j:only config can't be blank"],
        );
        check(
            "j: {script: x, only: {foo: 1}}",
            &["jobs:j:only config contains unknown keys: foo"],
        );
        check(
            "j: {script: x, only: {refs: foo}}",
            &[
                "jobs:j:only refs should be an array of strings or regular expressions using re2 syntax",
            ],
        );
        check(
            "j: {script: x, only: {refs: [1]}}",
            &[
                "jobs:j:only refs should be an array of strings or regular expressions using re2 syntax",
            ],
        );
        check(
            "j: {script: x, only: {kubernetes: true}}",
            &["jobs:j:only kubernetes unknown value: true"],
        );
        check(
            "j: {script: x, only: {variables: foo}}",
            &["jobs:j:only variables should be an array of strings"],
        );
        check(
            "j: {script: x, only: {variables: [foo]}}",
            &["jobs:j:only variables invalid expression syntax"],
        );
        check(
            "j: {script: x, except: 1}",
            &["jobs:j:except has to be either an array of conditions or a hash"],
        );
    }
}
