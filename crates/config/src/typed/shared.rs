//! What jobs share through `extends`, anchors and `!reference`, read once.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tidegate_yaml::{Node, Value};

/// Values read out of lists and maps, by the list or map itself.
///
/// Only what is met a second time is kept: most nodes stand in one job, and copying those would cost more than it saves. Keep
/// only what was read without faults or remarks, since those name the job.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    /// By address. The node keeps its content alive, so that no other takes the same address.
    met: FxHashMap<usize, (Node, Option<T>)>,
}

impl<T> Default for Shared<T> {
    fn default() -> Shared<T> {
        Shared {
            met: FxHashMap::default(),
        }
    }
}

impl<T: Clone> Shared<T> {
    /// What was kept of the very same list or map.
    pub(crate) fn known(&self, node: &Node) -> Option<T> {
        self.met.get(&address(node)?)?.1.clone()
    }

    /// Keeps `value` if `node` was met before.
    pub(crate) fn keep(&mut self, node: &Node, value: &T) {
        let Some(address) = address(node) else { return };
        match self.met.get_mut(&address) {
            Some((_, kept)) => *kept = Some(value.clone()),
            None => {
                self.met.insert(address, (node.clone(), None));
            }
        }
    }
}

/// Where the content of a list or map lies that others hold too.
fn address(node: &Node) -> Option<usize> {
    match &node.value {
        Value::Seq(items) if Arc::strong_count(items) > 1 => {
            Some(Arc::as_ptr(items).cast::<()>() as usize)
        }
        Value::Map(map) if Arc::strong_count(map) > 1 => Some(Arc::as_ptr(map) as usize),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_source::Span;

    #[test]
    fn what_is_met_again_is_kept_and_equal_content_is_not_the_same() {
        let list = || Node::new(Value::Seq([].into()), Span::NONE);
        let (node, other) = (list(), list());
        let _elsewhere = (node.clone(), other.clone());
        let mut shared = Shared::default();
        shared.keep(&node, &1);
        assert_eq!(shared.known(&node), None);
        shared.keep(&node, &1);
        assert_eq!(shared.known(&node), Some(1));
        assert_eq!(shared.known(&other), None);
    }
}
