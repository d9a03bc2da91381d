//! `!reference`: puts a value of the merged configuration in place of a tag (reference `config.md` §6).

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tidegate_source::Diagnostic;
use tidegate_yaml::{Map, Node, Value};

use crate::merge::key_text;
use crate::nearest::nearest;
use crate::overridden::{Layer, Overridden};
use crate::ruby::{self, Keys};

/// Resolves every tag of the tree, those of hidden jobs too. The first error ends it, as in GitLab.
pub(crate) fn resolved(
    mut root: Map,
    overridden: Option<&mut Overridden>,
) -> Result<Map, Diagnostic> {
    if !has_tags(&root) {
        return Ok(root);
    }
    let mut resolver = Resolver {
        root: &root,
        targets: FxHashMap::default(),
        resolving: Vec::new(),
        place: Vec::new(),
        overridden,
    };
    // Tags are resolved in the tree as written: what stands in place of one must not hide another's place.
    let mut changed = Vec::new();
    for (at, (key, node)) in root.iter().enumerate() {
        if has_tag(node) {
            resolver.place.push(Step::Key(key_text(key)));
            changed.push((at, resolver.node(node)?));
            resolver.place.pop();
        }
    }
    for (at, node) in changed {
        root.replace_at(at, node);
    }
    Ok(root)
}

/// One step from the top of the tree downwards.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Step {
    Key(Arc<str>),
    Index(usize),
}

struct Resolver<'a> {
    root: &'a Map,
    /// Values of targets that were resolved, by their path.
    targets: FxHashMap<Vec<Arc<str>>, Node>,
    /// Where the tags stand that are being resolved.
    resolving: Vec<Vec<Step>>,
    /// Where the walk is. A target is walked at its own place, so that each tag has one place however it is reached.
    place: Vec<Step>,
    overridden: Option<&'a mut Overridden>,
}

impl Resolver<'_> {
    fn node(&mut self, node: &Node) -> Result<Node, Diagnostic> {
        if !has_tag(node) {
            return Ok(node.clone());
        }
        let value = match &node.value {
            Value::Reference(data) => return self.tag(node, data),
            Value::Seq(items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for (at, item) in items.iter().enumerate() {
                    self.place.push(Step::Index(at));
                    resolved.push(self.node(item)?);
                    self.place.pop();
                }
                Value::Seq(resolved.into())
            }
            Value::Map(map) => {
                let mut resolved = Map::clone(map);
                for ((key, value), place) in map.iter().zip(resolved.values_mut()) {
                    self.place.push(Step::Key(key_text(key)));
                    *place = self.node(value)?;
                    self.place.pop();
                }
                Value::Map(Arc::new(resolved))
            }
            other => other.clone(),
        };
        Ok(Node::new(value, node.span))
    }

    fn tag(&mut self, tag: &Node, data: &Node) -> Result<Node, Diagnostic> {
        let Some(path) = path_of(data) else {
            return Err(Diagnostic::error(
                "reference-invalid",
                format!("!reference {} is not valid", shown(data)),
            )
            .at(tag.span)
            .note("`!reference` takes a list of keys, such as `!reference [.setup, script]`"));
        };
        if self.resolving.contains(&self.place) {
            return Err(self.circular(tag, data));
        }
        if let Some(overridden) = self.overridden.as_deref_mut() {
            record(overridden, &self.place, tag);
        }
        if let Some(known) = self.targets.get(&path) {
            return Ok(known.clone());
        }
        let Some(target) = target_of(self.root, &path) else {
            return Err(self.missing(tag, data, &path));
        };
        self.resolving.push(self.place.clone());
        let steps = path.iter().cloned().map(Step::Key).collect();
        let place = std::mem::replace(&mut self.place, steps);
        let value = self.node(target)?;
        self.place = place;
        self.resolving.pop();
        if matches!(value.value, Value::Null | Value::Bool(false)) {
            return Err(self.missing(tag, data, &path));
        }
        self.targets.insert(path, value.clone());
        Ok(value)
    }

    fn circular(&self, tag: &Node, data: &Node) -> Diagnostic {
        let message = format!("!reference {} is part of a circular chain", shown(data));
        Diagnostic::error("reference-circular", message).at(tag.span)
    }

    fn missing(&self, tag: &Node, data: &Node, path: &[Arc<str>]) -> Diagnostic {
        let message = format!("!reference {} could not be found", shown(data));
        let diagnostic = Diagnostic::error("reference-missing", message).at(tag.span);
        let mut reached: Option<&Node> = None;
        for (at, step) in path.iter().enumerate() {
            let map = match reached {
                None => Some(self.root),
                Some(node) => node.as_map(),
            };
            let Some(map) = map else {
                return with_place(diagnostic, reached, "is not a mapping, so it has no keys");
            };
            let Some((key, value)) = map.entry(step) else {
                let known = map.iter().filter_map(|(key, _)| key.as_str());
                let span = data.as_seq().and_then(|items| items.get(at));
                let diagnostic = with_place(diagnostic, reached, "has no such key");
                return match (nearest(step, known), span) {
                    (Some(near), Some(item)) => {
                        let text = format!("did you mean `{near}`?");
                        diagnostic.suggest(text, item.span, near)
                    }
                    _ => diagnostic,
                };
            };
            if at + 1 == path.len() {
                return diagnostic.context(key.span, "is empty, which counts as missing");
            }
            reached = Some(value);
        }
        diagnostic
    }
}

