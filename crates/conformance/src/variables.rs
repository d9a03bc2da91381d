//! `variables.jsonl`: variables inside variables.

use serde_json::Value as Json;
use tidegate_expr::{
    NestedOptions, RefOptions, Variable, VariableSource, Variables, sort_and_expand,
};

use crate::score::expect;

/// Judges one line.
pub fn judge(case: &Json) -> Result<(), String> {
    let variables: Variables = listed(&case["variables"])
        .unwrap_or_default()
        .into_iter()
        .collect();
    let flag = |name: &str| case["options"][name].as_bool().unwrap_or(true);
    for (field, keep_undefined) in [("expanded", false), ("expanded_keep_undefined", true)] {
        let options = NestedOptions {
            keep_undefined,
            refs: RefOptions {
                expand_file_refs: flag("expand_file_refs"),
                expand_raw_refs: flag("expand_raw_refs"),
            },
        };
        match sort_and_expand(&variables, options) {
            Ok(sorted) => expect(
                field,
                Some(sorted.as_slice().to_vec()),
                listed(&case[field]),
            )?,
            Err(error) => expect("error", Some(&*error.to_string()), case["error"].as_str())?,
        }
    }
    Ok(())
}

fn listed(list: &Json) -> Option<Vec<Variable>> {
    let variable = |item: &Json| Variable {
        value: item["value"].as_str().map(Into::into),
        raw: item["raw"] == Json::Bool(true),
        file: item["file"] == Json::Bool(true),
        ..Variable::new(
            item["key"].as_str().unwrap_or_default(),
            "",
            VariableSource::YamlRoot,
        )
    };
    Some(list.as_array()?.iter().map(variable).collect())
}
