//! The deep merge by which includes and `extends` are laid over one another.

use std::sync::Arc;

use tidegate_yaml::{Key, Map, Node, Value};

use crate::overridden::{Layer, Overridden};

/// Whether and how replaced values are recorded.
pub(crate) struct Trace<'a> {
    /// The record.
    pub(crate) overridden: &'a mut Overridden,
    /// Keys down to the maps that are being merged.
    pub(crate) path: Vec<Arc<str>>,
    /// Makes a layer of the value that lost.
    pub(crate) layer: fn(&Node) -> Layer,
}

/// Lays `upper` over `result`: maps merge recursively, anything else is replaced, even by null.
///
/// Keys keep the order of `result`, new ones follow; a key of both takes the place in files of `upper`.
/// Source: GitLab 18.11, reference `config.md` §4.2. Returns how many entries were copied, those of maps further in included.
pub(crate) fn merge_into(
    result: &mut Map,
    upper: &Map,
    trace: &mut Option<&mut Trace<'_>>,
) -> usize {
    let mut copied = upper.len();
    for (key, value) in upper {
        let merged = match existing(result, key) {
            Some(lower) => merged_value(key, lower, value, trace, &mut copied),
            None => value.clone(),
        };
        result.insert(key.clone(), merged);
    }
    copied
}

fn existing<'a>(map: &'a Map, key: &Key) -> Option<&'a Node> {
    match &key.value {
        Value::Str(text) => map.get(text),
        other => {
            let mut entries = map.iter();
            let found = entries.find(|(known, _)| known.value.eql(other));
            found.map(|(_, node)| node)
        }
    }
}

fn merged_value(
    key: &Key,
    lower: &Node,
    upper: &Node,
    trace: &mut Option<&mut Trace<'_>>,
    copied: &mut usize,
) -> Node {
    let (Value::Map(below), Value::Map(above)) = (&lower.value, &upper.value) else {
        if let Some(trace) = trace {
            trace.path.push(key_text(key));
            trace.overridden.add(&trace.path, (trace.layer)(lower));
            trace.path.pop();
        }
        return upper.clone();
    };
    if Arc::ptr_eq(below, above) {
        return upper.clone();
    }
    if let Some(trace) = trace {
        trace.path.push(key_text(key));
    }
    let mut result = below.with_room(added(below, above));
    *copied += below.len() + merge_into(&mut result, above, trace);
    if let Some(trace) = trace {
        trace.path.pop();
    }
    Node::map(result, upper.span)
}

/// What [`merge_into`] would return for `lower` and `upper`.
pub(crate) fn copied(lower: &Map, upper: &Map) -> usize {
    let below = upper.iter().map(|(key, above)| {
        let below = existing(lower, key).map(|below| &below.value);
        match (below, &above.value) {
            (Some(Value::Map(below)), Value::Map(above)) if !Arc::ptr_eq(below, above) => {
                below.len() + copied(below, above)
            }
            _ => 0,
        }
    });
    upper.len() + below.sum::<usize>()
}

/// How many keys `lower` would get from `upper`.
pub(crate) fn added(lower: &Map, upper: &Map) -> usize {
    let new = |(key, _): &&(Key, Node)| key.as_str().is_none_or(|key| !lower.contains(key));
    upper.iter().filter(new).count()
}

/// The key as a step of a path.
pub(crate) fn key_text(key: &Key) -> Arc<str> {
    match &key.value {
        Value::Str(text) => text.clone(),
        other => crate::ruby::to_s(other, crate::ruby::Keys::Strings).into(),
    }
}

#[cfg(test)]
mod tests {
    use tidegate_source::{FileId, Span};

    use super::*;
    use crate::testing::{map, text_of};

    fn merged(lower: &Map, upper: &Map, mut trace: Option<&mut Trace<'_>>) -> Map {
        let mut result = lower.clone();
        merge_into(&mut result, upper, &mut trace);
        result
    }

    #[test]
    fn maps_merge_and_everything_else_is_replaced() {
        let lower = map("{a: {x: 1, y: [1, 2]}, b: 1, c: {d: e}}");
        let upper = map("{a: {y: [3], z: 4}, b: , c: {}, e: 5}");
        assert_eq!(
            text_of(&merged(&lower, &upper, None)),
            "{a: {x: 1, y: [3], z: 4}, b: null, c: {d: e}, e: 5}"
        );
        let counted = copied(&lower, &upper);
        let mut result = lower;
        assert_eq!(merge_into(&mut result, &upper, &mut None), counted);
    }

    #[test]
    fn a_map_over_a_scalar_replaces_it_and_the_other_way_round() {
        let lower = map("{a: 1, b: {c: 1}}");
        let upper = map("{a: {}, b: false}");
        assert_eq!(text_of(&merged(&lower, &upper, None)), "{a: {}, b: false}");
    }

    #[test]
    fn replaced_values_are_recorded_with_their_path() {
        let mut lower = Map::default();
        let place = Span::new(FileId(3), 1, 2);
        let mut inner = Map::default();
        inner.insert(Key::text("x", Span::NONE), Node::new(Value::Int(1), place));
        let inner = Node::new(Value::Map(Arc::new(inner)), Span::NONE);
        lower.insert(Key::text("a", Span::NONE), inner);
        let mut overridden = Overridden::default();
        let mut trace = Trace {
            overridden: &mut overridden,
            path: Vec::new(),
            layer: |node| Layer::ReplacedByInclude(node.span),
        };
        merged(&lower, &map("{a: {x: 2}}"), Some(&mut trace));
        assert_eq!(
            overridden.at(&["a".into(), "x".into()]),
            [Layer::ReplacedByInclude(place)]
        );
    }
}
