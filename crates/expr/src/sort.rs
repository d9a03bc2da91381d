//! GitLab's `sort_and_expand_all`: variables inside variables (reference `compose.md` §9.3).

use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::expand::RefOptions;
use crate::reference::{may_refer, nested_references};
use crate::value::inspect_text;
use crate::variable::{Lookup, Variable, Variables};

/// How nested references are replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NestedOptions {
    /// References to unknown variables stay as written, instead of vanishing.
    pub keep_undefined: bool,
    /// What becomes of references to file and raw variables.
    pub refs: RefOptions,
}

impl NestedOptions {
    /// What `changes`, `exists` and other decisions inside GitLab use.
    pub const FOR_DECISIONS: NestedOptions = NestedOptions {
        keep_undefined: false,
        refs: RefOptions::ALL,
    };
    /// What a runner is sent.
    pub const FOR_RUNNER: NestedOptions = NestedOptions {
        keep_undefined: true,
        refs: RefOptions::FOR_RUNNER,
    };
}

/// Bytes of a text beyond which references in it are not replaced: a few nested doublings would fill any memory, and no
/// process takes a variable of that size.
pub(crate) const LONGEST_EXPANDED: usize = 4 * 1024 * 1024;
/// Bytes that all values of one list with replaced references may have together, for the same reason.
const MOST_EXPANDED: usize = 64 * 1024 * 1024;

/// Variables in dependency order with nested references replaced.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct SortedVariables {
    variables: Vec<Variable>,
}

impl SortedVariables {
    /// All variables; of two with the same name the later one wins.
    pub fn as_slice(&self) -> &[Variable] {
        &self.variables
    }

    /// All variables, owned.
    pub fn into_vec(self) -> Vec<Variable> {
        self.variables
    }
}

impl Lookup for SortedVariables {
    fn lookup(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().rev().find(|v| &*v.key == name)
    }
}

/// Variables that refer to each other in a circle; prints GitLab's text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CircularReference {
    /// The names of each circle.
    pub cycles: Vec<Vec<Arc<str>>>,
}

impl fmt::Display for CircularReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::from("circular variable reference detected: ");
        for (index, cycle) in self.cycles.iter().enumerate() {
            text.push_str(if index == 0 { "[" } else { ", [" });
            for (index, key) in cycle.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                inspect_text(key, &mut text);
            }
            text.push(']');
        }
        f.write_str(&text)
    }
}

impl std::error::Error for CircularReference {}

/// Sorts `variables` so that each comes after those it refers to, and replaces the references.
///
/// A reference means *all* variables of that name when sorting, and the last one sorted when
/// replacing; so `A=base` and then `A=$A:x` gives `base:x`. Inserted values are not looked at again. A value that would
/// grow beyond 4 MiB, or the list beyond 64 MiB, stays as written.
///
/// # Errors
/// Two or more variables refer to each other in a circle. GitLab then leaves the list as it is.
pub fn sort_and_expand(
    variables: &Variables,
    options: NestedOptions,
) -> Result<SortedVariables, CircularReference> {
    let items: Vec<&Variable> = variables.iter().collect();
    let order = sorted(&items)?;
    let mut result: Vec<Variable> = Vec::with_capacity(items.len());
    let mut latest: FxHashMap<&str, usize> = FxHashMap::default();
    let mut left = MOST_EXPANDED;
    for variable in order.into_iter().filter_map(|index| items.get(index)) {
        let found = |name: &str| latest.get(name).and_then(|at| result.get(*at));
        let expanded = expanded(variable, found, options, left.min(LONGEST_EXPANDED));
        let length = expanded.as_ref().and_then(|it| it.value.as_ref());
        left -= length.map_or(0, |value| value.len());
        latest.insert(&variable.key, result.len());
        result.push(expanded.unwrap_or_else(|| (*variable).clone()));
    }
    Ok(SortedVariables { variables: result })
}

/// The circles among `variables`, if any; cheap where few variables hold references.
pub fn circular_reference(variables: &Variables) -> Option<CircularReference> {
    let items: Vec<&Variable> = variables.iter().filter(|v| refers(v)).collect();
    if items.is_empty() {
        return None;
    }
    sorted(&items).err()
}

