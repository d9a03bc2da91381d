//! What a merge replaced: for every key path of the merged tree, the values that lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_source::Span;

/// Keys from the top of the merged tree downwards; list items are never steps, since lists are replaced whole.
pub type KeyPath = Vec<Arc<str>>;

/// Why the value at a path is not, or not only, what was first written there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Layer {
    /// A value from this place was replaced by one of a file that includes it or is included later.
    ReplacedByInclude(Span),
    /// A value from this place, in a base of `extends`, was replaced.
    ReplacedByExtends(Span),
    /// The value came with `extends` from a base.
    Inherited {
        /// The base.
        base: Arc<str>,
        /// Where the base wrote the value.
        written: Span,
    },
    /// The value, or an item of the list that it is, stands where this `!reference` was written.
    Reference(Span),
}

/// The history of the merged tree, recorded only where asked for.
///
/// The winner needs no record: the span of a node says where its value was written. Layers are in the order in which
/// they were merged, so the last one is what the winner replaced.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Overridden {
    layers: BTreeMap<KeyPath, Vec<Layer>>,
}

impl Overridden {
    /// What lies under the value at `path`, oldest first; empty where nothing does.
    pub fn at(&self, path: &[Arc<str>]) -> &[Layer] {
        self.layers.get(path).map_or(&[], Vec::as_slice)
    }

    /// All paths with their layers, in order of the paths.
    pub fn iter(&self) -> impl Iterator<Item = (&KeyPath, &[Layer])> {
        self.layers
            .iter()
            .map(|(path, layers)| (path, layers.as_slice()))
    }

    pub(crate) fn add(&mut self, path: &[Arc<str>], layer: Layer) {
        let layers = self.layers.entry(path.to_vec()).or_default();
        if layers.last() != Some(&layer) {
            layers.push(layer);
        }
    }
}
