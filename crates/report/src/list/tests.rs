use insta::assert_snapshot;
use tidegate_expr::{Variable, VariableSource};
use tidegate_pipeline::{Alternatives, NeedEntry, Pick, Timeout, Wait, When};
use tidegate_plan::{Basis, LeftOut, Outcome, RuleEnd};
use tidegate_source::{Diagnostic, Span};

use super::*;
use crate::Style;
use crate::testing::{Draft, condition, rule};

fn draft() -> Draft {
    let mut draft = Draft::new(&["build", "test", "deploy"]);
    draft.job("compile", "build");
    draft.job("deps", "build");
    draft.satisfy("deps");
    draft
        .needing("unit", "test", &["compile", "deps"])
        .allow_failure
        .always = true;
    draft.needing("lint", "test", &[]);
    draft.left_out("nightly", "test", LeftOut::NoRuleMatched);
    draft.left_out("never", "test", LeftOut::Never { rule: 1 });
    draft.job("release", "deploy").when = When::Manual;
    let delayed = draft.needing("rollout", "deploy", &["unit"]);
    delayed.when = When::Delayed;
    delayed.start_in = Some(Timeout {
        text: "5 minutes".into(),
        duration: std::time::Duration::from_secs(300),
    });
    draft.decision("release").basis = Basis::Rules { matched: Some(1) };
    let main = [Variable::new(
        "CI_COMMIT_BRANCH",
        "main",
        VariableSource::Pipeline,
    )];
    let tag = condition(Span::NONE, "$CI_COMMIT_TAG", &main);
    let branch = condition(Span::NONE, "$CI_COMMIT_BRANCH ==\n  \"main\"", &main);
    draft.trace("release").rules = vec![
        rule(Span::NONE, vec![tag], RuleEnd::NotMatched),
        rule(Span::NONE, vec![branch], RuleEnd::Matched),
    ];
    draft
}

