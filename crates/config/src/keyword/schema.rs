//! The few JSON schemas GitLab's entries use, judged with the words of its validator.
//!
//! Keywords are judged in the validator's order: `oneOf`, `items`, `properties`, `additionalProperties`, then `type`,
//! lengths, `pattern`, `required` (reference `config.md` §9.5, §9.19).

use regex::Regex;
use tidegate_yaml::{Map, Node, Value};

use crate::ruby::{Keys, to_s};

/// A schema; fields left at their default ask nothing.
#[derive(Debug)]
pub(crate) struct Schema {
    /// Exactly one of these must hold.
    pub one_of: &'static [Schema],
    /// What each item of a list must be.
    pub items: Option<&'static Schema>,
    /// What the values of these keys must be.
    pub properties: &'static [(&'static str, Schema)],
    /// What other keys may hold.
    pub additional: Additional,
    /// Names of the types a value may have.
    pub types: &'static [&'static str],
    /// Fewest characters.
    pub min_length: usize,
    /// Most characters.
    pub max_length: usize,
    /// What a text must match.
    pub pattern: Option<&'static str>,
    /// Keys that must be there.
    pub required: &'static [&'static str],
}

/// What a schema says of keys it does not name.
#[derive(Debug)]
pub(crate) enum Additional {
    /// They may hold anything.
    Any,
    /// There may be none.
    None,
    /// They must hold this.
    Each(&'static Schema),
}

impl Schema {
    /// Asks nothing.
    pub(crate) const ANY: Schema = Schema {
        one_of: &[],
        items: None,
        properties: &[],
        additional: Additional::Any,
        types: &[],
        min_length: 0,
        max_length: usize::MAX,
        pattern: None,
        required: &[],
    };

    /// A text of any length.
    pub(crate) const STRING: Schema = Schema {
        types: &["string"],
        ..Schema::ANY
    };

    /// A map with these keys and no others.
    pub(crate) const fn object(properties: &'static [(&'static str, Schema)]) -> Schema {
        Schema {
            types: &["object"],
            properties,
            additional: Additional::None,
            ..Schema::ANY
        }
    }

    /// What is wrong with `node`, in the validator's order and words.
    pub(crate) fn errors(&self, node: &Node) -> Vec<String> {
        let mut errors = Vec::new();
        self.judge(node, &mut String::new(), &mut errors);
        errors
    }

    fn judge(&self, node: &Node, path: &mut String, errors: &mut Vec<String>) {
        self.judge_alternatives(node, path, errors);
        if let (Some(schema), Some(items)) = (self.items, node.as_seq()) {
            for (at, item) in items.iter().enumerate() {
                below(path, &at.to_string(), |path| {
                    schema.judge(item, path, errors)
                });
            }
        }
        if let Some(map) = node.as_map() {
            self.judge_keys(map, path, errors);
        }
        if !self.types.is_empty() && !self.types.iter().any(|name| has_type(node, name)) {
            errors.push(format!(
                "value at {} is not {}",
                place(path),
                self.type_text()
            ));
        }
        if let Value::Str(text) = &node.value {
            self.judge_text(text, path, errors);
        }
        if let Some(map) = node.as_map() {
            let missing = self.required.iter().filter(|key| !map.contains(key));
            let missing: Vec<_> = missing.copied().collect();
            if !missing.is_empty() {
                let (place, list) = (place(path), missing.join(", "));
                errors.push(format!(
                    "object at {place} is missing required properties: {list}"
                ));
            }
        }
    }

    fn judge_alternatives(&self, node: &Node, path: &mut String, errors: &mut Vec<String>) {
        if self.one_of.is_empty() {
            return;
        }
        let mut all = Vec::new();
        let mut fitting = 0;
        for schema in self.one_of {
            let mut own = Vec::new();
            schema.judge(node, path, &mut own);
            fitting += usize::from(own.is_empty());
            all.append(&mut own);
        }
        match fitting {
            0 => errors.append(&mut all),
            1 => {}
            _ => {
                let place = place(path);
                errors.push(format!(
                    "value at {place} matches more than one `oneOf` schema"
                ));
            }
        }
    }

    fn judge_keys(&self, map: &Map, path: &mut String, errors: &mut Vec<String>) {
        for (key, schema) in self.properties {
            if let Some(node) = map.get(key) {
                below(path, key, |path| schema.judge(node, path, errors));
            }
        }
        for (key, node) in map {
            let key = to_s(&key.value, Keys::Strings);
            if self.properties.iter().any(|(name, _)| *name == key) {
                continue;
            }
            below(path, &key, |path| match self.additional {
                Additional::Any => {}
                Additional::Each(schema) => schema.judge(node, path, errors),
                Additional::None => {
                    let place = place(path);
                    errors.push(format!(
                        "object property at {place} is a disallowed additional property"
                    ));
                }
            });
        }
    }

    fn judge_text(&self, text: &str, path: &str, errors: &mut Vec<String>) {
        let length = text.chars().count();
        let place = place(path);
        if length > self.max_length {
            let most = self.max_length;
            errors.push(format!("string length at {place} is greater than: {most}"));
        }
        if length < self.min_length {
            let fewest = self.min_length;
            errors.push(format!("string length at {place} is less than: {fewest}"));
        }
        if let Some(pattern) = self.pattern {
            let fits = Regex::new(pattern).is_ok_and(|regex| regex.is_match(text));
            if !fits {
                errors.push(format!(
                    "string at {place} does not match pattern: {pattern}"
                ));
            }
        }
    }

    fn type_text(&self) -> String {
        match self.types {
            [one @ ("object" | "array" | "integer")] => format!("an {one}"),
            [one] => format!("a {one}"),
            several => {
                let quoted: Vec<_> = several.iter().map(|name| format!("\"{name}\"")).collect();
                format!("one of the types: [{}]", quoted.join(", "))
            }
        }
    }
}

fn below<T>(path: &mut String, key: &str, judge: impl FnOnce(&mut String) -> T) -> T {
    let length = path.len();
    path.push('/');
    path.push_str(&key.replace('~', "~0").replace('/', "~1"));
    let result = judge(path);
    path.truncate(length);
    result
}

fn place(path: &str) -> String {
    if path.is_empty() {
        "root".to_owned()
    } else {
        format!("`{path}`")
    }
}

fn has_type(node: &Node, name: &str) -> bool {
    match (&node.value, name) {
        (Value::Str(_), "string")
        | (Value::Map(_), "object")
        | (Value::Seq(_), "array")
        | (Value::Bool(_), "boolean")
        | (Value::Int(_) | Value::BigInt(_), "integer" | "number")
        | (Value::Float(_), "number")
        | (Value::Null, "null") => true,
        (Value::Float(value), "integer") => value.fract() == 0.0,
        _ => false,
    }
}
