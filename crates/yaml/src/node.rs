//! The tree: typed values, each with the place it was written.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use tidegate_source::Span;

/// A value with the place it was written. Cloning is cheap: containers and texts are shared.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value, typed as Psych types it.
    pub value: Value,
    /// Where it was written; for an alias, where the anchored node was written.
    pub span: Span,
}

/// A YAML value as Psych's `safe_load` gives it to GitLab (reference `config.md` §1.3).
#[derive(Clone, Debug)]
pub enum Value {
    /// `~`, `null`, nothing.
    Null,
    /// `yes`, `true`, `on` and their opposites.
    Bool(bool),
    /// An integer in any notation.
    Int(i64),
    /// An integer outside `i64`, in decimal digits with an optional leading `-`.
    BigInt(Arc<str>),
    /// A float, infinities and not-a-number included.
    Float(f64),
    /// A text.
    Str(Arc<str>),
    /// A Ruby symbol, `:name`; accepted wherever GitLab accepts a text.
    Symbol(Arc<str>),
    /// A list.
    Seq(Arc<[Node]>),
    /// A mapping.
    Map(Arc<Map>),
    /// A `!reference` tag with the value it stood before. A scalar there is always a text, whatever it looks like.
    Reference(Arc<Node>),
}

/// A mapping key: nearly always a text, but GitLab keeps other scalars as they are.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key's value; never [`Value::Symbol`], which is made a text on reading, as GitLab does.
    pub value: Value,
    /// Where the key was written.
    pub span: Span,
}

impl Key {
    /// A text key that stands at `span`.
    pub fn text(text: impl Into<Arc<str>>, span: Span) -> Key {
        Key {
            value: Value::Str(text.into()),
            span,
        }
    }

    /// The key as a text, or `None` where it is of another type.
    pub fn as_str(&self) -> Option<&str> {
        self.value.as_str()
    }
}

/// A mapping in written order. Setting an existing key replaces its value and keeps its place, as in Ruby.
#[derive(Clone, Default, Debug)]
pub struct Map {
    entries: Vec<(Key, Node)>,
    /// The [`mark`]s of all text keys, so that most keys that are absent are known to be without a scan: typing a job asks for
    /// far more keys than any job has. Marks of removed keys may stay.
    marks: u64,
    /// Positions of the keys; only kept for maps too large to scan.
    index: Option<Box<HashTable<u32>>>,
}

/// One of 64 bits that stands for a text key.
#[inline]
fn mark(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return 1;
    };
    let middle = bytes.get(bytes.len() / 2).unwrap_or(last);
    let sum = u32::from(*first) * 31 + u32::from(*middle) * 7 + u32::from(*last);
    1 << ((sum + bytes.len() as u32 * 13) % 64)
}

/// Maps up to this size are scanned, which is faster than hashing for the sizes jobs have.
const SCANNED: usize = 16;

impl Map {
    /// An empty map with room for `capacity` entries.
    pub fn with_capacity(capacity: usize) -> Map {
        Map {
            entries: Vec::with_capacity(capacity),
            ..Map::default()
        }
    }

    /// A copy that has room for `more` further entries.
    pub fn with_room(&self, more: usize) -> Map {
        let mut entries = Vec::with_capacity(self.entries.len() + more);
        entries.extend_from_slice(&self.entries);
        Map {
            entries,
            marks: self.marks,
            index: self.index.clone(),
        }
    }

