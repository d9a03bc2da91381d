//! The values of single keywords as GitLab keeps them.

use serde_json::{Map, Value as Json, json};
use tidegate_yaml::{Node, Value};

use crate::Job;
use crate::json::to_json;
use crate::keyword::cache::cache_nodes;
use crate::keyword::image::executor_options;
use crate::ruby::{Keys, to_s};
use crate::typed::{nested_texts, specified};

/// A map as JSON without its nulls.
pub(super) fn compact(node: &Node) -> Map<String, Json> {
    let mut map = Map::new();
    for (key, node) in node.as_map().into_iter().flatten() {
        if !node.is_null() {
            map.insert(to_s(&key.value, Keys::Symbols), to_json(&node.value));
        }
    }
    map
}

/// A list of commands made flat.
pub(super) fn commands(node: &Node) -> Json {
    let commands = nested_texts(node).unwrap_or_default();
    commands
        .iter()
        .map(|text| Json::from(&*text.value))
        .collect()
}

/// A value as a list of itself, lists as they are.
pub(super) fn listed(node: &Node) -> Json {
    match node.as_seq() {
        Some(_) => to_json(&node.value),
        None => Json::Array(vec![to_json(&node.value)]),
    }
}

/// The variables of a job with those of its matrix instance.
pub(super) fn variables(job: &Job) -> Json {
    let written = job.body.keyword("variables").and_then(Node::as_map);
    let mut all: Vec<(String, Json)> = Vec::new();
    for variable in job.body.variables.iter() {
        let mut attributes = json!({"key": &*variable.key, "value": &*variable.value});
        let expand = written
            .and_then(|map| map.get(&variable.key))
            .and_then(Node::as_map)
            .and_then(|map| specified(map, "expand"))
            .and_then(|node| node.value.as_bool());
        if let (Some(map), Some(expand)) = (attributes.as_object_mut(), expand) {
            map.insert("raw".to_owned(), Json::from(!expand));
        }
        all.push((variable.key.to_string(), attributes));
    }
    let matrix = job.instance.iter().flat_map(|instance| &instance.matrix);
    for variable in matrix {
        let attributes = json!({"key": &*variable.key, "value": &*variable.value});
        match all.iter_mut().find(|(key, _)| **key == *variable.key) {
            Some((_, known)) => *known = attributes,
            None => all.push((variable.key.to_string(), attributes)),
        }
    }
    all.into_iter().map(|(_, attributes)| attributes).collect()
}

/// The inputs of a job; the type is filled in.
pub(super) fn inputs(node: &Node) -> Json {
    let mut all = Map::new();
    for (key, node) in node.as_map().into_iter().flatten() {
        let mut input = compact(node);
        if let Some(default) = node.as_map().and_then(|map| map.get("default")) {
            input.insert("default".to_owned(), to_json(&default.value));
        }
        input.entry("type").or_insert(json!("string"));
        all.insert(to_s(&key.value, Keys::Symbols), Json::Object(input));
    }
    Json::Object(all)
}

/// The caches with GitLab's defaults.
pub(super) fn caches(node: &Node) -> Json {
    cache_nodes(node).into_iter().map(cache).collect()
}

fn cache(node: &Node) -> Json {
    if node.is_null() {
        return Json::Null;
    }
    let mut cache = compact(node);
    let key = node.as_map().and_then(|map| specified(map, "key"));
    let key = key.map_or(json!("default"), cache_key);
    cache.insert("key".to_owned(), key);
    for (name, value) in [
        ("unprotect", json!(false)),
        ("policy", json!("pull-push")),
        ("when", json!("on_success")),
        ("fallback_keys", json!([])),
    ] {
        cache.entry(name).or_insert(value);
    }
    Json::Object(cache)
}

fn cache_key(node: &Node) -> Json {
    if node.as_map().is_none() {
        return to_json(&node.value);
    }
    let mut key = compact(node);
    for name in ["files", "files_commits"] {
        for file in key
            .get_mut(name)
            .and_then(Json::as_array_mut)
            .into_iter()
            .flatten()
        {
            let stripped = file.as_str().and_then(|text| text.strip_prefix('/'));
            if let Some(text) = stripped.map(str::to_owned) {
                *file = Json::from(text);
            }
        }
    }
    Json::Object(key)
}

/// An image or service.
pub(super) fn image(node: &Node) -> Json {
    let Some(map) = node.as_map() else {
        return json!({"name": to_json(&node.value)});
    };
    let mut image = Map::new();
    for name in ["name", "entrypoint", "alias"] {
        if let Some(node) = specified(map, name) {
            image.insert(name.to_owned(), to_json(&node.value));
        }
    }
    if let Some(options) = executor_options(map) {
        image.insert("executor_opts".to_owned(), to_json(&options.value));
    }
    if let Some(node) = specified(map, "pull_policy") {
        image.insert("pull_policy".to_owned(), listed(node));
    }
    if let Some(node) = specified(map, "command") {
        image.insert("command".to_owned(), commands(node));
    }
    if let Some(node) = specified(map, "variables") {
        image.insert("variables".to_owned(), plain_variables(node));
    }
    Json::Object(image)
}

/// Variables whose values can only be scalars.
pub(super) fn plain_variables(node: &Node) -> Json {
    let mut all = Map::new();
    for (key, node) in node.as_map().into_iter().flatten() {
        let value = to_s(&node.value, Keys::Symbols);
        all.insert(to_s(&key.value, Keys::Symbols), Json::from(value));
    }
    Json::Object(all)
}

/// A matrix with all its values as lists of texts.
pub(super) fn parallel(node: &Node) -> Json {
    let text = |node: &Node| Json::from(to_s(&node.value, Keys::Symbols));
    let row = |node: &Node| {
        let mut row = Map::new();
        for (key, node) in node.as_map().into_iter().flatten() {
            let values = match &node.value {
                Value::Seq(items) => items.iter().map(text).collect(),
                _ => vec![text(node)],
            };
            row.insert(to_s(&key.value, Keys::Symbols), Json::Array(values));
        }
        Json::Object(row)
    };
    let matrix = node.as_map().and_then(|map| map.get("matrix"));
    let rows = matrix.and_then(Node::as_seq).unwrap_or_default();
    json!({"matrix": rows.iter().map(row).collect::<Vec<_>>()})
}