fn with_place(diagnostic: Diagnostic, node: Option<&Node>, text: &str) -> Diagnostic {
    match node {
        Some(node) => diagnostic.context(node.span, text),
        None => diagnostic,
    }
}

fn record(overridden: &mut Overridden, place: &[Step], tag: &Node) {
    // Items of lists are no steps of paths: what stands in a list is told of the list.
    let keys = place.iter().map_while(|step| match step {
        Step::Key(key) => Some(key.clone()),
        Step::Index(_) => None,
    });
    let path: Vec<Arc<str>> = keys.collect();
    overridden.add(&path, Layer::Reference(tag.span));
}

/// Whether any tag stands in a tree.
pub(crate) fn has_tags(root: &Map) -> bool {
    root.iter().any(|(_, node)| has_tag(node))
}

fn has_tag(node: &Node) -> bool {
    match &node.value {
        Value::Reference(_) => true,
        Value::Seq(items) => items.iter().any(has_tag),
        Value::Map(map) => map.iter().any(|(_, value)| has_tag(value)),
        _ => false,
    }
}

/// The keys a tag names, or `None` where it is anything but a list of at least one text.
fn path_of(data: &Node) -> Option<Vec<Arc<str>>> {
    let items = data.as_seq().filter(|items| !items.is_empty())?;
    let text = |item: &Node| match &item.value {
        Value::Str(text) => Some(text.clone()),
        _ => None,
    };
    items.iter().map(text).collect()
}

fn target_of<'a>(root: &'a Map, path: &[Arc<str>]) -> Option<&'a Node> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(root.get(first)?, |node, key| node.as_map()?.get(key))
}

/// What stands behind the tag as Ruby prints it; nothing prints as an empty list.
fn shown(data: &Node) -> String {
    match &data.value {
        Value::Null => "[]".to_owned(),
        Value::Str(text) if text.is_empty() => "[]".to_owned(),
        other => ruby::inspect(other, Keys::Strings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{map, text_of};

    fn check(text: &str, expected: &str) {
        let shown = match resolved(map(text), None) {
            Ok(root) => text_of(&root),
            Err(diagnostic) => diagnostic.message,
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn a_list_stays_a_list_inside_a_list() {
        check(
            "{.a: {s: [x, y]}, j: {s: [!reference [.a, s], z], v: !reference [.a]}}",
            "{.a: {s: [x, y]}, j: {s: [[x, y], z], v: {s: [x, y]}}}",
        );
    }

    #[test]
    fn chains_resolve_whatever_their_order() {
        check(
            "{j: !reference [.b, s], .b: {s: [!reference [.c]]}, .c: 1}",
            "{j: [1], .b: {s: [1]}, .c: 1}",
        );
    }

    #[test]
    fn what_is_nil_false_or_below_a_scalar_is_missing() {
        let missing = |path: &str| format!("!reference {path} could not be found");
        check("{j: [!reference [.a, s]]}", &missing(r#"[".a", "s"]"#));
        check(
            "{.a: {s: }, j: !reference [.a, s]}",
            &missing(r#"[".a", "s"]"#),
        );
        check(
            "{.a: {s: no}, j: !reference [.a, s]}",
            &missing(r#"[".a", "s"]"#),
        );
        check("{.a: x, j: !reference [.a, s]}", &missing(r#"[".a", "s"]"#));
        check(
            "{.a: [x], j: !reference [.a, '0']}",
            &missing(r#"[".a", "0"]"#),
        );
    }

    #[test]
    fn anything_but_a_list_of_texts_is_not_valid() {
        for (tag, shown) in [
            ("foo", "\"foo\""),
            ("{a: b}", "{\"a\"=>\"b\"}"),
            ("[]", "[]"),
            ("[1]", "[1]"),
            ("[[a], b]", "[[\"a\"], \"b\"]"),
            ("", "[]"),
        ] {
            let expected = format!("!reference {shown} is not valid");
            check(&format!("{{j: {{s: !reference {tag}}}}}"), &expected);
        }
    }

    #[test]
    fn circles_are_found() {
        check(
            "{j: {s: !reference [j, s]}}",
            "!reference [\"j\", \"s\"] is part of a circular chain",
        );
        check(
            "{a: {s: [!reference [b, s]]}, b: {s: [!reference [a, s]]}}",
            "!reference [\"b\", \"s\"] is part of a circular chain",
        );
    }

    #[test]
    fn a_near_key_is_suggested() {
        let problem = resolved(
            map("{.setup: {script: x}, j: !reference [.setup, scripts]}"),
            None,
        );
        let problem = problem.unwrap_err();
        assert_eq!(problem.suggestions[0].text, "did you mean `script`?");
    }
}
