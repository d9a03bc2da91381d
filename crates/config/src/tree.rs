//! The merged tree on its way to the jobs.
//!
//! A job laid over its base is several times what is written of it, and it is read once. So where nobody wants to see the
//! merged tree, jobs wait: they are laid over their base when they are taken to be read, and let go at once.

use rustc_hash::{FxHashMap, FxHashSet};
use tidegate_yaml::{Map, Node, Value, map_bytes};

use crate::merge;

/// A merged tree in which some jobs still wait to be laid over their base.
///
/// Invariant: what waits is a map and extends exactly one entry, which is a map and does not wait itself.
#[derive(Debug)]
pub(crate) struct Tree {
    root: Map,
    /// For each entry that waits, the position of its base; shorter where the rest does not.
    waiting: Vec<Option<u32>>,
    /// The positions of those bases.
    bases: FxHashSet<u32>,
}

impl Tree {
    /// A tree in which nothing waits.
    pub(crate) fn whole(root: Map) -> Tree {
        Tree::new(root, Vec::new())
    }

    /// A tree in which the entries with a position in `waiting` wait to be laid over what stands there.
    pub(crate) fn new(root: Map, waiting: Vec<Option<u32>>) -> Tree {
        let bases = waiting.iter().flatten().copied().collect();
        Tree {
            root,
            waiting,
            bases,
        }
    }

    /// The tree; what waits stands there without its base.
    pub(crate) fn map(&self) -> &Map {
        &self.root
    }

    /// The tree with nothing left to wait.
    pub(crate) fn into_map(mut self) -> Map {
        for at in 0..self.waiting.len() {
            if let Some(laid) = self.laid(at) {
                self.root.replace_at(at, laid);
            }
        }
        self.root
    }

    /// The tree changed by `change`, which leaves all entries in their places.
    pub(crate) fn changed(mut self, change: fn(Map) -> Map) -> Tree {
        self.root = change(self.root);
        self
    }

    /// Whether the entry at a position is a map with `key`, whatever its value.
    pub(crate) fn has(&self, at: usize, key: &str) -> bool {
        let own = self.root.at(at).and_then(|(_, node)| node.as_map());
        own.is_some_and(|own| {
            own.contains(key) || self.base(at).is_some_and(|base| base.contains(key))
        })
    }

    /// The entry at a position, laid over its base. It leaves null behind, so that it is not held twice, unless others wait
    /// for it.
    pub(crate) fn take(&mut self, at: usize) -> Option<Node> {
        let laid = self.laid(at);
        let (_, own) = self.root.at(at)?;
        let kept = u32::try_from(at).is_ok_and(|at| self.bases.contains(&at));
        if kept {
            return Some(own.clone());
        }
        let nothing = Node::new(Value::Null, own.span);
        let own = self.root.replace_at(at, nothing)?;
        Some(laid.unwrap_or(own))
    }

    /// Estimated bytes of the whole tree as Ruby objects. What a job writes over its base counts twice as long as it waits.
    pub(crate) fn bytes(&self) -> u64 {
        let mut known = FxHashMap::default();
        let mut bytes = map_bytes(&self.root);
        for (at, base) in self.waiting.iter().enumerate() {
            if let (Some(base), Some(map)) = (base, self.base(at)) {
                let inherited = known.entry(*base).or_insert_with(|| map_bytes(map));
                bytes = bytes.saturating_add(*inherited);
            }
        }
        bytes
    }

    /// Whether anything waits.
    pub(crate) fn is_whole(&self) -> bool {
        self.bases.is_empty()
    }

    fn base(&self, at: usize) -> Option<&Map> {
        let base = self.waiting.get(at).copied().flatten()?;
        let (_, node) = self.root.at(base as usize)?;
        node.as_map()
    }

    fn laid(&self, at: usize) -> Option<Node> {
        let base = self.base(at)?;
        let (_, node) = self.root.at(at)?;
        let own = node.as_map()?;
        let mut result = base.with_room(merge::added(base, own));
        merge::merge_into(&mut result, own, &mut None);
        Some(Node::map(result, node.span))
    }
}
