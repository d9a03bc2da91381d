//! The merged configuration: as YAML, as JSON, and as a listing that says where every key came from.
//!
//! The YAML is that of GitLab's "full configuration" tab: hidden jobs and `extends` are in it, includes and defaults are not
//! (reference `config.md` §13). The listing shows in addition what jobs take from `default`.

mod origin;

use std::sync::Arc;

use serde_json::{Map as JsonMap, Number, Value as Json};
use tidegate_config::{Loaded, merged_yaml};
use tidegate_yaml::{Key, Map, Node, Value, ruby};

pub use origin::show_origin;

/// The merged configuration, or one entry of it, as GitLab's `merged_yaml`.
///
/// `job` is any top-level key; the name of one of several parallel jobs shows the job as written. `None` where the
/// configuration could not be loaded or has no such entry.
pub fn show_yaml(loaded: &Loaded, job: Option<&str>) -> Option<String> {
    merged_yaml(&selected(loaded, job)?)
}

/// The same as [`show_yaml`] as JSON, indented, with a line break at the end.
pub fn show_json(loaded: &Loaded, job: Option<&str>) -> Option<String> {
    let text = serde_json::to_string_pretty(&json_of_map(&selected(loaded, job)?));
    text.ok().map(|text| text + "\n")
}

/// The entries asked for.
fn selected(loaded: &Loaded, job: Option<&str>) -> Option<Map> {
    let merged = loaded.merged.as_ref()?;
    let Some(name) = job else {
        return Some(merged.clone());
    };
    let (key, node) = written_entry(loaded, merged, name)?;
    let mut one = Map::default();
    one.insert(key.clone(), node.clone());
    Some(one)
}

/// The entry called `name`, or the job that `name` is one parallel instance of.
fn written_entry<'a>(
    loaded: &'a Loaded,
    merged: &'a Map,
    name: &str,
) -> Option<(&'a Key, &'a Node)> {
    let find = |wanted: &str| {
        let mut entries = merged.iter();
        let found = entries.find(|(key, _)| *ruby::to_s(&key.value) == *wanted);
        found.map(|(key, node)| (key, node))
    };
    find(name).or_else(|| {
        let job = loaded.config.as_ref()?.jobs.get(name)?;
        find(&job.base)
    })
}

fn json_of_map(map: &Map) -> Json {
    let mut result = JsonMap::new();
    for (key, node) in map {
        result.insert(ruby::to_s(&key.value), json_of(node));
    }
    Json::Object(result)
}

fn json_of(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::from(*value),
        Value::Int(number) => Json::from(*number),
        Value::BigInt(digits) => match digits.parse::<Number>() {
            Ok(number) => Json::Number(number),
            Err(_) => Json::from(&**digits),
        },
        Value::Float(number) => match Number::from_f64(*number) {
            Some(number) => Json::Number(number),
            // JSON has no infinities.
            None => Json::from(ruby::to_s(&node.value)),
        },
        Value::Str(text) | Value::Symbol(text) => Json::from(&**text),
        Value::Seq(items) => Json::Array(items.iter().map(json_of).collect()),
        Value::Map(map) => json_of_map(map),
        Value::Reference(inner) => json_of(inner),
    }
}

/// A path one step longer.
fn below(path: &[Arc<str>], step: &str) -> Vec<Arc<str>> {
    let mut longer = path.to_vec();
    longer.push(step.into());
    longer
}

#[cfg(test)]
mod tests;
