//! Values as Ruby prints them, which GitLab's messages and variable values show.

use std::fmt::Write;

use crate::node::{Map, Value};

/// How text keys of mappings are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HashKeys {
    /// As they were loaded: `{"a"=>1}`.
    Texts,
    /// As after GitLab's symbolising, which everything past loading sees: `{:a=>1}`.
    Symbols,
}

/// `value.to_s`: a text as it is, null as nothing, lists and mappings like [`inspect`] with text keys.
pub fn to_s(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Str(text) | Value::Symbol(text) => text.to_string(),
        other => inspect(other, HashKeys::Texts),
    }
}

/// `value.inspect` of Ruby 3.3.
pub fn inspect(value: &Value, keys: HashKeys) -> String {
    let mut out = String::new();
    inspect_into(&mut out, value, keys);
    out
}

/// A text as `inspect` prints it: quoted and escaped.
pub fn inspect_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote(&mut out, text);
    out
}

/// A float as Ruby prints it: shortest digits that read back the same, `1.0e+20` from 1e16 on and below 0.0001.
pub fn float_to_s(number: f64) -> String {
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
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        // Debug differs from Display in that it always has a fraction; it writes no exponent in this range.
        return with_fraction(format!("{number}"));
    }
    let mantissa = with_fraction(mantissa.to_owned());
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

fn with_fraction(mut digits: String) -> String {
    if !digits.contains('.') {
        digits.push_str(".0");
    }
    digits
}

fn inspect_into(out: &mut String, value: &Value, keys: HashKeys) {
    match value {
        Value::Null => out.push_str("nil"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "{value}");
        }
        Value::BigInt(digits) => out.push_str(digits),
        Value::Float(number) => out.push_str(&float_to_s(*number)),
        Value::Str(text) => quote(out, text),
        Value::Symbol(name) => symbol(out, name),
        Value::Seq(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                inspect_into(out, &item.value, keys);
            }
            out.push(']');
        }
        Value::Map(map) => inspect_map(out, map, keys),
        // GitLab prints the tag and its data; a Ruby object's own form would hold an address.
        Value::Reference(inner) => {
            out.push_str("!reference ");
            inspect_into(out, &inner.value, HashKeys::Texts);
        }
    }
}

fn inspect_map(out: &mut String, map: &Map, keys: HashKeys) {
    out.push('{');
    for (at, (key, node)) in map.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        match (&key.value, keys) {
            (Value::Str(name), HashKeys::Symbols) => symbol(out, name),
            (other, _) => inspect_into(out, other, keys),
        }
        out.push_str("=>");
        inspect_into(out, &node.value, keys);
    }
    out.push('}');
}

fn symbol(out: &mut String, name: &str) {
    out.push(':');
    if is_plain_symbol(name) {
        out.push_str(name);
    } else {
        quote(out, name);
    }
}

/// Whether Ruby prints the symbol without quotes: names of methods, variables, constants and operators.
fn is_plain_symbol(name: &str) -> bool {
    const OPERATORS: [&str; 27] = [
        "+", "-", "*", "/", "%", "**", "==", "===", "!=", "=~", "!~", "!", "~", "<", "<=", "<=>",
        ">", ">=", "<<", ">>", "&", "|", "^", "[]", "[]=", "+@", "-@",
    ];
    if OPERATORS.contains(&name) || name == "`" {
        return true;
    }
    let variable = ["@@", "@", "$"]
        .iter()
        .find_map(|sigil| name.strip_prefix(sigil));
    let (word, may_end) = match variable {
        Some(word) => (word, false),
        None => (name, true),
    };
    let word = match word.strip_suffix(['?', '!', '=']) {
        Some(stem) if may_end => stem,
        _ => word,
    };
    let part = |c: char| c == '_' || c.is_alphanumeric() || !c.is_ascii();
    word.chars()
        .next()
        .is_some_and(|c| part(c) && !c.is_ascii_digit())
        && word.chars().all(part)
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            '\u{b}' => out.push_str("\\v"),
            '\u{8}' => out.push_str("\\b"),
            '\u{7}' => out.push_str("\\a"),
            '\u{1b}' => out.push_str("\\e"),
            '\u{7f}' => out.push_str("\\x7F"),
            '#' if matches!(chars.peek(), Some('{' | '$' | '@')) => out.push_str("\\#"),
            _ if is_printable(c) => out.push(c),
            _ if u32::from(c) <= 0xFFFF => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            _ => {
                let _ = write!(out, "\\u{{{:X}}}", u32::from(c));
            }
        }
    }
    out.push('"');
}

