//! Writing values as Psych writes them, for `merged_yaml` of the CI Lint API (reference `config.md` §13).

use crate::libyaml::{Emitter, ScalarStyle};
use crate::node::{Map, Node, Value};
use crate::ruby;
use crate::scalar::{self, Refused, Typed};
use crate::tag;

/// The text of `node` as one document, `---` included, as Ruby's `to_yaml` writes it.
///
/// Shared nodes are written out each time, as after GitLab's copying of the merged hash. `None` when libyaml cannot write the
/// value, which only a text of more than 2 GiB brings about.
pub fn dump(node: &Node) -> Option<String> {
    let mut writer = Writer::default();
    writer.value(&node.value);
    let text = writer.emitter.finish()?;
    if writer.stand_ins.is_empty() {
        return Some(text);
    }
    let pieces: Vec<&str> = text.split(WRITTEN_STAND_IN).collect();
    let mut out = String::with_capacity(text.len());
    // A text that spells a stand-in out makes one piece too many; its place is not known, so it stays what it is at the end.
    let mut stand_ins = writer.stand_ins.iter();
    for (at, piece) in pieces.iter().enumerate() {
        if at > 0 {
            out.push_str(stand_ins.next().map_or(WRITTEN_STAND_IN, String::as_str));
        }
        out.push_str(piece);
    }
    Some(out)
}

/// What stands for a character beyond U+FFFF while libyaml works.
///
/// The C library does not take those for printable and writes them as escapes of ten columns, which moves the places where
/// lines fold; the port writes them as they are. It does escape these two, in ten columns together.
const STAND_IN: &str = "\u{FFFE}\u{1}";
/// How libyaml writes [`STAND_IN`].
const WRITTEN_STAND_IN: &str = "\\uFFFE\\x01";

/// The emitter, and what to put back for each stand-in it writes, in order.
#[derive(Default)]
struct Writer {
    emitter: Emitter,
    stand_ins: Vec<String>,
}

impl Writer {
    fn value(&mut self, value: &Value) {
        match value {
            // Psych gives null a tag that the plain style hides.
            Value::Null => {
                let tag = Some("tag:yaml.org,2002:null");
                self.emitter.scalar("", tag, true, false, ScalarStyle::Any);
            }
            Value::Bool(_) | Value::Int(_) | Value::BigInt(_) => self.untagged(&ruby::to_s(value)),
            Value::Float(number) if number.is_nan() => self.untagged(".nan"),
            Value::Float(number) if number.is_infinite() => {
                self.untagged(if *number > 0.0 { ".inf" } else { "-.inf" });
            }
            Value::Float(_) => self.untagged(&ruby::to_s(value)),
            Value::Str(text) => self.text(text),
            Value::Symbol(name) if name.is_empty() => {
                let tag = Some("!ruby/symbol");
                self.emitter.scalar("", tag, false, false, ScalarStyle::Any);
            }
            Value::Symbol(name) => self.untagged(&format!(":{name}")),
            Value::Seq(items) => self.list(None, items),
            Value::Map(map) => self.map(None, map),
            Value::Reference(inner) => self.reference(&inner.value),
        }
    }

    fn list(&mut self, tag: Option<&str>, items: &[Node]) {
        self.emitter.start_sequence(tag);
        for item in items {
            self.value(&item.value);
        }
        self.emitter.end_sequence();
    }

    fn map(&mut self, tag: Option<&str>, map: &Map) {
        self.emitter.start_mapping(tag);
        for (key, node) in map {
            self.value(&key.value);
            self.value(&node.value);
        }
        self.emitter.end_mapping();
    }

    /// GitLab resolves or rejects references before it writes anything; this keeps other uses honest.
    fn reference(&mut self, inner: &Value) {
        let tag = Some(tag::REFERENCE);
        match inner {
            Value::Seq(items) => self.list(tag, items),
            Value::Map(map) => self.map(tag, map),
            other => self.scalar(&ruby::to_s(other), tag, false, false, ScalarStyle::Any),
        }
    }

    fn untagged(&mut self, text: &str) {
        self.scalar(text, None, true, false, ScalarStyle::Any);
    }

    fn text(&mut self, text: &str) {
        if text == "<<" {
            let tag = Some(tag::TEXT);
            self.emitter
                .scalar(text, tag, false, false, ScalarStyle::SingleQuoted);
        } else {
            self.scalar(text, None, true, true, style(text));
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        tag: Option<&str>,
        plain: bool,
        quoted: bool,
        style: ScalarStyle,
    ) {
        if !text.contains(|c| c > '\u{FFFF}') {
            self.emitter.scalar(text, tag, plain, quoted, style);
            return;
        }
        let mut replaced = String::with_capacity(text.len() + 16);
        for c in text.chars() {
            if c > '\u{FFFF}' {
                self.stand_ins.push(format!("\\U{:08X}", u32::from(c)));
                replaced.push_str(STAND_IN);
            } else {
                replaced.push(c);
            }
        }
        self.emitter.scalar(&replaced, tag, plain, quoted, style);
    }
}

/// The style Psych asks for; libyaml changes it where the text needs quotes or escapes.
fn style(text: &str) -> ScalarStyle {
    if has_inner_break(text) {
        ScalarStyle::Literal
    } else if text == "y" || text == "n" || has_line_of_symbols(text) {
        ScalarStyle::DoubleQuoted
    } else if is_typed(text) || is_broken_octal(text) {
        ScalarStyle::SingleQuoted
    } else {
        ScalarStyle::Plain
    }
}

/// Whether there is a line break other than the last one or two characters.
fn has_inner_break(text: &str) -> bool {
    let ends = text.strip_suffix('\n').unwrap_or(text);
    let ends = if ends.len() < text.len() {
        ends.strip_suffix('\n').unwrap_or(ends)
    } else {
        ends
    };
    ends.contains('\n')
}

/// Whether a line begins with something else than a letter, digit or underscore and has no double quote after it.
///
/// Its own line break is such a beginning too: then the line after it must have no double quote.
fn has_line_of_symbols(text: &str) -> bool {
    let mut lines = text.split('\n').peekable();
    while let Some(line) = lines.next() {
        let mut chars = line.chars();
        let (first, behind) = match (chars.next(), lines.peek()) {
            (Some(first), _) => (first, chars.as_str()),
            (None, Some(next)) => ('\n', *next),
            (None, None) => return false,
        };
        if !is_word(first) && !behind.contains('"') {
            return true;
        }
    }
    false
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Whether `text` written plain would be read as something else.
fn is_typed(text: &str) -> bool {
    match scalar::resolve(text) {
        Ok(Typed::Text(_)) => false,
        Ok(_) => true,
        Err(Refused::Class(_)) => scalar::is_real_date_or_time(text),
        Err(Refused::Unsuitable) => true,
    }
}

/// Whether `text` begins like an octal number but goes on with 8 or 9; other parsers read those as decimal.
fn is_broken_octal(text: &str) -> bool {
    text.strip_prefix('0').is_some_and(|rest| {
        rest.trim_start_matches(|c| matches!(c, '0'..='7'))
            .starts_with(['8', '9'])
    })
}
