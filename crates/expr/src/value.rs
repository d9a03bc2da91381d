//! Typed values of expressions.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::pattern::Pattern;

/// A value an operand or operator yields; truth is decided only at the very end, by [`Value::is_present`].
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Undefined, or `null`.
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// A string.
    Text(Arc<str>),
    /// A regular expression literal.
    Pattern(Arc<Pattern>),
    /// A number; only inputs hold any.
    Number(Number),
    /// A list; only inputs hold any.
    List(Arc<[Value]>),
}

/// A number given as an input.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Number {
    /// Without a fraction.
    Integer(i128),
    /// With a fraction or exponent.
    Float(f64),
}

impl Value {
    /// A string.
    pub fn text(text: impl Into<Arc<str>>) -> Value {
        Value::Text(text.into())
    }

    /// Rails' `present?`, which decides whether a condition holds: not nil, not false, not a blank
    /// string, not an empty list. `"false"` and `"0"` are present (reference `compose.md` §4.3).
    pub fn is_present(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(value) => *value,
            Value::Text(text) => !text.chars().all(char::is_whitespace),
            Value::Pattern(_) | Value::Number(_) => true,
            Value::List(items) => !items.is_empty(),
        }
    }

    /// Ruby's own truth, used inside `&&` and `||`: all but nil and false, so the empty string too.
    pub fn is_truthy(&self) -> bool {
        !matches!(self, Value::Nil | Value::Bool(false))
    }

    /// Ruby's `to_s`: what is searched when the value stands left of `=~`.
    pub fn to_text(&self) -> Arc<str> {
        match self {
            Value::Nil => "".into(),
            Value::Bool(value) => value.to_string().into(),
            Value::Text(text) => text.clone(),
            // Ruby prints the object's address here; nothing can rely on it.
            Value::Pattern(_) => "#<Gitlab::UntrustedRegexp>".into(),
            Value::Number(number) => number.to_text().into(),
            Value::List(_) => {
                let mut text = String::new();
                self.inspect(&mut text);
                text.into()
            }
        }
    }

    /// Ruby's `==`, plus GitLab's rule that a boolean equals a string that spells it.
    ///
    /// `None` where GitLab crashes: a pattern on the left compared with anything but a pattern.
    pub(crate) fn equals(&self, other: &Value) -> Option<bool> {
        Some(match (self, other) {
            (Value::Bool(value), Value::Text(text)) | (Value::Text(text), Value::Bool(value)) => {
                **text == *value.to_string()
            }
            (Value::Pattern(left), Value::Pattern(right)) => left.source() == right.source(),
            (Value::Pattern(_), _) => return None,
            (Value::Number(left), Value::Number(right)) => left.equals(*right),
            (left, right) => left == right,
        })
    }

    fn inspect(&self, out: &mut String) {
        match self {
            Value::Nil => out.push_str("nil"),
            Value::Text(text) => inspect_text(text, out),
            Value::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    item.inspect(out);
                }
                out.push(']');
            }
            other => out.push_str(&other.to_text()),
        }
    }
}

impl Number {
    fn equals(self, other: Number) -> bool {
        self == other || self.as_float() == other.as_float()
    }

    fn as_float(self) -> f64 {
        match self {
            Number::Integer(value) => value as f64,
            Number::Float(value) => value,
        }
    }

    /// Ruby's `to_s`: `5`, `5.0`, `1.0e+20`.
    pub fn to_text(self) -> String {
        match self {
            Number::Integer(value) => value.to_string(),
            Number::Float(value) => float_text(value),
        }
    }
}

fn float_text(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN".to_owned()
        } else if value > 0.0 {
            "Infinity".to_owned()
        } else {
            "-Infinity".to_owned()
        };
    }
    if magnitude == 0.0 || (1e-4..1e16).contains(&magnitude) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let fraction = if mantissa.contains('.') { "" } else { ".0" };
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}{fraction}e{sign}{digits:0>2}")
}

/// Ruby's `inspect` of a string.
pub(crate) fn inspect_text(text: &str, out: &mut String) {
    out.push('"');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '#' if matches!(chars.peek(), Some('{' | '$' | '@')) => out.push_str("\\#"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\x1b' => out.push_str("\\e"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            c if c.is_ascii_control() => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\x{:02X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presence_and_truth_differ_for_the_empty_string() {
        let empty = Value::text(" \n");
        assert!(empty.is_truthy() && !empty.is_present());
        assert!(Value::text("false").is_present());
    }

    #[test]
    fn numbers_and_lists_print_as_in_ruby() {
        let cases = [
            (5.0, "5.0"),
            (1e20, "1.0e+20"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
        ];
        for (value, expected) in cases {
            assert_eq!(Number::Float(value).to_text(), expected);
        }
        let list = [
            Value::text("a\"#{x}"),
            Value::Nil,
            Value::Number(Number::Integer(3)),
        ];
        assert_eq!(
            &*Value::List(list.into()).to_text(),
            r#"["a\"\#{x}", nil, 3]"#
        );
    }

    #[test]
    fn a_boolean_equals_its_text() {
        assert_eq!(Value::Bool(true).equals(&Value::text("true")), Some(true));
        assert_eq!(Value::text("").equals(&Value::Nil), Some(false));
    }
}