/// Ruby's notion, without its table of unassigned code points.
fn is_printable(c: char) -> bool {
    let code = u32::from(c);
    let no_character = code & 0xFFFE == 0xFFFE || (0xFDD0..=0xFDEF).contains(&code);
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}') && !no_character
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, parse};
    use tidegate_source::FileId;

    fn value(yaml: &str) -> Value {
        let parsed = parse(yaml.as_bytes(), FileId(0), 0, &Limits::default());
        parsed.expect("the test's text loads").root.value
    }

    #[test]
    fn floats_print_like_ruby() {
        for (number, expected) in [
            (1.5, "1.5"),
            (1.0, "1.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e20, "1.0e+20"),
            (1e16, "1.0e+16"),
            (1e15, "1000000000000000.0"),
            (1234567890123456.0, "1234567890123456.0"),
            (0.0001, "0.0001"),
            (0.00001234, "1.234e-05"),
            (-0.0, "-0.0"),
            (1e-300, "1.0e-300"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(float_to_s(number), expected);
        }
    }

    #[test]
    fn collections_print_like_ruby_3_3() {
        let mixed = value("[x, 1, 1.50, true, ~, !ruby/symbol s, {a: b, 1: [], 'c d': {}}]");
        assert_eq!(
            to_s(&mixed),
            r#"["x", 1, 1.5, true, nil, :s, {"a"=>"b", 1=>[], "c d"=>{}}]"#
        );
        assert_eq!(
            inspect(&mixed, HashKeys::Symbols),
            r#"["x", 1, 1.5, true, nil, :s, {:a=>"b", 1=>[], :"c d"=>{}}]"#
        );
    }

    #[test]
    fn texts_are_escaped_like_ruby() {
        for (text, expected) in [
            ("a\"b\\", r#""a\"b\\""#),
            ("\n\t\u{1b}\u{1}\u{7f}", r#""\n\t\e\u0001\x7F""#),
            ("#{x} #$y #@z # #", r##""\#{x} \#$y \#@z # #""##),
            ("é😀\u{200b}\u{2028}", "\"é😀\u{200b}\\u2028\""),
        ] {
            assert_eq!(inspect_text(text), expected);
        }
    }

    #[test]
    fn symbols_are_quoted_when_they_are_no_names() {
        for (name, expected) in [
            ("foo", ":foo"),
            ("foo?", ":foo?"),
            ("foo-bar", ":\"foo-bar\""),
            (".a", ":\".a\""),
            ("1a", ":\"1a\""),
            ("@a", ":@a"),
            ("<<", ":<<"),
            ("é", ":é"),
            ("", ":\"\""),
        ] {
            let symbol = Value::Symbol(name.into());
            assert_eq!(inspect(&symbol, HashKeys::Texts), expected);
        }
    }

    #[test]
    fn to_s_of_scalars_is_bare() {
        assert_eq!(to_s(&Value::Null), "");
        assert_eq!(to_s(&Value::Str("a \"b\"".into())), "a \"b\"");
        assert_eq!(to_s(&Value::Symbol("s".into())), "s");
        assert_eq!(to_s(&Value::Bool(false)), "false");
        assert_eq!(
            to_s(&Value::BigInt("123456789012345678901".into())),
            "123456789012345678901"
        );
    }
}
