//! `variables` of all places (reference `config.md` §9.8).

use std::sync::Arc;

use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::{Key, Map, Node, Value};

use crate::VariableDefinition;
use crate::ruby::{Keys, to_s};
use crate::typed::{
    Check, Faults, INVALID, Place, is_blank_key, key_text, specified, texts, values,
};

/// Where variables stand decides what a definition may say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// Top level: `value`, `description`, `expand`, `options`.
    Root,
    /// In a job: `value`, `expand`.
    Job,
    /// In rules and services: no maps and no nulls.
    Plain,
}

impl Form {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Form::Root => &["value", "description", "expand", "options"],
            Form::Job => &["value", "expand"],
            Form::Plain => &[],
        }
    }
}

/// Variables that may only be scalars.
pub(crate) fn plain_variables(
    place: &Place<'_>,
    node: &Node,
    faults: &mut Faults,
) -> Vec<VariableDefinition> {
    variables(Form::Plain, place, node, faults)
}

/// The variables of a map.
pub(crate) fn variables(
    form: Form,
    place: &Place<'_>,
    node: &Node,
    faults: &mut Faults,
) -> Vec<VariableDefinition> {
    let Some(map) = Check::new(place, node, faults).map(node) else {
        return Vec::new();
    };
    let mut variables = Vec::with_capacity(map.len());
    for (key, node) in map {
        variables.extend(variable(form, place, key, node, faults));
    }
    variables
}

fn variable(
    form: Form,
    place: &Place<'_>,
    key: &Key,
    node: &Node,
    faults: &mut Faults,
) -> Option<VariableDefinition> {
    let name: Arc<str> = match &key.value {
        Value::Str(name) => name.clone(),
        other => to_s(other, Keys::Symbols).into(),
    };
    let alphanumeric = matches!(key.value, Value::Str(_) | Value::Int(_) | Value::BigInt(_));
    let simple = is_scalar(node);
    if !simple && node.as_map().is_none() && !node.is_null() {
        let text = "variable definition must be either a string or a hash";
        faults.push(Diagnostic::error(INVALID, text).at(node.span));
        return None;
    }
    let shown = match (is_blank_key(key), simple) {
        (false, _) => key_text(key),
        (true, true) => "simple variable".into(),
        (true, false) => "complex variable".into(),
    };
    let place = place.child(&shown);
    let mut check = Check::new(&place, node, faults);
    check.ensure(alphanumeric, key.span, "key must be an alphanumeric string");
    let mut found = VariableDefinition {
        key: name,
        value: match simple {
            true => scalar_text(&node.value),
            false => "".into(),
        },
        raw: false,
        span: key.span.to(node.span),
        prompt: None,
    };
    if !simple {
        complex(form, &mut check, node, &mut found);
    }
    check.passed().then_some(found)
}

fn complex(form: Form, check: &mut Check<'_>, node: &Node, found: &mut VariableDefinition) {
    let keys = form.keys();
    if keys.is_empty() {
        check.fault("config must be a string");
        return;
    }
    let Some(map) = node.as_map() else { return };
    let unknown = map
        .iter()
        .filter(|(key, _)| !key.as_str().is_some_and(|key| keys.contains(&key)));
    let unknown: Vec<_> = unknown.map(|(key, _)| key).collect();
    if let Some(first) = unknown.first() {
        let names: Vec<_> = unknown
            .iter()
            .map(|key| to_s(&key.value, Keys::Symbols))
            .collect();
        let list = names.join(", ");
        check.fault_at(
            first.span,
            format_args!("config uses invalid data keys: {list}"),
        );
    }
    complex_fields(check, map, found);
}

fn complex_fields(check: &mut Check<'_>, map: &Map, found: &mut VariableDefinition) {
    if let Some(node) = map.get("value").filter(|node| !node.is_null()) {
        check.ensure(is_scalar(node), node.span, "config value must be a scalar");
        found.value = scalar_text(&node.value);
    }
    if let Some(node) = specified(map, "description") {
        let fits = matches!(
            node.value,
            Value::Str(_) | Value::Symbol(_) | Value::Int(_) | Value::BigInt(_)
        );
        let text = "config description must be an alphanumeric string";
        check.ensure(fits, node.span, text);
        let prompt = found.prompt.get_or_insert_default();
        prompt.description = Some(to_s(&node.value, Keys::Symbols).into());
    }
    found.raw = check.boolean("config expand", specified(map, "expand")) == Some(false);
    options(check, map, found);
}

fn options(check: &mut Check<'_>, map: &Map, found: &mut VariableDefinition) {
    let Some(node) = specified(map, "options") else {
        return;
    };
    let options = texts(node);
    let text = "config options should be an array of strings";
    check.ensure(options.is_some(), node.span, text);
    let options = values(options.unwrap_or_default());
    let value = map.get("value").map_or(Span::NONE, |node| node.span);
    let items = node.as_seq().unwrap_or_default();
    let same = |item: &Node| matches!(&item.value, Value::Str(text) if *text == found.value);
    let listed = items.is_empty() || items.iter().any(same) && map.contains("value");
    check.ensure(listed, value, "config value must be present in options");
    found.prompt.get_or_insert_default().options = options;
}

fn is_scalar(node: &Node) -> bool {
    !matches!(
        node.value,
        Value::Null | Value::Seq(_) | Value::Map(_) | Value::Reference(_)
    )
}

fn scalar_text(value: &Value) -> Arc<str> {
    match value {
        Value::Str(text) => text.clone(),
        other => to_s(other, Keys::Symbols).into(),
    }
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn definitions_are_checked_by_place() {
        check(
            "variables: [a]\na: {script: x}",
            &["variables config should be a hash"],
        );
        check(
            "variables: {A: [1]}\na: {script: x}",
            &["variable definition must be either a string or a hash"],
        );
        check(
            "variables: {A: {value: a, options: [b]}}\na: {script: x}",
            &["variables:a config value must be present in options"],
        );
        check(
            "variables: {A: {options: [b]}}\na: {script: x}",
            &["variables:a config value must be present in options"],
        );
        check(
            "variables: {A: {value: a, options: a}}\na: {script: x}",
            &["variables:a config options should be an array of strings"],
        );
        check(
            "variables: {A: {value: a, description: []}}\na: {script: x}",
            &["variables:a config description must be an alphanumeric string"],
        );
        check(
            "a: {script: x, variables: {A: {value: a, description: b}}}",
            &["jobs:a:variables:a config uses invalid data keys: description"],
        );
        check(
            "a: {script: x, variables: {A: {value: a, options: [a]}}}",
            &["jobs:a:variables:a config uses invalid data keys: options"],
        );
        check(
            "a: {script: x, rules: [{when: always, variables: {A: {value: a}}}]}",
            &["jobs:a:rules:rule:variables:a config must be a string"],
        );
    }
}
