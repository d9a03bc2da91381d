//! The checks GitLab's entries are made of, with its wording.
//!
//! A [`Check`] belongs to one entry. Its own faults come first, in the order of the calls; an entry with faults has no
//! children (reference `config.md` §8.1), so a keyword asks [`Check::passed`] before it looks at them.

use std::fmt::Display;
use std::sync::Arc;

use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::{Key, Map, Node, Value};

use super::Place;
use crate::nearest::nearest;
use crate::ruby::{Keys, to_s};
use crate::{Spanned, Text};

/// Faults in GitLab's order.
pub(crate) type Faults = Vec<Diagnostic>;

/// The name of the diagnostics this crate gives for what GitLab's entries reject.
pub(crate) const INVALID: &str = "invalid-config";

/// The checks of one entry.
pub(crate) struct Check<'a> {
    place: &'a Place<'a>,
    span: Span,
    faults: &'a mut Faults,
    before: usize,
}

impl<'a> Check<'a> {
    /// Starts the checks of the entry `node` at `place`.
    pub(crate) fn new(place: &'a Place<'a>, node: &Node, faults: &'a mut Faults) -> Check<'a> {
        let before = faults.len();
        Check {
            place,
            span: node.span,
            faults,
            before,
        }
    }

    /// Whether no check has failed so far.
    pub(crate) fn passed(&self) -> bool {
        self.faults.len() == self.before
    }

    /// Adds a fault of the whole entry: its text follows the place and is lower-cased with it.
    pub(crate) fn fault(&mut self, text: impl Display) {
        self.fault_at(self.span, text);
    }

    /// Adds a fault with its culprit.
    pub(crate) fn fault_at(&mut self, span: Span, text: impl Display) {
        self.faults.push(fault(self.place, span, text));
    }

    /// Adds a line of ours to the fault found last, if any.
    pub(crate) fn explain(&mut self, text: String) {
        if self.passed() {
            return;
        }
        if let Some(last) = self.faults.pop() {
            self.faults.push(last.help(text));
        }
    }

    /// Adds a fault where `holds` is false.
    pub(crate) fn ensure(&mut self, holds: bool, span: Span, text: impl Display) {
        if !holds {
            self.fault_at(span, text);
        }
    }

    /// `config should be a hash`; gives the map.
    pub(crate) fn map<'n>(&mut self, node: &'n Node) -> Option<&'n Map> {
        let map = node.as_map();
        if map.is_none() {
            self.fault("config should be a hash");
        }
        map
    }

    /// `config contains unknown keys: …`; nothing where `node` is no map.
    pub(crate) fn known_keys(&mut self, node: &Node, known: &[&str]) {
        self.known_keys_except(node, known, &[]);
    }

    /// The same with keys that are neither named nor refused.
    pub(crate) fn known_keys_except(&mut self, node: &Node, known: &[&str], also: &[&str]) {
        let Some(map) = node.as_map() else { return };
        let is_known = |key: &Key| {
            key.as_str()
                .is_some_and(|key| known.contains(&key) || also.contains(&key))
        };
        if map.iter().all(|(key, _)| is_known(key)) {
            return;
        }
        let unknown: Vec<_> = map
            .iter()
            .map(|(key, _)| key)
            .filter(|key| !is_known(key))
            .collect();
        let diagnostic = self.unknown_keys(&unknown, known);
        self.faults.push(diagnostic);
    }

    /// Refuses keys that are planned but not understood yet.
    pub(crate) fn later_keys(&mut self, node: &Node, later: &[&str]) {
        let Some(map) = node.as_map() else { return };
        for name in later {
            if let Some((key, _)) = map.entry(name) {
                self.fault_at(key.span, format_args!("{name} is not supported yet"));
            }
        }
    }

    /// `config contains disallowed keys: …`, or another text before the list.
    pub(crate) fn without_keys(&mut self, node: &Node, refused: &[&str], text: &str) {
        let Some(map) = node.as_map() else { return };
        let mut found = Vec::new();
        for (key, _) in map {
            if let Some(name) = key.as_str().filter(|name| refused.contains(name)) {
                found.push((name, key.span));
            }
        }
        if let Some((_, span)) = found.first().copied() {
            let names: Vec<_> = found.into_iter().map(|(name, _)| name).collect();
            self.fault_at(span, format_args!("{text}: {}", names.join(", ")));
        }
    }

    /// `config missing required keys: …`.
    pub(crate) fn required_keys(&mut self, node: &Node, required: &[&str]) {
        let map = node.as_map();
        let missing: Vec<_> = required
            .iter()
            .filter(|key| !map.is_some_and(|map| map.contains(key)))
            .copied()
            .collect();
        if !missing.is_empty() {
            let list = missing.join(", ");
            self.fault(format_args!("config missing required keys: {list}"));
        }
    }

    /// `config these keys cannot be used together: …`, in written order.
    pub(crate) fn exclusive_keys(&mut self, map: &Map, keys: [&str; 2]) {
        if keys.iter().all(|key| map.contains(key)) {
            let written = map.iter().filter_map(|(key, _)| {
                let name = key.as_str().filter(|name| keys.contains(name))?;
                Some((name, key.span))
            });
            let written: Vec<_> = written.collect();
            let span = written.last().map_or(self.span, |(_, span)| *span);
            let names: Vec<_> = written.into_iter().map(|(name, _)| name).collect();
            let list = names.join(", ");
            self.fault_at(
                span,
                format_args!("config these keys cannot be used together: {list}"),
            );
        }
    }

    /// `config must use exactly one of these keys: …`.
    pub(crate) fn exactly_one_key(&mut self, map: &Map, keys: &[&str]) {
        let count = keys.iter().filter(|key| map.contains(key)).count();
        if count != 1 {
            let list = keys.join(", ");
            self.fault(format_args!(
                "config must use exactly one of these keys: {list}"
            ));
        }
    }

    /// `NAME should be a string`; null counts as absent.
    pub(crate) fn string(&mut self, name: &str, node: Option<&Node>) -> Option<Text> {
        let node = node?;
        match string(node) {
            Some(text) => Some(text),
            None => {
                self.fault_at(node.span, format_args!("{name} should be a string"));
                None
            }
        }
    }

    /// `NAME should be a string` and `NAME can't be blank` of a text that must be there.
    pub(crate) fn required_string(&mut self, name: &str, node: Option<&Node>) -> Option<Text> {
        let text = node.and_then(string);
        let span = node.map_or(self.span, |node| node.span);
        self.ensure(
            text.is_some(),
            span,
            format_args!("{name} should be a string"),
        );
        self.present(name, node);
        text
    }

    /// `NAME can't be blank`.
    pub(crate) fn present(&mut self, name: &str, node: Option<&Node>) {
        let span = node.map_or(self.span, |node| node.span);
        let blank = node.is_none_or(is_blank);
        self.ensure(!blank, span, format_args!("{name} can't be blank"));
    }

    /// `NAME should be a boolean value`; null counts as absent.
    pub(crate) fn boolean(&mut self, name: &str, node: Option<&Node>) -> Option<bool> {
        let node = node?;
        let value = node.value.as_bool();
        let text = format_args!("{name} should be a boolean value");
        self.ensure(value.is_some(), node.span, text);
        value
    }

    /// `NAME should be a hash`; null counts as absent.
    pub(crate) fn hash<'n>(&mut self, name: &str, node: Option<&'n Node>) -> Option<&'n Map> {
        let node = node?;
        let map = node.as_map();
        let text = format_args!("{name} should be a hash");
        self.ensure(map.is_some(), node.span, text);
        map
    }

    /// `NAME should be an array of strings`; null counts as absent.
    pub(crate) fn strings(&mut self, name: &str, node: Option<&Node>) -> Option<Vec<Text>> {
        let node = node?;
        let list = texts(node);
        let text = format_args!("{name} should be an array of strings");
        self.ensure(list.is_some(), node.span, text);
        list
    }

    /// `NAME should be an array of strings or a string`; null counts as absent.
    pub(crate) fn strings_or_string(
        &mut self,
        name: &str,
        node: Option<&Node>,
    ) -> Option<Vec<Text>> {
        let node = node?;
        let list = text(node).map(|text| vec![text]).or_else(|| texts(node));
        let text = format_args!("{name} should be an array of strings or a string");
        self.ensure(list.is_some(), node.span, text);
        list
    }

    /// One of some words: GitLab checks the type first and the word then, with a text for each.
    pub(crate) fn word(
        &mut self,
        name: &str,
        node: Option<&Node>,
        words: &[&str],
        message: &str,
    ) -> Option<Text> {
        let node = node?;
        let text = self.string(name, Some(node));
        let included = match (&text, node.as_seq()) {
            (Some(text), _) => words.contains(&&*text.value),
            // ActiveModel takes a list as included where each of its items is.
            (None, Some(items)) => items
                .iter()
                .all(|item| matches!(&item.value, Value::Str(text) if words.contains(&&**text))),
            (None, None) => false,
        };
        if !included {
            let mut diagnostic = fault(self.place, node.span, format_args!("{name} {message}"));
            if let Some(near) = text
                .as_ref()
                .and_then(|text| nearest(&text.value, words.iter().copied()))
            {
                diagnostic = diagnostic.suggest(format!("did you mean `{near}`?"), node.span, near);
            }
            self.faults.push(diagnostic);
        }
        text.filter(|_| included)
    }

    fn unknown_keys(&self, unknown: &[&Key], known: &[&str]) -> Diagnostic {
        let names: Vec<_> = unknown.iter().map(|key| key_text(key)).collect();
        let list = names.join(", ");
        let text = format_args!("config contains unknown keys: {list}");
        let mut diagnostic = fault(self.place, Span::NONE, text);
        diagnostic.code = tidegate_source::Code("unknown-keys");
        for (key, name) in unknown.iter().zip(&names) {
            diagnostic = diagnostic.at(key.span);
            if let Some(near) = nearest(name, known.iter().copied()) {
                diagnostic = diagnostic.suggest(format!("did you mean `{near}`?"), key.span, near);
            }
        }
        diagnostic
    }
}

