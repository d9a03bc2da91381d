//! One line that says how a check ended.

use tidegate_source::{Diagnostic, Severity};

use crate::look::{Ink, Look};

/// Renders whether the configuration is valid and how many errors, warnings and findings there are.
pub fn lint_summary(diagnostics: &[Diagnostic], look: impl Into<Look>) -> String {
    let look = look.into();
    let count = |severity| {
        diagnostics
            .iter()
            .filter(|item| item.severity == severity)
            .count()
    };
    let counts = [
        (count(Severity::Error), "error", "errors"),
        (count(Severity::Warning), "warning", "warnings"),
        (count(Severity::Finding), "finding", "findings"),
    ];
    let told: Vec<String> = counts
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, more)| format!("{count} {}", if *count == 1 { one } else { more }))
        .collect();
    let verdict = if counts[0].0 > 0 {
        look.ink(Ink::Bad, "GitLab would reject the configuration")
    } else {
        look.ink(Ink::Good, "the configuration is valid")
    };
    if told.is_empty() {
        return format!("{verdict}\n");
    }
    format!("{verdict}: {}\n", told.join(", "))
}
