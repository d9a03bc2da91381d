//! `config.jsonl`, `config_mut.jsonl`: loading and validating configurations.

use std::sync::Arc;

use serde_json::Value as Json;
use tidegate_config::{Config, Dialect, Loaded, RootFile, Settings, load, merged_yaml, normalized};
use tidegate_expr::{Variable, VariableSource};
use tidegate_scenario::{FixtureWorld, InputValue, Scenario, SettingVariable};
use tidegate_source::Severity;

use crate::canonical;
use crate::score::expect;

/// Judges one line; where GitLab itself fails with an internal exception a decent error is right.
pub fn judge(case: &Json) -> Result<(), String> {
    let loaded = loaded_with(case, true)?;
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
    if let (Some(merged), Some(theirs)) = (&loaded.merged, case["merged_yaml"].as_str()) {
        expect("merged_yaml", merged_yaml(merged).as_deref(), Some(theirs))?;
    }
    judge_unkept(case, &loaded)?;
    match &loaded.config {
        Some(config) => judge_valid(case, config),
        None => Ok(()),
    }
}

/// A load that keeps nothing written, as for planning, must find the same.
fn judge_unkept(case: &Json, loaded: &Loaded) -> Result<(), String> {
    let unkept = loaded_with(case, false)?;
    let all = |loaded: &Loaded| -> Vec<_> { loaded.diagnostics.iter().cloned().collect() };
    expect("diagnostics for planning", all(&unkept), all(loaded))?;
    let shown = |loaded: &Loaded| {
        loaded
            .config
            .clone()
            .map(|it| format!("{:?}", unwritten(it)))
    };
    expect("configuration for planning", shown(&unkept), shown(loaded))
}

fn unwritten(mut config: Config) -> Config {
    for job in config.jobs.values_mut() {
        Arc::make_mut(&mut job.body).written = None;
    }
    config
}

fn judge_valid(case: &Json, config: &Config) -> Result<(), String> {
    let stages = config.stages.iter().map(|stage| stage.value.to_string());
    expect("stages", stages.collect(), texts(&case["stages"]))?;
    let unkept = "the load kept nothing written";
    let jobs = normalized::lint_jobs(config).ok_or(unkept)?;
    same(
        "jobs",
        &jobs,
        case["jobs"].as_array().map_or(&[], Vec::as_slice),
    )?;
    let builds = normalized::builds(config).ok_or(unkept)?;
    if let Some(theirs) = case["builds"].as_array() {
        return same("builds", &builds, theirs);
    }
    let Some(hashes) = case["builds_sha"].as_array() else {
        return Ok(());
    };
    let ours = builds
        .iter()
        .map(|build| (build["name"].clone(), canonical::short_hash(build)));
    let theirs = hashes.iter().map(|pair| {
        (
            pair[0].clone(),
            pair[1].as_str().unwrap_or_default().to_owned(),
        )
    });
    expect("builds", ours.collect::<Vec<_>>(), theirs.collect())
}

/// Compares lists item by item, so that the difference told is a short one.
fn same(what: &str, ours: &[Json], theirs: &[Json]) -> Result<(), String> {
    for (ours, theirs) in ours.iter().zip(theirs) {
        same_item(what, ours, theirs)?;
    }
    expect(&format!("the number of {what}"), ours.len(), theirs.len())
}

fn same_item(what: &str, ours: &Json, theirs: &Json) -> Result<(), String> {
    let (Some(a), Some(b)) = (ours.as_object(), theirs.as_object()) else {
        return expect(what, canonical::text(ours), canonical::text(theirs));
    };
    let name = ours["name"].as_str().unwrap_or_default();
    for key in a.keys().chain(b.keys()) {
        let text = |side: &Json| side.get(key).map(canonical::text);
        expect(&format!("{what} {name} {key}"), text(ours), text(theirs))?;
    }
    Ok(())
}

fn loaded_with(case: &Json, keep_written: bool) -> Result<Loaded, String> {
    let files = case["files"].as_object();
    let files = files.into_iter().flatten();
    let world = FixtureWorld::with_files(
        files.map(|(path, text)| (path.as_str(), text.as_str().unwrap_or_default())),
    );
    let root = RootFile {
        name: ".gitlab-ci.yml".to_owned(),
        bytes: case["yaml"].as_str().unwrap_or_default().as_bytes().into(),
    };
    let settings = Settings {
        dialect: Dialect::Gitlab,
        keep_written,
        ..Settings::default()
    };
    load(&root, &scenario(case), &world, &settings).map_err(|error| error.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Json {
        serde_json::json!({
            "yaml": "j: {script: x}", "valid": true, "errors": [], "warnings": [],
            "stages": [".pre", "build", "test", "deploy", ".post"],
            "jobs": [{
                "name": "j", "stage": "test", "before_script": [], "script": ["x"],
                "after_script": [], "tag_list": [], "only": {"refs": ["branches", "tags"]},
                "except": null, "environment": null, "when": "on_success",
                "allow_failure": false, "needs": null,
            }],
            "merged_yaml": "---\nj:\n  script: x\n",
        })
    }

    #[test]
    fn a_line_that_agrees_passes() {
        assert_eq!(judge(&case()), Ok(()));
    }

    #[test]
    fn every_field_of_a_line_is_compared() {
        let changes = [
            ("yaml", Json::from("j: {script: y}")),
            ("valid", Json::from(false)),
            ("errors", serde_json::json!(["x"])),
            ("warnings", serde_json::json!(["x"])),
            ("stages", serde_json::json!(["x"])),
            ("jobs", serde_json::json!([])),
            ("builds", serde_json::json!([])),
            ("builds_sha", serde_json::json!([["j", "0000000000000000"]])),
            ("merged_yaml", Json::from("---\n")),
        ];
        for (field, value) in changes {
            let mut changed = case();
            changed[field] = value;
            assert!(judge(&changed).is_err(), "{field}");
        }
    }
}