    /// Gives back memory that further entries would have needed.
    fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }

    /// The value of the text key `key`.
    #[inline]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// The key as written and the value of the text key `key`.
    #[inline]
    pub fn entry(&self, key: &str) -> Option<(&Key, &Node)> {
        self.position(key)
            .map(|at| (&self.entries[at].0, &self.entries[at].1))
    }

    /// Whether the text key `key` is present, whatever its value.
    #[inline]
    pub fn contains(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// The entry at a position from 0, in order.
    pub fn at(&self, position: usize) -> Option<(&Key, &Node)> {
        let entry = self.entries.get(position);
        entry.map(|(key, node)| (key, node))
    }

    /// Puts `node` in place of the value at a position and returns what stood there; the key stays. `None`: no such position.
    pub fn replace_at(&mut self, position: usize, node: Node) -> Option<Node> {
        let (_, value) = self.entries.get_mut(position)?;
        Some(std::mem::replace(value, node))
    }

    /// Sets `key`: an equal key keeps its place and gets the new value and the new key's span.
    pub fn insert(&mut self, key: Key, node: Node) {
        self.set(key, node);
    }

    /// Like [`Map::insert`]; returns the entry's place and what it held before.
    pub(crate) fn set(&mut self, key: Key, node: Node) -> (usize, Option<(Key, Node)>) {
        if let Some(at) = self.position_of(&key.value)
            && let Some(entry) = self.entries.get_mut(at)
        {
            return (at, Some(std::mem::replace(entry, (key, node))));
        }
        let at = self.entries.len();
        if let Value::Str(text) = &key.value {
            self.marks |= mark(text);
        }
        self.entries.push((key, node));
        match &mut self.index {
            Some(index) => add(index, &self.entries, at),
            None if self.entries.len() > SCANNED => self.reindex(),
            None => {}
        }
        (at, None)
    }

    /// Removes the text key `key` and returns what it held.
    pub fn remove(&mut self, key: &str) -> Option<(Key, Node)> {
        let at = self.position(key)?;
        let removed = self.entries.remove(at);
        if self.index.is_some() {
            self.reindex();
        }
        Some(removed)
    }

    /// Entries in order.
    pub fn iter(&self) -> std::slice::Iter<'_, (Key, Node)> {
        self.entries.iter()
    }

    /// The values in order, for changing in place; keys stay.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.entries.iter_mut().map(|(_, node)| node)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn eql(&self, other: &Map) -> bool {
        self.len() == other.len()
            && self.iter().all(|(key, node)| {
                other
                    .position_of(&key.value)
                    .and_then(|at| other.entries.get(at))
                    .is_some_and(|(_, found)| found.value.eql(&node.value))
            })
    }

    /// Where the text key `key` stands, from 0.
    ///
    /// Inlined into the asking crate, so that the mark of a constant key is a constant.
    #[inline]
    pub fn position(&self, key: &str) -> Option<usize> {
        match self.marks & mark(key) {
            0 => None,
            _ => self.searched(key),
        }
    }

    fn searched(&self, key: &str) -> Option<usize> {
        self.found(|| text_hash(key), |known| known.as_str() == Some(key))
    }

    fn position_of(&self, key: &Value) -> Option<usize> {
        match key {
            Value::Str(text) => self.position(text),
            _ => self.found(|| key.key_hash(), |known| known.value.eql(key)),
        }
    }

    /// The position of the key that is the one asked for.
    fn found(&self, hash: impl Fn() -> u64, is_it: impl Fn(&Key) -> bool) -> Option<usize> {
        let Some(index) = &self.index else {
            return self.entries.iter().position(|(known, _)| is_it(known));
        };
        let is_there = |at: &u32| {
            let entry = self.entries.get(*at as usize);
            entry.is_some_and(|(known, _)| is_it(known))
        };
        index.find(hash(), is_there).map(|at| *at as usize)
    }

    fn reindex(&mut self) {
        let mut index = HashTable::with_capacity(self.entries.len());
        for at in 0..self.entries.len() {
            add(&mut index, &self.entries, at);
        }
        self.index = Some(Box::new(index));
    }
}

/// Adds the entry at `at`, which must be there, to an index of `entries`.
fn add(index: &mut HashTable<u32>, entries: &[(Key, Node)], at: usize) {
    let hash = |at: &u32| {
        let entry = entries.get(*at as usize);
        entry.map_or(0, |(key, _)| key.value.key_hash())
    };
    // A map has fewer entries than its file has bytes.
    let at = at as u32;
    index.insert_unique(hash(&at), at, hash);
}

/// The hash of a text as a key.
fn text_hash(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    text.hash(&mut hasher);
    hasher.finish()
}

impl<'a> IntoIterator for &'a Map {
    type Item = &'a (Key, Node);
    type IntoIter = std::slice::Iter<'a, (Key, Node)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

impl Value {
    /// The text of a string or symbol.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) | Value::Symbol(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn as_seq(&self) -> Option<&[Node]> {
        match self {
            Value::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The mapping.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Equality of hash keys, as Ruby's `eql?`: `1` and `1.0` differ, order in maps does not matter.
    pub fn eql(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::BigInt(a), Value::BigInt(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Str(a), Value::Str(b)) | (Value::Symbol(a), Value::Symbol(b)) => a == b,
            (Value::Seq(a), Value::Seq(b)) => {
                Arc::ptr_eq(a, b)
                    || a.len() == b.len()
                        && a.iter().zip(b.iter()).all(|(a, b)| a.value.eql(&b.value))
            }
            (Value::Map(a), Value::Map(b)) => Arc::ptr_eq(a, b) || a.eql(b),
            (Value::Reference(a), Value::Reference(b)) => a.value.eql(&b.value),
            _ => false,
        }
    }

