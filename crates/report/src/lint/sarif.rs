//! SARIF 2.1.0, which editors and code scanners read.

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_source::{Diagnostic, LabelKind, Severity, SourceMap};

use super::fingerprint::Fingerprints;
use super::place::{Place, place, place_of};
use crate::list::pretty;

/// Renders one run. `version` is that of the tool.
pub fn lint_sarif(diagnostics: &[Diagnostic], version: &str, sources: &SourceMap) -> String {
    let mut codes: BTreeMap<&'static str, usize> = BTreeMap::new();
    for item in diagnostics {
        codes.entry(item.code.0).or_default();
    }
    for (at, index) in codes.values_mut().enumerate() {
        *index = at;
    }
    let mut fingerprints = Fingerprints::default();
    let results = diagnostics
        .iter()
        .map(|item| result(item, &codes, &mut fingerprints, sources))
        .collect();
    pretty(&Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "tidegate",
                    version,
                    rules: codes.keys().map(|id| Rule { id }).collect(),
                },
            },
            column_kind: "unicodeCodePoints",
            results,
        }],
    })
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    column_kind: &'static str,
    results: Vec<Outcome<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
struct Driver<'a> {
    name: &'static str,
    version: &'a str,
    rules: Vec<Rule<'a>>,
}

#[derive(Serialize)]
struct Rule<'a> {
    id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Location<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location<'a>>,
    partial_fingerprints: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<Fix<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    text: std::borrow::Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    physical_location: Physical,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri_base_id: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fix<'a> {
    description: Message<'a>,
    artifact_changes: [Change<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change<'a> {
    artifact_location: Artifact,
    replacements: [Replacement<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement<'a> {
    deleted_region: Region,
    inserted_content: Message<'a>,
}

fn result<'a>(
    item: &'a Diagnostic,
    codes: &BTreeMap<&'static str, usize>,
    fingerprints: &mut Fingerprints,
    sources: &'a SourceMap,
) -> Outcome<'a> {
    let context = item
        .labels
        .iter()
        .filter(|label| label.kind == LabelKind::Context);
    let related = context.filter_map(|label| {
        let text = if label.text.is_empty() {
            "see here"
        } else {
            &label.text
        };
        Some(location(&place_of(label.span, sources)?, Some(text)))
    });
    Outcome {
        rule_id: item.code.0,
        rule_index: codes.get(item.code.0).copied().unwrap_or_default(),
        level: match item.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Finding => "note",
        },
        message: Message {
            text: message(item).into(),
        },
        locations: place(item, sources)
            .iter()
            .map(|place| location(place, None))
            .collect(),
        related_locations: related.collect(),
        partial_fingerprints: [("tidegate/v1", fingerprints.next(item, sources))].into(),
        fixes: fixes(item, sources),
    }
}

/// The message with everything said beside it.
fn message(item: &Diagnostic) -> String {
    let mut text = item.message.clone();
    for note in &item.notes {
        text.push_str("\nnote: ");
        text.push_str(note);
    }
    for suggestion in &item.suggestions {
        text.push_str("\nhelp: ");
        text.push_str(&suggestion.text);
    }
    text
}

fn location<'a>(place: &Place<'_>, message: Option<&'a str>) -> Location<'a> {
    Location {
        physical_location: Physical {
            artifact_location: artifact(place),
            region: region(place),
        },
        message: message.map(|text| Message { text: text.into() }),
    }
}

fn artifact(place: &Place<'_>) -> Artifact {
    Artifact {
        uri: uri(place.path),
        uri_base_id: place.is_own.then_some("%SRCROOT%"),
    }
}

fn region(place: &Place<'_>) -> Region {
    Region {
        start_line: place.line,
        start_column: place.column,
        end_line: place.end_line,
        end_column: place.end_column,
    }
}

fn fixes<'a>(item: &'a Diagnostic, sources: &SourceMap) -> Vec<Fix<'a>> {
    let fix = |suggestion: &'a tidegate_source::Suggestion| {
        let (span, text) = suggestion.replacement.as_ref()?;
        let place = place_of(*span, sources)?;
        Some(Fix {
            description: Message {
                text: (&*suggestion.text).into(),
            },
            artifact_changes: [Change {
                artifact_location: artifact(&place),
                replacements: [Replacement {
                    deleted_region: region(&place),
                    inserted_content: Message {
                        text: (&**text).into(),
                    },
                }],
            }],
        })
    };
    item.suggestions.iter().filter_map(fix).collect()
}

/// The path as a URI reference; addresses stay as they are but for what no URI may hold.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => uri.push(char::from(byte)),
            b'/' | b'.' | b'-' | b'_' | b'~' | b'@' | b'+' | b'=' | b',' => {
                uri.push(char::from(byte))
            }
            // Only addresses hold a scheme; in a path a colon could be taken for one.
            b':' | b'?' | b'&' if path.contains("://") => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
