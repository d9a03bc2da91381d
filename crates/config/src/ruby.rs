//! Values as Ruby prints them: GitLab puts `to_s` and `inspect` of what it loaded into messages and texts.
//!
//! The forms are those of Ruby 3.3, which GitLab 18.11 runs on: `{:a=>1}` and `{"a"=>1}`.

use std::fmt::Write;

use tidegate_yaml::{Node, Value};

/// What the text keys of a mapping are in Ruby at the place that is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keys {
    /// Loaded configuration: keys were made symbols.
    Symbols,
    /// Data of a `!reference`, or what came out of JSON.
    Strings,
}

/// The value as `to_s` gives it: a text bare, nothing as an empty text, containers as [`inspect`] does.
pub(crate) fn to_s(value: &Value, keys: Keys) -> String {
    match value {
        Value::Null => String::new(),
        Value::Str(text) | Value::Symbol(text) => text.to_string(),
        other => inspect(other, keys),
    }
}

/// The value as `inspect` gives it.
pub(crate) fn inspect(value: &Value, keys: Keys) -> String {
    let mut out = String::new();
    write_value(&mut out, value, keys);
    out
}

/// A list of texts as `inspect` gives it.
pub(crate) fn inspect_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::from("[");
    for (at, text) in texts.into_iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        write_text(&mut out, text);
    }
    out.push(']');
    out
}

/// A key in a list of symbols as `inspect` gives it: `:a`, `:"a b"`, or another scalar as it is.
pub(crate) fn inspect_symbol_key(value: &Value) -> String {
    match value {
        Value::Str(text) | Value::Symbol(text) => symbol(text),
        other => inspect(other, Keys::Symbols),
    }
}

/// The float as Ruby prints it.
pub(crate) fn float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned();
    }
    let size = number.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        return scientific(number);
    }
    let text = format!("{number}");
    if text.contains('.') {
        text
    } else {
        text + ".0"
    }
}

fn scientific(number: f64) -> String {
    let text = format!("{number:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let fraction = if mantissa.contains('.') { "" } else { ".0" };
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}{fraction}e{sign}{digits:0>2}")
}

fn write_value(out: &mut String, value: &Value, keys: Keys) {
    match value {
        Value::Null => out.push_str("nil"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::BigInt(digits) => out.push_str(digits),
        Value::Float(number) => out.push_str(&float(*number)),
        Value::Str(text) => write_text(out, text),
        Value::Symbol(name) => out.push_str(&symbol(name)),
        Value::Seq(items) => write_list(out, items, keys),
        Value::Map(map) => {
            out.push('{');
            for (at, (key, node)) in map.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                match (keys, &key.value) {
                    (Keys::Symbols, Value::Str(text)) => out.push_str(&symbol(text)),
                    (_, other) => write_value(out, other, keys),
                }
                out.push_str("=>");
                write_value(out, &node.value, keys);
            }
            out.push('}');
        }
        // Ruby would print an object address here; the tag as written says more.
        Value::Reference(data) => {
            out.push_str("!reference ");
            write_value(out, &data.value, Keys::Strings);
        }
    }
}

fn write_list(out: &mut String, items: &[Node], keys: Keys) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        write_value(out, &item.value, keys);
    }
    out.push(']');
}

fn symbol(name: &str) -> String {
    let mut out = String::from(":");
    if is_plain_symbol(name) {
        out.push_str(name);
    } else {
        write_text(&mut out, name);
    }
    out
}

