//! Values given to the `inputs` of a job when it is started by hand.

use serde_json::{Map as Json, Value as JsonValue};
use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::{Key, Map, Node, Value};

use crate::header::input::{json_value, resolved, unknown_arguments};
use crate::json::to_json;

/// The values given to inputs of a job, read as what the types of these say.
///
/// `declared` is the keyword as JSON; `given` are names and texts, those of lists, numbers and booleans JSON. Source: GitLab's "Job
/// inputs"; the checks and their words are those of `spec:inputs`.
///
/// # Errors
/// Everything that is wrong, in GitLab's words, unknown names first.
pub fn job_input_values(
    declared: &Json<String, JsonValue>,
    given: &[(String, String)],
    gitlab_version: (u16, u16),
) -> Result<Json<String, JsonValue>, Vec<String>> {
    let declared: Vec<(Key, Node)> = declared.iter().map(declaration).collect();
    let mut values = Map::with_capacity(given.len());
    for (name, text) in given {
        let value = Value::Str(text.as_str().into());
        values.insert(key(name), Node::new(value, Span::NONE));
    }
    let unknown = unknown_arguments(&declared, &values);
    let is_given = |key: &Key| key.as_str().is_some_and(|name| values.contains(name));
    let asked: Vec<(Key, Node)> = declared
        .into_iter()
        .filter(|(key, _)| is_given(key))
        .collect();
    let mut known = Map::with_capacity(asked.len());
    for (key, _) in &asked {
        let entry = key.as_str().and_then(|name| values.entry(name));
        if let Some((key, value)) = entry {
            known.insert(key.clone(), value.clone());
        }
    }
    let resolved = resolved(&asked, &known, Span::NONE, gitlab_version);
    let wrong = resolved.as_ref().err().into_iter().flatten();
    let message = |problem: &Diagnostic| problem.message.to_string();
    let told: Vec<String> = unknown.iter().chain(wrong).map(message).collect();
    match resolved {
        Ok(values) if told.is_empty() => Ok(values
            .into_iter()
            .map(|(name, node)| (name.to_string(), to_json(&node.value)))
            .collect()),
        _ => Err(told),
    }
}

fn declaration((name, spec): (&String, &JsonValue)) -> (Key, Node) {
    (key(name), Node::new(json_value(spec.clone()), Span::NONE))
}

fn key(name: &str) -> Key {
    Key::text(name, Span::NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARED: &str = r#"{
        "env": {"default": "staging", "options": ["staging", "production"]},
        "count": {"type": "number", "default": 1, "options": [1, 3]},
        "dry": {"type": "boolean", "default": true, "value": false},
        "list": {"type": "array", "default": ["a"]},
        "tag": {"default": "v1", "regex": "^v[0-9]+$"}
    }"#;

    #[track_caller]
    fn check(given: &[(&str, &str)], expected: &str) {
        let declared = serde_json::from_str(DECLARED).expect("it is JSON");
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let given: Vec<(String, String)> = given.iter().map(owned).collect();
        let told = match job_input_values(&declared, &given, (18, 11)) {
            Ok(values) => JsonValue::Object(values).to_string(),
            Err(problems) => problems.join("\n"),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn texts_are_read_as_their_type_says() {
        check(&[], "{}");
        let all = [
            ("env", "production"),
            ("count", "3"),
            ("dry", "false"),
            ("list", "[\"x\", 2]"),
        ];
        check(
            &all,
            r#"{"env":"production","count":3,"dry":false,"list":["x",2]}"#,
        );
        check(&[("tag", "v20")], r#"{"tag":"v20"}"#);
    }

    #[test]
    fn wrong_values_are_told_in_gitlabs_words() {
        check(
            &[("env", "prod")],
            "`env` input: `prod` cannot be used because it is not in the list of allowed options",
        );
        check(
            &[("count", "many")],
            "`count` input: provided value is not a number\n\
             `count` input: `many` cannot be used because it is not in the list of the allowed options",
        );
        check(
            &[("dry", "yes")],
            "`dry` input: provided value is not a boolean",
        );
        check(
            &[("list", "x")],
            "`list` input: provided value is not an array",
        );
        check(
            &[("tag", "x")],
            "`tag` input: provided value does not match required RegEx pattern",
        );
        check(
            &[("tags", "x"), ("dry", "1")],
            "unknown input arguments: tags\n`dry` input: provided value is not a boolean",
        );
    }
}
