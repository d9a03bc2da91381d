//! The shape of GitLab's CI Lint API, with our findings beside (reference `config.md` §13). Described in `docs/json.md`.

use serde::Serialize;
use tidegate_source::{Diagnostic, Severity, SourceMap};

use super::fingerprint::Fingerprints;
use super::place::place;
use crate::list::pretty;

/// What the answer is made of besides the diagnostics.
#[derive(Clone, Debug, Default)]
pub struct LintAnswer<'a> {
    /// The merged configuration as GitLab dumps it; `None` where loading failed.
    pub merged_yaml: Option<&'a str>,
    /// `includes`, in the API's form.
    pub includes: Vec<serde_json::Value>,
    /// `jobs`, in the API's form; `None` where they were not asked for.
    pub jobs: Option<Vec<serde_json::Value>>,
}

/// GitLab returns no more warnings.
const WARNINGS: usize = 25;

/// Renders the answer: errors and warnings as texts, as in GitLab, ours as objects under `findings`.
pub fn lint_json(
    diagnostics: &[Diagnostic],
    answer: &LintAnswer<'_>,
    sources: &SourceMap,
) -> String {
    let of = |severity| {
        diagnostics
            .iter()
            .filter(move |item| item.severity == severity)
    };
    let mut fingerprints = Fingerprints::default();
    let errors: Vec<&str> = of(Severity::Error).map(|item| &*item.message).collect();
    pretty(&Document {
        valid: errors.is_empty(),
        errors,
        warnings: of(Severity::Warning)
            .take(WARNINGS)
            .map(|item| &*item.message)
            .collect(),
        merged_yaml: answer.merged_yaml,
        includes: &answer.includes,
        jobs: answer.jobs.as_deref(),
        findings: of(Severity::Finding)
            .map(|item| finding(item, &mut fingerprints, sources))
            .collect(),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    valid: bool,
    errors: Vec<&'a str>,
    warnings: Vec<&'a str>,
    merged_yaml: Option<&'a str>,
    includes: &'a [serde_json::Value],
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<&'a [serde_json::Value]>,
    findings: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    code: &'static str,
    message: &'a str,
    path: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
    end_line: Option<u32>,
    end_column: Option<u32>,
    notes: &'a [String],
    suggestions: Vec<&'a str>,
    fingerprint: String,
}

fn finding<'a>(
    item: &'a Diagnostic,
    fingerprints: &mut Fingerprints,
    sources: &'a SourceMap,
) -> Finding<'a> {
    let place = place(item, sources);
    let place = place.as_ref();
    Finding {
        code: item.code.0,
        message: &item.message,
        path: place.map(|place| place.path),
        line: place.map(|place| place.line),
        column: place.map(|place| place.column),
        end_line: place.map(|place| place.end_line),
        end_column: place.map(|place| place.end_column),
        notes: &item.notes,
        suggestions: item.suggestions.iter().map(|one| &*one.text).collect(),
        fingerprint: fingerprints.next(item, sources),
    }
}
