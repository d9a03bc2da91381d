//! `config.jsonl`, `config_mut.jsonl`: loading and validating configurations.

use serde_json::Value as Json;
use tidegate_config::{Loaded, RootFile, Settings, load};
use tidegate_expr::{Variable, VariableSource};
use tidegate_scenario::{FixtureWorld, InputValue, Scenario, SettingVariable};
use tidegate_source::Severity;

use crate::score::expect;

/// Judges one line; where GitLab itself fails with an internal exception a decent error is right.
pub fn judge(case: &Json) -> Result<(), String> {
    let loaded = loaded(case)?;
    if case["crash"] == Json::Bool(true) {
        return expect("valid", loaded.is_valid(), false);
    }
    expect(
        "errors",
        messages(&loaded, Severity::Error),
        texts(&case["errors"]),
    )?;
    expect(
        "warnings",
        messages(&loaded, Severity::Warning),
        texts(&case["warnings"]),
    )?;
    expect("valid", Some(loaded.is_valid()), case["valid"].as_bool())?;
    match loaded.config {
        Some(config) if case["valid"] == Json::Bool(true) => {
            let stages = config.stages.iter().map(|stage| stage.value.to_string());
            expect("stages", stages.collect(), texts(&case["stages"]))
        }
        _ => Ok(()),
    }
}

fn loaded(case: &Json) -> Result<Loaded, String> {
    let files = case["files"].as_object();
    let files = files.into_iter().flatten();
    let world = FixtureWorld::with_files(
        files.map(|(path, text)| (path.as_str(), text.as_str().unwrap_or_default())),
    );
    let root = RootFile {
        name: ".gitlab-ci.yml".to_owned(),
        bytes: case["yaml"].as_str().unwrap_or_default().as_bytes().into(),
    };
    load(&root, &scenario(case), &world, &Settings::default()).map_err(|error| error.to_string())
}

fn scenario(case: &Json) -> Scenario {
    let mut scenario = Scenario::push("main");
    let variables = case["vars"].as_array();
    scenario.settings = variables.into_iter().flatten().map(setting).collect();
    let inputs = case["inputs"].as_object();
    scenario.inputs = inputs
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), input(value)))
        .collect();
    scenario
}

fn setting(item: &Json) -> SettingVariable {
    let text = |key: &str| item[key].as_str().unwrap_or_default();
    SettingVariable {
        variable: Variable {
            masked: item["masked"] == Json::Bool(true),
            ..Variable::new(text("key"), text("value"), VariableSource::SettingProject)
        },
        protected: false,
        environment_scope: "*".to_owned(),
    }
}

fn input(value: &Json) -> InputValue {
    match value {
        Json::Null => InputValue::Null,
        Json::Bool(value) => InputValue::Bool(*value),
        Json::String(text) => InputValue::Text(text.clone()),
        Json::Number(number) => match number.as_i64() {
            Some(number) => InputValue::Integer(number),
            None => InputValue::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::Array(items) => InputValue::List(items.iter().map(input).collect()),
        Json::Object(entries) => InputValue::Map(
            entries
                .iter()
                .map(|(name, value)| (name.clone(), input(value)))
                .collect(),
        ),
    }
}

fn messages(loaded: &Loaded, severity: Severity) -> Vec<String> {
    let found = loaded.diagnostics.of(severity);
    found.map(|diagnostic| diagnostic.message.clone()).collect()
}

fn texts(list: &Json) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}
