//! What is left of `include` after loading, and `trigger:include` (reference `config.md` §4.1, §9.15).

use tidegate_yaml::{Map, Node, Value};

use super::duration;
use super::rules_files::{changes, exists};
use crate::ruby::{Keys, to_s};
use crate::typed::{Check, Context, Faults, Place, is_blank, specified};

const KEYS: [&str; 12] = [
    "local",
    "file",
    "remote",
    "project",
    "ref",
    "integrity",
    "cache",
    "template",
    "artifact",
    "inputs",
    "job",
    "rules",
];

/// Checks an `include`, a text or a list of at most `most` entries.
pub(crate) fn include(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    node: &Node,
    most: Option<usize>,
    faults: &mut Faults,
) {
    let mut check = Check::new(place, node, faults);
    if node.as_seq().is_none() && !matches!(node.value, Value::Str(_)) {
        check.fault("config should be an array or a string");
    }
    let items = match node.as_seq() {
        Some(items) => items,
        None => std::slice::from_ref(node),
    };
    if most.is_some_and(|most| items.len() > most) {
        let most = most.unwrap_or_default();
        check.fault(format_args!("config is too long (maximum is {most})"));
    }
    if !check.passed() {
        return;
    }
    let place = place.child("include");
    for item in items.iter().filter(|item| !item.is_null()) {
        entry(cx, &place, item, faults);
    }
}

fn entry(cx: &mut Context<'_>, place: &Place<'_>, node: &Node, faults: &mut Faults) {
    let mut check = Check::new(place, node, faults);
    if node.as_map().is_none() && !matches!(node.value, Value::Str(_)) {
        check.fault("config should be a hash or a string");
    }
    check.known_keys_except(node, &KEYS, &["component"]);
    let Some(map) = node.as_map() else { return };
    let blank = |key| specified(map, key).is_none_or(is_blank);
    if !blank("artifact") && blank("job") {
        check.fault("config must specify the job where to fetch the artifact from");
    }
    if !blank("project") && blank("file") {
        check.fault("config must specify the file where to fetch the config from");
    }
    integrity(&mut check, map);
    cache(&mut check, map);
    if let Some(node) = specified(map, "rules") {
        let maps = node
            .as_seq()
            .is_some_and(|items| items.iter().all(|item| item.as_map().is_some()));
        check.ensure(maps, node.span, "rules should be an array of hashes");
    }
    if !check.passed() {
        return;
    }
    if let Some(node) = specified(map, "rules") {
        include_rules(cx, place, node, faults);
    }
}

fn integrity(check: &mut Check<'_>, map: &Map) {
    let Some(node) = specified(map, "integrity").filter(|node| !is_blank(node)) else {
        return;
    };
    if specified(map, "remote").is_none_or(is_blank) {
        let text = "config integrity can only be specified for remote includes";
        check.fault_at(node.span, text);
    }
    let text = to_s(&node.value, Keys::Symbols);
    match text.strip_prefix("sha256-") {
        None => check.fault_at(node.span, "config integrity hash must start with 'sha256-'"),
        Some(hash) if !is_base64(hash) => {
            check.fault_at(node.span, "config integrity hash must be base64 encoded");
        }
        Some(_) => {}
    }
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    let letters = body
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
    letters && padding <= 2 && text.len().is_multiple_of(4)
}

fn cache(check: &mut Check<'_>, map: &Map) {
    let Some(node) = specified(map, "cache") else {
        return;
    };
    if specified(map, "remote").is_none_or(is_blank) {
        let text = "config cache can only be specified for remote includes";
        check.fault_at(node.span, text);
    }
    match &node.value {
        Value::Bool(_) => {}
        Value::Str(text) => match duration::parse(text) {
            None => check.fault_at(node.span, "config cache contains an invalid duration"),
            Some(seconds) if seconds.as_f64() < 60.0 => {
                let text = "config cache duration must be at least 1 minute";
                check.fault_at(node.span, text);
            }
            Some(_) => {}
        },
        _ => {
            let text = "config cache must be a boolean or a duration string";
            check.fault_at(node.span, text);
        }
    }
}

fn include_rules(cx: &mut Context<'_>, place: &Place<'_>, node: &Node, faults: &mut Faults) {
    let rules_place = place.child("rules");
    let mut check = Check::new(&rules_place, node, faults);
    check.present("config", Some(node));
    if !check.passed() {
        return;
    }
    let place = rules_place.child("rule");
    for item in node.as_seq().unwrap_or_default() {
        include_rule(cx, &place, item, faults);
    }
}

fn include_rule(cx: &mut Context<'_>, place: &Place<'_>, node: &Node, faults: &mut Faults) {
    let mut check = Check::new(place, node, faults);
    check.present("config", Some(node));
    check.known_keys(node, &["if", "exists", "when", "changes"]);
    let Some(map) = node.as_map() else { return };
    if let Some(node) = specified(map, "if") {
        let valid = match &node.value {
            Value::Str(text) => cx.expression(text).is_some(),
            _ => false,
        };
        check.ensure(valid, node.span, "if invalid expression syntax");
    }
    if let Some(node) = specified(map, "when") {
        let text = to_s(&node.value, Keys::Symbols);
        let known = matches!(&*text, "never" | "always");
        check.ensure(known, node.span, format_args!("when unknown value: {text}"));
    }
    if !check.passed() {
        return;
    }
    if let Some(node) = specified(map, "changes") {
        changes(cx, place, node, faults);
    }
    if let Some(node) = specified(map, "exists") {
        exists(cx, place, node, faults);
    }
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn what_a_trigger_includes_is_checked() {
        check(
            "j: {trigger: {include: {local: x}}}",
            &["jobs:j:trigger:include config should be an array or a string"],
        );
        check(
            "j: {trigger: {include: [{foo: 1}]}}",
            &["jobs:j:trigger:include:include config contains unknown keys: foo"],
        );
        check(
            "j: {trigger: {include: [1]}}",
            &["jobs:j:trigger:include:include config should be a hash or a string"],
        );
        check(
            "j: {trigger: {include: [{project: a/b}]}}",
            &[
                "jobs:j:trigger:include:include config must specify the file where to fetch the config from",
            ],
        );
    }
}
