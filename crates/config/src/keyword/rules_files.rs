//! `rules:changes` and `rules:exists` (reference `config.md` §9.11, §15).

use tidegate_yaml::{Map, Node, Value};

use crate::typed::{Check, Context, Faults, Place, raw_fault, specified, string, texts};
use crate::{Changes, Exists, Text};

const MOST: usize = 50;
/// The version that knows `regexp`.
const REGEXP: (u16, u16) = (19, 2);

/// `changes`: a list of patterns or a map.
pub(crate) fn changes(
    cx: &mut Context<'_>,
    parent: &Place<'_>,
    node: &Node,
    faults: &mut Faults,
) -> Option<Changes> {
    let place = parent.child("changes");
    let mut found = Changes {
        span: node.span,
        paths: Vec::new(),
        compare_to: None,
        regexp: None,
    };
    if node.as_seq().is_some() {
        found.paths = simple(&place, node, faults)?;
        return Some(found);
    }
    let Some(map) = node.as_map() else {
        let text = "should be an array or a hash";
        faults.push(raw_fault(&place, node.span, text));
        return None;
    };
    let mut check = Check::new(&place, node, faults);
    let newer = cx.is_at_least(REGEXP);
    let known: &[&str] = if newer {
        &["paths", "compare_to", "regexp"]
    } else {
        &["paths", "compare_to"]
    };
    cx.known_keys(&mut check, node, known, &["since"]);
    if cx.has_extensions() {
        check.later_keys(node, &["since"]);
    }
    (found.paths, found.regexp) = paths_or_regexp(&mut check, map, node, newer, true);
    found.compare_to = check.string("compare to", specified(map, "compare_to"));
    check.passed().then_some(found)
}

/// `exists`: a pattern, a list of patterns or a map.
pub(crate) fn exists(
    cx: &mut Context<'_>,
    parent: &Place<'_>,
    node: &Node,
    faults: &mut Faults,
) -> Option<Exists> {
    let place = parent.child("exists");
    let mut found = Exists {
        span: node.span,
        paths: Vec::new(),
        project: None,
        reference: None,
        regexp: None,
    };
    if node.as_seq().is_some() || matches!(node.value, Value::Str(_)) {
        found.paths = simple(&place, node, faults)?;
        return Some(found);
    }
    let Some(map) = node.as_map() else {
        let text = "should be a string, an array of strings, or a hash";
        faults.push(raw_fault(&place, node.span, text));
        return None;
    };
    if map.is_empty() {
        // GitLab takes an empty map for an empty list.
        return Some(found);
    }
    let mut check = Check::new(&place, node, faults);
    let newer = cx.is_at_least(REGEXP);
    let known: &[&str] = if newer {
        &["paths", "project", "ref", "regexp"]
    } else {
        &["paths", "project", "ref"]
    };
    check.known_keys(node, known);
    (found.paths, found.regexp) = paths_or_regexp(&mut check, map, node, newer, false);
    if map.contains("ref") {
        check.required_keys(node, &["project"]);
    }
    found.project = check.string("project", specified(map, "project"));
    found.reference = check.string("ref", specified(map, "ref"));
    check.passed().then_some(found)
}

fn simple(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Vec<Text>> {
    let mut check = Check::new(place, node, faults);
    if let Some(text) = string(node) {
        // GitLab measures a lone text in characters.
        let length = text.value.chars().count();
        let message = "config has too many entries (maximum 50)";
        check.ensure(length <= MOST, node.span, message);
        return check.passed().then(|| vec![text]);
    }
    let paths = check.strings("config", Some(node));
    let count = node.as_seq().map_or(0, <[Node]>::len);
    let message = "config has too many entries (maximum 50)";
    check.ensure(count <= MOST, node.span, message);
    paths.filter(|_| check.passed())
}

fn paths_or_regexp(
    check: &mut Check<'_>,
    map: &Map,
    node: &Node,
    newer: bool,
    needs_list: bool,
) -> (Vec<Text>, Option<Text>) {
    if newer && map.contains("regexp") {
        check.exactly_one_key(map, &["paths", "regexp"]);
        let regexp = check.string("regexp", specified(map, "regexp"));
        if let Some(text) = &regexp {
            let long = text.value.chars().count() > 255;
            let message = "regexp is too long (maximum is 255 characters)";
            check.ensure(!long, text.span, message);
        }
        return (Vec::new(), regexp);
    }
    if newer {
        check.exactly_one_key(map, &["paths", "regexp"]);
    } else {
        check.required_keys(node, &["paths"]);
    }
    let paths = specified(map, "paths");
    if paths.is_none() && !needs_list {
        return (Vec::new(), None);
    }
    let listed = paths.and_then(texts);
    let span = paths.map_or(node.span, |node| node.span);
    check.ensure(
        listed.is_some(),
        span,
        "paths should be an array of strings",
    );
    let count = match paths.map(|node| &node.value) {
        Some(Value::Seq(items)) => items.len(),
        Some(Value::Str(text)) => text.chars().count(),
        Some(Value::Map(map)) => map.len(),
        // GitLab finds nothing too long as well.
        None => MOST + 1,
        Some(_) => 0,
    };
    check.ensure(
        count <= MOST,
        span,
        "paths has too many entries (maximum 50)",
    );
    (listed.unwrap_or_default(), None)
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn lists_of_paths_are_checked() {
        check(
            "j: {script: x, rules: [{changes: 1}]}",
            &["jobs:j:rules:rule:changes should be an array or a hash"],
        );
        check(
            "j: {script: x, rules: [{changes: a}]}",
            &["jobs:j:rules:rule:changes should be an array or a hash"],
        );
        check(
            "j: {script: x, rules: [{changes: {paths: [a], compare_to: 1}}]}",
            &["jobs:j:rules:rule:changes compare to should be a string"],
        );
        check(
            "j: {script: x, rules: [{exists: 1}]}",
            &["jobs:j:rules:rule:exists should be a string, an array of strings, or a hash"],
        );
        check(
            "j: {script: x, rules: [{exists: [1]}]}",
            &["jobs:j:rules:rule:exists config should be an array of strings"],
        );
        check(
            "j: {script: x, rules: [{exists: {paths: [a], ref: b}}]}",
            &["jobs:j:rules:rule:exists config missing required keys: project"],
        );
        check(
            "j: {script: x, rules: [{exists: {paths: [a], project: 1}}]}",
            &["jobs:j:rules:rule:exists project should be a string"],
        );
    }
}
