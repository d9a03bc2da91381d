//! `workflow` (reference `config.md` §9.16).

use tidegate_yaml::Node;

use super::auto_cancel::auto_cancel;
use super::rules::{RulesOf, rules};
use crate::Workflow;
use crate::ruby::{Keys, to_s};
use crate::typed::{Check, Context, Faults, Place, specified, text};

/// The workflow of a configuration.
pub(crate) fn workflow(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    node: &Node,
    faults: &mut Faults,
) -> Workflow {
    let mut check = Check::new(place, node, faults);
    // GitLab's entry checks the type twice.
    check.map(node);
    let map = check.map(node);
    check.known_keys(node, &["rules", "name", "auto_cancel"]);
    let Some(map) = map else {
        return Workflow::default();
    };
    let mut workflow = Workflow {
        has_rules_key: map.contains("rules"),
        ..Workflow::default()
    };
    if let Some(node) = specified(map, "name") {
        let length = to_s(&node.value, Keys::Symbols).chars().count();
        let text_long = "name is too long (maximum is 255 characters)";
        check.ensure(length <= 255, node.span, text_long);
        workflow.name = text(node);
    }
    if !check.passed() {
        return workflow;
    }
    if let Some(node) = specified(map, "rules") {
        let place = place.child("rules");
        workflow.rules = rules(cx, &place, node, RulesOf::Workflow, faults);
    }
    if let Some(node) = specified(map, "auto_cancel") {
        workflow.auto_cancel = auto_cancel(&place.child("auto_cancel"), node, faults);
    }
    workflow
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn rules_and_cancellation_of_workflows_are_checked() {
        check(
            "workflow: {foo: 1}\nj: {script: x}",
            &["workflow config contains unknown keys: foo"],
        );
        check(
            "workflow: {rules: []}\nj: {script: x}",
            &["workflow:rules config can't be blank"],
        );
        check(
            "workflow: {rules: [{when: manual}]}\nj: {script: x}",
            &["workflow:rules:rule when unknown value: manual"],
        );
        check(
            "workflow: {rules: [{if: $X, foo: 1}]}\nj: {script: x}",
            &["workflow:rules:rule config contains unknown keys: foo"],
        );
        check(
            "workflow: {rules: [{if: $X, interruptible: true}]}\nj: {script: x}",
            &["workflow:rules:rule config contains unknown keys: interruptible"],
        );
        check(
            "workflow: {rules: [{if: $X, allow_failure: true, needs: [], start_in: 1 day}]}\nj: {script: x}",
            &["workflow:rules:rule config contains disallowed keys: start_in"],
        );
        check(
            "workflow: {rules: [{if: $X, auto_cancel: 1}]}\nj: {script: x}",
            &["workflow:rules:rule:auto_cancel config should be a hash"],
        );
    }
}
