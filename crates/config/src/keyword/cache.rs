//! `cache`, with the extensions `on_miss` and `push_if` (reference `config.md` §9.6, `extensions.md` §2).

use std::sync::Arc;

use tidegate_pipeline::{Cache, CacheKey, CachePolicy, CacheWhen, OnMiss, PushIf};
use tidegate_yaml::{Map, Node};

use crate::Spanned;
use crate::typed::{
    Check, Context, Faults, Place, flatten, is_blank, length, raw_fault, specified, text, texts,
    values,
};

const KEYS: [&str; 7] = [
    "key",
    "untracked",
    "paths",
    "when",
    "policy",
    "unprotect",
    "fallback_keys",
];
const OWN_KEYS: [&str; 2] = ["on_miss", "push_if"];

/// Outcomes for which caches and artifacts are kept.
pub(crate) const OUTCOMES: [&str; 3] = ["on_success", "on_failure", "always"];

/// What GitLab says of other outcomes.
pub(crate) const OUTCOMES_TEXT: &str = "should be one of: on_success, on_failure, always";

const MOST_CACHES: usize = 4;
const MOST_FALLBACK_KEYS: usize = 5;

/// The caches of a job; `parent` is the place of the job itself, `None` at the top level.
pub(crate) fn caches(
    cx: &mut Context<'_>,
    parent: Option<&Place<'_>>,
    node: &Node,
    faults: &mut Faults,
) -> Option<Vec<Spanned<Cache>>> {
    let place = Place::below(parent, "caches");
    let mut check = Check::new(&place, node, faults);
    if node.as_seq().is_none() && node.as_map().is_none() {
        check.fault("config can only be a hash or an array");
        return None;
    }
    let items = cache_nodes(node);
    if items.len() > MOST_CACHES {
        check.fault("config no more than 4 caches can be created");
        return None;
    }
    let place = Place::below(parent, "cache");
    let mut caches = Vec::with_capacity(items.len());
    for item in items {
        if item.is_null() {
            continue;
        }
        let cache = cache(cx, &place, item, faults);
        caches.extend(cache.map(|cache| Spanned::new(cache, item.span)));
    }
    Some(caches)
}

/// The nodes of the single caches, nested lists made flat.
pub(crate) fn cache_nodes(node: &Node) -> Vec<&Node> {
    let mut nodes = Vec::new();
    flatten(node, usize::MAX, &mut |item| {
        nodes.push(item);
        Some(())
    });
    nodes
}

fn cache(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    node: &Node,
    faults: &mut Faults,
) -> Option<Cache> {
    let mut check = Check::new(place, node, faults);
    // GitLab's entry checks the type twice.
    check.map(node);
    let map = check.map(node);
    cx.known_keys(&mut check, node, &KEYS, &OWN_KEYS);
    let map = map?;
    let policy = policy(&mut check, map);
    let when = check.word("when", specified(map, "when"), &OUTCOMES, OUTCOMES_TEXT);
    fallback_keys_length(&mut check, map);
    let (on_miss, push_if) = own_words(cx, &mut check, map);
    if !check.passed() {
        return None;
    }
    let key = match specified(map, "key") {
        Some(node) => key(&place.child("key"), node, faults),
        None => Some(CacheKey::Text("default".into())),
    };
    let unprotect = boolean(place, map, "unprotect", faults);
    let untracked = boolean(place, map, "untracked", faults);
    let paths = strings(place, map, "paths", faults);
    let fallback_keys = strings(place, map, "fallback_keys", faults);
    Some(Cache {
        key: key?,
        paths,
        untracked,
        policy,
        when: when
            .and_then(|when| CacheWhen::from_name(&when.value))
            .unwrap_or_default(),
        unprotect,
        fallback_keys,
        on_miss,
        push_if,
    })
}

fn policy(check: &mut Check<'_>, map: &Map) -> CachePolicy {
    let Some(node) = specified(map, "policy").filter(|node| !is_blank(node)) else {
        return CachePolicy::default();
    };
    let written = check.string("policy", Some(node));
    let fits = written
        .as_ref()
        .is_some_and(|text| names_policy(&text.value));
    let text = "policy should be a variable or one of: pull-push, push, pull";
    check.ensure(fits, node.span, text);
    written.map_or_else(CachePolicy::default, |text| {
        CachePolicy::from_text(&text.value)
    })
}