    /// A hash that is the same for values that are [`Value::eql`].
    fn key_hash(&self) -> u64 {
        if let Value::Str(text) = self {
            return text_hash(text);
        }
        let mut hasher = FxHasher::default();
        std::mem::discriminant(self).hash(&mut hasher);
        match self {
            Value::Null => {}
            Value::Bool(value) => value.hash(&mut hasher),
            Value::Int(value) => value.hash(&mut hasher),
            // Adding zero makes -0.0 and 0.0 alike, which are equal.
            Value::Float(value) => (value + 0.0).to_bits().hash(&mut hasher),
            Value::BigInt(text) | Value::Str(text) | Value::Symbol(text) => text.hash(&mut hasher),
            Value::Seq(items) => {
                for item in items.iter() {
                    item.value.key_hash().hash(&mut hasher);
                }
            }
            Value::Map(map) => {
                let sum = map.iter().fold(0_u64, |sum, (key, node)| {
                    let entry = (key.value.key_hash(), node.value.key_hash());
                    let mut hasher = FxHasher::default();
                    entry.hash(&mut hasher);
                    sum.wrapping_add(hasher.finish())
                });
                sum.hash(&mut hasher);
            }
            Value::Reference(inner) => inner.value.key_hash().hash(&mut hasher),
        }
        hasher.finish()
    }
}

impl Node {
    /// A node that stands at `span`.
    pub fn new(value: Value, span: Span) -> Node {
        Node { value, span }
    }

    /// A mapping that stands at `span` and holds no room for further entries.
    pub fn map(mut map: Map, span: Span) -> Node {
        map.shrink();
        Node::new(Value::Map(Arc::new(map)), span)
    }

    /// The mapping, copied only where others hold it too; nothing of what is no mapping.
    pub fn into_map(self) -> Option<Map> {
        match self.value {
            Value::Map(map) => Some(Arc::unwrap_or_clone(map)),
            _ => None,
        }
    }

    /// A text that stands at `span`.
    pub fn text(text: impl Into<Arc<str>>, span: Span) -> Node {
        Node::new(Value::Str(text.into()), span)
    }

    /// The text of a string or symbol.
    pub fn as_str(&self) -> Option<&str> {
        self.value.as_str()
    }

    /// The items of a list.
    pub fn as_seq(&self) -> Option<&[Node]> {
        self.value.as_seq()
    }

    /// The mapping.
    pub fn as_map(&self) -> Option<&Map> {
        self.value.as_map()
    }

    /// Whether the value is null.
    pub fn is_null(&self) -> bool {
        self.value.is_null()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(n: i64) -> Node {
        Node::new(Value::Int(n), Span::NONE)
    }

    #[test]
    fn a_repeated_key_keeps_its_place_and_takes_the_last_value() {
        let mut map = Map::default();
        for (key, value) in [("a", 1), ("b", 2), ("a", 3)] {
            map.insert(Key::text(key, Span::NONE), int(value));
        }
        let keys: Vec<_> = map
            .iter()
            .map(|(key, _)| key.as_str().unwrap_or_default())
            .collect();
        assert_eq!(keys, ["a", "b"]);
        assert!(
            map.get("a")
                .is_some_and(|node| node.value.eql(&Value::Int(3)))
        );
    }

    #[test]
    fn large_maps_find_insert_and_remove_like_small_ones() {
        let mut map = Map::default();
        for n in 0..100 {
            map.insert(Key::text(format!("k{n}"), Span::NONE), int(n));
        }
        map.insert(
            Key {
                value: Value::Int(1),
                span: Span::NONE,
            },
            int(-1),
        );
        assert!(map.remove("k3").is_some());
        assert!(map.get("k3").is_none());
        assert!(
            map.get("k99")
                .is_some_and(|node| node.value.eql(&Value::Int(99)))
        );
        assert_eq!(map.len(), 100);
    }
}
