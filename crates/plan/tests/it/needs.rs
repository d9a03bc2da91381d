//! Needs of every form (reference `compose.md` §5, `extensions.md` §4, §5).

use tidegate_pipeline::NeedEntry;
use tidegate_plan::{LeftOut, NeedFate, Verdict};

use crate::situation::{errors, job, jobs, planned, push, trace};

const OUT: &str = "stages: [one, two, three]\nout: {script: x, stage: one, rules: [{when: never}]}\n\
                   in: {script: x, stage: one}\n";

fn with(rest: &str) -> tidegate_plan::Plan {
    planned(&format!("{OUT}{rest}"), &push())
}

#[test]
fn all_optional_needs_absent_means_starting_at_once() {
    let plan = with("j: {script: x, stage: three, needs: [{job: out, optional: true}]}");
    assert_eq!(job(&plan, "j").needs, Some(Vec::new()));
    assert_eq!(trace(&plan, "j").needs[0].fate, NeedFate::AbsentOptional);
}

#[test]
fn a_dropped_need_falls_back_to_the_stage() {
    let plan = with("j: {script: x, stage: three, needs: [{job: out, if_absent: stage}]}");
    assert_eq!(job(&plan, "j").needs, None);
    let plan = with("j: {script: x, stage: three, needs: [in, {job: out, if_absent: stage}]}");
    assert_eq!(job(&plan, "j").needs.as_ref().map(Vec::len), Some(1));
}

#[test]
fn a_skipping_need_leaves_out_whoever_needs_it_in_turn() {
    let plan = with(
        "a: {script: x, stage: two, needs: [{job: out, if_absent: skip}]}\n\
         b: {script: x, stage: three, needs: [{job: a, if_absent: skip}]}\n\
         c: {script: x, stage: three, needs: [{job: b, optional: true}]}",
    );
    assert_eq!(jobs(&plan), ["in", "c"]);
    let verdict = plan.decision("b").map(|decision| decision.verdict.clone());
    let need = "a".into();
    assert_eq!(
        verdict,
        Some(Verdict::LeftOut(LeftOut::NeedAbsent { need }))
    );
}

#[test]
fn an_absent_need_of_a_rule_is_ignored() {
    let plan = with("j: {script: x, stage: two, rules: [{when: always, needs: [in, out]}]}");
    assert_eq!(job(&plan, "j").needs.as_ref().map(Vec::len), Some(1));
    assert_eq!(trace(&plan, "j").needs[1].fate, NeedFate::Ignored);
}

#[test]
fn a_replaced_need_is_still_checked() {
    let plan =
        with("j: {script: x, stage: two, needs: [out], rules: [{when: always, needs: [in]}]}");
    let expected = "'j' job needs 'out' job, but 'out' does not exist in the pipeline. This might be \
                    because of the only, except, or rules keywords. To need a job that sometimes does \
                    not exist in the pipeline, use needs:optional.";
    assert_eq!(errors(&plan), [expected]);
}

#[test]
fn alternatives_need_enough_of_them() {
    let plan = with("j: {script: x, stage: two, needs: [{any: [in, out]}]}");
    let needs = job(&plan, "j").needs.clone().unwrap_or_default();
    assert!(matches!(&needs[..], [NeedEntry::Any(any)] if any.jobs.len() == 1 && any.min == 1));
    let plan = with("j: {script: x, stage: two, needs: [{any: [in, out], min: 2}]}");
    assert_eq!(
        errors(&plan),
        ["'j' job needs 2 of [in, out], but only 1 of them exist in the pipeline."]
    );
    let plan =
        with("j: {script: x, stage: two, needs: [{any: [in, out], min: 2, optional: true}]}");
    assert_eq!(job(&plan, "j").needs, Some(Vec::new()));
}

#[test]
fn a_dependency_that_is_absent_is_ignored() {
    let plan = with("j: {script: x, stage: two, dependencies: [in, out]}");
    assert_eq!(job(&plan, "j").dependencies.as_ref().map(Vec::len), Some(1));
}

#[test]
fn too_many_needs_are_told_once() {
    let many: String = (0..51)
        .map(|n| format!("p{n}: {{script: x, stage: one}}\n"))
        .collect();
    let names: Vec<String> = (0..51).map(|n| format!("p{n}")).collect();
    let plan = with(&format!(
        "{many}j: {{script: x, stage: two, needs: [{}]}}",
        names.join(", ")
    ));
    let expected = "j: one job can only need 50 others, but you have listed 51. See needs keyword \
                    documentation for more details";
    assert_eq!(errors(&plan), [expected]);
}
