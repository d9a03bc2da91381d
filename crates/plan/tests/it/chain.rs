//! The creation chain: what ends it, in which order, with which words (reference `compose.md` §0, §1, §11).

use tidegate_config::Config;
use tidegate_plan::{Detail, Limits, Outcome, Settings, SkipReason, plan, plan_with};
use tidegate_scenario::{FixtureWorld, InputValue, PipelineSource};

use crate::situation::{config, errors, jobs, planned, push};

#[test]
fn a_mark_in_the_message_skips_before_anything_else() {
    let mut scenario = push();
    scenario.commit.message = "fix [CI-Skip] typo".to_owned();
    let world = FixtureWorld::default();
    let plan = plan(&Config::default(), &scenario, &world, &Detail::Compact).expect("no world");
    let Outcome::Skipped { why } = plan.outcome else {
        panic!("{:?}", plan.outcome)
    };
    let mark = "[CI-Skip]".to_owned();
    assert_eq!(why, SkipReason::CommitMessage { mark });
}

#[test]
fn schedules_run_whatever_the_message_says() {
    let mut scenario = push();
    scenario.commit.message = "[skip ci]".to_owned();
    scenario.source = PipelineSource::Schedule;
    assert_eq!(jobs(&planned("a: {script: x}", &scenario)), ["a"]);
}

#[test]
fn other_spellings_do_not_skip() {
    let mut scenario = push();
    scenario.commit.message = "[ ci skip ] skip ci [skipci]".to_owned();
    assert_eq!(jobs(&planned("a: {script: x}", &scenario)), ["a"]);
}

#[test]
fn the_workflow_is_judged_before_any_job() {
    let text = "
workflow: {rules: [{if: $NONE}]}
a: {script: x, rules: [{changes: {paths: [x], compare_to: nope}}]}
";
    let filtered =
        "The pipeline did not run. Review the workflow:rules configuration for the pipeline.";
    assert_eq!(jobs(&planned(text, &push())), [filtered]);
}

#[test]
fn a_workflow_rule_that_cannot_be_judged_counts_as_never() {
    let text = "
workflow: {rules: [{changes: {paths: [x], compare_to: nope}}, {when: always}]}
a: {script: x}
";
    let plan = planned(text, &push());
    assert!(matches!(plan.outcome, Outcome::Filtered { .. }));
    let error = "rules:changes:compare_to is not a valid ref".to_owned();
    assert_eq!(plan.workflow.error, Some(error));
}

#[test]
fn edge_stages_alone_make_no_pipeline() {
    let text = "{a: {script: x, stage: .pre}, b: {script: x, rules: [{when: never}]}}";
    let empty = "The resulting pipeline would have been empty. Review the rules configuration for \
                 the relevant jobs.";
    assert_eq!(jobs(&planned(text, &push())), [empty]);
}

#[test]
fn a_broken_need_hides_an_empty_pipeline() {
    let text = "
a: {script: x, stage: .pre, needs: [b]}
b: {script: x, stage: .pre, rules: [{when: never}]}
";
    assert_eq!(errors(&planned(text, &push())).len(), 1);
}

#[test]
fn errors_come_stage_by_stage() {
    let text = "
late: {script: x, stage: deploy, needs: [gone]}
early: {script: x, stage: test, needs: [gone]}
gone: {script: x, stage: build, rules: [{when: never}]}
";
    let found = errors(&planned(text, &push()));
    assert!(found[0].starts_with("'early' job needs 'gone' job, but 'gone' does not exist"));
    assert!(found[1].starts_with("'late' job"));
}

#[test]
fn limits_are_told_in_gitlabs_words() {
    let config = config("{a: {script: x, environment: one}, b: {script: x, environment: two}}");
    let world = FixtureWorld::default();
    let with = |limits: Limits| {
        let settings = Settings {
            limits,
            ..Settings::default()
        };
        let plan = plan_with(&config, &push(), &world, &Detail::Compact, &settings);
        errors(&plan.expect("a fixture never fails"))
    };
    let jobs = with(Limits {
        jobs: Some(1),
        deployments: 1,
        ..Limits::default()
    });
    assert!(jobs[0].starts_with("The number of jobs has exceeded the limit of 1. Try splitting"));
    let deployments = with(Limits {
        deployments: 1,
        ..Limits::default()
    });
    assert_eq!(
        deployments,
        ["Pipeline has too many deployments! Requested 2, but the limit is 1."]
    );
}

#[test]
fn too_many_inputs_are_refused() {
    let mut scenario = push();
    for number in 0..21 {
        let name = format!("i{number}");
        scenario.inputs.insert(name, InputValue::Integer(number));
    }
    let plan = plan(
        &Config::default(),
        &scenario,
        &FixtureWorld::default(),
        &Detail::Compact,
    );
    let plan = plan.expect("a fixture never fails");
    assert_eq!(errors(&plan), ["There cannot be more than 20 inputs"]);
}

#[test]
fn a_name_is_expanded_and_stripped() {
    let text = "
workflow: {name: ' $A-$NONE ', rules: [{when: always, variables: {A: $B}}]}
variables: {B: b}
a: {script: x}
";
    let plan = planned(text, &push());
    let name = plan.pipeline().and_then(|pipeline| pipeline.name.clone());
    assert_eq!(name.as_deref(), Some("b-"));
}
