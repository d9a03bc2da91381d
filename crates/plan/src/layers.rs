//! Layers of variables that many jobs share, with an index over their names.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tidegate_config::VariableDefinition;
use tidegate_expr::{Variable, VariableSource};

/// Layers, lowest precedence first, and which variable wins for each name.
#[derive(Debug, Default)]
pub(crate) struct Indexed {
    layers: Vec<Arc<[Variable]>>,
    winners: FxHashMap<Arc<str>, (u32, u32)>,
    /// How many of the variables hold references to others.
    referring: usize,
}

impl Indexed {
    pub(crate) fn new(layers: impl IntoIterator<Item = Arc<[Variable]>>) -> Indexed {
        let layers: Vec<_> = layers.into_iter().filter(|l| !l.is_empty()).collect();
        let mut winners = FxHashMap::default();
        let mut referring = 0;
        for (at, layer) in layers.iter().enumerate() {
            for (position, variable) in layer.iter().enumerate() {
                winners.insert(variable.key.clone(), (at as u32, position as u32));
                referring += usize::from(refers(variable));
            }
        }
        Indexed {
            layers,
            winners,
            referring,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Variable> {
        let (layer, position) = self.winners.get(name)?;
        self.layers.get(*layer as usize)?.get(*position as usize)
    }

    pub(crate) fn layers(&self) -> &[Arc<[Variable]>] {
        &self.layers
    }

    pub(crate) fn referring(&self) -> usize {
        self.referring
    }
}

/// Whether the value of `variable` may hold references that are replaced.
pub(crate) fn refers(variable: &Variable) -> bool {
    !variable.raw && variable.value.as_deref().is_some_and(may_refer)
}

/// Whether `text` may hold references.
pub(crate) fn may_refer(text: &str) -> bool {
    text.bytes().any(|byte| byte == b'$' || byte == b'%')
}

/// A layer of a written `variables` map.
pub(crate) fn layer(definitions: &[VariableDefinition], source: VariableSource) -> Arc<[Variable]> {
    let variable = |definition: &VariableDefinition| Variable {
        key: definition.key.clone(),
        value: Some(definition.value.clone()),
        raw: definition.raw,
        file: false,
        masked: false,
        source,
        span: definition.span,
    };
    definitions.iter().map(variable).collect()
}

/// `over` merged over `base` as GitLab merges YAML variables: a key keeps its position and takes the later value.
///
/// An overridden value is gone, so that a value referring to its own name does not find it (reference `compose.md` §9.1).
pub(crate) fn merged(base: &[Variable], over: &[Variable]) -> Arc<[Variable]> {
    let mut all = base.to_vec();
    for variable in over {
        match all.iter_mut().find(|known| known.key == variable.key) {
            Some(known) => *known = variable.clone(),
            None => all.push(variable.clone()),
        }
    }
    all.into()
}

/// Whether a key of `over` stands in `base` too.
pub(crate) fn overlaps(base: &[Variable], over: &[Variable]) -> bool {
    over.iter()
        .any(|variable| base.iter().any(|known| known.key == variable.key))
}
