//! `inputs` of a job (reference `config.md` §9.18, §3.3).

use tidegate_yaml::{Node, Value};

use crate::header::input::default_problems;
use crate::ruby::{Keys, to_s};
use crate::typed::{Check, Context, Faults, Place, specified};

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

/// Checks the default values as those of a header; the place is that of the job, as GitLab has it.
pub(crate) fn input_values(cx: &Context<'_>, check: &mut Check<'_>, node: &Node) {
    let Some(map) = node.as_map() else { return };
    if map.len() > MOST {
        check.fault_at(node.span, "inputs has too many entries (maximum 50)");
    }
    for (key, node) in map {
        let name = to_s(&key.value, Keys::Symbols).into();
        for problem in default_problems(&name, node, cx.gitlab_version()) {
            let text = problem.message.replacen("` input: ", "`: ", 1);
            let span = problem.primary().unwrap_or(node.span);
            check.fault_at(span, format_args!("inputs {text}"));
        }
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
            "j: {script: x, inputs: {A: {default: x, type: number, options: [1], regex: y}}}",
            &[
                "jobs:j inputs `a`: default value is not a number",
                "jobs:j inputs `a`: `x` cannot be used because it is not in the list of the allowed options",
                "jobs:j inputs `a`: regex validation can only be used with string inputs",
            ],
        );
        check(
            "j: {script: x, inputs: {A: {default: '5', type: number}}}",
            &[],
        );
        check(
            "j: {script: x, inputs: {A: {default: x, rules: []}}}",
            &["jobs:j:inputs:a config contains unknown keys: rules"],
        );
    }
}
