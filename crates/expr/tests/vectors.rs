//! Runs test vectors whose expectations came out of GitLab itself.
//!
//! A subset is part of the project. `TIDEGATE_VECTORS=DIR cargo test -p tidegate-expr --test vectors
//! -- --nocapture` runs the full sets of that directory.

#![expect(clippy::print_stdout, reason = "the score is what one runs this for")]

use serde_json::Value as Json;
use tidegate_expr::{
    Environment, Expression, ExpressionError, Inputs, Lookup, NestedOptions, Number, RefOptions,
    Resolver, Value, Variable, VariableSource, Variables, evaluate_with, expand_blank,
    expand_existing, sort_and_expand, valid_for_config,
};

/// Checks every line of the set `name` and prints the score.
fn check_set(name: &str, subset: &str, check: impl Fn(&Json) -> Result<(), String>) {
    let full = std::env::var_os("TIDEGATE_VECTORS").map(|directory| {
        let file = std::path::Path::new(&directory).join(name);
        std::fs::read_to_string(&file).unwrap()
    });
    let mut passed = 0;
    let mut failed = Vec::new();
    for line in full.as_deref().unwrap_or(subset).lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        match check(&case) {
            Ok(()) => passed += 1,
            Err(problem) => failed.push(format!("{}: {problem}", case["id"])),
        }
    }
    println!("{name}: {passed} passed, {} failed", failed.len());
    assert!(passed > 0, "no vectors");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn expressions_agree_with_gitlab() {
    let subset = include_str!("data/expressions.jsonl");
    check_set("expressions.jsonl", subset, |case| {
        let text = case["expr"].as_str().unwrap();
        if let Some(valid) = case["valid"].as_bool() {
            let ours = valid_for_config(text).is_ok();
            expect("valid", ours, valid)?;
        }
        if case["result"].is_null() {
            return Ok(());
        }
        let result = evaluated(text, case);
        let holds = result.as_ref().is_ok_and(Value::is_present);
        expect("result", holds, case["result"] == Json::Bool(true))?;
        if let Some(error) = case.get("error") {
            let class = result.as_ref().err().map(|e| e.class.name());
            expect("class", class, error["class"].as_str())?;
            let message = result.as_ref().err().and_then(|e| e.message.as_deref());
            expect("message", message, error["message"].as_str())?;
        }
        match case.get("value") {
            Some(value) => expect("value", result.ok().map(json), Some(value.clone())),
            None => Ok(()),
        }
    });
}

#[test]
fn nested_variables_agree_with_gitlab() {
    let subset = include_str!("data/variables.jsonl");
    check_set("variables.jsonl", subset, |case| {
        let variables: Variables = case["variables"]
            .as_array()
            .unwrap()
            .iter()
            .map(listed)
            .collect();
        for (field, keep_undefined) in [("expanded", false), ("expanded_keep_undefined", true)] {
            let flag = |name: &str| case["options"][name].as_bool().unwrap_or(true);
            let options = NestedOptions {
                keep_undefined,
                refs: RefOptions {
                    expand_file_refs: flag("expand_file_refs"),
                    expand_raw_refs: flag("expand_raw_refs"),
                },
            };
            let sorted = match sort_and_expand(&variables, options) {
                Ok(sorted) => sorted,
                Err(error) => {
                    expect("error", Some(&*error.to_string()), case["error"].as_str())?;
                    continue;
                }
            };
            let theirs: Option<Vec<Variable>> = case[field]
                .as_array()
                .map(|items| items.iter().map(listed).collect());
            expect(field, Some(sorted.as_slice().to_vec()), theirs)?;
            let resolver = Resolver::new(&variables, options);
            for variable in variables.iter() {
                let ours = resolver.lookup(&variable.key);
                expect("resolved", ours, sorted.lookup(&variable.key))?;
            }
        }
        Ok(())
    });
}

#[test]
fn expanders_agree_with_gitlab() {
    for line in include_str!("data/expand.jsonl").lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        check_expander(&case).unwrap_or_else(|problem| panic!("{}: {problem}", case["id"]));
    }
}

fn check_expander(case: &Json) -> Result<(), String> {
    let refs = RefOptions {
        expand_file_refs: case["expand_file_refs"].as_bool().unwrap_or(true),
        expand_raw_refs: case["expand_raw_refs"].as_bool().unwrap_or(true),
    };
    if case["mode"] == "sort_and_expand" {
        let items = case["collection"].as_array().unwrap();
        let variables: Variables = items.iter().map(listed).collect();
        let options = NestedOptions {
            keep_undefined: true,
            refs,
        };
        let sorted = match sort_and_expand(&variables, options) {
            Ok(sorted) => sorted,
            Err(error) => {
                let theirs = case["expect"]["error"].as_str();
                return expect("error", Some(&*error.to_string()), theirs);
            }
        };
        for (key, value) in case["expect"]["values"].as_object().unwrap() {
            let ours = sorted.lookup(key).and_then(|v| v.value.as_deref());
            expect(key, ours, value.as_str())?;
        }
        return Ok(());
    }
    let given = case["variables"].as_object().unwrap();
    let variables: Variables = given
        .iter()
        .map(|(key, value)| Variable {
            file: value["file"] == Json::Bool(true),
            value: value.as_str().or(value["value"].as_str()).map(Into::into),
            ..Variable::new(key.as_str(), "", VariableSource::YamlRoot)
        })
        .collect();
    let text = case["value"].as_str().unwrap();
    let ours = match case["mode"].as_str().unwrap() {
        "expand" => expand_blank(text, &variables, refs).into_string(),
        "expand_existing" => expand_existing(text, &variables, refs).into_string(),
        mode => return Err(format!("unknown mode {mode}")),
    };
    expect("result", Some(&*ours), case["expect"]["result"].as_str())
}

fn listed(item: &Json) -> Variable {
    let key = item["key"].as_str().unwrap();
    Variable {
        value: item["value"].as_str().map(Into::into),
        raw: item["raw"] == Json::Bool(true),
        file: item["file"] == Json::Bool(true),
        ..Variable::new(key, "", VariableSource::YamlRoot)
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, ours: T, theirs: T) -> Result<(), String> {
    if ours == theirs {
        Ok(())
    } else {
        Err(format!("{what} is {ours:?}, expected {theirs:?}"))
    }
}

fn evaluated(text: &str, case: &Json) -> Result<Value, ExpressionError> {
    let given = case["variables"].as_object().unwrap();
    let variables: Variables = given
        .iter()
        .map(|(key, value)| {
            let value = value.as_str().unwrap();
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
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::String(text) => Value::text(text.as_str()),
        Json::Number(number) => Value::Number(match number.as_i64() {
            Some(integer) => Number::Integer(integer.into()),
            None => Number::Float(number.as_f64().unwrap()),
        }),
        Json::Array(items) => Value::List(items.iter().map(typed).collect()),
        Json::Object(_) => panic!("no input is a map"),
    }
}

fn json(value: Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(value) => value.into(),
        Value::Text(text) => (*text).into(),
        Value::Pattern(pattern) => serde_json::json!({"regexp": pattern.source()}),
        Value::Number(Number::Integer(value)) => serde_json::json!(i64::try_from(value).unwrap()),
        Value::Number(Number::Float(value)) => value.into(),
        Value::List(items) => items.iter().cloned().map(json).collect(),
    }
}