/// Whether a policy or a variable stands anywhere in the text: GitLab's pattern has no anchors.
fn names_policy(text: &str) -> bool {
    let variable = text
        .split('$')
        .skip(1)
        .any(|after| after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
    text.contains("push") || text.contains("pull") || variable
}

fn fallback_keys_length(check: &mut Check<'_>, map: &Map) {
    let Some(node) = specified(map, "fallback_keys") else {
        return;
    };
    if length(node) > MOST_FALLBACK_KEYS {
        check.fault_at(node.span, "fallback keys has to many entries (maximum 5)");
    }
}

fn own_words(cx: &Context<'_>, check: &mut Check<'_>, map: &Map) -> (OnMiss, PushIf) {
    if !cx.has_extensions() {
        return (OnMiss::default(), PushIf::default());
    }
    let words = ["continue", "fail", "produce"];
    let text = "should be one of: continue, fail, produce";
    let on_miss = check.word("on miss", specified(map, "on_miss"), &words, text);
    let on_miss = match on_miss.as_ref().map(|text| &*text.value) {
        Some("fail") => OnMiss::Fail,
        Some("produce") => OnMiss::Produce,
        _ => OnMiss::Continue,
    };
    let words = ["always", "changed", "miss"];
    let text = "should be one of: always, changed, miss";
    let push_if = check.word("push if", specified(map, "push_if"), &words, text);
    let push_if = match push_if.as_ref().map(|text| &*text.value) {
        Some("always") => PushIf::Always,
        Some("miss") => PushIf::Miss,
        _ => PushIf::Changed,
    };
    (on_miss, push_if)
}

fn boolean(place: &Place<'_>, map: &Map, key: &str, faults: &mut Faults) -> bool {
    let Some(node) = specified(map, key) else {
        return false;
    };
    let place = place.child(key);
    let value = Check::new(&place, node, faults).boolean("config", Some(node));
    value.unwrap_or_default()
}

fn strings(place: &Place<'_>, map: &Map, key: &str, faults: &mut Faults) -> Vec<Arc<str>> {
    let Some(node) = specified(map, key) else {
        return Vec::new();
    };
    let place = place.child(key);
    let list = Check::new(&place, node, faults).strings("config", Some(node));
    values(list.unwrap_or_default())
}

fn key(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<CacheKey> {
    if let Some(text) = text(node) {
        let mut check = Check::new(place, node, faults);
        key_text(&mut check, &text.value);
        return check.passed().then_some(CacheKey::Text(text.value));
    }
    let Some(map) = node.as_map() else {
        let text = "should be a hash, a string or a symbol";
        faults.push(raw_fault(place, node.span, text));
        return None;
    };
    let mut check = Check::new(place, node, faults);
    check.known_keys(node, &["files", "files_commits", "prefix"]);
    check.exactly_one_key(map, &["files", "files_commits"]);
    if !check.passed() {
        return None;
    }
    let files = files(place, map, "files", faults);
    let commits = self::files(place, map, "files_commits", faults);
    let prefix = match specified(map, "prefix") {
        Some(node) => Some(prefix(&place.child("prefix"), node, faults)?),
        None => None,
    };
    Some(match commits {
        Some(files) => CacheKey::FilesCommits { files, prefix },
        None => CacheKey::Files {
            files: files.unwrap_or_default(),
            prefix,
        },
    })
}

fn key_text(check: &mut Check<'_>, text: &str) {
    let plain = unescape(text);
    if plain.contains('/') {
        check.fault("config cannot contain the \"/\" character");
    }
    if plain == "." || plain == ".." {
        check.fault("config cannot be \".\" or \"..\"");
    }
}

fn prefix(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Arc<str>> {
    let mut check = Check::new(place, node, faults);
    match text(node) {
        Some(text) => {
            key_text(&mut check, &text.value);
            Some(text.value)
        }
        None => {
            check.fault("config should be a string or symbol");
            None
        }
    }
}

fn files(place: &Place<'_>, map: &Map, key: &str, faults: &mut Faults) -> Option<Vec<Arc<str>>> {
    let node = specified(map, key)?;
    let place = place.child(key);
    let mut check = Check::new(&place, node, faults);
    let files = check.strings("config", Some(node));
    let length = length(node);
    check.ensure(length >= 1, node.span, "config requires at least 1 item");
    let text = "config has too many items (maximum is 2)";
    check.ensure(length <= 2, node.span, text);
    let files = texts(node).or(files)?;
    let stripped = files
        .into_iter()
        .map(|file| match file.value.strip_prefix('/') {
            Some(rest) => rest.into(),
            None => file.value,
        });
    Some(stripped.collect())
}

/// The text with `%XX` and `+` of URLs resolved.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3);
        let escaped = digits
            .filter(|_| byte == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn every_field_of_a_cache_is_checked() {
        check(
            "j: {script: x, cache: 1}",
            &["jobs:j:caches config can only be a hash or an array"],
        );
        check(
            "j: {script: x, cache: {paths: a}}",
            &["jobs:j:cache:paths config should be an array of strings"],
        );
        check(
            "j: {script: x, cache: {key: a/b}}",
            &[r#"jobs:j:cache:key config cannot contain the "/" character"#],
        );
        check(
            "j: {script: x, cache: {key: 'a%2Fb'}}",
            &[r#"jobs:j:cache:key config cannot contain the "/" character"#],
        );
        check(
            "j: {script: x, cache: {key: '.'}}",
            &[r#"jobs:j:cache:key config cannot be "." or "..""#],
        );
        check(
            "j: {script: x, cache: {key: '%2E'}}",
            &[r#"jobs:j:cache:key config cannot be "." or "..""#],
        );
        check(
            "j: {script: x, cache: {key: {prefix: a}}}",
            &["jobs:j:cache:key config must use exactly one of these keys: files, files_commits"],
        );
        check(
            "j: {script: x, cache: {key: {files: a}}}",
            &["jobs:j:cache:key:files config should be an array of strings"],
        );
        check(
            "j: {script: x, cache: {key: {files: []}}}",
            &["jobs:j:cache:key:files config requires at least 1 item"],
        );
        check(
            "j: {script: x, cache: {key: {files: [a], prefix: a/b}}}",
            &[r#"jobs:j:cache:key:prefix config cannot contain the "/" character"#],
        );
        check(
            "j: {script: x, cache: {key: {files: [a], prefix: 1}}}",
            &["jobs:j:cache:key:prefix config should be a string or symbol"],
        );
        check(
            "j: {script: x, cache: {key: {files: [a], files_commits: [b]}}}",
            &["jobs:j:cache:key config must use exactly one of these keys: files, files_commits"],
        );
        check(
            "j: {script: x, cache: {untracked: 1}}",
            &["jobs:j:cache:untracked config should be a boolean value"],
        );
        check(
            "j: {script: x, cache: {policy: foo}}",
            &["jobs:j:cache policy should be a variable or one of: pull-push, push, pull"],
        );
        check(
            "j: {script: x, cache: {policy: 1}}",
            &[
                "jobs:j:cache policy should be a string",
                "jobs:j:cache policy should be a variable or one of: pull-push, push, pull",
            ],
        );
        check(
            "j: {script: x, cache: {when: foo}}",
            &["jobs:j:cache when should be one of: on_success, on_failure, always"],
        );
        check(
            "j: {script: x, cache: {fallback_keys: [1]}}",
            &["jobs:j:cache:fallback_keys config should be an array of strings"],
        );
        check(
            "j: {script: x, cache: {fallback_keys: [a, b, c, d, e, f]}}",
            &["jobs:j:cache fallback keys has to many entries (maximum 5)"],
        );
        check(
            "j: {script: x, cache: [{key: a}, {key: b}, {key: c}, {key: d}, {key: e}]}",
            &["jobs:j:caches config no more than 4 caches can be created"],
        );
    }
}