/// Whether the value of `variable` can hold references that would be replaced.
pub(crate) fn refers(variable: &Variable) -> bool {
    !variable.raw && variable.value.as_deref().is_some_and(may_refer)
}

/// `variable` with its references replaced, or `None` if it has none or its value would be longer than `most` bytes.
pub(crate) fn expanded<'a>(
    variable: &Variable,
    lookup: impl Fn(&str) -> Option<&'a Variable>,
    options: NestedOptions,
    most: usize,
) -> Option<Variable> {
    let text = variable.value.as_deref().filter(|_| refers(variable))?;
    let mut out = String::new();
    let mut done = 0;
    for reference in nested_references(text) {
        out.push_str(text.get(done..reference.at.start)?);
        done = reference.at.end;
        let written = text.get(reference.at.clone())?;
        match lookup(reference.name) {
            Some(found) => {
                let value = options.refs.replacement(text, &reference, found);
                out.push_str(value.unwrap_or_default());
            }
            None if options.keep_undefined => out.push_str(written),
            None => {}
        }
        if out.len() > most {
            return None;
        }
    }
    if done == 0 {
        return None;
    }
    out.push_str(text.get(done..)?);
    (out.len() <= most).then(|| Variable {
        value: Some(out.into()),
        ..variable.clone()
    })
}

/// Indices of `items` in dependency order: strongly connected components as Ruby's TSort yields them.
fn sorted(items: &[&Variable]) -> Result<Vec<usize>, CircularReference> {
    if !items.iter().any(|variable| refers(variable)) {
        return Ok((0..items.len()).collect());
    }
    let mut by_name: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
    for (index, variable) in items.iter().enumerate() {
        by_name.entry(&variable.key).or_default().push(index);
    }
    let mut search = Search {
        items,
        by_name,
        state: vec![State::New; items.len()],
        ids: 0,
        stack: Vec::new(),
        order: Vec::with_capacity(items.len()),
        cycles: Vec::new(),
    };
    for index in 0..items.len() {
        search.visit(index);
    }
    if search.cycles.is_empty() {
        Ok(search.order)
    } else {
        Err(CircularReference {
            cycles: search.cycles,
        })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    /// On the stack, with the number of its visit.
    Open(usize),
    Done,
}

/// Tarjan's search with its own stack of frames: a chain of references may be long.
struct Search<'a> {
    items: &'a [&'a Variable],
    by_name: FxHashMap<&'a str, Vec<usize>>,
    state: Vec<State>,
    ids: usize,
    stack: Vec<usize>,
    order: Vec<usize>,
    cycles: Vec<Vec<Arc<str>>>,
}

struct Frame {
    id: usize,
    lowest: usize,
    depth: usize,
    children: std::vec::IntoIter<usize>,
}

