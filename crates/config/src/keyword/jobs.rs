//! Which top-level entries are jobs, and of which kind (reference `config.md` §9.2).

use std::sync::Arc;

use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::{Key, Map, Node, Value};

use super::job::{Surroundings, WrittenJob, bridge, job};
use crate::nearest::nearest;
use crate::ruby::{Keys, to_s};
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
    let name = key.as_str();
    if name.is_some_and(|name| RESERVED.contains(&name)) {
        return Class::Keyword;
    }
    if to_s(&key.value, Keys::Symbols).starts_with('.') {
        return Class::Hidden;
    }
    let has = |key| node.as_map().is_some_and(|map| map.contains(key));
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

/// Reads all jobs of a configuration, and leaves null in their places: of thousands of jobs none should be held twice.
pub(crate) fn jobs(
    cx: &mut Context<'_>,
    root: &mut Map,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Vec<WrittenJob> {
    let place = Place::top("jobs");
    let before = faults.len();
    check_classes(root, faults);
    if faults.len() > before {
        return Vec::new();
    }
    let mut found = Vec::with_capacity(root.len());
    // GitLab comes to names that are no texts last (measured; no such job is valid).
    for texts in [true, false] {
        for at in 0..root.len() {
            let Some((key, node)) = root.at(at).filter(|it| it.0.as_str().is_some() == texts)
            else {
                continue;
            };
            let read = match classify(key, node) {
                Class::Hidden => {
                    check_hidden(&place, key, node, faults);
                    continue;
                }
                Class::Job => job(cx, &place, key, node, around, faults),
                Class::Bridge => bridge(cx, &place, key, node, around, faults),
                Class::Unmatched | Class::Keyword => continue,
            };
            found.extend(read);
            let nothing = Node::new(Value::Null, node.span);
            root.replace_at(at, nothing);
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

fn check_classes(root: &Map, faults: &mut Faults) {
    let mut visible = false;
    for (key, node) in root {
        match classify(key, node) {
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
