//! Configuration values as JSON.

use serde_json::{Map, Number, Value as Json};
use tidegate_yaml::Value;

use crate::ruby::{Keys, to_s};

/// The JSON of a value; keys become texts, symbols too.
pub(crate) fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(number) => Json::from(*number),
        Value::BigInt(digits) => digits
            .parse::<Number>()
            .map_or_else(|_| Json::from(&**digits), Json::Number),
        Value::Float(number) => Number::from_f64(*number)
            .map_or_else(|| Json::from(to_s(value, Keys::Symbols)), Json::Number),
        Value::Str(text) | Value::Symbol(text) => Json::from(&**text),
        Value::Seq(items) => items.iter().map(|item| to_json(&item.value)).collect(),
        Value::Map(map) => {
            let entries = map
                .iter()
                .map(|(key, node)| (to_s(&key.value, Keys::Symbols), to_json(&node.value)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
        Value::Reference(data) => to_json(&data.value),
    }
}
