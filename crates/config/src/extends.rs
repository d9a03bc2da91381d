//! `extends`: lays a top-level entry over the entries it names (reference `config.md` §5).

use std::sync::Arc;

use rustc_hash::FxHashSet;
use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::{Map, Node, Value};

use crate::keyword::jobs::may_be_job;
use crate::merge::{self, Trace};
use crate::nearest::nearest;
use crate::overridden::{Layer, Overridden};
use crate::ruby::{self, Keys};
use crate::tree::Tree;

/// More ancestors than this are too deep.
const MOST_ANCESTORS: usize = 10;

/// Entries of maps that all merging together may copy: enough for 100 000 jobs of 80 keys each, and less than a gigabyte.
///
/// GitLab has no such limit; it would work on these until its time or memory is used up.
const MOST_COPIED: usize = 8_000_000;

/// Resolves `extends` of every top-level entry, whatever it is: jobs, `default`, even `variables`.
///
/// Each entry is resolved once, however many others extend it. The first error ends it, as in GitLab.
pub(crate) fn resolved(root: Map, overridden: Option<&mut Overridden>) -> Result<Map, Diagnostic> {
    let mut resolver = Resolver::new(root, None, overridden);
    resolver.run()?;
    Ok(resolver.root)
}

/// As [`resolved`], but jobs that extend one entry, and that no other entry extends, wait until they are taken.
///
/// All errors are told here; taking has none.
pub(crate) fn put_off(root: Map) -> Result<Tree, Diagnostic> {
    let mut named = FxHashSet::default();
    for (_, node) in &root {
        if let Some(extends) = node.as_map().and_then(|map| map.get("extends")) {
            named.extend(base_names(extends).into_iter().map(|(name, _)| name));
        }
    }
    let mut resolver = Resolver::new(root, Some(named), None);
    resolver.run()?;
    Ok(Tree::new(resolver.root, resolver.waiting))
}

struct Resolver<'a> {
    /// The tree, in which each entry is replaced once it is resolved: of thousands of jobs none should be held twice.
    root: Map,
    /// For each entry that is resolved, the longest chain of entries with `extends` that starts there, itself included.
    heights: Vec<Option<u8>>,
    /// Entries that are being resolved, the outermost first.
    ancestors: Vec<(Arc<str>, Span)>,
    /// Entries of maps copied so far.
    copied: usize,
    /// Names that something extends, where entries may wait.
    named: Option<FxHashSet<Arc<str>>>,
    /// For each entry that waits, the position of its base.
    waiting: Vec<Option<u32>>,
    overridden: Option<&'a mut Overridden>,
}

fn extends(node: &Node) -> bool {
    node.as_map().is_some_and(|map| map.contains("extends"))
}

