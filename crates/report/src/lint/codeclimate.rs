//! GitLab's code quality report: what merge requests show beside the lines.

use serde::Serialize;
use tidegate_source::{Diagnostic, Severity, SourceMap};

use super::fingerprint::Fingerprints;
use super::place::own_place;
use crate::list::pretty;

/// Renders the report for `artifacts:reports:codequality`. `root` is the configuration file, named for what has no place.
pub fn lint_codeclimate(diagnostics: &[Diagnostic], root: &str, sources: &SourceMap) -> String {
    let mut fingerprints = Fingerprints::default();
    let issues: Vec<Issue<'_>> = diagnostics
        .iter()
        .map(|item| {
            let place = own_place(item, sources);
            let lines = |line| Lines { begin: line };
            Issue {
                description: &item.message,
                check_name: item.code.0,
                fingerprint: fingerprints.next(item, sources),
                severity: match item.severity {
                    Severity::Error => "critical",
                    Severity::Warning => "minor",
                    Severity::Finding => "info",
                },
                location: Location {
                    path: place.as_ref().map_or(root, |place| place.path),
                    lines: lines(place.as_ref().map_or(1, |place| place.line)),
                },
            }
        })
        .collect();
    pretty(&issues)
}

#[derive(Serialize)]
struct Issue<'a> {
    description: &'a str,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}
