//! What tags do to the nodes they stand before (Psych 5.1.2 with GitLab's permitted classes; reference `config.md` §1.3).

use std::borrow::Cow;

use crate::base64;
use crate::number;
use crate::scalar::{self, Refused, Typed};

/// GitLab's own tag.
pub(crate) const REFERENCE: &str = "!reference";
/// The tag that makes a text of anything, and of `<<` an ordinary key.
pub(crate) const TEXT: &str = "tag:yaml.org,2002:str";

/// What a list becomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SequenceForm {
    List,
    /// A mapping out of the first key and last value of each item.
    OrderedMap,
    Reference,
}

/// What a mapping becomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MappingForm {
    Map,
    Reference,
    /// The value of its key `str`.
    Text,
}

/// The value of a scalar. `quoted` means untagged and quoted: tagged scalars are typed by their text, however they are written.
pub(crate) fn scalar<'a>(
    tag: Option<&str>,
    text: Cow<'a, str>,
    quoted: bool,
) -> Result<Typed<'a>, Refused> {
    if quoted {
        return Ok(Typed::Text(text));
    }
    let Some(tag) = tag else {
        return resolve(text);
    };
    match tag {
        "!binary" | "tag:yaml.org,2002:binary" => {
            Ok(Typed::Text(base64::decode_leniently(&text).into()))
        }
        TEXT | "!str" | "!ruby/string" => Ok(Typed::Text(text)),
        "!float" | "tag:yaml.org,2002:float" => float(text),
        "!ruby/object:BigDecimal" => class("BigDecimal"),
        "!ruby/object:DateTime" => class("DateTime"),
        "!ruby/object:Complex" => class("Complex"),
        "!ruby/object:Rational" => class("Rational"),
        "!ruby/regexp" => class("Regexp"),
        "!ruby/range" => class("Range"),
        "!ruby/encoding" => Err(Refused::Unsuitable),
        "!ruby/class" | "!ruby/module" if text.is_empty() => Ok(Typed::Null),
        "!ruby/class" | "!ruby/module" => class(&text),
        // Psych takes any ending of `!ruby/sym`.
        _ if tag.starts_with("!ruby/sym") => Ok(Typed::Symbol(text)),
        _ => match suffix(tag, &["!str:", "!ruby/string:"]) {
            Some("") => Ok(Typed::Text(text)),
            Some(name) => class(name),
            None => resolve(text),
        },
    }
}

/// What a list with this tag becomes.
pub(crate) fn sequence(tag: Option<&str>) -> Result<SequenceForm, Refused> {
    match tag {
        None => Ok(SequenceForm::List),
        Some(REFERENCE) => Ok(SequenceForm::Reference),
        Some("!omap" | "tag:yaml.org,2002:omap") => Ok(SequenceForm::OrderedMap),
        Some(tag) => match suffix(tag, &["!seq:", "!ruby/array:"]) {
            Some(name) => class(name),
            None => Ok(SequenceForm::List),
        },
    }
}

/// What a mapping with this tag becomes.
pub(crate) fn mapping(tag: Option<&str>) -> Result<MappingForm, Refused> {
    let Some(tag) = tag else {
        return Ok(MappingForm::Map);
    };
    match tag {
        REFERENCE => return Ok(MappingForm::Reference),
        TEXT | "!str" | "!ruby/string" => return Ok(MappingForm::Text),
        "!ruby/range" => return class("Range"),
        "!set" | "tag:yaml.org,2002:set" => return class("Psych::Set"),
        "!omap" | "tag:yaml.org,2002:omap" => return class("Psych::Omap"),
        "!ruby/object:Hash" => return Ok(MappingForm::Map),
        "!ruby/hash-with-ivars" => return Err(Refused::Unsuitable),
        _ => {}
    }
    for (prefix, fallback) in [
        ("!ruby/struct", "Struct"),
        ("!ruby/object", "Object"),
        ("!ruby/exception", "Exception"),
    ] {
        if let Some(rest) = tag.strip_prefix(prefix) {
            let name = rest.strip_prefix(':').unwrap_or(rest);
            return class(if name.is_empty() { fallback } else { name });
        }
    }
    let named = [
        "!str:",
        "!ruby/string:",
        "!ruby/array:",
        "!map:",
        "!ruby/hash:",
        "!ruby/hash-with-ivars:",
        "!ruby/marshalable:",
    ];
    match suffix(tag, &named) {
        Some(name) => class(name),
        None => Ok(MappingForm::Map),
    }
}

fn resolve(text: Cow<'_, str>) -> Result<Typed<'_>, Refused> {
    match text {
        Cow::Borrowed(text) => scalar::resolve(text),
        // Only text that libyaml let through although it is not UTF-8, which is no number.
        Cow::Owned(text) => Ok(Typed::Text(Cow::Owned(text))),
    }
}

fn float(text: Cow<'_, str>) -> Result<Typed<'_>, Refused> {
    let value = match resolve(text)? {
        Typed::Float(value) => Some(value),
        Typed::Int(value) => Some(value as f64),
        Typed::BigInt(digits) => digits.parse().ok(),
        Typed::Text(text) => number::strict_float(&text),
        Typed::Null | Typed::Bool(_) | Typed::Symbol(_) => None,
    };
    value.map(Typed::Float).ok_or(Refused::Unsuitable)
}

/// The first of GitLab's refusals: a class that is not permitted. A permitted one cannot be built out of a scalar or mapping.
fn class<T>(name: &str) -> Result<T, Refused> {
    match name {
        "" | "Symbol" | "Gitlab::Ci::Config::Yaml::Tags::Reference" => Err(Refused::Unsuitable),
        _ => Err(Refused::Class(name.to_owned().into())),
    }
}

fn suffix<'t>(tag: &'t str, prefixes: &[&str]) -> Option<&'t str> {
    prefixes.iter().find_map(|prefix| tag.strip_prefix(prefix))
}