impl<'a> Resolver<'a> {
    fn new(
        root: Map,
        named: Option<FxHashSet<Arc<str>>>,
        overridden: Option<&'a mut Overridden>,
    ) -> Resolver<'a> {
        Resolver {
            heights: vec![None; root.len()],
            waiting: match named {
                Some(_) => vec![None; root.len()],
                None => Vec::new(),
            },
            root,
            ancestors: Vec::new(),
            copied: 0,
            named,
            overridden,
        }
    }

    fn run(&mut self) -> Result<(), Diagnostic> {
        for at in 0..self.root.len() {
            if self.root.at(at).is_some_and(|(_, node)| extends(node)) {
                self.extended(at)?;
            }
        }
        Ok(())
    }

    /// Resolves the entry at a position under the present ancestors, and returns its height.
    fn extended(&mut self, at: usize) -> Result<usize, Diagnostic> {
        let known = self.heights.get(at).copied().flatten().map(usize::from);
        // Too deep from here: walk the chain again, to name the entry GitLab names.
        if let Some(height) = known.filter(|it| self.ancestors.len() + it <= MOST_ANCESTORS + 1) {
            return Ok(height);
        }
        let height = self.merged_over_bases(at)?;
        if let Some(known) = self.heights.get_mut(at) {
            *known = u8::try_from(height).ok();
        }
        Ok(height)
    }

    fn merged_over_bases(&mut self, at: usize) -> Result<usize, Diagnostic> {
        let Some((key, node)) = self.root.at(at) else {
            return Ok(0);
        };
        let Some(own) = node.as_map() else {
            return Ok(0);
        };
        let Some(extends) = own.get("extends") else {
            return Ok(0);
        };
        let names = base_names(extends);
        let (name, span, place) = (merge::key_text(key), key.span, node.span);
        self.check(&name, span, extends, &names)?;
        let mut bases = Vec::with_capacity(names.len());
        for (base, _) in names {
            // The check above found every base to be there.
            bases.extend(self.root.position(&base).map(|at| (base, at)));
        }
        self.ancestors.push((name.clone(), span));
        let mut height = 0;
        for (_, base) in &bases {
            height = height.max(self.extended(*base)?);
        }
        self.ancestors.pop();
        if !self.waits(at, &bases) {
            let laid = self.laid_over(&name, at, &bases);
            self.root.replace_at(at, Node::map(laid, place));
        }
        if self.copied > MOST_COPIED {
            let message = format!("{name}: `extends` makes the configuration too big");
            return Err(Diagnostic::error("extends-size", message).at(span));
        }
        Ok(height + 1)
    }

    /// Whether the entry at a position waits to be laid over its bases; if so it is noted with what that will copy.
    fn waits(&mut self, at: usize, bases: &[(Arc<str>, usize)]) -> bool {
        let (Some(named), [(_, base)], Some((key, _))) = (&self.named, bases, self.root.at(at))
        else {
            return false;
        };
        let is_named = key.as_str().is_none_or(|name| named.contains(name));
        let (Some(below), Some(own)) = (self.map_at(*base), self.map_at(at)) else {
            return false;
        };
        if is_named || !may_be_job(key) {
            return false;
        }
        let copied = below.len() + merge::copied(below, own);
        let (Some(place), Ok(base)) = (self.waiting.get_mut(at), u32::try_from(*base)) else {
            return false;
        };
        *place = Some(base);
        self.copied += copied;
        true
    }

    fn map_at(&self, at: usize) -> Option<&Map> {
        self.root.at(at).and_then(|(_, node)| node.as_map())
    }

    /// The entry at a position over its bases, which are resolved.
    fn laid_over(&mut self, name: &Arc<str>, at: usize, bases: &[(Arc<str>, usize)]) -> Map {
        let mut overridden = self.overridden.take();
        let mut trace = overridden.as_deref_mut().map(|overridden| Trace {
            overridden,
            path: vec![name.clone()],
            layer: |lost| Layer::ReplacedByExtends(lost.span),
        });
        let own = self.map_at(at);
        let mut copied = self.copied;
        let mut result = Map::default();
        for (base, at) in bases {
            let Some(map) = self.map_at(*at).filter(|_| copied <= MOST_COPIED) else {
                continue;
            };
            if let Some(trace) = &mut trace {
                record_inherited(trace, base, map);
            }
            copied += match result.is_empty() {
                true => {
                    result = map.with_room(own.map_or(0, |own| merge::added(map, own)));
                    map.len()
                }
                false => merge::merge_into(&mut result, map, &mut trace.as_mut()),
            };
        }
        // Bases bring their own `extends`; replacing it is no override worth telling.
        if let Some(own) = own {
            copied += merge::merge_into(&mut result, own, &mut trace.as_mut());
        }
        self.copied = copied;
        self.overridden = overridden;
        result
    }

    /// GitLab's checks in GitLab's order.
    fn check(
        &self,
        name: &Arc<str>,
        span: Span,
        extends: &Node,
        names: &[(Arc<str>, Span)],
    ) -> Result<(), Diagnostic> {
        self.check_known(name, extends, names)?;
        self.check_maps(name, extends, names)?;
        let chain = |diagnostic: Diagnostic| {
            let ancestors = self.ancestors.iter();
            ancestors.fold(diagnostic, |diagnostic, (ancestor, span)| {
                diagnostic.context(*span, format!("`{ancestor}` extends"))
            })
        };
        if self.ancestors.len() > MOST_ANCESTORS {
            let message = format!("{name}: nesting too deep in `extends`");
            return Err(
                chain(Diagnostic::error("extends-too-deep", message).at(span)).note(format!(
                    "a chain of more than {} `extends` is rejected",
                    MOST_ANCESTORS + 1
                )),
            );
        }
        if self.ancestors.iter().any(|(ancestor, _)| ancestor == name) {
            let message = format!("{name}: circular dependency detected in `extends`");
            let diagnostic = Diagnostic::error("extends-circular", message).at(extends.span);
            return Err(chain(diagnostic));
        }
        Ok(())
    }

    fn check_known(
        &self,
        name: &str,
        extends: &Node,
        names: &[(Arc<str>, Span)],
    ) -> Result<(), Diagnostic> {
        let unknown: Vec<_> = names
            .iter()
            .filter(|(base, _)| !self.root.contains(base))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let list = listed(unknown.iter().map(|(base, _)| &**base));
        let message = format!("{name}: unknown keys in `extends` ({list})");
        let mut diagnostic = Diagnostic::error("extends-unknown", message);
        for (base, span) in unknown {
            let span = if span.is_some() { *span } else { extends.span };
            diagnostic = diagnostic.at(span);
            let known = self.root.iter().filter(|(_, node)| node.as_map().is_some());
            let known = known.filter_map(|(key, _)| key.as_str());
            if let Some(near) = nearest(base, known.filter(|known| *known != name)) {
                diagnostic = diagnostic.suggest(format!("did you mean `{near}`?"), span, near);
            }
        }
        Err(diagnostic)
    }

    fn check_maps(
        &self,
        name: &str,
        extends: &Node,
        names: &[(Arc<str>, Span)],
    ) -> Result<(), Diagnostic> {
        let invalid: Vec<_> = names
            .iter()
            .filter_map(|(base, span)| Some((base, *span, self.root.entry(base)?)))
            .filter(|(_, _, (_, value))| value.as_map().is_none())
            .collect();
        if invalid.is_empty() {
            return Ok(());
        }
        let list = listed(invalid.iter().map(|(base, _, _)| &***base));
        let message = format!("{name}: invalid base hashes in `extends` ({list})");
        let mut diagnostic = Diagnostic::error("extends-invalid-base", message).at(extends.span);
        for (base, _, (key, value)) in invalid {
            diagnostic = diagnostic.context(key.span, format!("`{base}` is not a mapping"));
            if matches!(value.value, Value::Reference(_)) {
                diagnostic = diagnostic.note(
                    "`!reference` is resolved after `extends`, so its result cannot be a base",
                );
            }
        }
        Err(diagnostic)
    }
}

