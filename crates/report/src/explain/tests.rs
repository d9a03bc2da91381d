use insta::assert_snapshot;
use tidegate_config::CacheMatch;
use tidegate_expr::{Variable, VariableSource};
use tidegate_pipeline::{Need, NeedEntry, When};
use tidegate_plan::{
    BaseOrigin, Basis, CacheAsked, CacheDerivation, ChangesTrace, ChangesVerdict, ClauseOutcome,
    ClauseTrace, ClauseTrial, DigestInput, ExistsHow, ExistsTrace, ExistsVerdict, ExpandedGlob,
    KeyDigest, KeyReference, KeyState, LeftOut, NeedFate, NeedTrial, Origin, OriginKind, Outcome,
    PathsBase, PolicyAtom, PolicyTrial, Quirk, RefTrial, RuleEnd, UnmetRule,
};
use tidegate_scenario::{CacheState, Fact, Place, Why};
use tidegate_source::Span;

use super::*;
use crate::testing::{Draft, condition, not_reached, rule};
use crate::{Style, Symbols};

const FILE: &str = "\
variables:
  MODE: fast
build:
  script: make
test:
  rules:
    - if: $CI_COMMIT_TAG
      when: never
    - if: $MODE == \"fast\" && ($CI_COMMIT_BRANCH || $X)
      changes: [$DIR/**/*]
    - when: manual
  cache: {key: {files: [a.lock]}}
  needs: [build, {job: gone, optional: true}]
";

fn glob(written: &str, expanded: &str) -> ExpandedGlob {
    ExpandedGlob {
        written: written.into(),
        span: Span::NONE,
        expanded: expanded.into(),
    }
}

fn changes(verdict: ChangesVerdict, base: PathsBase) -> ClauseTrace {
    ClauseTrace::Changes(ChangesTrace {
        globs: vec![glob("docs/*", "docs/*"), glob("$DIR/**/*", "src/**/*")],
        base: Some(base),
        verdict,
    })
}

fn draft() -> Draft {
    let mut draft = Draft::new(&["build", "test"]).file(FILE);
    draft.job("build", "build");
    draft.needing("test", "test", &["build"]);
    let mut mode = Variable::new("MODE", "fast", VariableSource::YamlRoot);
    mode.span = draft.at("fast");
    let branch = Variable::new("CI_COMMIT_BRANCH", "main", VariableSource::Pipeline);
    let (tag, mode_rule, last) = (
        draft.at("if: $CI"),
        draft.at("if: $MODE"),
        draft.at("when: manual"),
    );
    let base = PathsBase {
        base: Some("1a2b3c4d".into()),
        origin: BaseOrigin::BeforePush,
    };
    let matched = ChangesVerdict::Matched {
        path: "src/a.rs".into(),
        glob: "src/**/*".into(),
    };
    let text = "$MODE == \"fast\" && ($CI_COMMIT_BRANCH || $X)";
    let rules = vec![
        rule(
            tag,
            vec![condition(tag, "$CI_COMMIT_TAG", &[])],
            RuleEnd::NotMatched,
        ),
        rule(
            mode_rule,
            vec![
                condition(mode_rule, text, &[mode, branch]),
                ClauseTrial {
                    span: draft.at("[$DIR"),
                    outcome: ClauseOutcome::Holds,
                    trace: changes(matched, base),
                },
            ],
            RuleEnd::Matched,
        ),
        rule(last, Vec::new(), RuleEnd::NotTried),
    ];
    let needs = vec![
        need(0, "build", NeedFate::Present, false),
        need(1, "gone", NeedFate::AbsentOptional, true),
    ];
    let cache = derivation(draft.at("{key"));
    let (span, when) = (draft.at("test:"), draft.at("when: manual"));
    let decision = draft.decision("test");
    decision.span = span;
    decision.basis = Basis::Rules { matched: Some(1) };
    decision.origins.when = Origin::new(OriginKind::Rule, when);
    let trace = draft.trace("test");
    trace.rules = rules;
    trace.needs = needs;
    trace.caches = vec![cache];
    trace.quirks = vec![
        Quirk::CacheKeyHoldsPosition { index: 0 },
        Quirk::ManualInRuleBlocks,
    ];
    draft
}

fn need(entry: usize, name: &str, fate: NeedFate, optional: bool) -> NeedTrial {
    NeedTrial {
        name: name.into(),
        span: Span::NONE,
        artifacts: !optional,
        optional,
        entry,
        fate,
    }
}

