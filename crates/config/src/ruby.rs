//! Values as Ruby prints them: GitLab puts `to_s` and `inspect` of what it loaded into messages and texts.

use tidegate_yaml::Value;
use tidegate_yaml::ruby::{self, HashKeys};

/// What the text keys of a mapping are in Ruby at the place that is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keys {
    /// Loaded configuration: keys were made symbols.
    Symbols,
    /// Data of a `!reference`, a mapping that is a key, or what came out of JSON.
    Strings,
}

/// The value as `to_s` gives it: a text bare, nothing as an empty text, containers as [`inspect`] does.
pub(crate) fn to_s(value: &Value, keys: Keys) -> String {
    match value {
        Value::Seq(_) | Value::Map(_) => inspect(value, keys),
        other => ruby::to_s(other),
    }
}

/// The value as `inspect` gives it.
pub(crate) fn inspect(value: &Value, keys: Keys) -> String {
    let keys = match keys {
        Keys::Symbols => HashKeys::Symbols,
        Keys::Strings => HashKeys::Texts,
    };
    ruby::inspect(value, keys)
}

/// A list of texts as `inspect` gives it.
pub(crate) fn inspect_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<_> = texts.into_iter().map(ruby::inspect_text).collect();
    format!("[{}]", items.join(", "))
}

/// A key in a list of symbols as `inspect` gives it: `:a`, `:"a b"`, or another scalar as it is.
pub(crate) fn inspect_symbol_key(value: &Value) -> String {
    match value {
        Value::Str(text) => inspect(&Value::Symbol(text.clone()), Keys::Symbols),
        other => inspect(other, Keys::Strings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bare_and_keys_are_symbols_where_they_are_symbols() {
        let root = crate::testing::map("{a: [{b: 'c d'}, ~], 'e f': 1}");
        let list = root
            .get("a")
            .map(|node| node.value.clone())
            .unwrap_or(Value::Null);
        assert_eq!(to_s(&list, Keys::Symbols), "[{:b=>\"c d\"}, nil]");
        assert_eq!(to_s(&list, Keys::Strings), "[{\"b\"=>\"c d\"}, nil]");
        assert_eq!(to_s(&Value::Str("x\"".into()), Keys::Symbols), "x\"");
        assert_eq!(inspect_symbol_key(&Value::Str("e f".into())), ":\"e f\"");
        assert_eq!(inspect_texts(["a", "b\n"]), "[\"a\", \"b\\n\"]");
    }
}