impl Search<'_> {
    fn visit(&mut self, root: usize) {
        if self.state(root) != State::New {
            return;
        }
        let mut frames = vec![self.open(root)];
        while let Some(frame) = frames.last_mut() {
            match frame.children.next() {
                Some(child) => match self.state(child) {
                    State::New => frames.push(self.open(child)),
                    State::Open(id) => frame.lowest = frame.lowest.min(id),
                    State::Done => {}
                },
                None => {
                    let (id, lowest, depth) = (frame.id, frame.lowest, frame.depth);
                    frames.pop();
                    if id == lowest {
                        self.close(depth);
                    }
                    if let Some(parent) = frames.last_mut() {
                        parent.lowest = parent.lowest.min(lowest);
                    }
                }
            }
        }
    }

    fn state(&self, node: usize) -> State {
        self.state.get(node).copied().unwrap_or(State::Done)
    }

    fn set(&mut self, node: usize, state: State) {
        if let Some(slot) = self.state.get_mut(node) {
            *slot = state;
        }
    }

    fn open(&mut self, node: usize) -> Frame {
        let id = self.ids;
        self.ids += 1;
        self.set(node, State::Open(id));
        let depth = self.stack.len();
        self.stack.push(node);
        Frame {
            id,
            lowest: id,
            depth,
            children: self.children(node).into_iter(),
        }
    }

    fn children(&self, node: usize) -> Vec<usize> {
        let text = self.items.get(node).filter(|variable| refers(variable));
        let text = text.and_then(|variable| variable.value.as_deref());
        nested_references(text.unwrap_or_default())
            .filter_map(|reference| self.by_name.get(reference.name))
            .flatten()
            .copied()
            .collect()
    }

    /// Everything on the stack from `depth` on is one component.
    fn close(&mut self, depth: usize) {
        let component = self.stack.split_off(depth);
        for node in &component {
            self.set(*node, State::Done);
        }
        if component.len() > 1 {
            let keys = component.iter().filter_map(|node| self.items.get(*node));
            self.cycles.push(keys.map(|v| v.key.clone()).collect());
        }
        self.order.extend(component);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variable::VariableSource;

    fn variables(items: &[(&str, &str)]) -> Variables {
        items
            .iter()
            .map(|(key, value)| Variable::new(*key, *value, VariableSource::YamlRoot))
            .collect()
    }

    fn check(items: &[(&str, &str)], expected: &[(&str, &str)]) {
        let sorted = sort_and_expand(&variables(items), NestedOptions::FOR_DECISIONS).unwrap();
        let shown: Vec<(&str, &str)> = sorted
            .as_slice()
            .iter()
            .map(|v| (&*v.key, v.value.as_deref().unwrap_or("nil")))
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn references_are_resolved_in_dependency_order() {
        check(
            &[("A", "$B-x"), ("B", "${C}"), ("C", "c")],
            &[("C", "c"), ("B", "c"), ("A", "c-x")],
        );
        check(&[("A", "[$NOPE]${}a$$B")], &[("A", "[]${}a$$B")]);
    }

    #[test]
    fn a_variable_may_extend_a_lower_one_of_its_name() {
        check(
            &[("A", "base"), ("A", "$A:x")],
            &[("A", "base"), ("A", "base:x")],
        );
        check(
            &[("A", "$A:x"), ("A", "top")],
            &[("A", "top"), ("A", "top:x")],
        );
        check(&[("A", "$A:x")], &[("A", ":x")]);
    }

    #[test]
    fn what_doubles_without_end_stays_as_written() {
        let mut items = vec![("A0".to_owned(), "0123456789".to_owned())];
        for at in 1..40 {
            let below = at - 1;
            items.push((format!("A{at}"), format!("$A{below}$A{below}")));
        }
        let items: Vec<_> = items
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let all = variables(&items);
        let sorted = sort_and_expand(&all, NestedOptions::FOR_DECISIONS).unwrap();
        let lengths = sorted
            .as_slice()
            .iter()
            .map(|v| v.value.as_deref().unwrap_or_default().len());
        let lengths: Vec<_> = lengths.collect();
        assert_eq!(lengths[..4], [10, 20, 40, 80]);
        assert!(lengths.iter().all(|length| *length <= LONGEST_EXPANDED));
        let resolver = crate::Resolver::new(&all, NestedOptions::FOR_DECISIONS);
        let last = resolver.lookup("A39").and_then(|v| v.value.as_deref());
        assert!(last.is_some_and(|value| value.len() <= LONGEST_EXPANDED));
    }

    #[test]
    fn circles_are_named() {
        let all = variables(&[
            ("A", "$B"),
            ("B", "$C"),
            ("C", "$A"),
            ("X", "x"),
            ("D", "$E"),
            ("E", "$D"),
        ]);
        let expected = r#"circular variable reference detected: ["A", "B", "C"], ["D", "E"]"#;
        let error = sort_and_expand(&all, NestedOptions::FOR_RUNNER).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(circular_reference(&all), Some(error));
        assert_eq!(circular_reference(&variables(&[("A", "$B")])), None);
    }

    #[test]
    fn a_long_chain_does_not_exhaust_the_stack() {
        let items: Variables = (0..50_000)
            .map(|n| {
                let value = format!("$V{}", n + 1);
                Variable::new(format!("V{n}"), value, VariableSource::YamlRoot)
            })
            .collect();
        assert_eq!(circular_reference(&items), None);
    }
}
