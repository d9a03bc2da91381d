//! The types and values of scalars, as GitLab 18.11 showed them in variables, scripts and the names of keys.

use serde_json::Value as Json;
use tidegate_source::FileId;
use tidegate_yaml::ruby::to_s;
use tidegate_yaml::{Limits, Node, load};

#[test]
fn values_and_keys_are_typed_as_gitlab_types_them() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for line in include_str!("../data/scalars.jsonl").split('\n') {
        if line.is_empty() {
            continue;
        }
        let case: Json = serde_json::from_str(line).expect("the data is JSON lines");
        if let Err(difference) = check(&case) {
            wrong.push(format!("{}: {difference}", case["yaml"]));
        }
        seen += 1;
    }
    assert!(seen > 200, "only {seen} cases");
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn check(case: &Json) -> Result<(), String> {
    let yaml = case["yaml"].as_str().unwrap_or_default();
    let loaded = load(yaml.as_bytes(), FileId(0), &Limits::default());
    let root = loaded.map_err(|error| error.to_string())?.content;
    if let Some(key) = case["key"].as_str() {
        return has_odd_key(&root, key);
    }
    if let Some(key) = case["variable"].as_str() {
        return has_odd_key(at(&root, &["j", "variables"])?, key);
    }
    if let Some(expected) = case["to_s"].as_str() {
        let got = to_s(&at(&root, &["j", "variables", "A"])?.value);
        return same(&got, expected);
    }
    let script = at(&root, &["j", "script"])?;
    let lines: Vec<&str> = match script.as_seq() {
        Some(items) => items.iter().filter_map(Node::as_str).collect(),
        None => script.as_str().into_iter().collect(),
    };
    let expected = case["script"].as_array().ok_or("no expectation")?;
    let expected: Vec<&str> = expected.iter().filter_map(Json::as_str).collect();
    same(&format!("{lines:?}"), &format!("{expected:?}"))
}

fn at<'n>(node: &'n Node, path: &[&str]) -> Result<&'n Node, String> {
    path.iter().try_fold(node, |node, key| {
        let found = node.as_map().and_then(|map| map.get(key));
        found.ok_or_else(|| format!("no {key}"))
    })
}

/// Whether there is a key that prints as `key`; the messages it was taken from are in lower case.
fn has_odd_key(node: &Node, key: &str) -> Result<(), String> {
    let map = node.as_map().ok_or("no mapping")?;
    let keys: Vec<String> = map.iter().map(|(key, _)| to_s(&key.value)).collect();
    let found = keys.iter().any(|name| name.eq_ignore_ascii_case(key));
    found.then_some(()).ok_or(format!("no {key:?} in {keys:?}"))
}

fn same(got: &str, expected: &str) -> Result<(), String> {
    (got == expected)
        .then_some(())
        .ok_or(format!("GitLab has {expected}, here {got}"))
}
