//! `release` (reference `config.md` §9.17).

use tidegate_yaml::{Node, Value};

use crate::typed::{Check, Faults, Place, is_blank, specified};

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
    if let Some(node) = specified(map, "released_at").filter(|node| !is_blank(node)) {
        let valid = matches!(&node.value, Value::Str(text) if is_datetime(text));
        check.ensure(valid, node.span, "released at must be a valid datetime");
    }
    if let Some(node) = specified(map, "ref").filter(|node| !is_blank(node)) {
        let valid = matches!(&node.value, Value::Str(text) if is_ref(text));
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

/// Whether the text begins as a date with an optional time, as ISO 8601 writes them.
fn is_datetime(text: &str) -> bool {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let numbers: Vec<Option<u32>> = date.split('-').map(|part| part.parse().ok()).collect();
    let date = matches!(numbers.as_slice(), [Some(_), Some(1..=12), Some(1..=31)]);
    date && time.is_none_or(is_time)
}

fn is_time(text: &str) -> bool {
    let text = text.trim_end_matches(['Z', 'z']);
    let clock = text.split(['+', '-', '.']).next().unwrap_or_default();
    let mut parts = clock.split(':').map(|part| part.trim().parse::<u32>().ok());
    let hour = parts.next().flatten().is_some_and(|hour| hour <= 24);
    hour && parts.all(|part| part.is_some_and(|part| part <= 60))
}

/// Whether git takes the text as the name of a ref or revision.
fn is_ref(text: &str) -> bool {
    let forbidden = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let bad = text.contains(forbidden)
        || text.contains("..")
        || text.contains("@{")
        || text.contains("//")
        || text.starts_with(['-', '/', '.'])
        || text.ends_with(['/', '.'])
        || text.ends_with(".lock");
    !bad
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
