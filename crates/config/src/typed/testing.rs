//! Holds small configurations against the messages GitLab gives for them.

use tidegate_source::{Diagnostic, Severity};

use super::build;
use crate::settings::{Dialect, Edition, Settings};
use crate::testing::map;
use crate::tree::Tree;
use crate::{Config, edge_stages};

/// GitLab 18.11's free edition without Tidegate's keywords.
pub(crate) fn gitlab() -> Settings {
    Settings {
        edition: Edition::Community,
        dialect: Dialect::Gitlab,
        gitlab_version: (18, 11),
        ..Settings::default()
    }
}

/// The same with Tidegate's keywords.
pub(crate) fn tidegate() -> Settings {
    Settings {
        dialect: Dialect::Tidegate,
        ..gitlab()
    }
}

/// Asserts the errors of a configuration in GitLab's words.
pub(crate) fn check(yaml: &str, expected: &[&str]) {
    check_with(&gitlab(), yaml, expected);
}

/// Asserts the errors of a configuration under other settings.
pub(crate) fn check_with(settings: &Settings, yaml: &str, expected: &[&str]) {
    let (config, diagnostics) = built(settings, yaml);
    assert_eq!(messages(&diagnostics, Severity::Error), expected, "{yaml}");
    assert_eq!(config.is_some(), expected.is_empty(), "{yaml}");
}

/// The configuration, which must be valid.
pub(crate) fn valid(settings: &Settings, yaml: &str) -> Config {
    let (config, diagnostics) = built(settings, yaml);
    config.unwrap_or_else(|| panic!("{yaml}: {diagnostics:?}"))
}

/// The configuration with all that was found.
pub(crate) fn built(settings: &Settings, yaml: &str) -> (Option<Config>, Vec<Diagnostic>) {
    build(Tree::whole(edge_stages::injected(map(yaml))), settings)
}

/// The messages of one severity.
pub(crate) fn messages(diagnostics: &[Diagnostic], severity: Severity) -> Vec<&str> {
    let found = diagnostics
        .iter()
        .filter(|found| found.severity == severity);
    found.map(|found| found.message.as_str()).collect()
}