/// A fault in GitLab's form: place and text, all lower case.
pub(crate) fn fault(place: &Place<'_>, span: Span, text: impl Display) -> Diagnostic {
    let message = format!("{place} {text}").to_lowercase();
    Diagnostic::error(INVALID, message).at(span)
}

/// A fault in the words of an entry that found no fitting type; GitLab leaves its case alone.
pub(crate) fn raw_fault(place: &Place<'_>, span: Span, text: impl Display) -> Diagnostic {
    Diagnostic::error(INVALID, format!("{place} {text}")).at(span)
}

/// The value of `key` where it is written and not null: GitLab treats null as not specified.
#[inline]
pub(crate) fn specified<'m>(map: &'m Map, key: &str) -> Option<&'m Node> {
    map.get(key).filter(|node| !node.is_null())
}

/// The text of a string, with its place; symbols are none.
pub(crate) fn string(node: &Node) -> Option<Text> {
    match &node.value {
        Value::Str(text) => Some(Spanned::new(text.clone(), node.span)),
        _ => None,
    }
}

/// The text of a string or symbol, with its place.
pub(crate) fn text(node: &Node) -> Option<Text> {
    match &node.value {
        Value::Str(text) | Value::Symbol(text) => Some(Spanned::new(text.clone(), node.span)),
        _ => None,
    }
}

