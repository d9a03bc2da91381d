//! `artifacts` (reference `config.md` §9.7).

use std::sync::Arc;

use tidegate_pipeline::{Artifacts, CacheWhen, Report, Timeout};
use tidegate_yaml::{Map, Node, Value};

use super::cache::{OUTCOMES, OUTCOMES_TEXT};
use super::duration::{self, Seconds};
use crate::ruby::{Keys, to_s};
use crate::typed::{Check, Faults, Place, specified, texts, values};

const KEYS: [&str; 10] = [
    "name",
    "untracked",
    "paths",
    "reports",
    "when",
    "expire_in",
    "expose_as",
    "exclude",
    "public",
    "access",
];

/// Kinds of reports in the order GitLab checks them.
const REPORTS: [&str; 26] = [
    "junit",
    "codequality",
    "sast",
    "secret_detection",
    "dependency_scanning",
    "container_scanning",
    "dast",
    "performance",
    "browser_performance",
    "load_performance",
    "license_scanning",
    "metrics",
    "lsif",
    "dotenv",
    "terraform",
    "accessibility",
    "coverage_fuzzing",
    "api_fuzzing",
    "cluster_image_scanning",
    "requirements",
    "requirements_v2",
    "coverage_report",
    "cyclonedx",
    "annotations",
    "repository_xray",
    "sarif",
];