/// Ruby's `Array(value)` with `to_s` of each item, and where the item stands.
fn base_names(extends: &Node) -> Vec<(Arc<str>, Span)> {
    let name = |node: &Node| (Arc::from(ruby::to_s(&node.value, Keys::Symbols)), node.span);
    match &extends.value {
        Value::Null => Vec::new(),
        Value::Seq(items) => items.iter().map(name).collect(),
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| {
                let pair = format!(
                    "[{}, {}]",
                    ruby::inspect_symbol_key(&key.value),
                    ruby::inspect(&value.value, Keys::Symbols)
                );
                (pair.into(), key.span)
            })
            .collect(),
        Value::Str(text) | Value::Symbol(text) => vec![(text.clone(), extends.span)],
        _ => vec![name(extends)],
    }
}

fn record_inherited(trace: &mut Trace<'_>, base: &Arc<str>, map: &Map) {
    for (key, value) in map {
        if key.as_str() == Some("extends") {
            continue;
        }
        trace.path.push(merge::key_text(key));
        let layer = Layer::Inherited {
            base: base.clone(),
            written: value.span,
        };
        trace.overridden.add(&trace.path, layer);
        trace.path.pop();
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
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
    fn bases_come_first_and_the_key_stays() {
        check(
            "{.a: {x: {p: 1, q: 2}, y: 1}, .b: {y: 2}, j: {extends: [.a, .b], x: {q: 3}}}",
            "{.a: {x: {p: 1, q: 2}, y: 1}, .b: {y: 2}, \
             j: {x: {p: 1, q: 3}, y: 2, extends: [.a, .b]}}",
        );
    }

    #[test]
    fn merging_large_maps_into_many_entries_is_refused() {
        let keys: Vec<_> = (0..10_000).map(|n| format!("k{n}: 1")).collect();
        let mut text = format!(".base: {{variables: {{{}}}}}\n", keys.join(", "));
        for job in 0..1000 {
            text.push_str(&format!(
                "j{job}: {{extends: .base, variables: {{A: b}}}}\n"
            ));
        }
        check(&text, "j799: `extends` makes the configuration too big");
    }

    #[test]
    fn null_extends_nothing() {
        check("{j: {extends: , x: 1}}", "{j: {extends: null, x: 1}}");
    }

    #[test]
    fn every_top_level_map_may_extend() {
        check(
            "{variables: {extends: .v}, .v: {A: b}}",
            "{variables: {A: b, extends: .v}, .v: {A: b}}",
        );
    }

    #[test]
    fn unknown_bases_are_all_named_as_ruby_prints_them() {
        check(
            "{a: {extends: [zz, yy]}}",
            "a: unknown keys in `extends` (zz, yy)",
        );
        check(
            "{a: {extends: [x, [y, [z]], ~, 1.50]}}",
            "a: unknown keys in `extends` (x, [\"y\", [\"z\"]], , 1.5)",
        );
        check(
            "{1: {x: 1}, a: {extends: 1}}",
            "a: unknown keys in `extends` (1)",
        );
        check("{~: {extends: no}}", ": unknown keys in `extends` (false)");
    }

    #[test]
    fn a_base_must_be_a_map() {
        check(
            "{.b: , .r: !reference [.a], a: {extends: [.b, .r]}}",
            "a: invalid base hashes in `extends` (.b, .r)",
        );
    }

    #[test]
    fn circles_are_found_at_the_entry_that_closes_them() {
        check(
            "{a: {extends: b}, b: {extends: a}}",
            "a: circular dependency detected in `extends`",
        );
        check(
            "{a: {extends: b}, b: {extends: c}, c: {extends: b}}",
            "b: circular dependency detected in `extends`",
        );
    }

    fn chain(length: usize, bottom_first: bool) -> String {
        let mut lines = vec![".c0: {script: x}".to_owned()];
        for n in 1..=length {
            lines.push(format!(".c{n}: {{extends: .c{}}}", n - 1));
        }
        lines.push(format!("a: {{extends: .c{length}}}"));
        if !bottom_first {
            lines.reverse();
        }
        lines.join("\n")
    }

    #[test]
    fn eleven_hops_are_the_longest_chain_in_any_order() {
        for bottom_first in [true, false] {
            assert!(resolved(map(&chain(10, bottom_first)), None).is_ok());
            check(
                &chain(11, bottom_first),
                ".c1: nesting too deep in `extends`",
            );
        }
        check(&chain(12, false), ".c2: nesting too deep in `extends`");
    }

    #[test]
    fn a_near_name_is_suggested_with_its_replacement() {
        let problem = resolved(map("{.base: {x: 1}, j: {extends: .bse}}"), None).unwrap_err();
        assert_eq!(problem.suggestions[0].text, "did you mean `.base`?");
        let (span, text) = problem.suggestions[0].replacement.clone().unwrap();
        assert_eq!((span.end() - span.start(), text.as_str()), (4, ".base"));
    }

    #[test]
    fn what_an_entry_inherits_and_replaces_is_recorded() {
        let mut overridden = Overridden::default();
        let root = map("{.a: {image: x, tags: [t]}, j: {extends: .a, image: y}}");
        let written = root
            .get(".a")
            .and_then(Node::as_map)
            .unwrap()
            .get("image")
            .unwrap()
            .span;
        resolved(root, Some(&mut overridden)).unwrap();
        let base: Arc<str> = ".a".into();
        assert_eq!(
            overridden.at(&["j".into(), "image".into()]),
            [
                Layer::Inherited { base, written },
                Layer::ReplacedByExtends(written)
            ]
        );
        assert_eq!(overridden.at(&["j".into(), "tags".into()]).len(), 1);
    }

    /// The rule without memory: every base is resolved again wherever it is named.
    fn naive(root: &Map, name: &str, ancestors: &[&str]) -> Result<Map, String> {
        let own = root
            .get(name)
            .and_then(Node::as_map)
            .cloned()
            .unwrap_or_default();
        let Some(extends) = own.get("extends") else {
            return Ok(own);
        };
        let bases: Vec<&str> = match extends.as_seq() {
            Some(items) => items.iter().filter_map(Node::as_str).collect(),
            None => extends.as_str().into_iter().collect(),
        };
        let unknown: Vec<_> = bases
            .iter()
            .filter(|base| !root.contains(base))
            .copied()
            .collect();
        if !unknown.is_empty() {
            let list = unknown.join(", ");
            return Err(format!("{name}: unknown keys in `extends` ({list})"));
        }
        if ancestors.len() > MOST_ANCESTORS {
            return Err(format!("{name}: nesting too deep in `extends`"));
        }
        if ancestors.contains(&name) {
            return Err(format!("{name}: circular dependency detected in `extends`"));
        }
        let chain: Vec<&str> = ancestors.iter().copied().chain([name]).collect();
        let mut result = Map::default();
        for base in bases {
            merge::merge_into(&mut result, &naive(root, base, &chain)?, &mut None);
        }
        merge::merge_into(&mut result, &own, &mut None);
        Ok(result)
    }

    fn shown(result: Result<Map, Diagnostic>) -> String {
        result.map_or_else(|problem| problem.message, |root| text_of(&root))
    }

    #[test]
    fn jobs_that_wait_become_what_they_would_have_been() {
        for text in [
            "{.a: {x: {p: 1}, y: 1}, .b: {extends: .a, y: 2}, j: {extends: .b, x: {q: 2}}, k: {extends: [.a, .b]}}",
            "{j: {extends: k, x: 1}, k: {extends: .a}, .a: {z: 1}, variables: {extends: .a}, 1: {extends: .a}}",
            "{j: {extends: [.a], x: }, .a: {x: {y: z}}}",
            "{a: {extends: b}, b: {extends: a}}",
            "{a: {extends: a}}",
            "{a: {extends: zz}, b: {extends: .c}, .c: 1}",
        ] {
            let waiting = put_off(map(text)).map(Tree::into_map);
            assert_eq!(shown(waiting), shown(resolved(map(text), None)), "{text}");
        }
        for length in [9, 10, 11, 12] {
            for bottom_first in [true, false] {
                let text = chain(length, bottom_first);
                let waiting = put_off(map(&text)).map(Tree::into_map);
                assert_eq!(shown(waiting), shown(resolved(map(&text), None)), "{text}");
            }
        }
    }

    #[test]
    fn a_waiting_job_is_whole_when_taken_and_its_base_stays() {
        let text = "{.a: {x: 1}, k: {extends: .a, y: 2}, j: {extends: k, z: 3}}";
        let mut tree = put_off(map(text)).unwrap();
        assert!(tree.has(2, "x") && tree.has(2, "z") && !tree.has(2, "w"));
        let taken = |node: Option<Node>| text_of(&node.and_then(Node::into_map).unwrap());
        assert_eq!(taken(tree.take(1)), "{x: 1, extends: .a, y: 2}");
        assert_eq!(taken(tree.take(2)), "{x: 1, extends: k, y: 2, z: 3}");
        assert!(tree.map().get("j").is_some_and(Node::is_null));
        assert!(tree.map().get("k").is_some_and(|node| !node.is_null()));
    }

    proptest::proptest! {
        #[test]
        fn remembering_bases_changes_nothing(
            entries in proptest::collection::vec(
                (proptest::collection::vec(0_usize..16, 0..3), 0..4),
                1..16,
            ),
        ) {
            // Mostly downwards, so that deep chains come up and not only circles.
            let lines: Vec<String> = entries
                .iter()
                .enumerate()
                .map(|(at, (bases, value))| {
                    let base = |base: &usize| match base {
                        0 => format!("e{}", at + 1),
                        _ => format!("e{}", at.saturating_sub(*base)),
                    };
                    let bases: Vec<_> = bases.iter().map(base).collect();
                    let extends = match bases.is_empty() {
                        true => String::new(),
                        false => format!("extends: [{}], ", bases.join(", ")),
                    };
                    format!("e{at}: {{{extends}v: {{k{value}: {at}}}, w{value}: {at}}}")
                })
                .collect();
            let root = map(&lines.join("\n"));
            let expected: Result<Vec<String>, String> = root
                .iter()
                .filter_map(|(key, _)| key.as_str())
                .map(|name| naive(&root, name, &[]).map(|entry| text_of(&entry)))
                .collect();
            let waiting = put_off(root.clone()).map(Tree::into_map);
            proptest::prop_assert_eq!(shown(waiting), shown(resolved(root.clone(), None)));
            let ours = resolved(root, None).map_err(|problem| problem.message);
            let ours = ours.map(|root| {
                let entries = root.iter().filter_map(|(_, node)| node.as_map());
                entries.map(text_of).collect::<Vec<_>>()
            });
            proptest::prop_assert_eq!(ours, expected);
        }
    }
}