#[test]
fn jobs_stand_by_stage_with_what_they_need_and_why_they_are_in() {
    assert_snapshot!(list(&draft().plan(), Style::Plain, false), @r#"
      JOB      WHEN                  NEEDS          WHY
    build
      compile  on_success                           it has no conditions
      deps     satisfied                            what it would produce exists
    test
      unit     on_success, may fail  compile, deps  it has no conditions
      lint     on_success            nothing        it has no conditions
    deploy
      release  manual, blocks                       rule 2: if $CI_COMMIT_BRANCH == "main"
      rollout  delayed 5 minutes     unit           it has no conditions

    5 jobs, 1 satisfied, 2 left out (--all shows them)
    "#);
}

#[test]
fn jobs_left_out_are_shown_on_demand() {
    assert_snapshot!(list(&draft().plan(), Style::Plain, true), @r#"
      JOB      WHEN                  NEEDS          WHY
    build
      compile  on_success                           it has no conditions
      deps     satisfied                            what it would produce exists
    test
      unit     on_success, may fail  compile, deps  it has no conditions
      lint     on_success            nothing        it has no conditions
      nightly  left out                             no rule matches
      never    left out                             rule 2 says never
    deploy
      release  manual, blocks                       rule 2: if $CI_COMMIT_BRANCH == "main"
      rollout  delayed 5 minutes     unit           it has no conditions

    5 jobs, 1 satisfied, 2 left out
    "#);
}

#[test]
fn long_names_and_lists_stay_within_the_width() {
    let mut draft = Draft::new(&["test"]);
    let long = format!("a-job-with-{}-name: [日本語, value]", "very-".repeat(12));
    draft.job(&long, "test");
    draft.job("b", "test");
    draft.job("esc\u{1b}[31m\nape", "test");
    draft.needing("all", "test", &[&long, "b", "esc\u{1b}[31m\nape"]);
    let any = Alternatives {
        jobs: vec![draft.need("b"), draft.need("all")],
        min: 1,
        wait: Wait::First,
        pick: Pick::First,
    };
    draft.job("any", "test").needs = Some(vec![NeedEntry::Any(any)]);
    let text = list(&draft.plan(), Style::Plain, false);
    assert!(
        text.lines()
            .all(|line| crate::one_line::width(line) <= WIDTH),
        "{text}"
    );
    assert_snapshot!(text, @r"
      JOB                                     WHEN        NEEDS           WHY
    test
      a-job-with-very-very-very-very-very-v…  on_success                  it has no conditions
      b                                       on_success                  it has no conditions
      esc\u{1b}[31m\nape                      on_success                  it has no conditions
      all                                     on_success  a-job-with-ve…  it has no conditions
      any                                     on_success  b|all           it has no conditions

    5 jobs
    ");
}

#[test]
fn an_empty_pipeline_says_gitlabs_message_and_where_the_jobs_went() {
    let mut draft = Draft::new(&["test"]);
    draft.left_out("nightly", "test", LeftOut::NoRuleMatched);
    let mut plan = draft.plan();
    plan.outcome = Outcome::Empty {
        message: "The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs.".to_owned(),
    };
    assert_snapshot!(list(&plan, Style::Plain, false), @"
    no pipeline: The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs.
    hint: every job is left out for this event, or only `.pre` and `.post` jobs remain; `tidegate
    explain JOB` says why

      JOB      WHEN      WHY
    test
      nightly  left out  no rule matches

    0 jobs, 1 left out
    ");
}

#[test]
fn a_failed_pipeline_says_every_error() {
    let mut draft = Draft::new(&["test"]);
    draft.job("unit", "test");
    let mut plan = draft.plan();
    plan.outcome = Outcome::Failed;
    plan.diagnostics = vec![Diagnostic::error("x", "'unit' job needs 'gone' job")];
    assert_snapshot!(list(&plan, Style::Plain, false), @"
    no pipeline: 'unit' job needs 'gone' job
    hint: `tidegate lint` shows where; `tidegate explain JOB` shows how a job was decided

      JOB   WHEN       WHY
    test
      unit  would run  it has no conditions

    1 job
    ");
}

#[test]
fn the_json_form_holds_jobs_in_and_out() {
    let mut draft = Draft::new(&["build", "test"]);
    draft.job("compile", "build");
    draft.needing("unit", "test", &["compile"]);
    draft.left_out("nightly", "test", LeftOut::NoRuleMatched);
    assert_snapshot!(list_json(&draft.plan()), @r#"
    {
      "version": 1,
      "outcome": "created",
      "messages": [],
      "name": null,
      "stages": [
        "build",
        "test"
      ],
      "counts": {
        "included": 2,
        "satisfied": 0,
        "left_out": 1
      },
      "jobs": [
        {
          "name": "compile",
          "stage": "build",
          "state": "included",
          "when": "on_success",
          "start_in": null,
          "allow_failure": false,
          "allow_failure_exit_codes": [],
          "needs": null,
          "environment": null,
          "resource_group": null,
          "tags": [],
          "because": {
            "code": "unconditional",
            "rule": null,
            "text": "it has no conditions"
          }
        },
        {
          "name": "unit",
          "stage": "test",
          "state": "included",
          "when": "on_success",
          "start_in": null,
          "allow_failure": false,
          "allow_failure_exit_codes": [],
          "needs": [
            {
              "job": "compile",
              "artifacts": true
            }
          ],
          "environment": null,
          "resource_group": null,
          "tags": [],
          "because": {
            "code": "unconditional",
            "rule": null,
            "text": "it has no conditions"
          }
        },
        {
          "name": "nightly",
          "stage": "test",
          "state": "left_out",
          "because": {
            "code": "no_rule_matched",
            "rule": null,
            "text": "no rule matches"
          }
        }
      ]
    }
    "#);
}

#[test]
fn masked_values_do_not_appear() {
    let mut secret = Variable::new("TOKEN", "s3cr3t", VariableSource::SettingProject);
    secret.masked = true;
    let mut draft = Draft::new(&["test"]);
    let job = draft.job("unit", "test");
    job.variables = [secret].into_iter().collect();
    job.tags = vec!["runner-s3cr3t".into()];
    draft.decision("unit").basis = Basis::Rules { matched: Some(0) };
    let text = condition(Span::NONE, "\"s3cr3t\" == $X", &[]);
    draft.trace("unit").rules = vec![rule(Span::NONE, vec![text], RuleEnd::Matched)];
    let plan = draft.plan();
    assert!(!list(&plan, Style::Plain, true).contains("s3cr3t"));
    assert!(!list_json(&plan).contains("s3cr3t"));
    assert!(list_json(&plan).contains("runner-[MASKED]"));
}
