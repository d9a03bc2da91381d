//! L018: `on_miss: produce` (an extension) with no job, or with several, that save the cache.
//!
//! Why it bites: the job that is started for a missing cache has to be exactly one; with none or several the keyword fails the
//! consumer, as `on_miss: fail` does.
//!
//! How to mend it: one job that pushes the key, `policy: pull` in all others.

use tidegate_config::{Job, Spanned};
use tidegate_pipeline::{Cache, CacheKey, CachePolicy, OnMiss};
use tidegate_source::{Diagnostic, Span};

use crate::found::Found;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    for job in subject.jobs() {
        for (at, cache) in job.body.inheritable.caches.iter().enumerate() {
            let value = &cache.value;
            if value.on_miss == OnMiss::Produce && value.policy != CachePolicy::Push {
                let wanted = Entry { at, cache };
                found_for(subject, job, wanted, found);
            }
        }
    }
}

/// A cache at its place in a job's list.
#[derive(Clone, Copy)]
struct Entry<'a> {
    at: usize,
    cache: &'a Spanned<Cache>,
}

fn found_for(subject: &Subject<'_>, job: &Job, wanted: Entry<'_>, found: &mut Found) {
    let mut certain: Vec<(&str, Span)> = Vec::new();
    for other in subject.jobs().filter(|other| other.base != job.base) {
        match saves(other, wanted) {
            Saves::Yes(span) => certain.push((&other.base, span)),
            Saves::No => {}
            Saves::Perhaps => return,
        }
    }
    let text = match certain.as_slice() {
        [_] => return,
        [] => "`on_miss: produce`, but no other job saves this cache".to_owned(),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            format!(
                "`on_miss: produce`, but {} jobs save this cache: {}",
                several.len(),
                names.join(", ")
            )
        }
    };
    let mut finding = Diagnostic::finding("L018", text)
        .at_with(wanted.cache.span, "a miss fails this job")
        .help("let exactly one job save the key, and give the others `policy: pull`");
    for (_, span) in certain {
        finding = finding.context(span, "saved here");
    }
    found.add_for(&job.base, finding);
}

enum Saves {
    /// It saves the same key.
    Yes(Span),
    /// It does not.
    No,
    /// Only known once variables have values.
    Perhaps,
}

fn saves(job: &Job, wanted: Entry<'_>) -> Saves {
    let mut perhaps = false;
    for (at, cache) in job.body.inheritable.caches.iter().enumerate() {
        let open_policy = match &cache.value.policy {
            CachePolicy::Pull => continue,
            CachePolicy::Text(_) => true,
            CachePolicy::Push | CachePolicy::PullPush => false,
        };
        let entry = Entry { at, cache };
        if !same_key(entry, wanted) {
            perhaps |= has_variables(&cache.value.key) || has_variables(&wanted.cache.value.key);
        } else if open_policy || job.instance.is_some() {
            perhaps = true;
        } else {
            return Saves::Yes(cache.span);
        }
    }
    if perhaps { Saves::Perhaps } else { Saves::No }
}

/// Without a prefix, a key made of files begins with the place of the cache in the list.
fn same_key(a: Entry<'_>, b: Entry<'_>) -> bool {
    let by_place = matches!(
        &a.cache.value.key,
        CacheKey::Files { prefix: None, .. } | CacheKey::FilesCommits { prefix: None, .. }
    );
    a.cache.value.key == b.cache.value.key && (!by_place || a.at == b.at)
}

fn has_variables(key: &CacheKey) -> bool {
    let text = match key {
        CacheKey::Text(text) => Some(text),
        CacheKey::Files { prefix, .. } | CacheKey::FilesCommits { prefix, .. } => prefix.as_ref(),
    };
    text.is_some_and(|text| text.contains(['$', '%']))
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    const WANTED: &str = "{key: k, paths: [p], policy: pull, on_miss: produce}";

    fn with(producers: &str) -> String {
        format!("{{{producers} j: {{script: x, cache: {WANTED}}}}}")
    }

    #[test]
    fn none_and_several_are_found() {
        check("L018", &with(""), &[WANTED]);
        let one = "a: {script: x, cache: {key: k, paths: [p]}},";
        check("L018", &with(one), &[]);
        let two = format!("{one} b: {{script: x, cache: {{key: k, paths: [p], policy: push}}}},");
        check("L018", &with(&two), &[WANTED]);
        check("L018", &with(&two.replace("push", "pull")), &[]);
    }

    #[test]
    fn what_variables_decide_is_not_found() {
        for producer in [
            "a: {script: x, cache: {key: $K, paths: [p]}},",
            "a: {script: x, cache: {key: k, paths: [p], policy: $P}},",
            "a: {script: x, parallel: 2, cache: {key: k, paths: [p]}},",
        ] {
            check("L018", &with(producer), &[]);
        }
    }

    #[test]
    fn a_key_of_files_counts_with_its_place() {
        let key = "{key: {files: [f]}, paths: [p]}";
        let wanted = "{key: {files: [f]}, paths: [p], policy: pull, on_miss: produce}";
        let text =
            format!("{{a: {{script: x, cache: [{key}]}}, j: {{script: x, cache: [{wanted}]}}}}");
        check("L018", &text, &[]);
        let text = format!(
            "{{a: {{script: x, cache: [{{key: o, paths: [o]}}, {key}]}}, j: {{script: x, cache: [{wanted}]}}}}"
        );
        check("L018", &text, &[wanted]);
    }
}