/// The artifacts of a job.
pub(crate) fn artifacts(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Artifacts> {
    let mut check = Check::new(place, node, faults);
    // GitLab's entry checks the type twice.
    check.map(node);
    let map = check.map(node);
    check.known_keys(node, &KEYS);
    let map = map?;
    let mut found = own_fields(&mut check, map);
    if !check.passed() {
        return None;
    }
    if let Some(node) = specified(map, "reports") {
        found.reports = reports(&place.child("reports"), node, faults);
    }
    Some(found)
}

fn own_fields(check: &mut Check<'_>, map: &Map) -> Artifacts {
    let exposed = specified(map, "expose_as");
    if exposed.is_some() {
        check.present("paths", specified(map, "paths"));
    }
    check.exclusive_keys(map, ["access", "public"]);
    let name = check.string("name", specified(map, "name"));
    let public = check.boolean("public", specified(map, "public"));
    let untracked = check.boolean("untracked", specified(map, "untracked"));
    let paths = check.strings("paths", specified(map, "paths"));
    let expose_as = exposed.and_then(|node| expose_as(check, map, node));
    let exclude = check.strings("exclude", specified(map, "exclude"));
    check.hash("reports", specified(map, "reports"));
    let when = check.word("when", specified(map, "when"), &OUTCOMES, OUTCOMES_TEXT);
    let expire_in = specified(map, "expire_in").and_then(|node| expire_in(check, node));
    let access = check.word(
        "access",
        specified(map, "access"),
        &["none", "developer", "maintainer", "all"],
        "should be one of: none, developer, maintainer, all",
    );
    Artifacts {
        name: name.map(|text| text.value),
        paths: values(paths.unwrap_or_default()),
        exclude: values(exclude.unwrap_or_default()),
        untracked: untracked.unwrap_or_default(),
        when: when
            .and_then(|when| CacheWhen::from_name(&when.value))
            .unwrap_or_default(),
        never_expires: matches!(expire_in, Some(Expiry::Never)),
        expire_in: match expire_in {
            Some(Expiry::After(timeout)) => Some(timeout),
            _ => None,
        },
        expose_as,
        reports: Vec::new(),
        access: access
            .map(|text| text.value)
            .or_else(|| public.map(|public| if public { "public" } else { "private" }.into())),
    }
}

fn expose_as(check: &mut Check<'_>, map: &Map, node: &Node) -> Option<Arc<str>> {
    match specified(map, "paths").map(texts) {
        Some(Some(paths)) if paths.iter().any(|path| path.value.contains('*')) => {
            let text = "paths can't contain '*' when used with 'expose_as'";
            check.fault_at(node.span, text);
        }
        // GitLab checks the type a second time here.
        Some(None) => {
            check.strings("paths", specified(map, "paths"));
        }
        _ => {}
    }
    let name = check.string("expose as", Some(node));
    let text = to_s(&node.value, Keys::Symbols);
    let length = match node.as_seq() {
        Some(items) => items.len(),
        None => text.chars().count(),
    };
    let message = "expose as is too long (maximum is 100 characters)";
    check.ensure(length <= 100, node.span, message);
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fits = text.starts_with(word) && text.chars().all(|c| word(c) || c == '-' || c == ' ');
    let message = "expose as can contain only letters, digits, '-', '_' and spaces";
    check.ensure(fits, node.span, message);
    name.map(|name| name.value)
}

/// When artifacts are dropped.
pub(crate) enum Expiry {
    /// Never.
    Never,
    /// After this long.
    After(Timeout),
}

/// A duration, or `never`.
pub(crate) fn expire_in(check: &mut Check<'_>, node: &Node) -> Option<Expiry> {
    if let Value::Str(text) = &node.value {
        if text.eq_ignore_ascii_case("never") {
            return Some(Expiry::Never);
        }
        if let Some(seconds) = duration::parse(text) {
            return Some(Expiry::After(timeout(text, seconds)));
        }
    }
    check.fault_at(node.span, "expire in should be a duration");
    None
}

/// A parsed duration with its words.
pub(crate) fn timeout(text: &Arc<str>, seconds: Seconds) -> Timeout {
    Timeout {
        text: text.clone(),
        duration: seconds.as_duration(),
    }
}

fn reports(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Vec<Report> {
    let mut check = Check::new(place, node, faults);
    check.known_keys(node, &REPORTS);
    let Some(map) = node.as_map() else {
        return Vec::new();
    };
    for kind in REPORTS {
        // The one kind GitLab forgot to check, and the one that is a map.
        if !matches!(kind, "codequality" | "coverage_report") {
            let attribute = kind.replace('_', " ");
            check.strings_or_string(&attribute, specified(map, kind));
        }
    }
    if !check.passed() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (key, node) in map.iter().filter(|(_, node)| !node.is_null()) {
        let kind = key.as_str().unwrap_or_default();
        if kind == "coverage_report" {
            found.extend(coverage_report(&place.child(kind), node, faults));
            continue;
        }
        let paths = match node.as_seq() {
            Some(items) => items.iter().map(scalar).collect(),
            None => vec![scalar(node)],
        };
        found.push(Report {
            kind: kind.into(),
            paths,
        });
    }
    found
}

fn scalar(node: &Node) -> Arc<str> {
    to_s(&node.value, Keys::Symbols).into()
}

fn coverage_report(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Report> {
    let mut check = Check::new(place, node, faults);
    check.map(node);
    check.known_keys(node, &["coverage_format", "path"]);
    let field = |key| node.as_map().and_then(|map| specified(map, key));
    let format = field("coverage_format");
    check.present("coverage format", format);
    let kind = format.and_then(|node| match &node.value {
        Value::Str(text) if matches!(&**text, "cobertura" | "jacoco") => Some(text.clone()),
        _ => None,
    });
    let span = format.map_or(node.span, |format| format.span);
    check.ensure(
        kind.is_some(),
        span,
        "coverage format must be one of supported formats: cobertura, jacoco.",
    );
    check.present("path", field("path"));
    let path = match field("path") {
        Some(node) => check.string("path", Some(node)),
        None => {
            check.fault("path should be a string");
            None
        }
    };
    let (kind, path) = (kind?, path?);
    check.passed().then(|| Report {
        kind,
        paths: vec![path.value],
    })
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn every_field_of_artifacts_is_checked() {
        check(
            "j: {script: x, artifacts: 1}",
            &[
                "jobs:j:artifacts config should be a hash",
                "jobs:j:artifacts config should be a hash",
            ],
        );
        check(
            "j: {script: x, artifacts: {paths: [1]}}",
            &["jobs:j:artifacts paths should be an array of strings"],
        );
        check(
            "j: {script: x, artifacts: {name: 1}}",
            &["jobs:j:artifacts name should be a string"],
        );
        check(
            "j: {script: x, artifacts: {untracked: 1}}",
            &["jobs:j:artifacts untracked should be a boolean value"],
        );
        check(
            "j: {script: x, artifacts: {access: 1}}",
            &[
                "jobs:j:artifacts access should be a string",
                "jobs:j:artifacts access should be one of: none, developer, maintainer, all",
            ],
        );
        check(
            "j: {script: x, artifacts: {when: foo}}",
            &["jobs:j:artifacts when should be one of: on_success, on_failure, always"],
        );
        check(
            "j: {script: x, artifacts: {expire_in: foo}}",
            &["jobs:j:artifacts expire in should be a duration"],
        );
        check(
            "j: {script: x, artifacts: {expose_as: x}}",
            &["jobs:j:artifacts paths can't be blank"],
        );
        check(
            "j: {script: x, artifacts: {expose_as: x, paths: ['a*']}}",
            &["jobs:j:artifacts paths can't contain '*' when used with 'expose_as'"],
        );
        check(
            "j: {script: x, artifacts: {expose_as: '@', paths: ['a']}}",
            &["jobs:j:artifacts expose as can contain only letters, digits, '-', '_' and spaces"],
        );
        check(
            "j: {script: x, artifacts: {expose_as: 1, paths: ['a']}}",
            &["jobs:j:artifacts expose as should be a string"],
        );
        check(
            "j: {script: x, artifacts: {reports: {license_management: x}}}",
            &["jobs:j:artifacts:reports config contains unknown keys: license_management"],
        );
        check(
            "j: {script: x, artifacts: {reports: {coverage_report: x}}}",
            &[
                "jobs:j:artifacts:reports:coverage_report config should be a hash",
                "jobs:j:artifacts:reports:coverage_report coverage format can't be blank",
                "jobs:j:artifacts:reports:coverage_report coverage format must be one of supported formats: cobertura, jacoco.",
                "jobs:j:artifacts:reports:coverage_report path can't be blank",
                "jobs:j:artifacts:reports:coverage_report path should be a string",
            ],
        );
        check(
            "j: {script: x, artifacts: {reports: {coverage_report: {coverage_format: cobertura}}}}",
            &[
                "jobs:j:artifacts:reports:coverage_report path can't be blank",
                "jobs:j:artifacts:reports:coverage_report path should be a string",
            ],
        );
    }
}
