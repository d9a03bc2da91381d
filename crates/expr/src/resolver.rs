//! Resolves single variables with all nested references, without sorting the whole list.

use std::cell::OnceCell;

use crate::reference::nested_references;
use crate::sort::{
    CircularReference, LONGEST_EXPANDED, NestedOptions, circular_reference, expanded, refers,
};
use crate::variable::{Lookup, Variable, Variables};

/// Looks variables up as they would be after [`sort_and_expand`](crate::sort_and_expand), resolving
/// only those asked for, each once.
///
/// Planning has thousands of jobs with some eighty variables each and needs the nested values of a
/// few. Where the list has no circle the answers are the same; the invariant this relies on: among
/// variables of one name at most one refers to its own name (two would form a circle), and that one
/// is sorted last.
pub struct Resolver<'a> {
    variables: &'a Variables,
    options: NestedOptions,
    /// One place for each variable; filled where the value differs from the written one.
    resolved: OnceCell<Box<[OnceCell<Box<Variable>>]>>,
}

impl<'a> Resolver<'a> {
    /// Costs nothing until something is looked up.
    pub fn new(variables: &'a Variables, options: NestedOptions) -> Resolver<'a> {
        Resolver {
            variables,
            options,
            resolved: OnceCell::new(),
        }
    }

    /// The variable that wins for `name`, its nested references replaced; `None` if undefined.
    ///
    /// # Errors
    /// The variable is part of a circle, or refers to one. A circle elsewhere in the list goes
    /// unnoticed: see [`circular_reference`].
    pub fn resolve(&self, name: &str) -> Result<Option<&Variable>, CircularReference> {
        let Some((index, variable)) = self.winner(name)? else {
            return Ok(None);
        };
        if !refers(variable) {
            return Ok(Some(variable));
        }
        self.fill(index, variable)?;
        Ok(Some(self.value(index, variable)))
    }

    /// Resolves `root` and, before it, everything it refers to; by a stack, as chains may be long.
    fn fill(&self, root: usize, variable: &'a Variable) -> Result<(), CircularReference> {
        let mut open = vec![(root, variable)];
        while let Some((index, variable)) = open.last().copied() {
            match self.missing(variable)? {
                Some(next) if open.iter().any(|(on_path, _)| *on_path == next.0) => {
                    return Err(self.circle());
                }
                Some(next) => open.push(next),
                None => {
                    self.store(index, variable);
                    open.pop();
                }
            }
        }
        Ok(())
    }

    /// The first variable `variable` refers to that must be resolved before it.
    fn missing(
        &self,
        variable: &Variable,
    ) -> Result<Option<(usize, &'a Variable)>, CircularReference> {
        let text = variable.value.as_deref().unwrap_or_default();
        for reference in nested_references(text) {
            let target = self.target(variable, reference.name)?;
            if let Some((index, target)) = target.filter(|(_, target)| refers(target))
                && self.slot(index).and_then(OnceCell::get).is_none()
            {
                return Ok(Some((index, target)));
            }
        }
        Ok(None)
    }

    fn store(&self, index: usize, variable: &Variable) {
        let lookup = |name: &str| {
            let (index, target) = self.target(variable, name).ok()??;
            Some(self.value(index, target))
        };
        let expanded = expanded(variable, lookup, self.options, LONGEST_EXPANDED);
        if let Some(slot) = self.slot(index) {
            // Filled already only if the same variable was asked for twice on one path.
            let _ = slot.set(Box::new(expanded.unwrap_or_else(|| variable.clone())));
        }
    }

    fn value<'s>(&'s self, index: usize, written: &'s Variable) -> &'s Variable {
        let resolved = self.slot(index).and_then(OnceCell::get);
        resolved.map_or(written, |variable| variable)
    }

    fn slot(&self, index: usize) -> Option<&OnceCell<Box<Variable>>> {
        let slots = self.resolved.get_or_init(|| {
            let count = self
                .variables
                .layers()
                .iter()
                .map(|layer| layer.len())
                .sum();
            (0..count).map(|_| OnceCell::new()).collect()
        });
        slots.get(index)
    }

    /// The variable `name` means inside the value of `from`.
    fn target(
        &self,
        from: &Variable,
        name: &str,
    ) -> Result<Option<(usize, &'a Variable)>, CircularReference> {
        if name == &*from.key {
            // Its own name means the others of that name; there can be no second of this kind.
            return Ok(self.named(name).rfind(|(_, v)| !refers_to_itself(v)));
        }
        self.winner(name)
    }

    /// The variable of this name that is sorted last.
    fn winner(&self, name: &str) -> Result<Option<(usize, &'a Variable)>, CircularReference> {
        let mut extending = self.named(name).filter(|(_, v)| refers_to_itself(v));
        match (extending.next(), extending.next()) {
            (Some(_), Some(_)) => Err(self.circle()),
            (Some(one), None) => Ok(Some(one)),
            _ => Ok(self.named(name).next_back()),
        }
    }

    fn named<'n>(
        &self,
        name: &'n str,
    ) -> impl DoubleEndedIterator<Item = (usize, &'a Variable)> + use<'a, 'n> {
        let layers = self.variables.layers().iter();
        let mut end = 0;
        let starts: Vec<(usize, &'a [Variable])> = layers
            .map(|layer| {
                let start = end;
                end += layer.len();
                (start, &**layer)
            })
            .collect();
        starts.into_iter().flat_map(move |(start, layer)| {
            let numbered = layer.iter().enumerate();
            numbered
                .filter(move |(_, variable)| &*variable.key == name)
                .map(move |(index, variable)| (start + index, variable))
        })
    }

    fn circle(&self) -> CircularReference {
        let none = CircularReference { cycles: Vec::new() };
        circular_reference(self.variables).unwrap_or(none)
    }
}

/// Undefined where GitLab would refuse the list; there the written variable is returned, as GitLab
/// leaves lists with a circle unexpanded.
impl Lookup for Resolver<'_> {
    fn lookup(&self, name: &str) -> Option<&Variable> {
        match self.resolve(name) {
            Ok(found) => found,
            Err(_) => self.variables.lookup(name),
        }
    }
}

