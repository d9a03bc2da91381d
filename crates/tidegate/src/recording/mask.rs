//! Values of masked variables, and what stands for them in a recording.

use std::collections::BTreeMap;

use serde_json::Value;
use tidegate_expr::Variable;
use tidegate_scenario::{ContentRecord, Scenario};

/// GitLab's minimum for masked values (reference `compose.md` §9.4). Shorter ones only go from the variables themselves: replacing
/// a value such as `1` wherever it stands would ruin the document without hiding anything.
const SHORTEST: usize = 8;

/// The masked values of a scenario, each with a placeholder that names the first variable that holds it.
///
/// Equal values share a placeholder, so that comparing two masked variables gives the same; an empty value stays empty.
/// A placeholder is a plain word, without meaning in globs, patterns, scripts or addresses.
pub(super) struct Mask {
    /// Longest value first: a value inside another must not leave the rest of it readable.
    placeholders: Vec<(String, String)>,
    names: Vec<String>,
}

impl Mask {
    pub(super) fn of(scenario: &Scenario) -> Mask {
        let mut first: BTreeMap<&str, &str> = BTreeMap::new();
        let mut names: Vec<String> = Vec::new();
        for variable in variables(scenario).filter(|variable| variable.masked) {
            let value = variable.value.as_deref().unwrap_or_default();
            if !value.is_empty() {
                first.entry(value).or_insert(&variable.key);
                names.push((*variable.key).to_owned());
            }
        }
        names.sort();
        names.dedup();
        let mut placeholders: Vec<(String, String)> = first
            .into_iter()
            .map(|(value, name)| (value.to_owned(), format!("__masked_{name}__")))
            .collect();
        placeholders.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Mask {
            placeholders,
            names,
        }
    }

    /// Names of the masked variables that have a value, sorted.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Replaces the values of masked variables whatever their length.
    pub(super) fn hide_variables(&self, scenario: &mut Scenario) {
        let settings = scenario.settings.iter_mut();
        let variables = settings
            .map(|setting| &mut setting.variable)
            .chain(&mut scenario.variables);
        for variable in variables.filter(|variable| variable.masked) {
            let value = variable.value.as_deref().unwrap_or_default();
            let stands_for = self.placeholders.iter().find(|(known, _)| known == value);
            if let Some((_, placeholder)) = stands_for {
                variable.value = Some(placeholder.as_str().into());
            }
        }
    }

    /// Replaces the values in every text of a document, also inside file contents that are no text.
    pub(super) fn hide_everywhere(&self, document: &mut Value) {
        match document {
            Value::String(text) => self.hide(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_everywhere(item)),
            Value::Object(fields) => {
                if let Some(hidden) = self.hidden_content(fields) {
                    *document = hidden;
                    return;
                }
                let all = std::mem::take(fields);
                for (mut key, mut value) in all {
                    self.hide(&mut key);
                    self.hide_everywhere(&mut value);
                    fields.insert(key, value);
                }
            }
            _ => {}
        }
    }

    fn hide(&self, text: &mut String) {
        for (value, placeholder) in self.long() {
            if text.contains(value) {
                *text = text.replace(value, placeholder);
            }
        }
    }

    /// A content in base64 with the values replaced; `None` for anything else.
    fn hidden_content(&self, fields: &serde_json::Map<String, Value>) -> Option<Value> {
        let text = fields.get("base64")?.as_str()?;
        let mut bytes = ContentRecord::Base64(text.to_owned())
            .bytes()
            .ok()?
            .to_vec();
        for (value, placeholder) in self.long() {
            bytes = replaced(&bytes, value.as_bytes(), placeholder.as_bytes());
        }
        serde_json::to_value(ContentRecord::of(&bytes)).ok()
    }

    fn long(&self) -> impl Iterator<Item = (&str, &str)> {
        let long = self
            .placeholders
            .iter()
            .filter(|(value, _)| value.len() >= SHORTEST);
        long.map(|(value, placeholder)| (value.as_str(), placeholder.as_str()))
    }
}

fn variables(scenario: &Scenario) -> impl Iterator<Item = &Variable> {
    let settings = scenario.settings.iter().map(|setting| &setting.variable);
    settings.chain(&scenario.variables)
}

fn replaced(bytes: &[u8], value: &[u8], placeholder: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        match rest.strip_prefix(value) {
            Some(after) => {
                result.extend(placeholder);
                rest = after;
            }
            None => {
                result.push(*first);
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidegate_expr::VariableSource;

    use super::*;

    fn masked(key: &str, value: &str) -> Variable {
        Variable {
            masked: true,
            ..Variable::new(key, value, VariableSource::Given)
        }
    }

    fn scenario() -> Scenario {
        let mut scenario = Scenario::push("main");
        scenario.variables = vec![
            masked("SHORT", "pin"),
            masked("INNER", "s3cretvalue"),
            masked("OUTER", "my-s3cretvalue-long"),
            masked("SAME", "s3cretvalue"),
            masked("EMPTY", ""),
            Variable::new("OPEN", "seen", VariableSource::Given),
        ];
        scenario
    }

    #[test]
    fn equal_values_stay_equal_and_empty_ones_empty() {
        let mut hidden = scenario();
        let mask = Mask::of(&hidden);
        assert_eq!(mask.names(), ["INNER", "OUTER", "SAME", "SHORT"]);
        mask.hide_variables(&mut hidden);
        let values: Vec<_> = hidden
            .variables
            .iter()
            .map(|v| v.value.as_deref())
            .collect();
        assert_eq!(
            values,
            [
                Some("__masked_SHORT__"),
                Some("__masked_INNER__"),
                Some("__masked_OUTER__"),
                Some("__masked_INNER__"),
                Some(""),
                Some("seen"),
            ]
        );
    }

    #[test]
    fn a_value_goes_from_texts_keys_and_binary_contents() {
        let binary = ContentRecord::of(b"\xff s3cretvalue");
        let mut document = json!({
            "url": "https://x/my-s3cretvalue-long?pin",
            "s3cretvalue": ["s3cretvalue s3cretvalue"],
            "content": binary,
        });
        Mask::of(&scenario()).hide_everywhere(&mut document);
        let hidden = ContentRecord::of(b"\xff __masked_INNER__");
        let expected = json!({
            "url": "https://x/__masked_OUTER__?pin",
            "__masked_INNER__": ["__masked_INNER__ __masked_INNER__"],
            "content": hidden,
        });
        assert_eq!(document, expected);
    }
}
