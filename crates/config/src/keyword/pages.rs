//! `pages` and `publish` (reference `config.md` §9.13).

use tidegate_yaml::{Map, Node, Value};

use super::artifacts::expire_in;
use crate::typed::{Check, Faults, Place, is_blank, specified, string};

/// The folder published where none is named.
pub(crate) const DEFAULT_FOLDER: &str = "public";

/// Whether a job publishes pages.
pub(crate) fn is_pages_job(name: &str, map: &Map) -> bool {
    match map.get("pages") {
        Some(node) if !node.is_null() => {
            let off = matches!(node.value, Value::Bool(false));
            !is_blank(node) || name == "pages" && !off
        }
        _ => name == "pages",
    }
}

/// Checks `pages`.
pub(crate) fn pages(place: &Place<'_>, node: &Node, faults: &mut Faults) {
    let mut check = Check::new(place, node, faults);
    if node.as_map().is_none() && node.value.as_bool().is_none() {
        check.fault("config should be a hash or a boolean value");
    }
    check.known_keys(node, &["path_prefix", "expire_in", "publish"]);
    let Some(map) = node.as_map() else { return };
    check.string("path prefix", specified(map, "path_prefix"));
    if let Some(node) = specified(map, "expire_in") {
        let holds_variable = string(node).is_some_and(|text| names_variable(&text.value));
        if !holds_variable {
            expire_in(&mut check, node);
        }
    }
    check.string("publish", specified(map, "publish"));
}

fn names_variable(text: &str) -> bool {
    let starts = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '{';
    let dollars = text
        .split('$')
        .skip(1)
        .any(|after| after.starts_with(starts));
    dollars || text.matches('%').count() >= 2
}

/// The folder a pages job publishes.
pub(crate) fn published_folder(map: &Map) -> Option<crate::Text> {
    let pages = map.get("pages").and_then(Node::as_map);
    let own = pages.and_then(|pages| specified(pages, "publish"));
    let node = own.or_else(|| specified(map, "publish"));
    node.and_then(string)
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn pages_and_their_folder_are_checked() {
        check(
            "j: {script: x, publish: x}",
            &["jobs:j publish can only be used within a `pages` job"],
        );
        check(
            "j: {script: x, pages: 1}",
            &["jobs:j:pages config should be a hash or a boolean value"],
        );
        check(
            "j: {script: x, pages: foo}",
            &["jobs:j:pages config should be a hash or a boolean value"],
        );
        check(
            "j: {script: x, pages: {path_prefix: 1}}",
            &["jobs:j:pages path prefix should be a string"],
        );
        check(
            "j: {script: x, pages: {expire_in: foo}}",
            &["jobs:j:pages expire in should be a duration"],
        );
        check(
            "j: {script: x, pages: {publish: 1}}",
            &["jobs:j:pages publish should be a string"],
        );
    }
}
