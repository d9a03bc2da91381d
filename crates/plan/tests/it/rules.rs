//! `rules` and the attributes they change (reference `compose.md` §2).

use tidegate_pipeline::When;
use tidegate_plan::{Basis, LeftOut, OriginKind, Verdict};
use tidegate_scenario::{FixtureWorld, Ref};

use crate::situation::{errors, job, jobs, planned, planned_in, push, push_of};

#[test]
fn the_first_rule_whose_clauses_all_hold_decides() {
    let text = "
a:
  script: x
  rules:
    - {if: $NONE, when: always}
    - {if: $CI_COMMIT_BRANCH, changes: [other], when: always}
    - {if: $CI_COMMIT_BRANCH, when: on_failure}
    - {when: manual}
";
    let plan = planned(text, &push_of(&["a"]));
    assert_eq!(job(&plan, "a").when, When::OnFailure);
    let decision = plan.decision("a").expect("it is configured");
    assert_eq!(decision.basis, Basis::Rules { matched: Some(2) });
    assert_eq!(decision.origins.when.kind, OriginKind::Rule);
}

#[test]
fn a_job_without_a_matching_rule_is_out_and_says_so() {
    let text = "{a: {script: x, rules: [{if: $NONE}]}, b: {script: x, rules: [{when: never}]}, c: {script: x}}";
    let plan = planned(text, &push());
    assert_eq!(jobs(&plan), ["c"]);
    let verdict = |name: &str| plan.decision(name).map(|decision| decision.verdict.clone());
    assert_eq!(verdict("a"), Some(Verdict::LeftOut(LeftOut::NoRuleMatched)));
    assert_eq!(
        verdict("b"),
        Some(Verdict::LeftOut(LeftOut::Never { rule: 0 }))
    );
}

#[test]
fn manual_blocks_in_a_rule_and_not_at_job_level() {
    let text = "
in_rule: {script: x, rules: [{when: manual}]}
at_job: {script: x, when: manual}
runs: {script: x, when: manual, rules: [{when: on_success}]}
";
    let plan = planned(text, &push());
    assert!(!job(&plan, "in_rule").allow_failure.always);
    assert!(job(&plan, "at_job").allow_failure.always);
    let runs = job(&plan, "runs");
    assert_eq!(
        (runs.when, runs.allow_failure.always),
        (When::OnSuccess, true)
    );
}

#[test]
fn a_rules_allow_failure_erases_exit_codes() {
    let text = "a: {script: x, allow_failure: {exit_codes: 3}, rules: [{when: always, allow_failure: true}]}";
    let plan = planned(text, &push());
    let allow_failure = &job(&plan, "a").allow_failure;
    assert!(allow_failure.always && allow_failure.exit_codes.is_empty());
}

#[test]
fn unknown_changes_hold_even_for_an_empty_list() {
    let text = "a: {script: x, rules: [{changes: [nothing]}]}";
    let mut scenario = push();
    assert_eq!(
        jobs(&planned(&format!("{text}\nb: {{script: x}}"), &scenario)),
        ["b"]
    );
    scenario.overrides.changed_paths = None;
    scenario.git_ref = Ref::Tag("v1".to_owned());
    assert_eq!(jobs(&planned(text, &scenario)), ["a"]);
}

#[test]
fn a_push_compares_with_the_commit_before_it() {
    let text = "{a: {script: x, rules: [{changes: [src/*]}]}, b: {script: x}}";
    let mut scenario = push();
    scenario.overrides.changed_paths = None;
    scenario.commit.before_sha = Some("before".to_owned());
    let mut world = FixtureWorld::default();
    world
        .compare
        .insert("before".to_owned(), vec!["src/a".to_owned()]);
    assert_eq!(jobs(&planned_in(text, &scenario, &world)), ["a", "b"]);
    world
        .compare
        .insert("before".to_owned(), vec!["lib/a".to_owned()]);
    assert_eq!(jobs(&planned_in(text, &scenario, &world)), ["b"]);
}

#[test]
fn too_many_comparisons_hold() {
    let paths: Vec<String> = (0..50_001).map(|n| format!("f{n}")).collect();
    let mut scenario = push();
    let text = "{a: {script: x, rules: [{changes: [nothing]}]}, b: {script: x}}";
    scenario.overrides.changed_paths = Some(Some(paths.get(1..).expect("some").to_vec()));
    assert_eq!(jobs(&planned(text, &scenario)), ["b"]);
    scenario.overrides.changed_paths = Some(Some(paths));
    assert_eq!(jobs(&planned(text, &scenario)), ["a", "b"]);
}

#[test]
fn a_bad_compare_to_is_an_error_unless_its_stage_is_empty() {
    let bad = "a: {script: x, stage: build, rules: [{changes: {paths: [x], compare_to: nope}}]}";
    let alone = planned(&format!("{bad}\nb: {{script: x}}"), &push());
    assert_eq!(jobs(&alone), ["b"]);
    let beside = planned(&format!("{bad}\nb: {{script: x, stage: build}}"), &push());
    assert_eq!(
        errors(&beside),
        ["Failed to parse rule for a: rules:changes:compare_to is not a valid ref"]
    );
}

#[test]
fn patterns_of_exists_see_nested_values_and_expressions_do_not() {
    let text = "
variables: {DIR: $BASE/sub, BASE: src}
a: {script: x, rules: [{exists: [$DIR/file]}]}
b: {script: x, rules: [{if: $DIR == 'src/sub'}]}
c: {script: x}
";
    let world = FixtureWorld::with_files([("src/sub/file", "")]);
    assert_eq!(jobs(&planned_in(text, &push(), &world)), ["a", "c"]);
}

#[test]
fn instances_are_judged_with_their_own_variables() {
    let text = "a: {script: x, parallel: {matrix: [{V: [one, two]}]}, rules: [{if: $V == 'two'}]}";
    assert_eq!(jobs(&planned(text, &push())), ["a: [two]"]);
}