/// The texts of a list of strings and symbols.
pub(crate) fn texts(node: &Node) -> Option<Vec<Text>> {
    node.as_seq()?.iter().map(text).collect()
}

/// A text with nested lists of texts made flat, up to ten levels deep; `None` where it is anything else.
pub(crate) fn nested_texts(node: &Node) -> Option<Vec<Text>> {
    let mut flat = Vec::new();
    flatten(node, 10, &mut |item| {
        flat.push(text(item)?);
        Some(())
    })?;
    Some(flat)
}

/// Calls `leaf` on each item below nested lists; `None` where it does, or the lists are deeper than `levels`.
pub(crate) fn flatten<'n>(
    node: &'n Node,
    levels: usize,
    leaf: &mut impl FnMut(&'n Node) -> Option<()>,
) -> Option<()> {
    match node.as_seq() {
        Some(_) if levels == 0 => None,
        Some(items) => items
            .iter()
            .try_for_each(|item| flatten(item, levels - 1, leaf)),
        None => leaf(node),
    }
}

/// The values of a list of texts, without their places.
pub(crate) fn values(texts: Vec<Text>) -> Vec<Arc<str>> {
    texts.into_iter().map(|text| text.value).collect()
}

/// Rails' `blank?` of a key: texts are symbols, which are blank only when empty.
pub(crate) fn is_blank_key(key: &Key) -> bool {
    match &key.value {
        Value::Str(text) => text.is_empty(),
        Value::Null | Value::Bool(false) => true,
        Value::Seq(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
        _ => false,
    }
}

/// A key as GitLab shows it in a place: `a` for a text, `1` for a number, what lists hold.
pub(crate) fn key_text(key: &Key) -> Arc<str> {
    match &key.value {
        Value::Str(text) => text.clone(),
        Value::Seq(_) => joined([&key.value], ":").into(),
        other => to_s(other, Keys::Strings).into(),
    }
}

/// Values side by side as Ruby's `join` puts them: lists within lists are made flat.
pub(crate) fn joined<'v>(values: impl IntoIterator<Item = &'v Value>, between: &str) -> String {
    let mut parts = Vec::new();
    for value in values {
        collect_parts(value, &mut parts);
    }
    parts.join(between)
}

fn collect_parts(value: &Value, parts: &mut Vec<String>) {
    match value.as_seq() {
        Some(items) => items
            .iter()
            .for_each(|item| collect_parts(&item.value, parts)),
        None => parts.push(to_s(value, Keys::Symbols)),
    }
}

/// The length Rails measures: items of a list or map, characters of anything else.
pub(crate) fn length(node: &Node) -> usize {
    match &node.value {
        Value::Seq(items) => items.len(),
        Value::Map(map) => map.len(),
        other => to_s(other, Keys::Symbols).chars().count(),
    }
}

/// Rails' `blank?`: null, false, white space, empty lists and maps.
pub(crate) fn is_blank(node: &Node) -> bool {
    match &node.value {
        Value::Null | Value::Bool(false) => true,
        Value::Str(text) => text.chars().all(char::is_whitespace),
        Value::Symbol(text) => text.is_empty(),
        Value::Seq(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_lower_cased_with_their_place() {
        let place = Place::top("jobs");
        let place = place.child("MyJob");
        let diagnostic = fault(&place, Span::NONE, "config contains unknown keys: Foo");
        assert_eq!(
            diagnostic.message,
            "jobs:myjob config contains unknown keys: foo"
        );
        let raw = raw_fault(&place, Span::NONE, "has to be");
        assert_eq!(raw.message, "jobs:MyJob has to be");
    }
}
