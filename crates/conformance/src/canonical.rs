//! The one way to write a JSON value down (`vectors/FORMAT.md` §5), and its hash.

use std::fmt::Write;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

/// The value without insignificant white space, keys sorted by their bytes.
pub(crate) fn canonical(value: &Json) -> String {
    let mut out = String::new();
    write_value(value, &mut out);
    out
}

/// First 16 hexadecimal digits of the SHA-256 of the canonical form.
pub(crate) fn short_hash(value: &Json) -> String {
    let digest = Sha256::digest(canonical(value));
    digest.iter().take(8).fold(String::new(), |mut out, byte| {
        // Writing to a text cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn write_value(value: &Json, out: &mut String) {
    match value {
        Json::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            write_list(out, ['{', '}'], entries, |(key, value), out| {
                out.push_str(&Json::from(key.as_str()).to_string());
                out.push(':');
                write_value(value, out);
            });
        }
        Json::Array(items) => write_list(out, ['[', ']'], items, write_value),
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn write_list<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: impl IntoIterator<Item = T>,
    write: impl Fn(T, &mut String),
) {
    out.push(open);
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(close);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_and_floats_keep_a_fraction() {
        let value = json!({"b": [1, 1.0, null], "a": {"d": "\u{1}é", "c": true}});
        let expected = r#"{"a":{"c":true,"d":"\u0001é"},"b":[1,1.0,null]}"#;
        assert_eq!(canonical(&value), expected);
    }

    #[test]
    fn the_hash_is_the_head_of_sha_256() {
        assert_eq!(short_hash(&json!({})), "44136fa355b3678a");
    }
}
