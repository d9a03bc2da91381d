//! `inputs` of a job (reference `config.md` §9.18, §3.3).

use tidegate_expr::Pattern;
use tidegate_source::Span;
use tidegate_yaml::{Map, Node, Value};

use crate::ruby::{Keys, to_s};
use crate::typed::{Check, Faults, Place, specified};

const MOST: usize = 50;
const KEYS: [&str; 5] = ["default", "description", "options", "regex", "type"];
const TYPES: [&str; 4] = ["array", "boolean", "number", "string"];

/// Checks the inputs of a job as far as each stands for itself.
pub(crate) fn inputs(place: &Place<'_>, node: &Node, faults: &mut Faults) {
    let Some(map) = Check::new(place, node, faults).map(node) else {
        return;
    };
    for (key, node) in map {
        let name = to_s(&key.value, Keys::Symbols);
        input(&place.child(&name), node, faults);
    }
}

fn input(place: &Place<'_>, node: &Node, faults: &mut Faults) {
    let mut check = Check::new(place, node, faults);
    let Some(map) = check.map(node) else { return };
    check.known_keys(node, &KEYS);
    if let Some(node) = specified(map, "type") {
        let text = to_s(&node.value, Keys::Symbols);
        let known = TYPES.contains(&&*text);
        let message = format_args!("input type unknown value: {text}");
        check.ensure(known, node.span, message);
    }
    if let Some(node) = specified(map, "description") {
        let fits = matches!(
            node.value,
            Value::Str(_) | Value::Symbol(_) | Value::Int(_) | Value::BigInt(_)
        );
        let message = "input description must be an alphanumeric string";
        check.ensure(fits, node.span, message);
    }
    check.string("input regex", specified(map, "regex"));
    if let Some(node) = specified(map, "options") {
        let listed = node.as_seq().is_some();
        check.ensure(listed, node.span, "input options should be an array");
    }
    if !check.passed() {
        return;
    }
    if !map.contains("default") {
        check.fault("must have a default value");
    }
}

/// Checks the default values; the place is that of the job, as GitLab has it.
pub(crate) fn input_values(check: &mut Check<'_>, node: &Node) {
    let Some(map) = node.as_map() else { return };
    if map.len() > MOST {
        check.fault_at(node.span, "inputs has too many entries (maximum 50)");
    }
    for (key, node) in map {
        let name = to_s(&key.value, Keys::Symbols);
        if let Some((span, text)) = node.as_map().and_then(wrong_default) {
            check.fault_at(span, format_args!("inputs `{name}`: {text}"));
        }
    }
}

fn wrong_default(input: &Map) -> Option<(Span, String)> {
    let default = input.get("default")?;
    let kind = specified(input, "type")
        .and_then(Node::as_str)
        .unwrap_or("string");
    let wrong = |text: &str| Some((default.span, text.to_owned()));
    match (kind, &default.value) {
        ("number", Value::Int(_) | Value::BigInt(_) | Value::Float(_))
        | ("boolean", Value::Bool(_))
        | ("array", Value::Seq(_))
        | ("string", _) => {}
        ("number", _) => return wrong("default value is not a number"),
        ("boolean", _) => return wrong("default value is not a boolean"),
        _ => return wrong("default value is not an array"),
    }
    let text = to_s(&default.value, Keys::Symbols);
    if let Some(options) = specified(input, "options").and_then(Node::as_seq) {
        let listed = options
            .iter()
            .any(|option| to_s(&option.value, Keys::Symbols) == text);
        match kind {
            "string" if !listed => {
                return wrong(&format!(
                    "`{text}` cannot be used because it is not in the list of allowed options"
                ));
            }
            "number" if !listed => {
                return wrong(&format!(
                    "`{text}` cannot be used because it is not in the list of the allowed options"
                ));
            }
            "string" | "number" => {}
            _ => return wrong("Options can only be used with string and number inputs"),
        }
    }
    let regex = specified(input, "regex").and_then(Node::as_str)?;
    if kind != "string" {
        return wrong("RegEx validation can only be used with string inputs");
    }
    match Pattern::compile(regex, "") {
        Err(_) => wrong("invalid regular expression"),
        Ok(pattern) if !pattern.is_match(&text) => {
            wrong("default value does not match required RegEx pattern")
        }
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn default_values_must_fit() {
        check(
            "j: {script: x, inputs: 1}",
            &["jobs:j:inputs config should be a hash"],
        );
        check(
            "j: {script: x, inputs: {A: {}}}",
            &["jobs:j:inputs:a must have a default value"],
        );
        check(
            "j: {script: x, inputs: {A: {default: x, type: number}}}",
            &["jobs:j inputs `a`: default value is not a number"],
        );
        check(
            "j: {script: x, inputs: {A: {default: x, options: [y]}}}",
            &[
                "jobs:j inputs `a`: `x` cannot be used because it is not in the list of allowed options",
            ],
        );
        check(
            "j: {script: x, inputs: {A: {default: x, rules: []}}}",
            &["jobs:j:inputs:a config contains unknown keys: rules"],
        );
    }
}
