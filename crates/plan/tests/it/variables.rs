//! Variables, and what is made of them when a pipeline is created (reference `compose.md` §9).

use tidegate_expr::{Lookup, NestedOptions, Variable, VariableSource, sort_and_expand};
use tidegate_pipeline::{Action, Downstream};
use tidegate_plan::Plan;
use tidegate_scenario::SettingVariable;

use crate::situation::{errors, job, jobs, planned, push};

fn value(plan: &Plan, name: &str, key: &str) -> Option<String> {
    let found = job(plan, name).variables.lookup(key)?;
    found.value.as_deref().map(str::to_owned)
}

#[test]
fn the_later_layer_wins() {
    let text = "
variables: {A: root, B: root, C: root, D: root, E: root}
workflow: {rules: [{when: always, variables: {B: workflow}}]}
j:
  script: x
  variables: {C: job, D: job, E: job, GITLAB_USER_LOGIN: mine}
  parallel: {matrix: [{D: matrix, E: matrix}]}
  rules: [{when: always, variables: {E: rule}}]
";
    let plan = planned(text, &push());
    let name = "j: [matrix, matrix]";
    for (key, expected) in [
        ("A", "root"),
        ("B", "workflow"),
        ("C", "job"),
        ("D", "matrix"),
        ("E", "rule"),
        ("GITLAB_USER_LOGIN", ""),
        ("CI_JOB_GROUP_NAME", "j"),
        ("CI_NODE_INDEX", "1"),
        ("CI_NODE_TOTAL", "1"),
    ] {
        assert_eq!(value(&plan, name, key).as_deref(), Some(expected), "{key}");
    }
}

#[test]
fn an_overridden_yaml_value_is_gone() {
    let text = "variables: {A: base}\nj: {script: x, variables: {A: '$A:x'}}";
    let plan = planned(text, &push());
    let variables = &job(&plan, "j").variables;
    let sorted = sort_and_expand(variables, NestedOptions::FOR_DECISIONS).expect("no circle");
    let found = sorted
        .lookup("A")
        .and_then(|variable| variable.value.as_deref());
    assert_eq!(found, Some(":x"));
}

#[test]
fn inheriting_is_filtered() {
    let text = "
variables: {A: a, B: b}
none: {script: x, inherit: {variables: false}}
one: {script: x, inherit: {variables: [B]}}
";
    let plan = planned(text, &push());
    assert_eq!(value(&plan, "none", "A"), None);
    assert_eq!(value(&plan, "one", "A"), None);
    assert_eq!(value(&plan, "one", "B").as_deref(), Some("b"));
}

#[test]
fn circles_are_errors_of_jobs_that_are_in() {
    let text = "
in: {script: x, variables: {A: $B, B: $A}}
out: {script: x, variables: {C: $D, D: $C}, rules: [{when: never}]}
";
    let found = errors(&planned(text, &push()));
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("in: circular variable reference detected: ["),
        "{found:?}"
    );
}

#[test]
fn an_environment_chooses_the_settings() {
    let text = "{j: {script: x, environment: review/$CI_COMMIT_REF_SLUG}, k: {script: x}}";
    let mut scenario = push();
    let setting = |value: &str, scope: &str| SettingVariable {
        variable: Variable::new("V", value, VariableSource::SettingProject),
        protected: false,
        environment_scope: scope.to_owned(),
    };
    scenario.settings = vec![setting("review", "review/*"), setting("any", "*")];
    let plan = planned(text, &scenario);
    assert_eq!(value(&plan, "j", "V").as_deref(), Some("review"));
    assert_eq!(value(&plan, "k", "V").as_deref(), Some("any"));
    let name = "CI_ENVIRONMENT_NAME";
    assert_eq!(value(&plan, "j", name).as_deref(), Some("review/main"));
    assert_eq!(value(&plan, "k", name), None);
}

#[test]
fn tags_keep_unknown_names_and_groups_drop_them() {
    let text = "
variables: {A: $B, B: b}
j: {script: x, tags: [t-$A-$NONE], resource_group: g-$A-$NONE}
";
    let plan = planned(text, &push());
    let job = job(&plan, "j");
    assert_eq!(&*job.tags[0], "t-$B-$NONE");
    assert_eq!(
        job.resource_group.as_ref().map(|group| &*group.key),
        Some("g-b-")
    );
}

#[test]
fn a_trigger_names_its_project_expanded() {
    let text = "
variables: {TEAM: core}
j: {trigger: {project: group/$TEAM, branch: $CI_COMMIT_BRANCH-x, forward: {pipeline_variables: true}}}
";
    let plan = planned(text, &push());
    let Action::Bridge(bridge) = &job(&plan, "j").action else {
        panic!("it triggers")
    };
    let expected = Downstream::Project {
        project: "group/core".into(),
        branch: Some("main-x".into()),
    };
    assert_eq!(bridge.downstream, expected);
    assert!(bridge.forward_yaml_variables && bridge.forward_pipeline_variables);
}

#[test]
fn the_workflow_sees_no_job() {
    let text = "workflow: {rules: [{if: $CI_JOB_NAME == null}]}\nj: {script: x}";
    assert_eq!(jobs(&planned(text, &push())), ["j"]);
}
