//! Overlays: Tidegate's own keys kept where GitLab does not look (reference `extensions.md` §0.1, §0.2).
//!
//! An overlay is `{jobs: {NAME: {…}}}`, the value of the hidden top-level key `.tidegate` or the content of
//! `.gitlab-ci.tidegate.yml`. It is laid over the jobs after includes, `extends` and `!reference`.

use std::sync::Arc;

use tidegate_source::Diagnostic;
use tidegate_yaml::{Key, Map, Node, Value};

use crate::nearest::nearest;
use crate::ruby::{Keys, to_s};

/// The hidden key an overlay stands under in a file GitLab reads.
pub(crate) const KEY: &str = ".tidegate";

/// Name of the file that holds an overlay of its own.
pub const FILE: &str = ".gitlab-ci.tidegate.yml";

/// Lays `overlay` over `merged`: maps are merged, other values replaced, null removes. Gives what is wrong with it.
pub(crate) fn apply(merged: &mut Map, overlay: &Map) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for (key, node) in overlay {
        match (key.as_str(), node.as_map()) {
            (Some("jobs"), Some(jobs)) => {
                for (key, node) in jobs {
                    faults.extend(apply_job(merged, key, node));
                }
            }
            (Some("jobs"), None) => faults.push(wrong(node, "overlay jobs should be a hash")),
            _ => {
                let name = to_s(&key.value, Keys::Symbols);
                let text = format!("overlay contains unknown keys: {name}");
                faults.push(Diagnostic::error("overlay", text).at(key.span));
            }
        }
    }
    faults
}

fn apply_job(merged: &mut Map, key: &Key, node: &Node) -> Option<Diagnostic> {
    let name = to_s(&key.value, Keys::Symbols);
    let Some(keys) = node.as_map() else {
        return Some(wrong(node, &format!("overlay of {name} should be a hash")));
    };
    let Some((known, job)) = merged.entry(&name) else {
        let text = format!("overlay names a job that does not exist: {name}");
        let diagnostic = Diagnostic::error("overlay", text).at(key.span);
        let names = merged.iter().filter_map(|(key, _)| key.as_str());
        return Some(match nearest(&name, names) {
            Some(near) => diagnostic.suggest(format!("did you mean `{near}`?"), key.span, near),
            None => diagnostic,
        });
    };
    let (known, job) = (known.clone(), job.clone());
    let Some(own) = job.as_map() else {
        return Some(wrong(
            node,
            &format!("overlay of {name}: {name} is not a hash"),
        ));
    };
    let laid = laid(own, keys);
    merged.insert(known, Node::new(Value::Map(Arc::new(laid)), job.span));
    None
}

fn laid(own: &Map, over: &Map) -> Map {
    let mut result = own.clone();
    for (key, node) in over {
        let below = key.as_str().and_then(|name| result.get(name));
        let value = match (below.and_then(Node::as_map), node.as_map()) {
            (Some(own), Some(over)) => Node::new(Value::Map(Arc::new(laid(own, over))), node.span),
            _ => node.clone(),
        };
        match key.as_str().filter(|_| node.is_null()) {
            Some(name) => {
                result.remove(name);
            }
            None => result.insert(key.clone(), value),
        }
    }
    result
}

fn wrong(node: &Node, text: &str) -> Diagnostic {
    Diagnostic::error("overlay", text).at(node.span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{map, text_of};

    fn check(merged: &str, overlay: &str, expected: &str, faults: &[&str]) {
        let mut merged = map(merged);
        let found = apply(&mut merged, &map(overlay));
        assert_eq!(text_of(&merged), expected, "{overlay}");
        let found: Vec<_> = found.iter().map(|fault| fault.message.as_str()).collect();
        assert_eq!(found, faults, "{overlay}");
    }

    #[test]
    fn maps_merge_lists_replace_and_null_removes() {
        check(
            "{a: {script: [x], cache: {key: k, paths: [p]}, only: [main]}}",
            "{jobs: {a: {script: [y, z], cache: {on_miss: fail}, only: null}}}",
            "{a: {script: [y, z], cache: {key: k, paths: [p], on_miss: fail}}}",
            &[],
        );
    }

    #[test]
    fn jobs_must_exist_and_be_maps() {
        check(
            "{build: {script: x}}",
            "{jobs: {biuld: {x: 1}}, more: 1}",
            "{build: {script: x}}",
            &[
                "overlay names a job that does not exist: biuld",
                "overlay contains unknown keys: more",
            ],
        );
        let faults = ["overlay of a should be a hash"];
        check("{a: {b: 1}}", "{jobs: {a: 1}}", "{a: {b: 1}}", &faults);
    }
}
