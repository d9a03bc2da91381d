//! `trigger` (reference `config.md` §9.15).

use tidegate_pipeline::Strategy;
use tidegate_yaml::{Map, Node, Value};

use super::include::include;
use crate::json::to_json;
use crate::ruby::{Keys, to_s};
use crate::typed::{Check, Context, Faults, Place, raw_fault, specified, string};
use crate::{BridgeInclude, Text, Trigger, TriggerTarget};

const MOST_INCLUDES: usize = 3;

/// The trigger of a bridge.
pub(crate) fn trigger(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    node: &Node,
    faults: &mut Faults,
) -> Option<Trigger> {
    match (&node.value, node.as_map()) {
        (Value::Str(_), _) => {
            let mut check = Check::new(place, node, faults);
            check.present("config", Some(node));
            let project = string(node).filter(|_| check.passed())?;
            Some(of(node, project_target(project, None)))
        }
        (_, Some(map)) if map.contains("include") => same_project(cx, place, node, map, faults),
        (_, Some(map)) => other_project(place, node, map, faults),
        _ => {
            let text = "has to be either a string or a hash";
            faults.push(raw_fault(place, node.span, text));
            None
        }
    }
}

fn of(node: &Node, target: TriggerTarget) -> Trigger {
    Trigger {
        span: node.span,
        target,
        strategy: None,
        forward_yaml_variables: None,
        forward_pipeline_variables: None,
        inputs: Vec::new(),
    }
}

fn project_target(project: Text, branch: Option<Text>) -> TriggerTarget {
    TriggerTarget::Project { project, branch }
}

fn other_project(
    place: &Place<'_>,
    node: &Node,
    map: &Map,
    faults: &mut Faults,
) -> Option<Trigger> {
    let mut check = Check::new(place, node, faults);
    check.present("config", Some(node));
    check.known_keys(
        node,
        &["project", "branch", "strategy", "forward", "inputs"],
    );
    let inputs = check.hash("inputs", specified(map, "inputs"));
    let project = check.required_string("project", specified(map, "project"));
    let branch = check.string("branch", specified(map, "branch"));
    let strategy = strategy(&mut check, map);
    if !check.passed() {
        return None;
    }
    let mut trigger = of(node, project_target(project?, branch));
    trigger.strategy = strategy;
    trigger.inputs = inputs.map_or_else(Vec::new, |inputs| {
        let pairs = inputs.iter().map(|(key, node)| {
            let name = to_s(&key.value, Keys::Symbols);
            (name.into(), to_json(&node.value))
        });
        pairs.collect()
    });
    forward(place, map, &mut trigger, faults);
    Some(trigger)
}

fn same_project(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    node: &Node,
    map: &Map,
    faults: &mut Faults,
) -> Option<Trigger> {
    let mut check = Check::new(place, node, faults);
    check.known_keys(node, &["strategy", "include", "forward"]);
    let strategy = strategy(&mut check, map);
    if !check.passed() {
        return None;
    }
    let included = map.get("include")?;
    if !included.is_null() {
        let place = place.child("include");
        include(cx, &place, included, Some(MOST_INCLUDES), faults);
    }
    let target = TriggerTarget::Child(BridgeInclude {
        value: to_json(&included.value),
        span: included.span,
    });
    let mut trigger = of(node, target);
    trigger.strategy = strategy;
    forward(place, map, &mut trigger, faults);
    Some(trigger)
}

fn strategy(check: &mut Check<'_>, map: &Map) -> Option<Strategy> {
    let words = ["depend", "mirror"];
    let text = "should be depend or mirror";
    let word = check.word("strategy", specified(map, "strategy"), &words, text)?;
    match &*word.value {
        "depend" => Some(Strategy::Depend),
        _ => Some(Strategy::Mirror),
    }
}

fn forward(place: &Place<'_>, map: &Map, trigger: &mut Trigger, faults: &mut Faults) {
    let Some(node) = specified(map, "forward") else {
        return;
    };
    let place = place.child("forward");
    let mut check = Check::new(&place, node, faults);
    check.known_keys(node, &["yaml_variables", "pipeline_variables"]);
    let field = |key| node.as_map().and_then(|map| specified(map, key));
    trigger.forward_yaml_variables = check.boolean("yaml variables", field("yaml_variables"));
    trigger.forward_pipeline_variables =
        check.boolean("pipeline variables", field("pipeline_variables"));
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn both_kinds_of_triggers_are_checked() {
        check(
            "j: {trigger: }",
            &["jobs:j config should contain either a trigger or a needs:pipeline"],
        );
        check(
            "j: {trigger: 1}",
            &["jobs:j:trigger has to be either a string or a hash"],
        );
        check(
            "j: {trigger: ''}",
            &["jobs:j:trigger config can't be blank"],
        );
        check(
            "j: {trigger: {}}",
            &[
                "jobs:j:trigger config can't be blank",
                "jobs:j:trigger project should be a string",
                "jobs:j:trigger project can't be blank",
            ],
        );
        check(
            "j: {trigger: {project: 1}}",
            &["jobs:j:trigger project should be a string"],
        );
        check(
            "j: {trigger: {branch: a}}",
            &[
                "jobs:j:trigger project should be a string",
                "jobs:j:trigger project can't be blank",
            ],
        );
        check(
            "j: {trigger: {project: a/b, strategy: foo}}",
            &["jobs:j:trigger strategy should be depend or mirror"],
        );
        check(
            "j: {trigger: {project: a/b, inputs: 1}}",
            &["jobs:j:trigger inputs should be a hash"],
        );
        check(
            "j: {trigger: {project: a/b, forward: {foo: 1}}}",
            &["jobs:j:trigger:forward config contains unknown keys: foo"],
        );
        check(
            "j: {trigger: {project: a/b, include: x.yml}}",
            &["jobs:j:trigger config contains unknown keys: project"],
        );
        check(
            "j: {trigger: {include: 1}}",
            &["jobs:j:trigger:include config should be an array or a string"],
        );
    }
}
