//! Reads corpus files with the parser under test.

use std::path::Path;

use serde_json::{Map, Number, Value as Json};
use tidegate_source::FileId;
use tidegate_yaml::{Limits, Value, load};

/// The content of a file as JSON.
pub(super) fn read(file: &Path) -> Result<Json, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = std::fs::read(file).map_err(|error| failed(&error))?;
    // Our own files may be longer than a configuration.
    let limits = Limits {
        text_bytes: 1 << 30,
        value_bytes: 1 << 40,
        depth: 1 << 10,
    };
    let loaded = load(&text, FileId(0), &limits).map_err(|error| failed(&error))?;
    Ok(json(&loaded.content.value))
}

fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(number) => Json::from(*number),
        Value::BigInt(digits) => Json::from(&**digits),
        Value::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::Str(text) | Value::Symbol(text) => Json::from(&**text),
        Value::Seq(items) => items.iter().map(|item| json(&item.value)).collect(),
        Value::Map(map) => {
            let entries = map.iter().map(|(key, node)| {
                let name = match key.as_str() {
                    Some(name) => name.to_owned(),
                    None => text(&key.value),
                };
                (name, json(&node.value))
            });
            Json::Object(entries.collect::<Map<_, _>>())
        }
        Value::Reference(data) => json(&data.value),
    }
}

/// A key that is no text, as it would be written.
fn text(value: &Value) -> String {
    match json(value) {
        Json::String(text) => text,
        other => other.to_string(),
    }
}
