//! Values of inputs, with the type their giver wrote.

use serde::{Deserialize, Serialize};

use super::UnreadableRecord;
use crate::input::InputValue;

#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(rename_all = "snake_case")]
pub(super) enum InputRecord {
    Null,
    Text(String),
    Integer(i64),
    /// As text: JSON has no infinity.
    Float(String),
    Bool(bool),
    List(Vec<InputRecord>),
    Map(Vec<(String, InputRecord)>),
}

impl InputRecord {
    pub(super) fn of(value: &InputValue) -> InputRecord {
        match value {
            InputValue::Null => InputRecord::Null,
            InputValue::Text(text) => InputRecord::Text(text.clone()),
            InputValue::Integer(number) => InputRecord::Integer(*number),
            InputValue::Float(number) => InputRecord::Float(number.to_string()),
            InputValue::Bool(holds) => InputRecord::Bool(*holds),
            InputValue::List(items) => {
                InputRecord::List(items.iter().map(InputRecord::of).collect())
            }
            InputValue::Map(entries) => {
                let entry = |(key, value): &(String, _)| (key.clone(), InputRecord::of(value));
                InputRecord::Map(entries.iter().map(entry).collect())
            }
        }
    }

    pub(super) fn value(self) -> Result<InputValue, UnreadableRecord> {
        Ok(match self {
            InputRecord::Null => InputValue::Null,
            InputRecord::Text(text) => InputValue::Text(text),
            InputRecord::Integer(number) => InputValue::Integer(number),
            InputRecord::Float(text) => InputValue::Float(
                text.parse()
                    .map_err(|_| UnreadableRecord(format!("`{text}` is no number")))?,
            ),
            InputRecord::Bool(holds) => InputValue::Bool(holds),
            InputRecord::List(items) => {
                let items: Result<_, _> = items.into_iter().map(InputRecord::value).collect();
                InputValue::List(items?)
            }
            InputRecord::Map(entries) => {
                let entry = |(key, value): (String, InputRecord)| Ok((key, value.value()?));
                let entries: Result<_, _> = entries.into_iter().map(entry).collect();
                InputValue::Map(entries?)
            }
        })
    }
}