fn refers_to_itself(variable: &Variable) -> bool {
    let text = variable.value.as_deref().filter(|_| refers(variable));
    nested_references(text.unwrap_or_default()).any(|reference| reference.name == &*variable.key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::expand::RefOptions;
    use crate::sort::sort_and_expand;
    use crate::variable::VariableSource;

    fn variable() -> impl Strategy<Value = Variable> {
        let part = prop_oneof![
            3 => "[A-E]".prop_map(|name| format!("${name}")),
            1 => "[A-E]".prop_map(|name| format!("%{name}%")),
            4 => "[xy$%]{0,2}",
        ];
        let value = prop::collection::vec(part, 0..3).prop_map(|parts| parts.concat());
        let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.1));
        ("[A-E]", prop::option::weighted(0.95, value), flags).prop_map(
            |(key, value, (raw, file))| Variable {
                value: value.map(Into::into),
                raw,
                file,
                ..Variable::new(key, "", VariableSource::YamlRoot)
            },
        )
    }

    fn options() -> impl Strategy<Value = NestedOptions> {
        any::<(bool, bool, bool)>().prop_map(|(keep, file, raw)| NestedOptions {
            keep_undefined: keep,
            refs: RefOptions {
                expand_file_refs: file,
                expand_raw_refs: raw,
            },
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn one_at_a_time_gives_what_sorting_gives(
            layers in prop::collection::vec(prop::collection::vec(variable(), 1..4), 1..4),
            options in options(),
        ) {
            let mut variables = Variables::default();
            for layer in layers {
                variables.push(layer.into());
            }
            let resolver = Resolver::new(&variables, options);
            match sort_and_expand(&variables, options) {
                Ok(sorted) => for name in ["A", "B", "C", "D", "E", "F"] {
                    prop_assert_eq!(resolver.resolve(name), Ok(sorted.lookup(name)));
                },
                Err(circle) => {
                    prop_assert_eq!(circular_reference(&variables), Some(circle.clone()));
                    for name in ["A", "B", "C", "D", "E"] {
                        if let Err(error) = resolver.resolve(name) {
                            prop_assert_eq!(error, circle.clone());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_long_chain_does_not_exhaust_the_stack() {
        let variables: Variables = (0..3000)
            .map(|n| {
                let value = format!("${{V{}}}", n + 1);
                Variable::new(format!("V{n}"), value, VariableSource::YamlRoot)
            })
            .chain([Variable::new("V3000", "end", VariableSource::YamlRoot)])
            .collect();
        let resolver = Resolver::new(&variables, NestedOptions::FOR_DECISIONS);
        let value = resolver.lookup("V0").and_then(|v| v.value.as_deref());
        assert_eq!(value, Some("end"));
    }
}
