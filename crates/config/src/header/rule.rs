//! `rules` of an input: options and default that depend on other inputs (reference `config.md` §3.1, §3.3).

use std::collections::BTreeMap;

use tidegate_expr::{
    Environment, Expression, Value as Operand, Variables, evaluate_with, valid_for_config,
};
use tidegate_source::Span;
use tidegate_yaml::{Map, Node, Value};

use super::schema::Found;

const RULE_KEYS: [&str; 3] = ["if", "options", "default"];

/// Judges the shape of `rules`; `place` is the input's own.
pub(super) fn check(found: &mut Found, place: &str, rules: &Node) {
    let items = match &rules.value {
        Value::Null => return,
        Value::Seq(items) => items,
        _ => {
            let message = format!("{place}:rules config should be an array");
            found.add(rules.span, &message);
            return;
        }
    };
    for rule in items.iter() {
        check_rule(found, place, rule);
    }
}

/// The first rule whose condition holds for the inputs known so far; one without a condition always does.
pub(super) fn matched<'a>(rules: &'a [Node], known: &BTreeMap<String, Operand>) -> Option<&'a Map> {
    rules.iter().filter_map(Node::as_map).find(|rule| {
        let Some(condition) = rule.get("if").filter(|node| !node.is_null()) else {
            return true;
        };
        let text = condition.as_str().unwrap_or_default();
        let environment = Environment {
            variables: &Variables::default(),
            inputs: known,
        };
        Expression::parse(text)
            .and_then(|expression| evaluate_with(&expression, environment, &mut ()))
            .is_ok_and(|value| value.is_present())
    })
}

fn check_rule(found: &mut Found, place: &str, rule: &Node) {
    let mut add = |span: Span, text: &str| {
        let message = worded(&format!("{place}:rules:rule {text}").to_lowercase());
        found.add(span, &message);
    };
    let Some(map) = rule.as_map() else {
        add(rule.span, "config should be a hash");
        return;
    };
    if map.is_empty() {
        add(rule.span, "config can't be blank");
        return;
    }
    let unknown: Vec<_> = map
        .iter()
        .filter(|(key, _)| !key.as_str().is_some_and(|key| RULE_KEYS.contains(&key)))
        .collect();
    if let Some((first, _)) = unknown.first() {
        let names: Vec<_> = unknown
            .iter()
            .map(|(key, _)| crate::merge::key_text(key))
            .collect();
        let text = format!("config contains unknown keys: {}", names.join(", "));
        add(first.span, &text);
    }
    let given = |key: &str| map.get(key).filter(|node| !node.is_null());
    if let Some(condition) = given("if")
        && condition
            .as_str()
            .is_none_or(|text| valid_for_config(text).is_err())
    {
        add(condition.span, "if invalid expression syntax");
    }
    let default = given("default");
    let options = given("options");
    let listed = options.and_then(Node::as_seq);
    if options.is_some() && listed.is_none() {
        add(rule.span, "options should be an array");
    }
    if default.is_none() || listed.is_some_and(<[Node]>::is_empty) {
        let text = "config rule must define 'options' with at least one value and a 'default'";
        add(rule.span, text);
    } else if let (Some(default), Some(options)) = (default, listed)
        && !options
            .iter()
            .any(|option| option.value.eql(&default.value))
    {
        let shown = crate::ruby::to_s(&default.value, crate::ruby::Keys::Strings);
        let text = format!("config default '{shown}' must be one of the options");
        add(default.span, &text);
    }
}

/// GitLab rewrites these messages; its pattern takes an input's name to be ASCII letters, digits and underscores.
fn worded(message: &str) -> String {
    const MARK: &str = ":rules:rule";
    let Some(at) = message.find(MARK) else {
        return message.to_owned();
    };
    let before = message.get(..at).unwrap_or_default();
    let rest = message.get(at + MARK.len()..).unwrap_or_default();
    let stem = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let name = before.get(stem.len()..).unwrap_or_default();
    if name.is_empty() {
        return message.to_owned();
    }
    let stem = stem.strip_suffix("header:spec:inputs:").unwrap_or(stem);
    let rest = rest.strip_prefix(" config").unwrap_or(rest);
    format!("{stem}`{name}` input:{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::schema::problems;
    use crate::testing::map;

    fn check(rules: &str, expected: &[&str]) {
        let text = format!("{{spec: {{inputs: {{foo: {{rules: {rules}}}}}}}}}");
        let found: Vec<_> = problems(&map(&text))
            .into_iter()
            .map(|problem| problem.message)
            .collect();
        assert_eq!(found, expected, "{rules}");
    }

    #[test]
    fn good_rules_pass() {
        check("[]", &[]);
        check("[{default: x}]", &[]);
        check(
            "[{if: '$[[ inputs.a ]] == \"b\"', options: [p, q], default: p}]",
            &[],
        );
    }

    #[test]
    fn bad_rules_are_told_in_gitlabs_short_form() {
        check(
            "[{options: [a]}]",
            &["`foo` input: rule must define 'options' with at least one value and a 'default'"],
        );
        check(
            "[{if: 'a b', options: [a], default: a}]",
            &["`foo` input: if invalid expression syntax"],
        );
        check("[{}]", &["`foo` input: can't be blank"]);
        check(
            "[{foo: 1, default: a}]",
            &["`foo` input: contains unknown keys: foo"],
        );
        check(
            "[{options: [a], default: b}]",
            &["`foo` input: default 'b' must be one of the options"],
        );
        check(
            "x",
            &["header:spec:inputs:foo:rules config should be an array"],
        );
    }

    #[test]
    fn names_outside_ascii_words_are_rewritten_in_part_or_not_at_all() {
        let text = "header:spec:inputs:é:rules:rule if invalid expression syntax";
        assert_eq!(worded(text), text);
        assert_eq!(
            worded("header:spec:inputs:job-stage:rules:rule if invalid expression syntax"),
            "header:spec:inputs:job-`stage` input: if invalid expression syntax"
        );
    }

    #[test]
    fn the_first_rule_that_holds_decides() {
        let rules = map("{r: [{if: '$[[ inputs.env ]] == \"prod\"', default: p}, {default: z}]}");
        let rules = rules.get("r").and_then(Node::as_seq).unwrap();
        let default = |env: &str| {
            let known = BTreeMap::from([("env".to_owned(), Operand::text(env))]);
            let rule = matched(rules, &known).unwrap();
            rule.get("default")
                .and_then(Node::as_str)
                .unwrap()
                .to_owned()
        };
        assert_eq!(default("prod"), "p");
        assert_eq!(default("dev"), "z");
    }
}
