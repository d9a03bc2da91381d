//! `release` (reference `config.md` §9.17).

mod datetime;

use tidegate_yaml::{Node, Value};

use crate::typed::{Check, Faults, Place, specified};
use datetime::is_datetime;

const KEYS: [&str; 8] = [
    "tag_name",
    "tag_message",
    "name",
    "description",
    "ref",
    "released_at",
    "milestones",
    "assets",
];

/// Checks a release.
pub(crate) fn release(place: &Place<'_>, node: &Node, faults: &mut Faults) {
    let mut check = Check::new(place, node, faults);
    // GitLab stumbles over other types; this is the text of its other entries.
    let Some(map) = check.map(node) else { return };
    check.known_keys(node, &KEYS);
    check.required_string("tag name", specified(map, "tag_name"));
    check.required_string("description", specified(map, "description"));
    check.string("tag message", specified(map, "tag_message"));
    check.strings_or_string("milestones", specified(map, "milestones"));
    // GitLab passes over null and `false` here, but not over an empty text.
    let said =
        |key: &str| specified(map, key).filter(|node| !matches!(node.value, Value::Bool(false)));
    if let Some(node) = said("released_at") {
        let valid = node.as_str().is_some_and(is_datetime);
        check.ensure(valid, node.span, "released at must be a valid datetime");
    }
    if let Some(node) = said("ref") {
        let valid = node.as_str().is_some_and(is_ref);
        check.ensure(valid, node.span, "ref must be a valid ref");
    }
    if !check.passed() {
        return;
    }
    if let Some(node) = specified(map, "assets") {
        assets(&place.child("assets"), node, faults);
    }
}

fn assets(place: &Place<'_>, node: &Node, faults: &mut Faults) {
    let mut check = Check::new(place, node, faults);
    check.map(node);
    check.known_keys(node, &["links"]);
    let links = node.as_map().and_then(|map| specified(map, "links"));
    let span = links.map_or(node.span, |links| links.span);
    let maps = links
        .and_then(Node::as_seq)
        .is_some_and(|items| items.iter().all(|item| item.as_map().is_some()));
    check.ensure(maps, span, "links should be an array of hashes");
    check.present("links", links);
}

/// Whether git takes the text as the name of a branch or tag; full names and `HEAD` are none to GitLab.
fn is_ref(text: &str) -> bool {
    let forbidden = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    let is_part =
        |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    let full = ["refs/heads/", "refs/remotes/", "refs/tags", "-"];
    let bad = text == "HEAD"
        || full.iter().any(|start| text.starts_with(start))
        || text.contains(forbidden)
        || text.contains("..")
        || text.contains("@{")
        || text.ends_with('.');
    !bad && text.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn tags_descriptions_and_assets_are_checked() {
        check(
            "j: {script: x, release: {}}",
            &[
                "jobs:j:release tag name should be a string",
                "jobs:j:release tag name can't be blank",
                "jobs:j:release description should be a string",
                "jobs:j:release description can't be blank",
            ],
        );
        check(
            "j: {script: x, release: {tag_name: a}}",
            &[
                "jobs:j:release description should be a string",
                "jobs:j:release description can't be blank",
            ],
        );
        check(
            "j: {script: x, release: {tag_name: 1, description: 1}}",
            &[
                "jobs:j:release tag name should be a string",
                "jobs:j:release description should be a string",
            ],
        );
        check(
            "j: {script: x, release: {tag_name: a, description: b, foo: 1}}",
            &["jobs:j:release config contains unknown keys: foo"],
        );
        check(
            "j: {script: x, release: {tag_name: a, description: b, tag_message: 1}}",
            &["jobs:j:release tag message should be a string"],
        );
        check(
            "j: {script: x, release: {tag_name: a, description: b, released_at: foo}}",
            &["jobs:j:release released at must be a valid datetime"],
        );
        for (key, value, message) in [
            ("released_at", "''", "released at must be a valid datetime"),
            ("ref", "''", "ref must be a valid ref"),
            ("ref", "a..b", "ref must be a valid ref"),
            ("ref", "HEAD", "ref must be a valid ref"),
            ("ref", "refs/heads/a", "ref must be a valid ref"),
            ("ref", "a/.b", "ref must be a valid ref"),
        ] {
            check(
                &format!(
                    "j: {{script: x, release: {{tag_name: a, description: b, {key}: {value}}}}}"
                ),
                &[&format!("jobs:j:release {message}")],
            );
        }
        check(
            "j: {script: x, release: {tag_name: a, description: b, ref: $X/é, released_at: false}}",
            &[],
        );
        check(
            "j: {script: x, release: {tag_name: a, description: b, assets: 1}}",
            &[
                "jobs:j:release:assets config should be a hash",
                "jobs:j:release:assets links should be an array of hashes",
                "jobs:j:release:assets links can't be blank",
            ],
        );
        check(
            "j: {script: x, release: {tag_name: a, description: b, assets: {}}}",
            &[
                "jobs:j:release:assets links should be an array of hashes",
                "jobs:j:release:assets links can't be blank",
            ],
        );
        check(
            "j: {script: x, release: {tag_name: a, description: b, assets: {foo: 1}}}",
            &[
                "jobs:j:release:assets config contains unknown keys: foo",
                "jobs:j:release:assets links should be an array of hashes",
                "jobs:j:release:assets links can't be blank",
            ],
        );
        check(
            "j: {script: x, release: {tag_name: a, description: b, assets: {links: 1}}}",
            &["jobs:j:release:assets links should be an array of hashes"],
        );
    }
}
