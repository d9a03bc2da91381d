//! L012: a job that only pulls a cache and uses its path in the script without making sure that it is there.
//!
//! Why it bites: a cache may always be missing — evicted, cleared, made on another runner, under another key. A missing cache is
//! no error, so the script fails in the middle, or quietly builds something broken.
//!
//! How to mend it: `on_miss: produce` or `on_miss: fail`, a guard in the script, or artifacts for what a job cannot do without.

use tidegate_config::{Job, Text};
use tidegate_pipeline::{Cache, CachePolicy, OnMiss};
use tidegate_source::Diagnostic;

use crate::found::Found;
use crate::subject::Subject;

/// What in a script shows that it makes what is missing, or looks first.
const GUARDS: [&str; 22] = [
    "test -",
    "[ -",
    "[[ -",
    "||",
    "if ",
    "mkdir",
    "venv ",
    "virtualenv",
    "install",
    "npm ci",
    "restore",
    "sync",
    "fetch",
    "download",
    "checkout",
    "clone",
    "submodule",
    "get ",
    "update",
    "bootstrap",
    "setup",
    "vendor ",
];

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    for job in subject.jobs() {
        for cache in job.body.inheritable.caches.iter() {
            let value = &cache.value;
            if value.policy != CachePolicy::Pull || value.on_miss != OnMiss::Continue {
                continue;
            }
            let Some((path, line)) = used_path(job, value) else {
                continue;
            };
            if is_guarded(job) || comes_from_artifacts(subject, path) {
                continue;
            }
            let text = format!("`{path}` comes only from a cache, which may be missing");
            let finding = Diagnostic::finding("L012", text)
                .at_with(line.span, "used here")
                .context(cache.span, "this job never makes it itself")
                .help("look first (`test -d …`), or say `on_miss: fail` or `on_miss: produce`")
                .help("or pass it on as artifacts, which are always there");
            found.add_for(&job.base, finding);
        }
    }
}

fn lines(job: &Job) -> impl Iterator<Item = &Text> {
    let body = &job.body;
    body.inheritable
        .before_script
        .iter()
        .chain(body.script.iter())
}

/// The first path of the cache that a script names, with the line.
fn used_path<'a>(job: &'a Job, cache: &'a Cache) -> Option<(&'a str, &'a Text)> {
    let mut paths = cache.paths.iter().filter_map(|path| plain(path));
    paths.find_map(|path| {
        let line = lines(job).find(|line| names(&line.value, path))?;
        Some((path, line))
    })
}

/// A path without wildcards and variables.
fn plain(path: &str) -> Option<&str> {
    let path = path.trim_end_matches(['*', '/']).trim_start_matches("./");
    (path.len() > 1 && !path.contains(['*', '?', '[', '{', '$', '%'])).then_some(path)
}

/// Whether `line` names `path` as a path of its own or something below it.
fn names(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line
            .get(at + path.len()..)
            .and_then(|text| text.chars().next());
        before.is_none_or(|c| c.is_whitespace() || "\"'=(".contains(c)) && after == Some('/')
    })
}

fn is_guarded(job: &Job) -> bool {
    lines(job).any(|line| GUARDS.iter().any(|guard| line.value.contains(guard)))
}

fn comes_from_artifacts(subject: &Subject<'_>, path: &str) -> bool {
    let mut all = subject
        .jobs()
        .filter_map(|job| job.body.inheritable.artifacts.as_ref());
    all.any(|artifacts| {
        let paths = &artifacts.value.paths;
        artifacts.value.untracked
            || paths
                .iter()
                .any(|it| it.trim_start_matches("./").starts_with(path))
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    const TEXT: &str = "j: {script: [node_modules/.bin/jest], cache: {key: k, paths: [node_modules/], policy: pull}}";

    #[test]
    fn a_path_used_without_a_look_is_found() {
        check("L012", TEXT, &["node_modules/.bin/jest"]);
    }

    #[test]
    fn guards_artifacts_and_on_miss_are_enough() {
        for (from, to) in [
            (
                "[node_modules/.bin/jest]",
                "[npm ci, node_modules/.bin/jest]",
            ),
            ("policy: pull", "policy: pull-push"),
            ("policy: pull", "policy: pull, on_miss: fail"),
            ("node_modules/.bin/jest", "echo old_node_modules/.bin"),
            ("cache:", "artifacts: {paths: [node_modules]}, cache:"),
        ] {
            check("L012", &TEXT.replace(from, to), &[]);
        }
    }
}