fn derivation(span: Span) -> CacheDerivation {
    CacheDerivation {
        index: 0,
        span,
        digest: Some(KeyDigest {
            prefix: "0".into(),
            inputs: vec![
                DigestInput {
                    path: "a.lock".into(),
                    id: Some("f00d".into()),
                },
                DigestInput {
                    path: "b.lock".into(),
                    id: None,
                },
            ],
            digest: "beef".into(),
        }),
        created: "$CI_JOB_NAME-beef".into(),
        suffixed: "$CI_JOB_NAME-beef-non_protected".into(),
        references: vec![KeyReference {
            name: "CI_JOB_NAME".into(),
            value: Some("test".into()),
            source: Some(VariableSource::Job),
        }],
        key: Ok("test-beef-non_protected".to_owned()),
        state: KeyState::Asked(Fact::Known(CacheState::Missing)),
        fallback_keys: Vec::new(),
        is_empty: false,
    }
}

fn told(draft: Draft, name: &str) -> String {
    let sources = draft.sources.clone();
    explain(&draft.plan(), &[name], &sources, Style::Plain)
}

#[test]
fn the_deciding_rule_comes_first_then_everything_that_was_looked_at() {
    assert_snapshot!(told(draft(), "test"), @r#"
    ✓ test is in the pipeline, stage test  .gitlab-ci.yml:5:1
      because rule 2: if $MODE == "fast" && ($CI_COMMIT_BRANCH || $X), changes: src/a.rs

      rules
        ✗ 1  .gitlab-ci.yml:7:7
            ✗ if $CI_COMMIT_TAG
                $CI_COMMIT_TAG is not defined
        ✓ 2 decides  .gitlab-ci.yml:9:7
            ✓ if $MODE == "fast" && ($CI_COMMIT_BRANCH || $X)
                ✓ $MODE == "fast"
                    $MODE is "fast"  top-level variables, .gitlab-ci.yml:2:9
                ✓ $CI_COMMIT_BRANCH || $X
                    $CI_COMMIT_BRANCH is "main"  predefined for the pipeline
                    $X  not looked at
            ✓ changes: src/a.rs matches src/**/*
                compared with 1a2b3c4d, the commit before the push
                  docs/*
                ✓ src/**/*  written $DIR/**/*
        – 3 not tried: an earlier rule decided  .gitlab-ci.yml:11:7

      cache
        ✗ cache 1, key test-beef-non_protected is missing  .gitlab-ci.yml:12:10
            file      a.lock  f00d
            file      b.lock  does not exist
            digest    beef
            created   $CI_JOB_NAME-beef
            suffixed  $CI_JOB_NAME-beef-non_protected
            $CI_JOB_NAME is "test"  predefined for the job
            final     test-beef-non_protected

      needs
        ✓ build  is in the pipeline
        – gone   is absent; optional, so ignored; without its artifacts

      result
        when           on_success  the rule that matched, .gitlab-ci.yml:11:7
        allow_failure  false       GitLab's default
        needs          build       GitLab's default

      good to know
        ! the key of cache 1 holds the cache's position in the list: moving it gives another key.
          `prefix` avoids that
          https://docs.gitlab.com/ci/yaml/#cachekeyfiles
        ! `when: manual` in a rule blocks the pipeline until the job is played; at job level it would
          not. `allow_failure: true` in the rule makes it optional
          https://docs.gitlab.com/ci/yaml/#when
    "#);
}

#[test]
fn marks_have_a_form_in_ascii() {
    let draft = draft();
    let sources = draft.sources.clone();
    let look = Look {
        style: Style::Plain,
        symbols: Symbols::Ascii,
    };
    let text = explain(&draft.plan(), &["test"], &sources, look);
    assert!(text.is_ascii(), "{text}");
    assert!(text.contains("    + 2 decides"), "{text}");
}

#[test]
fn a_job_that_is_out_says_what_would_have_to_differ() {
    let mut draft = Draft::new(&["test"]);
    draft.left_out("deploy", "test", LeftOut::NoRuleMatched);
    let main = [Variable::new("BRANCH", "topic", VariableSource::Given)];
    let clause = || condition(Span::NONE, "$BRANCH == \"main\"", &main);
    let exists = ExistsTrace {
        globs: vec![glob("Dockerfile", "Dockerfile")],
        place: Some(Place::Here),
        verdict: ExistsVerdict::NotReached,
    };
    let found = ExistsTrace {
        verdict: ExistsVerdict::Matched {
            glob: "Dockerfile".into(),
            path: "Dockerfile".into(),
            how: ExistsHow::Exact,
        },
        ..exists.clone()
    };
    let skipped = not_reached(Span::NONE, ClauseTrace::Exists(exists));
    let trace = draft.trace("deploy");
    trace.rules = vec![rule(
        Span::NONE,
        vec![clause(), skipped],
        RuleEnd::NotMatched,
    )];
    trace.nearest = Some(UnmetRule {
        rule: 0,
        clauses: vec![
            clause(),
            ClauseTrial {
                span: Span::NONE,
                outcome: ClauseOutcome::Holds,
                trace: ClauseTrace::Exists(found),
            },
        ],
        blocked_by: Some(2),
    });
    assert_snapshot!(told(draft, "deploy"), @r#"
    ✗ deploy is left out, stage test
      because its only rule does not match

      rules
        ✗ 1
            ✗ if $BRANCH == "main"
                $BRANCH is "topic"  given with the pipeline
            – exists
                  Dockerfile

      what would have to differ
        rule 1 came nearest; this would have to hold:
            ✗ if $BRANCH == "main"
                $BRANCH is "topic"  given with the pipeline
        rule 3 stands before it, matches and says never; it would have to fail
    "#);
}

#[test]
fn unknown_changes_say_why_they_count_as_true() {
    let mut draft = Draft::new(&["test"]);
    draft.job("test", "test").when = When::Manual;
    draft.decision("test").basis = Basis::Rules { matched: Some(0) };
    let why = Why::NotApplicable("a tag has no base commit".to_owned());
    let base = PathsBase {
        base: None,
        origin: BaseOrigin::Tag,
    };
    let clause = ClauseTrial {
        span: Span::NONE,
        outcome: ClauseOutcome::HoldsUnknown(why.clone()),
        trace: changes(ChangesVerdict::Unknown(why), base),
    };
    let trace = draft.trace("test");
    trace.rules = vec![rule(Span::NONE, vec![clause], RuleEnd::Matched)];
    trace.quirks = vec![Quirk::ChangesUnknown];
    assert_snapshot!(told(draft, "test"), @"
    ✓ test is in the pipeline, stage test
      because rule 1: changes: unknown, a tag has no base commit

      rules
        ✓ 1 decides
            ! changes counts as true: a tag has no base commit
                compared with nothing: a tag has no base
                  docs/*
                  src/**/*  written $DIR/**/*

      result
        when           manual                        GitLab's default
        allow_failure  false                         GitLab's default
        needs          waits for all earlier stages  GitLab's default

      good to know
        ! `changes` is true because a tag has no base, so what changed cannot be known
          https://docs.gitlab.com/ci/yaml/#ruleschanges
    ");
}

#[test]
fn a_satisfied_job_shows_its_cache() {
    let mut draft = Draft::new(&["test"]);
    draft.job("deps", "test");
    draft.satisfy("deps");
    let mut cache = derivation(Span::NONE);
    cache.state = KeyState::Asked(Fact::Known(CacheState::Present));
    let asked = CacheAsked {
        index: Some(0),
        key: cache.key.clone(),
        state: Fact::Known(CacheState::Present),
        fallback: None,
    };
    let clause = ClauseTrial {
        span: Span::NONE,
        outcome: ClauseOutcome::Fails,
        trace: ClauseTrace::Cache {
            wanted: CacheMatch::MissingAny,
            asked: vec![asked],
        },
    };
    let trace = draft.trace("deps");
    trace.caches = vec![cache];
    trace.rules = vec![rule(Span::NONE, vec![clause], RuleEnd::NotMatched)];
    assert_snapshot!(told(draft, "deps"), @r#"
    ✓ deps is satisfied: it counts as a success and does not run, stage test
      because cache exists: test-beef-non_protected

      rules
        ✗ 1
            ✗ cache: missing
                key test-beef-non_protected is present

      cache
        ✓ cache 1, key test-beef-non_protected is present
            file      a.lock  f00d
            file      b.lock  does not exist
            digest    beef
            created   $CI_JOB_NAME-beef
            suffixed  $CI_JOB_NAME-beef-non_protected
            $CI_JOB_NAME is "test"  predefined for the job
            final     test-beef-non_protected

      result
        when           on_success                    GitLab's default
        allow_failure  false                         GitLab's default
        needs          waits for all earlier stages  GitLab's default
    "#);
}

#[test]
fn policies_show_each_pattern() {
    let mut draft = Draft::new(&["test"]);
    draft.left_out("docs", "test", LeftOut::OnlyNotMet);
    draft.decision("docs").basis = Basis::Policies;
    let refs = PolicyAtom::Refs {
        patterns: vec![RefTrial {
            text: "main".into(),
            span: Span::NONE,
            holds: false,
        }],
        default: false,
        holds: false,
    };
    draft.trace("docs").policies = vec![PolicyTrial {
        keyword: "only",
        span: Span::NONE,
        atoms: vec![refs],
        holds: false,
    }];
    assert_snapshot!(told(draft, "docs"), @"
    ✗ docs is left out, stage test
      because only does not hold: main

      conditions
        ✗ only (GitLab's default) does not hold, so the job stays out
            ✗ refs
                ✗ main

      what would have to differ
        only would have to hold: refs main
    ");
}

#[test]
fn masked_values_appear_neither_directly_nor_through_operators() {
    let mut secret = Variable::new("TOKEN", "hunter2!", VariableSource::SettingProject);
    secret.masked = true;
    let mut draft = Draft::new(&["test"]);
    draft.job("a", "test");
    draft.decision("a").basis = Basis::Rules { matched: Some(0) };
    let clause = condition(
        Span::NONE,
        "$TOKEN && $TOKEN == \"hunter2!\"",
        &[secret.clone()],
    );
    let through = condition(Span::NONE, "$X || $TOKEN", &[secret]);
    let mut cache = derivation(Span::NONE);
    cache.key = Ok("k-hunter2!".to_owned());
    cache.references[0].value = Some("hunter2!".into());
    let trace = draft.trace("a");
    trace.rules = vec![rule(Span::NONE, vec![clause, through], RuleEnd::Matched)];
    trace.caches = vec![cache];
    let sources = draft.sources.clone();
    let plan = draft.plan();
    for text in [
        explain(&plan, &[], &sources, Style::Plain),
        explain_json(&plan, &[], &sources),
    ] {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("[MASKED]"), "{text}");
    }
}

#[test]
fn a_filtered_pipeline_shows_the_workflow() {
    let draft = Draft::new(&["test"]);
    let sources = draft.sources.clone();
    let mut plan = draft.plan();
    plan.outcome = Outcome::Filtered {
        message: "Pipeline filtered out by workflow rules.".to_owned(),
    };
    let clause = condition(Span::NONE, "$CI_COMMIT_TAG", &[]);
    plan.workflow.rules = vec![rule(Span::NONE, vec![clause], RuleEnd::NotMatched)];
    assert_snapshot!(explain(&plan, &["unit"], &sources, Style::Plain), @"
    no pipeline: Pipeline filtered out by workflow rules.
    hint: `workflow:rules` let no pipeline of this event pass; `tidegate explain` shows each of them

      workflow rules
        ✗ 1
            ✗ if $CI_COMMIT_TAG
                $CI_COMMIT_TAG is not defined
    ");
}

#[test]
fn parallel_jobs_are_found_by_the_name_they_were_written_with() {
    assert!(is_named("test 1/3", "test"));
    assert!(is_named("test: [a, b]", "test"));
    assert!(is_named("test", "test"));
    assert!(!is_named("test unit", "test"));
    assert!(!is_named("tests", "test"));
}

#[test]
fn every_attribute_is_told_without_a_trace() {
    let mut draft = Draft::new(&["test"]);
    draft.job("a", "test");
    let job = draft.job("b", "test");
    job.needs = Some(vec![NeedEntry::Job(Need {
        job: tidegate_pipeline::JobIdx(0),
        artifacts: true,
    })]);
    job.interruptible = Some(true);
    job.tags = vec!["docker".into()];
    assert_snapshot!(told(draft, "b"), @"
    ✓ b is in the pipeline, stage test
      because it has no conditions

      result
        when           on_success  GitLab's default
        allow_failure  false       GitLab's default
        needs          a           GitLab's default
        interruptible  true        GitLab's default
        tags           docker
    ");
}

#[test]
fn the_documented_example_is_what_is_written() {
    let draft = draft();
    let sources = draft.sources.clone();
    let text = explain_json(&draft.plan(), &["test"], &sources);
    let page = include_str!("../../../../docs/json.md");
    let example = page
        .split("```json explain\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    assert_eq!(example, Some(&*text));
}
