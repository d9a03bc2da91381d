//! `rules:cache`, an extension (reference `extensions.md` §1).

use tidegate_yaml::{Map, Node, Value};

use crate::typed::{Check, Faults, Place, specified, string};
use crate::{CacheClause, CacheMatch, CacheName};

/// The condition on the state of caches.
pub(crate) fn cache_clause(
    place: &Place<'_>,
    node: &Node,
    faults: &mut Faults,
) -> Option<CacheClause> {
    let mut check = Check::new(place, node, faults);
    let mut found = CacheClause {
        span: node.span,
        wanted: CacheMatch::MissingAny,
        of: Vec::new(),
        fallback: false,
    };
    match (&node.value, node.as_map()) {
        (Value::Str(text), _) => match &**text {
            "missing" => {}
            "present" => found.wanted = CacheMatch::PresentAll,
            _ => check.fault("config should be missing, present or a hash"),
        },
        (_, Some(map)) => {
            check.known_keys(node, &["missing", "present", "of", "fallback"]);
            check.exactly_one_key(map, &["missing", "present"]);
            found.wanted = wanted(&mut check, map);
            let fallback = check.boolean("fallback", specified(map, "fallback"));
            found.fallback = fallback.unwrap_or_default();
            found.of = specified(map, "of").map_or_else(Vec::new, |node| of(&mut check, node));
        }
        _ => check.fault("config should be missing, present or a hash"),
    }
    check.passed().then_some(found)
}

fn wanted(check: &mut Check<'_>, map: &Map) -> CacheMatch {
    let words = ["any", "all"];
    let text = "should be one of: any, all";
    let missing = check.word("missing", map.get("missing"), &words, text);
    let present = check.word("present", map.get("present"), &words, text);
    let is_all = |text: &crate::Text| &*text.value == "all";
    match (missing, present) {
        (Some(text), _) if is_all(&text) => CacheMatch::MissingAll,
        (None, Some(text)) if is_all(&text) => CacheMatch::PresentAll,
        (None, Some(_)) => CacheMatch::PresentAny,
        _ => CacheMatch::MissingAny,
    }
}

fn of(check: &mut Check<'_>, node: &Node) -> Vec<CacheName> {
    let items = match node.as_seq() {
        Some(items) => items,
        None => std::slice::from_ref(node),
    };
    let mut names = Vec::with_capacity(items.len());
    for item in items {
        let name = match item.value {
            Value::Int(index) => usize::try_from(index).ok().map(CacheName::Index),
            _ => string(item).map(|text| CacheName::Key(text.value)),
        };
        let text = "of should be an array of indices and key texts";
        check.ensure(name.is_some(), item.span, text);
        names.extend(name);
    }
    names
}
