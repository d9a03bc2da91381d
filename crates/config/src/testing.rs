//! Small trees for tests, and trees as text.

use std::sync::Arc;

use tidegate_source::FileId;
use tidegate_yaml::{Limits, Map, Node, Value, load};

use crate::ruby;

/// The mapping that `text` holds.
pub(crate) fn map(text: &str) -> Map {
    let loaded = load(text.as_bytes(), FileId(0), &Limits::default()).expect("valid YAML");
    match loaded.content.value {
        Value::Map(map) => Arc::unwrap_or_clone(map),
        other => panic!("not a mapping: {other:?}"),
    }
}

/// The mapping in flow style, texts bare.
pub(crate) fn text_of(map: &Map) -> String {
    let entries = map
        .iter()
        .map(|(key, node)| format!("{}: {}", value_text(&key.value), node_text(node)));
    format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
}

fn node_text(node: &Node) -> String {
    value_text(&node.value)
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Map(map) => text_of(map),
        Value::Seq(items) => {
            let items: Vec<_> = items.iter().map(node_text).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Reference(data) => format!("!reference {}", node_text(data)),
        other => ruby::to_s(other, ruby::Keys::Symbols),
    }
}
