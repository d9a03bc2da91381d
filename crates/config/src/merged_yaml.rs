//! The merged configuration as GitLab's lint API shows it (reference `config.md` §13).

use std::sync::Arc;

use tidegate_source::Span;
use tidegate_yaml::{Key, Map, Node, Value, dump};

use crate::merge::key_text;

/// `merged_yaml`: hidden jobs, `extends` keys and edge stages are in it, includes and defaults are not.
///
/// GitLab shows the tree after validation, which leaves traces: `exit_codes`, `retry:when` and reports of jobs are lists
/// there even where a single value was written. `None` where the text would be larger than 2 GiB.
pub fn merged_yaml(merged: &Map) -> Option<String> {
    let mut result = Map::with_capacity(merged.len());
    for (key, node) in merged {
        let name = key_text(key);
        let node = match name.starts_with('.') {
            true => node.clone(),
            false => with_lists(node),
        };
        result.insert(Key::text(name, key.span), with_text_keys(&node));
    }
    dump(&Node::new(Value::Map(Arc::new(result)), Span::NONE))
}

/// Paths below a job whose value validation turns into a list.
const LISTS: [[&str; 2]; 3] = [
    ["allow_failure", "exit_codes"],
    ["retry", "when"],
    ["retry", "exit_codes"],
];

fn with_lists(job: &Node) -> Node {
    let Some(map) = job.as_map() else {
        return job.clone();
    };
    let mut map = map.clone();
    for [keyword, key] in LISTS {
        change(&mut map, keyword, |inner| change_value(inner, key, listed));
    }
    change(&mut map, "artifacts", |artifacts| {
        change(artifacts, "reports", |reports| {
            for node in reports.values_mut() {
                listed(node);
            }
        });
    });
    Node::new(Value::Map(Arc::new(map)), job.span)
}

fn change(map: &mut Map, key: &str, mut changed: impl FnMut(&mut Map)) {
    change_value(map, key, |node| {
        if let Value::Map(inner) = &mut node.value {
            changed(Arc::make_mut(inner));
        }
    });
}

fn change_value(map: &mut Map, key: &str, mut changed: impl FnMut(&mut Node)) {
    let Some((key, node)) = map.entry(key) else {
        return;
    };
    let (key, mut node) = (key.clone(), node.clone());
    changed(&mut node);
    map.insert(key, node);
}

fn listed(node: &mut Node) {
    if !matches!(node.value, Value::Null | Value::Seq(_) | Value::Map(_)) {
        node.value = Value::Seq([node.clone()].into());
    }
}

fn with_text_keys(node: &Node) -> Node {
    let value = match &node.value {
        Value::Map(map) => {
            let mut result = Map::with_capacity(map.len());
            for (key, value) in map.iter() {
                result.insert(Key::text(key_text(key), key.span), with_text_keys(value));
            }
            Value::Map(Arc::new(result))
        }
        Value::Seq(items) => Value::Seq(items.iter().map(with_text_keys).collect()),
        other => other.clone(),
    };
    Node::new(value, node.span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::map;

    #[test]
    fn validation_leaves_lists_in_visible_jobs_only() {
        let text = "{.h: {retry: {when: always}}, j: {retry: {when: always, exit_codes: [1]}, \
                    artifacts: {reports: {junit: x}}, variables: {1: a}}}";
        assert_eq!(
            merged_yaml(&map(text)).as_deref(),
            Some(
                "---\n\".h\":\n  retry:\n    when: always\nj:\n  retry:\n    when:\n    - always\n    \
                 exit_codes:\n    - 1\n  artifacts:\n    reports:\n      junit:\n      - x\n  \
                 variables:\n    '1': a\n"
            )
        );
    }
}
