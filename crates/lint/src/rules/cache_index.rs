//! L008: the same `key:files` at different places of the cache lists of several jobs, without `prefix`.
//!
//! Why it bites: without `prefix` GitLab puts the place in the list before the digest (`0_Gemfile-…`, `1_Gemfile-…`, reference
//! `compose.md` §10.2), so the two jobs use two caches and one of them always misses.
//!
//! How to mend it: the same `prefix` in both jobs, or the same order.

use std::sync::Arc;

use tidegate_config::Spanned;
use tidegate_pipeline::{Cache, CacheKey};
use tidegate_source::{Diagnostic, Span};

use crate::found::Found;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let mut first_uses: Vec<FirstUse<'_>> = Vec::new();
    for job in subject.jobs() {
        for (at, cache) in job.body.inheritable.caches.iter().enumerate() {
            let Some(files) = files_without_prefix(cache) else {
                continue;
            };
            let earlier = first_uses
                .iter()
                .find(|(known, other, ..)| *known == files && shares_paths(other, &cache.value));
            match earlier {
                None => first_uses.push((files, &cache.value, at, cache.span, &job.base)),
                Some((_, _, place, span, other)) if *place != at => {
                    let text = format!(
                        "the key of this cache differs from that of job `{other}`: it begins with {at}, there with {place}"
                    );
                    let finding = Diagnostic::finding("L008", text)
                        .at_with(cache.span, format!("entry {at} of the list"))
                        .context(*span, format!("entry {place} of the list"))
                        .help("give both the same `prefix`, or list the caches in the same order");
                    found.add_for(&job.base, finding);
                }
                Some(_) => {}
            }
        }
    }
}

/// Files of the key, the cache, its place in the list, where it was written, and whose it is.
type FirstUse<'a> = (&'a [Arc<str>], &'a Cache, usize, Span, &'a str);

fn files_without_prefix(cache: &Spanned<Cache>) -> Option<&[Arc<str>]> {
    match &cache.value.key {
        CacheKey::Files { files, prefix } | CacheKey::FilesCommits { files, prefix } => {
            prefix.is_none().then_some(files.as_slice())
        }
        CacheKey::Text(_) => None,
    }
}

/// Caches of different paths are not meant to be the same.
fn shares_paths(a: &Cache, b: &Cache) -> bool {
    a.paths.iter().any(|path| b.paths.contains(path))
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn the_same_cache_in_another_place_is_found() {
        let a = "{key: {files: [a.lock]}, paths: [a]}";
        let b = "{key: {files: [b.lock]}, paths: [b]}";
        let text =
            format!("{{j: {{script: x, cache: [{a}, {b}]}}, k: {{script: x, cache: [{b}]}}}}");
        check("L008", &text, &[b]);
        let same =
            format!("{{j: {{script: x, cache: [{a}, {b}]}}, k: {{script: x, cache: [{a}]}}}}");
        check("L008", &same, &[]);
        let prefixed = text.replace("files:", "prefix: p, files:");
        check("L008", &prefixed, &[]);
    }
}
