//! Which top-level entries are jobs, and of which kind (reference `config.md` §9.2).

use std::sync::Arc;

use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::{Key, Map, Node};

use super::job::{Surroundings, bridge, job};
use crate::nearest::nearest;
use crate::normalize::Gathered;
use crate::ruby::{Keys, to_s};
use crate::tree::Tree;
use crate::typed::{Check, Context, Faults, INVALID, Place, is_blank};

/// Top-level keys that are never jobs.
const RESERVED: [&str; 8] = [
    "include",
    "before_script",
    "image",
    "services",
    "after_script",
    "variables",
    "stages",
    "cache",
];

/// Top-level keys that are jobs only if they look like one.
const CLAIMED: [&str; 2] = ["default", "workflow"];

/// What a top-level entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// A template: its name starts with a dot.
    Hidden,
    /// A job that runs scripts.
    Job,
    /// A trigger job.
    Bridge,
    /// Meant as a job, but none.
    Unmatched,
    /// A keyword.
    Keyword,
}

/// What the top-level entry `key` is.
pub(crate) fn classify(key: &Key, node: &Node) -> Class {
    classify_by(key, |name| {
        node.as_map().is_some_and(|map| map.contains(name))
    })
}

/// What the entry at a position of a tree is.
fn class_at(tree: &Tree, at: usize) -> Option<Class> {
    let (key, _) = tree.map().at(at)?;
    Some(classify_by(key, |name| tree.has(at, name)))
}

fn classify_by(key: &Key, has: impl Fn(&str) -> bool) -> Class {
    let name = key.as_str();
    if name.is_some_and(|name| RESERVED.contains(&name)) {
        return Class::Keyword;
    }
    if to_s(&key.value, Keys::Symbols).starts_with('.') {
        return Class::Hidden;
    }
    if has("script") || has("run") {
        Class::Job
    } else if has("trigger") || has("needs") {
        Class::Bridge
    } else if name.is_some_and(|name| CLAIMED.contains(&name)) {
        Class::Keyword
    } else {
        Class::Unmatched
    }
}

/// Whether the top-level key can only be that of a job: neither a template nor a keyword.
pub(crate) fn may_be_job(key: &Key) -> bool {
    let name = key.as_str().unwrap_or_default();
    !name.starts_with('.') && !RESERVED.contains(&name) && !CLAIMED.contains(&name)
}

/// Reads all jobs of a configuration, and leaves null in their places: of thousands of jobs none should be held twice.
pub(crate) fn jobs(
    cx: &mut Context<'_>,
    tree: &mut Tree,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Gathered {
    let place = Place::top("jobs");
    let before = faults.len();
    check_classes(tree, faults);
    if faults.len() > before {
        return Gathered::with_capacity(0, false);
    }
    let entries = tree.map().len();
    let some_parallel = (0..entries).any(|at| tree.has(at, "parallel"));
    let mut found = Gathered::with_capacity(entries, some_parallel);
    // GitLab comes to names that are no texts last (measured; no such job is valid).
    for texts in [true, false] {
        for at in 0..entries {
            let entry = tree.map().at(at);
            let Some((key, node)) = entry.filter(|(key, _)| key.as_str().is_some() == texts) else {
                continue;
            };
            let read = match class_at(tree, at) {
                Some(Class::Job) => job,
                Some(Class::Bridge) => bridge,
                Some(Class::Hidden) => {
                    check_hidden(&place, key, node, faults);
                    continue;
                }
                _ => continue,
            };
            let key = key.clone();
            let Some(node) = tree.take(at) else { continue };
            if let Some(job) = read(cx, &place, &key, &node, around, faults) {
                found.add(job);
            }
        }
    }
    found
}

/// The names of hidden jobs.
pub(crate) fn hidden_names(root: &Map) -> Vec<Arc<str>> {
    let hidden = root
        .iter()
        .filter(|(key, node)| classify(key, node) == Class::Hidden);
    hidden
        .filter_map(|(key, _)| key.as_str().map(Arc::from))
        .collect()
}

fn check_classes(tree: &Tree, faults: &mut Faults) {
    let root = tree.map();
    let mut visible = false;
    for (at, (key, _)) in root.iter().enumerate() {
        let Some(class) = class_at(tree, at) else {
            continue;
        };
        match class {
            Class::Job | Class::Bridge => visible = true,
            Class::Unmatched => faults.push(unmatched(key)),
            Class::Hidden | Class::Keyword => {}
        }
    }
    if !visible {
        let text = "jobs config should contain at least one visible job";
        let span = root.iter().next().map_or(Span::NONE, |(key, _)| key.span);
        faults.push(Diagnostic::error(INVALID, text).at(span));
    }
}

fn unmatched(key: &Key) -> Diagnostic {
    let name = to_s(&key.value, Keys::Strings);
    let shown = humanised(&name);
    let text =
        format!("jobs {shown} config should implement the script:, run:, or trigger: keyword");
    let diagnostic = Diagnostic::error("no-script", text.to_lowercase()).at(key.span);
    let keywords = RESERVED.into_iter().chain(CLAIMED);
    match nearest(&name, keywords) {
        Some(near) => diagnostic.suggest(format!("did you mean `{near}`?"), key.span, near),
        None => diagnostic,
    }
}

/// The name as GitLab shows it here: white space of names of plain letters becomes underscores.
fn humanised(name: &str) -> String {
    let lower = name.to_lowercase();
    let plain = lower
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_whitespace());
    if !plain {
        return lower;
    }
    lower
        .chars()
        .map(|c| if c.is_ascii_whitespace() { '_' } else { c })
        .collect()
}

fn check_hidden(jobs: &Place<'_>, key: &Key, node: &Node, faults: &mut Faults) {
    if is_blank(node) {
        let name = to_s(&key.value, Keys::Symbols);
        let place = jobs.child(&name);
        Check::new(&place, node, faults).fault("config can't be blank");
    }
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn entries_that_are_no_jobs_hide_the_faults_of_jobs() {
        check(
            "foo: [bar]\na: {script: x}",
            &["jobs foo config should implement the script:, run:, or trigger: keyword"],
        );
        check(
            "foo:\na: {script: x}",
            &["jobs foo config should implement the script:, run:, or trigger: keyword"],
        );
        check("'nil': {script: x}", &[]);
        check(
            ".a: {script: x}",
            &["jobs config should contain at least one visible job"],
        );
        check(".a: {}\nb: {script: x}", &["jobs:.a config can't be blank"]);
        check(
            "My Job Name: {stage: test}\nb: {script: x}",
            &["jobs my_job_name config should implement the script:, run:, or trigger: keyword"],
        );
        check(
            "a: {script: 1, foo: 2, when: bar}\nb: {stage: zz}",
            &["jobs b config should implement the script:, run:, or trigger: keyword"],
        );
        check(
            "image: 1\n.a: {script: x}",
            &[
                "image config should be a hash or a string",
                "image name should be a string",
                "image name can't be blank",
                "image config should be a hash or a string",
                "image name should be a string",
                "image name can't be blank",
                "jobs config should contain at least one visible job",
            ],
        );
    }
}
