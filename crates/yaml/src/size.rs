//! How large a loaded value would be as Ruby objects, which is what GitLab limits (reference `config.md` §1.6).
//!
//! The sizes are those of Ruby 3.3 on 64 bits: slots of 40 to 640 bytes, small texts and lists inside their slot, growth by
//! half for lists and by two for hashes. GitLab walks the object graph, so an aliased value counts once for each alias.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::limits::Limits;
use crate::node::{Map, Node, Value};

/// Bytes of a small object.
const SLOT: u64 = 40;
/// Bytes of a hash; up to eight entries fit in it.
const HASH_SLOT: u64 = 160;
const HASH_ENTRIES_IN_SLOT: u64 = 8;

/// Whether `node` is within the limits.
pub(crate) fn fits(node: &Node, limits: &Limits) -> bool {
    let mut scale = Scale::default();
    let weight = scale.node(&node.value);
    // The inside of a `!reference` is no part of GitLab's count, but has to stay printable in messages.
    let hidden = scale.hidden;
    [weight, hidden]
        .iter()
        .all(|weight| weight.bytes <= limits.value_bytes && weight.depth <= limits.depth)
}

/// Estimated bytes of `node`, everything in it included.
pub(crate) fn bytes(node: &Node) -> u64 {
    Scale::default().node(&node.value).bytes
}

/// Estimated bytes of `map` as Ruby objects, everything in it included; what is shared counts wherever it stands.
///
/// Takes time in proportion to what is held in memory, however much that would be when written out.
pub fn map_bytes(map: &Map) -> u64 {
    Scale::default().map(map).bytes
}

/// Estimated bytes and levels of a value.
#[derive(Clone, Copy, Default)]
struct Weight {
    bytes: u64,
    depth: u32,
}

impl Weight {
    fn hold(&mut self, child: Weight) {
        self.bytes = self.bytes.saturating_add(child.bytes);
        self.depth = self.depth.max(child.depth);
    }
}

#[derive(Default)]
struct Scale {
    /// Weights of shared containers by address, so that a bomb of aliases takes no longer than its text.
    known: FxHashMap<usize, Weight>,
    /// The heaviest inside of a `!reference`.
    hidden: Weight,
}

impl Scale {
    fn node(&mut self, value: &Value) -> Weight {
        let bytes = match value {
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 0,
            Value::BigInt(_) | Value::Symbol(_) => SLOT,
            Value::Str(text) => text_bytes(text.len() as u64),
            Value::Seq(items) => {
                return self.shared(items, |scale| scale.list(items));
            }
            Value::Map(map) => return self.shared(map, |scale| scale.map(map)),
            Value::Reference(inner) => {
                let inside = self.node(&inner.value);
                self.hidden.bytes = self.hidden.bytes.max(inside.bytes);
                self.hidden.depth = self.hidden.depth.max(inside.depth);
                SLOT
            }
        };
        Weight { bytes, depth: 0 }
    }

    fn shared<T: ?Sized>(
        &mut self,
        at: &Arc<T>,
        weigh: impl FnOnce(&mut Scale) -> Weight,
    ) -> Weight {
        if Arc::strong_count(at) == 1 {
            return weigh(self);
        }
        let address = Arc::as_ptr(at).cast::<()>() as usize;
        if let Some(known) = self.known.get(&address) {
            return *known;
        }
        let weight = weigh(self);
        self.known.insert(address, weight);
        weight
    }

    fn list(&mut self, items: &[Node]) -> Weight {
        let mut weight = Weight {
            bytes: list_bytes(items.len() as u64),
            depth: 0,
        };
        for item in items {
            weight.hold(self.node(&item.value));
        }
        weight.depth += 1;
        weight
    }

    fn map(&mut self, map: &Map) -> Weight {
        let mut weight = Weight {
            bytes: hash_bytes(map.len() as u64),
            depth: 0,
        };
        for (key, node) in map {
            weight.hold(self.node(&key.value));
            weight.hold(self.node(&node.value));
        }
        weight.depth += 1;
        weight
    }
}

/// A text with its terminator fits in a slot after 24 bytes of header, or lies beside one of the smallest size.
fn text_bytes(length: u64) -> u64 {
    let slots = [40, 80, 160, 320, 640];
    let embedded = slots.into_iter().find(|slot| length + 25 <= *slot);
    embedded.unwrap_or(SLOT + length + 1)
}

/// Three items fit in the slot; beyond that the buffer grows as by pushing one item after the other.
fn list_bytes(length: u64) -> u64 {
    let mut capacity = 3;
    while capacity < length {
        capacity = (capacity / 2).max(16) + capacity + 1;
    }
    if capacity == 3 {
        SLOT
    } else {
        SLOT + 8 * capacity
    }
}

fn hash_bytes(length: u64) -> u64 {
    if length <= HASH_ENTRIES_IN_SLOT {
        return HASH_SLOT;
    }
    let entries = (length).next_power_of_two().max(16);
    let bin = match entries {
        0..=128 => 1,
        129..=32_768 => 2,
        _ => 4,
    };
    HASH_SLOT + entries * 24 + entries * 2 * bin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_grow_by_slots_and_then_by_bytes() {
        let sizes = [0, 15, 16, 55, 56, 615, 616].map(text_bytes);
        assert_eq!(sizes, [40, 40, 80, 80, 160, 640, 657]);
    }

    #[test]
    fn lists_and_hashes_grow_in_steps() {
        assert_eq!([0, 3, 4, 20, 21].map(list_bytes), [40, 40, 200, 200, 336]);
        assert_eq!([0, 8, 9, 16, 17].map(hash_bytes), [160, 160, 576, 576, 992]);
    }
}
