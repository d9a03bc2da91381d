//! Workflow commands: lines that GitHub turns into annotations of a pull request.

use std::fmt::Write as _;

use tidegate_source::{Diagnostic, Severity, SourceMap};

use super::place::own_place;

/// Renders one command a line.
pub fn lint_github(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    let mut text = String::new();
    for item in diagnostics {
        let command = match item.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Finding => "notice",
        };
        let _ = write!(text, "::{command} ");
        if let Some(place) = own_place(item, sources) {
            let _ = write!(text, "file={},line={}", property(place.path), place.line);
            if place.end_line == place.line {
                // Columns are shown only for places within one line.
                let _ = write!(text, ",col={},endColumn={}", place.column, place.end_column);
            } else {
                let _ = write!(text, ",endLine={}", place.end_line);
            }
            text.push(',');
        }
        let mut message = item.message.clone();
        for suggestion in &item.suggestions {
            let _ = write!(message, "\nhelp: {}", suggestion.text);
        }
        let _ = writeln!(text, "title={}::{}", property(item.code.0), data(&message));
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
