//! `expressions.jsonl`: the expression language.

use serde_json::Value as Json;
use tidegate_expr::{
    Environment, Expression, ExpressionError, Inputs, Number, Value, Variable, VariableSource,
    Variables, evaluate_with, valid_for_config,
};

use crate::score::expect;

/// Judges one line; where GitLab itself fails with an internal exception any answer is right.
pub fn judge(case: &Json) -> Result<(), String> {
    let text = case["expr"].as_str().unwrap_or_default();
    if let Some(valid) = case["valid"].as_bool() {
        expect("valid", valid_for_config(text).is_ok(), valid)?;
    }
    if case["result"].is_null() {
        return Ok(());
    }
    let result = evaluated(text, case);
    let holds = result.as_ref().is_ok_and(Value::is_present);
    expect("result", Some(holds), case["result"].as_bool())?;
    if let Some(error) = case.get("error") {
        let ours = result.as_ref().err();
        let class = ours.map(|error| error.class.name());
        expect("class", class, error["class"].as_str())?;
        let message = ours.and_then(|error| error.message.as_deref());
        expect("message", message, error["message"].as_str())?;
    }
    match case.get("value") {
        Some(value) => expect("value", result.ok().map(json), Some(value.clone())),
        None => Ok(()),
    }
}

fn evaluated(text: &str, case: &Json) -> Result<Value, ExpressionError> {
    let given = case["variables"].as_object();
    let variables: Variables = given
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            let value = value.as_str().unwrap_or_default();
            Variable::new(key.as_str(), value, VariableSource::YamlRoot)
        })
        .collect();
    let environment = Environment {
        variables: &variables,
        inputs: &Given(&case["inputs"]),
    };
    evaluate_with(&Expression::parse(text)?, environment, &mut ())
}

struct Given<'a>(&'a Json);

impl Inputs for Given<'_> {
    fn input(&self, name: &str) -> Option<Value> {
        self.0.get(name).map(typed)
    }
}

fn typed(value: &Json) -> Value {
    match value {
        Json::Null | Json::Object(_) => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::String(text) => Value::text(text.as_str()),
        Json::Number(number) => Value::Number(match number.as_i64() {
            Some(number) => Number::Integer(number.into()),
            None => Number::Float(number.as_f64().unwrap_or(f64::NAN)),
        }),
        Json::Array(items) => Value::List(items.iter().map(typed).collect()),
    }
}

fn json(value: Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(value) => value.into(),
        Value::Text(text) => (&*text).into(),
        Value::Pattern(pattern) => serde_json::json!({ "regexp": pattern.source() }),
        Value::Number(Number::Integer(number)) => {
            i64::try_from(number).map_or(Json::Null, Into::into)
        }
        Value::Number(Number::Float(number)) => number.into(),
        Value::List(items) => items.iter().cloned().map(json).collect(),
    }
}
