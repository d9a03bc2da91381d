//! Canonical JSON: no white space, keys in byte order (`vectors/FORMAT.md` §5).

use std::fmt::Write;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

/// The value in canonical form.
pub(crate) fn text(value: &Json) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

/// The first sixteen hexadecimal digits of the SHA-256 of the canonical form.
pub(crate) fn short_hash(value: &Json) -> String {
    let digest = Sha256::digest(text(value));
    digest.iter().take(8).fold(String::new(), |mut hash, byte| {
        // Writing to a text cannot fail.
        let _ = write!(hash, "{byte:02x}");
        hash
    })
}

fn write_value(out: &mut String, value: &Json) {
    match value {
        Json::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (at, (key, item)) in entries.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_value(out, &Json::from(key.as_str()));
                out.push(':');
                write_value(out, item);
            }
            out.push('}');
        }
        // Escapes of texts and forms of numbers are those of serde_json.
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let value = serde_json::json!({"b": [1, {"z": null, "a": 1.0}], "a": "é\n\u{1}"});
        let expected = r#"{"a":"é\n\u0001","b":[1,{"a":1.0,"z":null}]}"#;
        assert_eq!(text(&value), expected);
    }
}
