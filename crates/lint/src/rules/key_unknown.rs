//! L011: a cache key that `rules:cache` cannot judge, or that Windows runners cannot use.
//!
//! Why it bites: a key with a variable that only exists in a running job (`$CI_JOB_ID`, `$CI_RUNNER_ID`) is unknown when rules
//! are judged, so `rules:cache` takes the cache for missing every time. On Windows `/` and `\` in a key make folders.
//!
//! How to mend it: variables that are known when the pipeline is created, such as `$CI_COMMIT_REF_SLUG`.

use tidegate_config::{Clause, Job};
use tidegate_expr::references;
use tidegate_pipeline::{Cache, CacheKey};
use tidegate_source::Diagnostic;

use crate::found::Found;
use crate::predefined::only_in_jobs;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    for job in subject.jobs() {
        let judged = has_cache_rule(job);
        let windows = runs_on_windows(job);
        for cache in job.body.inheritable.caches.iter() {
            let text = key_text(&cache.value);
            let mut names = references(text).map(|it| it.name);
            if judged && let Some(name) = names.find(|name| only_in_jobs(name)) {
                let message = format!(
                    "`rules:cache` cannot know this cache: `{name}` in its key is only set in a running job"
                );
                let finding = Diagnostic::finding("L011", message)
                    .at(cache.span)
                    .note("a cache that cannot be known counts as missing");
                found.add_for(&job.base, finding);
            }
            if windows && text.contains(['/', '\\']) {
                let message = format!("the cache key `{text}` has a separator of paths");
                let finding = Diagnostic::finding("L011", message)
                    .at(cache.span)
                    .help("use `-` instead, and `$CI_COMMIT_REF_SLUG` for the name of a branch");
                found.add_for(&job.base, finding);
            }
        }
    }
}

fn has_cache_rule(job: &Job) -> bool {
    let rules = job.body.rules.as_deref().unwrap_or_default();
    let mut clauses = rules.iter().flat_map(|rule| &rule.clauses);
    clauses.any(|clause| matches!(clause, Clause::Cache(_)))
}

fn runs_on_windows(job: &Job) -> bool {
    let mut tags = job.body.inheritable.tags.iter();
    tags.any(|tag| tag.value.to_ascii_lowercase().contains("windows"))
}

fn key_text(cache: &Cache) -> &str {
    match &cache.key {
        CacheKey::Text(text) => text,
        CacheKey::Files { prefix, .. } | CacheKey::FilesCommits { prefix, .. } => {
            prefix.as_deref().unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn keys_that_cannot_be_judged_are_found() {
        let text =
            "j: {script: x, cache: {key: k-$CI_JOB_ID, paths: [a]}, rules: [{cache: missing}]}";
        check("L011", text, &["{key: k-$CI_JOB_ID, paths: [a]}"]);
        check(
            "L011",
            &text.replace("CI_JOB_ID", "CI_COMMIT_REF_SLUG"),
            &[],
        );
        check(
            "L011",
            "j: {script: x, cache: {key: k-$CI_JOB_ID, paths: [a]}}",
            &[],
        );
    }

    #[test]
    fn separators_matter_on_windows_only() {
        let text = "j: {script: x, tags: [saas-windows-medium], cache: {key: 'a\\b', paths: [a]}}";
        check("L011", text, &["{key: 'a\\b', paths: [a]}"]);
        check("L011", &text.replace("windows", "linux"), &[]);
    }
}
