//! What a full decision tells (reference `compose.md` §12, §13).

use tidegate_plan::{BaseOrigin, ChangesVerdict, ClauseOutcome, ClauseTrace, Quirk, RuleEnd};
use tidegate_scenario::Ref;

use crate::situation::{planned, push, push_of, trace};

#[test]
fn clauses_behind_a_failing_one_are_not_reached() {
    let text = "
j:
  script: x
  rules:
    - {if: $NONE, changes: [a]}
    - {changes: ['*.rs', 'docs/*']}
    - {when: manual}
";
    let plan = planned(text, &push_of(&["docs/x", "y"]));
    let rules = &trace(&plan, "j").rules;
    assert_eq!(rules[0].end, RuleEnd::NotMatched);
    assert_eq!(rules[0].clauses[1].outcome, ClauseOutcome::NotReached);
    let ClauseTrace::Changes(changes) = &rules[1].clauses[0].trace else {
        panic!("it is changes")
    };
    let expected = ChangesVerdict::Matched {
        path: "docs/x".into(),
        glob: "docs/*".into(),
    };
    assert_eq!(changes.verdict, expected);
    assert_eq!(rules[2].end, RuleEnd::NotTried);
}

#[test]
fn unknown_changes_say_why() {
    let mut scenario = push();
    scenario.overrides.changed_paths = None;
    scenario.git_ref = Ref::Tag("v1".to_owned());
    let plan = planned("j: {script: x, rules: [{changes: [a]}]}", &scenario);
    let clause = &trace(&plan, "j").rules[0].clauses[0];
    assert!(matches!(clause.outcome, ClauseOutcome::HoldsUnknown(_)));
    let ClauseTrace::Changes(changes) = &clause.trace else {
        panic!("it is changes")
    };
    let origin = changes.base.as_ref().map(|base| &base.origin);
    assert_eq!(origin, Some(&BaseOrigin::Tag));
    assert_eq!(trace(&plan, "j").quirks, [Quirk::ChangesUnknown]);
}

#[test]
fn a_job_that_is_out_names_its_nearest_rule() {
    let text = "
j:
  script: x
  rules:
    - {if: $NONE, changes: [a]}
    - {if: $CI_COMMIT_BRANCH, when: never}
    - {if: $CI_COMMIT_BRANCH == 'main' && $DEPLOY}
k: {script: x}
";
    let plan = planned(text, &push_of(&["b"]));
    let nearest = trace(&plan, "j").nearest.as_ref().expect("there are rules");
    assert_eq!((nearest.rule, nearest.blocked_by), (0, None));
    let text = text.replace("if: $NONE, changes: [a]", "if: $NONE, when: never");
    let plan = planned(&text, &push_of(&["b"]));
    let nearest = trace(&plan, "j").nearest.as_ref().expect("there are rules");
    assert_eq!((nearest.rule, nearest.blocked_by), (2, Some(1)));
    assert_eq!(nearest.clauses[0].outcome, ClauseOutcome::Fails);
}

#[test]
fn surprises_are_told_where_they_bite() {
    let cases = [
        (
            "variables: {E: ''}\nj: {script: x, rules: [{if: $E || $CI}, {when: always}]}",
            Quirk::EmptyStringInLogic {
                variable: "E".into(),
            },
        ),
        (
            "j: {script: x, rules: [{if: $U != ''}]}",
            Quirk::UndefinedIsNotEmpty {
                variable: "U".into(),
            },
        ),
        (
            "variables: {A: $B}\nj: {script: x, rules: [{if: $A == 'b'}, {when: always}]}",
            Quirk::NestedValueNotExpanded {
                variable: "A".into(),
                value: "$B".into(),
            },
        ),
        (
            "j: {script: x, rules: [{if: $CI =~ 'untrue'}]}",
            Quirk::ReversedMatch {
                right: "untrue".into(),
            },
        ),
        (
            "j: {script: x, rules: [{changes: [docs/**]}, {when: always}]}",
            Quirk::GlobMatchesLess {
                glob: "docs/**".into(),
            },
        ),
        (
            "j: {script: x, rules: [{when: manual}]}",
            Quirk::ManualInRuleBlocks,
        ),
        (
            "j: {script: x, when: manual, rules: [{when: always}]}",
            Quirk::ManualLeavesAllowFailure,
        ),
        (
            "j: {script: x, when: on_failure}",
            Quirk::OnFailureNeverRuns,
        ),
        (
            "j: {script: x, rules: [{if: $V == null, variables: {V: v}}]}",
            Quirk::RuleVariableInOwnIf {
                variable: "V".into(),
            },
        ),
        (
            "j: {script: x, rules: [{if: $CI_PIPELINE_ID == null}]}",
            Quirk::RuntimeOnlyVariable {
                variable: "CI_PIPELINE_ID".into(),
            },
        ),
    ];
    for (text, quirk) in cases {
        let plan = planned(text, &push_of(&["docs/a/b"]));
        let found = &trace(&plan, "j").quirks;
        assert!(found.contains(&quirk), "{text}: {found:?}");
    }
    let plan = planned("j: {script: x, rules: [{if: $CI == 'true'}]}", &push());
    assert_eq!(trace(&plan, "j").quirks, []);
}