/// Whether a symbol prints without quotes: a Ruby identifier, possibly with `?`, `!` or `=` behind, or an operator.
fn is_plain_symbol(name: &str) -> bool {
    const OPERATORS: [&str; 24] = [
        "!", "!=", "!~", "%", "&", "*", "**", "+", "+@", "-", "-@", "/", "<", "<<", "<=", "<=>",
        "==", "===", "=~", ">", ">=", ">>", "[]", "[]=",
    ];
    if OPERATORS.contains(&name) || matches!(name, "^" | "`" | "|" | "~") {
        return true;
    }
    let stem = name.strip_suffix(['?', '!', '=']).unwrap_or(name);
    let bare = stem.trim_start_matches(['@', '$']);
    let sigils = stem.len() - bare.len();
    let starts = bare
        .chars()
        .next()
        .is_some_and(|c| c.is_alphabetic() || c == '_' || !c.is_ascii());
    let rest = bare
        .chars()
        .all(|c| c.is_alphanumeric() || c == '_' || !c.is_ascii());
    let sigils_fit = sigils == 0
        || (stem.len() == name.len()
            && (stem.starts_with('@') && sigils <= 2 || stem.starts_with('$') && sigils == 1));
    starts && rest && sigils_fit
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{c}' => out.push_str("\\f"),
            '\u{b}' => out.push_str("\\v"),
            '\u{8}' => out.push_str("\\b"),
            '\u{7}' => out.push_str("\\a"),
            '\u{1b}' => out.push_str("\\e"),
            '#' if matches!(chars.peek(), Some('{' | '$' | '@')) => out.push_str("\\#"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => write_hexadecimal(out, c),
            c if is_unprintable(c) => write_hexadecimal(out, c),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn write_hexadecimal(out: &mut String, c: char) {
    let code = c as u32;
    // Writing to a text cannot fail.
    let _ = match code {
        0..=0x7f => write!(out, "\\x{code:02X}"),
        0x80..=0xffff => write!(out, "\\u{code:04X}"),
        _ => write!(out, "\\u{{{code:X}}}"),
    };
}

fn is_unprintable(c: char) -> bool {
    matches!(c as u32,
        0x80..=0x9f | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xe000..=0xf8ff
        | 0xfeff | 0xfff0..=0xfffb | 0xfffe..=0xffff | 0xe0000..=0x10ffff)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidegate_source::Span;
    use tidegate_yaml::{Key, Map};

    use super::*;

    fn list(items: Vec<Value>) -> Value {
        let nodes = items.into_iter().map(|value| Node::new(value, Span::NONE));
        Value::Seq(Arc::new(nodes.collect()))
    }

    fn map(key: &str, value: Value) -> Value {
        let mut map = Map::default();
        map.insert(Key::text(key, Span::NONE), Node::new(value, Span::NONE));
        Value::Map(Arc::new(map))
    }

    #[test]
    fn containers_print_like_ruby() {
        let inner = map("a", Value::Str("b".into()));
        let value = list(vec![Value::Str("x".into()), Value::Int(1), inner]);
        assert_eq!(to_s(&value, Keys::Strings), r#"["x", 1, {"a"=>"b"}]"#);
        assert_eq!(to_s(&value, Keys::Symbols), r#"["x", 1, {:a=>"b"}]"#);
        let odd = map("a b", Value::Null);
        assert_eq!(inspect(&odd, Keys::Symbols), r#"{:"a b"=>nil}"#);
    }

    #[test]
    fn scalars_print_bare() {
        assert_eq!(to_s(&Value::Null, Keys::Symbols), "");
        assert_eq!(to_s(&Value::Bool(true), Keys::Symbols), "true");
        assert_eq!(to_s(&Value::Str("a\"".into()), Keys::Symbols), "a\"");
        assert_eq!(
            inspect(&Value::Str("a\"#{\n\u{1}".into()), Keys::Symbols),
            r##""a\"\#{\n\x01""##
        );
    }

    #[test]
    fn floats_always_show_a_fraction() {
        let cases = [
            (1.0, "1.0"),
            (1.5, "1.5"),
            (1000.0, "1000.0"),
            (1e16, "1.0e+16"),
            (0.0001, "0.0001"),
            (0.00001, "1.0e-05"),
            (-0.0, "-0.0"),
            (f64::INFINITY, "Infinity"),
        ];
        for (number, expected) in cases {
            assert_eq!(float(number), expected);
        }
    }
}
