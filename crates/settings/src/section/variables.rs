//! `[variables]`: variables of GitLab's settings, by level.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Variables of GitLab's settings.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Variables {
    /// Of the instance.
    pub instance: BTreeMap<VariableName, SettingValues>,
    /// Of the groups.
    pub group: BTreeMap<VariableName, SettingValues>,
    /// Of the project.
    pub project: BTreeMap<VariableName, SettingValues>,
}

/// A variable's name: letters, digits, `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct VariableName(pub String);

impl TryFrom<String> for VariableName {
    type Error = String;

    fn try_from(name: String) -> Result<VariableName, String> {
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(valid) {
            return Err(format!(
                "`{name}` is no name of a variable, which has only letters, digits and `_`"
            ));
        }
        Ok(VariableName(name))
    }
}

/// Values of one variable: one, or several for different environments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingValues(pub Vec<SettingValue>);

/// One value with what GitLab's form asks for.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingValue {
    /// The value.
    pub value: String,
    /// Only for protected refs.
    #[serde(default)]
    pub protected: bool,
    /// Not shown in logs.
    #[serde(default)]
    pub masked: bool,
    /// The job sees a path to a file that holds the value.
    #[serde(default)]
    pub file: bool,
    /// References in the value are not expanded.
    #[serde(default)]
    pub raw: bool,
    /// Which environments it is for, `*` for all.
    #[serde(default = "all")]
    pub environment_scope: String,
}

fn all() -> String {
    "*".to_owned()
}

impl fmt::Debug for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.masked { "[MASKED]" } else { &self.value };
        f.debug_struct("SettingValue")
            .field("value", &value)
            .field("protected", &self.protected)
            .field("file", &self.file)
            .field("raw", &self.raw)
            .field("environment_scope", &self.environment_scope)
            .finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for SettingValues {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<SettingValues, D::Error> {
        value.deserialize_any(ValuesVisitor)
    }
}

struct ValuesVisitor;

impl<'de> Visitor<'de> for ValuesVisitor {
    type Value = SettingValues;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a table with `value`, or a list of such tables")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SettingValues, E> {
        Ok(SettingValues(vec![SettingValue {
            value: text.to_owned(),
            protected: false,
            masked: false,
            file: false,
            raw: false,
            environment_scope: all(),
        }]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SettingValues, A::Error> {
        let value = SettingValue::deserialize(MapAccessDeserializer::new(map))?;
        Ok(SettingValues(vec![value]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<SettingValues, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(SettingValues)
    }
}

impl Variables {
    pub(super) fn over(self, below: Variables) -> Variables {
        Variables {
            instance: over(self.instance, below.instance),
            group: over(self.group, below.group),
            project: over(self.project, below.project),
        }
    }
}

fn over<V>(
    own: BTreeMap<VariableName, V>,
    mut below: BTreeMap<VariableName, V>,
) -> BTreeMap<VariableName, V> {
    below.extend(own);
    below
}
