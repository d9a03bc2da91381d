//! Cases of kind `expression` (`corpus/FORMAT.md` §4).

use serde_json::Value as Json;
use tidegate_expr::{Variable, VariableSource, Variables, evaluate, valid_for_config};

pub(super) fn judge(case: &Json) -> Result<(), String> {
    let expect = &case["expect"];
    let parsed = valid_for_config(case["expr"].as_str().unwrap_or_default());
    let expression = match (parsed, expect.get("error").is_some()) {
        (Ok(expression), false) => expression,
        (Err(_), true) => return Ok(()),
        (Ok(_), true) => return Err("it is accepted".to_owned()),
        (Err(error), false) => return Err(format!("it is rejected: {error:?}")),
    };
    let given = case["variables"].as_object();
    let variables: Variables = given
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            let value = value.as_str().unwrap_or_default();
            Variable::new(key.as_str(), value, VariableSource::YamlRoot)
        })
        .collect();
    let holds = evaluate(&expression, &variables).is_ok_and(|value| value.is_present());
    super::compare::compare("result", &expect["result"], &Json::Bool(holds))
}
