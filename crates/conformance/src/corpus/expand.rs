//! Cases of kind `expand` (`corpus/FORMAT.md` §6).

use serde_json::Value as Json;
use tidegate_expr::{
    Lookup, NestedOptions, RefOptions, Variable, VariableSource, Variables, expand_blank,
    expand_existing, sort_and_expand,
};

use super::compare::compare;

pub(super) fn judge(case: &Json) -> Result<(), String> {
    let flag = |name: &str| case[name].as_bool().unwrap_or(true);
    let refs = RefOptions {
        expand_file_refs: flag("expand_file_refs"),
        expand_raw_refs: flag("expand_raw_refs"),
    };
    let expect = &case["expect"];
    let value = case["value"].as_str().unwrap_or_default();
    let variables = variables(&case["variables"]);
    let result = match case["mode"].as_str() {
        Some("expand") => expand_blank(value, &variables, refs).into_string(),
        Some("expand_existing") => expand_existing(value, &variables, refs).into_string(),
        Some("sort_and_expand") => return sorted(&case["collection"], refs, expect),
        other => return Err(format!("unknown mode {other:?}")),
    };
    compare("result", &expect["result"], &Json::from(result))
}

fn variables(given: &Json) -> Variables {
    let entries = given.as_object().into_iter().flatten();
    let variable = |(key, value): (&String, &Json)| {
        let text = value.as_str().or(value["value"].as_str());
        Variable {
            file: value["file"] == Json::Bool(true),
            raw: value["raw"] == Json::Bool(true),
            ..Variable::new(
                key.as_str(),
                text.unwrap_or_default(),
                VariableSource::YamlRoot,
            )
        }
    };
    entries.map(variable).collect()
}

fn sorted(collection: &Json, refs: RefOptions, expect: &Json) -> Result<(), String> {
    let items = collection.as_array().into_iter().flatten();
    let variable = |item: &Json| Variable {
        raw: item["raw"] == Json::Bool(true),
        file: item["file"] == Json::Bool(true),
        ..Variable::new(
            item["key"].as_str().unwrap_or_default(),
            item["value"].as_str().unwrap_or_default(),
            VariableSource::YamlRoot,
        )
    };
    let variables: Variables = items.map(variable).collect();
    let options = NestedOptions {
        keep_undefined: true,
        refs,
    };
    let sorted = match (sort_and_expand(&variables, options), &expect["error"]) {
        (Ok(sorted), Json::Null) => sorted,
        (Err(error), Json::String(expected)) if error.to_string().contains(expected) => {
            return Ok(());
        }
        (Ok(_), error) => return Err(format!("no error, expected {error}")),
        (Err(error), expected) => return Err(format!("error {error}, expected {expected}")),
    };
    for (name, expected) in expect["values"].as_object().into_iter().flatten() {
        let found = sorted
            .lookup(name)
            .and_then(|variable| variable.value.as_deref());
        compare(name, expected, &found.map_or(Json::Null, Json::from))?;
    }
    Ok(())
}
