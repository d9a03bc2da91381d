//! Rules as GitLab keeps them.

use serde_json::{Map, Value as Json, json};
use tidegate_yaml::{Node, Value};

use super::entries::{compact, listed, parallel, plain_variables};
use crate::json::to_json;
use crate::keyword::needs::need_nodes;
use crate::keyword::rules::rule_nodes;
use crate::typed::specified;

/// The rules, lists in lists made flat.
pub(super) fn rules(node: &Node) -> Json {
    rule_nodes(node).into_iter().map(rule).collect()
}

fn rule(node: &Node) -> Json {
    let mut rule = compact(node);
    let Some(map) = node.as_map() else {
        return Json::Object(rule);
    };
    for name in ["changes", "exists"] {
        if let Some(node) = specified(map, name) {
            rule.insert(name.to_owned(), paths(node));
        }
    }
    if let Some(node) = specified(map, "variables") {
        rule.insert("variables".to_owned(), plain_variables(node));
    }
    if let Some(node) = specified(map, "needs") {
        rule.insert("needs".to_owned(), needs(node));
    }
    Json::Object(rule)
}

fn paths(node: &Node) -> Json {
    match node.as_map() {
        Some(_) => {
            let mut map = compact(node);
            map.entry("paths").or_insert(json!([]));
            Json::Object(map)
        }
        None => json!({"paths": listed(node)}),
    }
}

fn needs(node: &Node) -> Json {
    let jobs: Vec<Json> = need_nodes(node).into_iter().map(need).collect();
    if jobs.is_empty() {
        return json!({});
    }
    json!({"job": jobs})
}

fn need(node: &Node) -> Json {
    let Some(map) = node.as_map() else {
        return json!({"name": to_json(&node.value), "artifacts": true, "optional": false});
    };
    let flag = |name, otherwise| match specified(map, name).map(|node| &node.value) {
        Some(Value::Bool(value)) => *value,
        _ => otherwise,
    };
    let mut need = Map::new();
    let name = map
        .get("job")
        .map_or(Json::Null, |node| to_json(&node.value));
    need.insert("name".to_owned(), name);
    need.insert("artifacts".to_owned(), json!(flag("artifacts", true)));
    need.insert("optional".to_owned(), json!(flag("optional", false)));
    if let Some(node) = specified(map, "parallel") {
        need.insert("parallel".to_owned(), parallel(node));
    }
    Json::Object(need)
}
