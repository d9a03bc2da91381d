//! Views of plans that the planner made: what hand-built plans cannot prove is that both speak of the same things.

use insta::assert_snapshot;
use tidegate_config::{RootFile, Settings, load};
use tidegate_expr::{Variable, VariableSource};
use tidegate_plan::{Detail, Plan, plan};
use tidegate_report::{
    Graph, Style, explain, explain_json, graph_dot, graph_mermaid, graph_svg, graph_text, list,
    list_json,
};
use tidegate_scenario::{CacheState, FixtureWorld, Ref, Scenario, SettingVariable};
use tidegate_source::SourceMap;

const CONFIG: &str = r#"
stages: [build, test, deploy]
variables: {MODE: fast}
deps:
  stage: build
  script: npm ci
  cache: {key: deps-$CI_COMMIT_REF_SLUG, paths: [node_modules]}
  rules:
    - cache: missing
compile:
  stage: build
  script: make
  needs: [deps]
unit:
  stage: test
  script: make test
  parallel: {matrix: [{OS: [linux, mac]}]}
  needs: [compile]
  rules:
    - if: $CI_COMMIT_TAG
      when: never
    - if: $MODE == "fast" && $CI_COMMIT_BRANCH =~ /^ma/
      changes: [src/**, docs/*]
nightly:
  stage: test
  script: make nightly
  rules:
    - if: $CI_PIPELINE_SOURCE == "schedule"
legacy:
  stage: test
  script: make legacy
  only: [tags]
publish:
  stage: deploy
  script: make publish
  needs:
    - {job: nightly, optional: true}
    - any: ["unit: [linux]", "unit: [mac]"]
  rules:
    - if: $TOKEN
      when: manual
"#;

fn scenario() -> Scenario {
    let mut scenario = Scenario::push("main");
    scenario.overrides.changed_paths = Some(Some(vec!["src/a.rs".to_owned()]));
    let keys = [
        "deps-main",
        "deps-main-protected",
        "deps-main-non_protected",
    ];
    let present = keys.map(|key| (key.to_owned(), CacheState::Present));
    scenario.overrides.caches = present.into_iter().collect();
    let mut secret = Variable::new("TOKEN", "hunter2-hunter2", VariableSource::SettingProject);
    secret.masked = true;
    scenario.settings = vec![SettingVariable {
        variable: secret,
        protected: false,
        environment_scope: "*".to_owned(),
    }];
    scenario
}

fn planned(text: &str, scenario: &Scenario) -> (Plan, SourceMap) {
    let world = FixtureWorld::with_files([("src/a.rs", "")]);
    let root = RootFile {
        name: ".gitlab-ci.yml".to_owned(),
        bytes: text.as_bytes().into(),
    };
    let loaded = load(&root, scenario, &world, &Settings::default()).expect("the world is whole");
    let config = loaded
        .config
        .unwrap_or_else(|| panic!("invalid: {:?}", loaded.diagnostics));
    let plan = plan(&config, scenario, &world, &Detail::All).expect("the world is whole");
    (plan, loaded.sources)
}

#[test]
fn a_pipeline_is_listed() {
    let (plan, _) = planned(CONFIG, &scenario());
    assert_snapshot!(list(&plan, Style::Plain, true), @r#"
      JOB            WHEN            NEEDS                     WHY
    build
      deps           satisfied                                 cache exists: deps-main-non_protected
      compile        on_success      deps                      default only: branches
    test
      unit: [linux]  on_success      compile                   rule 2: if $MODE == "fast" && $CI_COMMIT…
      unit: [mac]    on_success      compile                   rule 2: if $MODE == "fast" && $CI_COMMIT…
      nightly        left out                                  its only rule does not match
      legacy         left out                                  only does not hold: tags
    deploy
      publish        manual, blocks  unit: [linux]|unit: [ma…  rule 1: if $TOKEN

    4 jobs, 1 satisfied, 2 left out
    "#);
}

#[test]
fn every_job_is_explained() {
    let (plan, sources) = planned(CONFIG, &scenario());
    assert_snapshot!(explain(&plan, &[], &sources, Style::Plain), @r#"
    ✓ deps is satisfied: it counts as a success and does not run, stage build  .gitlab-ci.yml:4:1
      because cache exists: deps-main-non_protected

      rules
        ✗ 1  .gitlab-ci.yml:9:7
            ✗ cache: missing
                key deps-main-non_protected is present

      cache
        ✓ cache 1, key deps-main-non_protected is present  .gitlab-ci.yml:7:10
            created   deps-$CI_COMMIT_REF_SLUG
            suffixed  deps-$CI_COMMIT_REF_SLUG-non_protected
            $CI_COMMIT_REF_SLUG is "main"  predefined for the pipeline
            final     deps-main-non_protected

      result
        when           on_success                    GitLab's default
        allow_failure  false                         GitLab's default
        needs          waits for all earlier stages  GitLab's default

    ✓ compile is in the pipeline, stage build  .gitlab-ci.yml:10:1
      because default only: branches

      conditions
        ✓ only (GitLab's default) holds
            ✓ refs
                ✓ branches
                ✗ tags

      needs
        ✓ deps  is satisfied: what it would produce exists  .gitlab-ci.yml:13:11

      result
        when           on_success  GitLab's default
        allow_failure  false       GitLab's default
        needs          deps        the job, .gitlab-ci.yml:13:10

    ✓ unit: [linux] is in the pipeline, stage test  .gitlab-ci.yml:14:1
      because rule 2: if $MODE == "fast" && $CI_COMMIT_BRANCH =~ /^ma/, changes: src/a.rs

      rules
        ✗ 1  .gitlab-ci.yml:20:7
            ✗ if $CI_COMMIT_TAG
                $CI_COMMIT_TAG is not defined
        ✓ 2 decides  .gitlab-ci.yml:22:7
            ✓ if $MODE == "fast" && $CI_COMMIT_BRANCH =~ /^ma/
                ✓ $MODE == "fast"
                    $MODE is "fast"  top-level variables, .gitlab-ci.yml:3:13
                ✓ $CI_COMMIT_BRANCH =~ /^ma/
                    $CI_COMMIT_BRANCH is "main"  predefined for the pipeline
            ✓ changes: src/a.rs matches src/**
                the scenario states the changed paths
                ✓ src/**
                  docs/*

      needs
        ✓ compile  is in the pipeline  .gitlab-ci.yml:18:11

      result
        when           on_success  GitLab's default
        allow_failure  false       GitLab's default
        needs          compile     the job, .gitlab-ci.yml:18:10

    ✓ unit: [mac] is in the pipeline, stage test  .gitlab-ci.yml:14:1
      because rule 2: if $MODE == "fast" && $CI_COMMIT_BRANCH =~ /^ma/, changes: src/a.rs

      rules
        ✗ 1  .gitlab-ci.yml:20:7
            ✗ if $CI_COMMIT_TAG
                $CI_COMMIT_TAG is not defined
        ✓ 2 decides  .gitlab-ci.yml:22:7
            ✓ if $MODE == "fast" && $CI_COMMIT_BRANCH =~ /^ma/
                ✓ $MODE == "fast"
                    $MODE is "fast"  top-level variables, .gitlab-ci.yml:3:13
                ✓ $CI_COMMIT_BRANCH =~ /^ma/
                    $CI_COMMIT_BRANCH is "main"  predefined for the pipeline
            ✓ changes: src/a.rs matches src/**
                the scenario states the changed paths
                ✓ src/**
                  docs/*

      needs
        ✓ compile  is in the pipeline  .gitlab-ci.yml:18:11

      result
        when           on_success  GitLab's default
        allow_failure  false       GitLab's default
        needs          compile     the job, .gitlab-ci.yml:18:10

    ✗ nightly is left out, stage test  .gitlab-ci.yml:24:1
      because its only rule does not match

      rules
        ✗ 1  .gitlab-ci.yml:28:7
            ✗ if $CI_PIPELINE_SOURCE == "schedule"
                $CI_PIPELINE_SOURCE is "push"  predefined for the pipeline

      what would have to differ
        rule 1 came nearest; this would have to hold:  .gitlab-ci.yml:28:7
            ✗ if $CI_PIPELINE_SOURCE == "schedule"
                $CI_PIPELINE_SOURCE is "push"  predefined for the pipeline

    ✗ legacy is left out, stage test  .gitlab-ci.yml:29:1
      because only does not hold: tags

      conditions
        ✗ only does not hold, so the job stays out  .gitlab-ci.yml:32:9
            ✗ refs
                ✗ tags  .gitlab-ci.yml:32:10

      what would have to differ
        only would have to hold: refs tags

    ✓ publish is in the pipeline, stage deploy  .gitlab-ci.yml:33:1
      because rule 1: if $TOKEN

      rules
        ✓ 1 decides  .gitlab-ci.yml:40:7
            ✓ if $TOKEN
                $TOKEN is [MASKED]  setting of the project

      needs
        – nightly         is absent; optional, so ignored  .gitlab-ci.yml:37:13
        ✓ unit: [linux]   is in the pipeline  .gitlab-ci.yml:38:13
        ✓ or unit: [mac]  is in the pipeline  .gitlab-ci.yml:38:30

      result
        when           manual                            the rule that matched, .gitlab-ci.yml:41:13
        allow_failure  false                             GitLab's default
        needs          1 of unit: [linux] | unit: [mac]  the job, .gitlab-ci.yml:37:5

      good to know
        ! `when: manual` in a rule blocks the pipeline until the job is played; at job level it would
          not. `allow_failure: true` in the rule makes it optional
          https://docs.gitlab.com/ci/yaml/#when
    "#);
}

#[test]
fn a_tag_is_explained() {
    let mut scenario = scenario();
    scenario.overrides.changed_paths = None;
    scenario.git_ref = Ref::Tag("v1".to_owned());
    let text = "a: {script: x, rules: [{changes: [x]}]}\nb: {script: x, except: [tags]}\n";
    let (plan, sources) = planned(text, &scenario);
    assert_snapshot!(explain(&plan, &[], &sources, Style::Plain), @"
    ✓ a is in the pipeline, stage test  .gitlab-ci.yml:1:1
      because rule 1: changes: unknown, a tag has no commit before it

      rules
        ✓ 1 decides  .gitlab-ci.yml:1:24
            ! changes counts as true: a tag has no commit before it
                compared with nothing: a tag has no base
                  x

      result
        when           on_success                    GitLab's default
        allow_failure  false                         GitLab's default
        needs          waits for all earlier stages  GitLab's default

      good to know
        ! `changes` is true because a tag has no base, so what changed cannot be known
          https://docs.gitlab.com/ci/yaml/#ruleschanges

    ✗ b is left out, stage test  .gitlab-ci.yml:2:1
      because except holds: tags

      conditions
        ✓ only (GitLab's default) holds
            ✓ refs
                ✗ branches
                ✓ tags
        ✗ except holds, so the job stays out  .gitlab-ci.yml:2:24
            ✓ refs
                ✓ tags  .gitlab-ci.yml:2:25

      good to know
        ! `only` without `refs`, and `except` without `only`, keep the default `only: {refs: [branches,
          tags]}` beside what is written, and all of it must hold
          https://docs.gitlab.com/ci/yaml/deprecated_keywords/

      what would have to differ
        except would have to fail: refs tags
    ");
}

#[test]
fn a_graph_is_drawn() {
    let (plan, _) = planned(CONFIG, &scenario());
    let graph = Graph::of_plan(&plan).expect("there is a pipeline");
    assert_snapshot!(graph_text(&graph, Style::Plain), @"
    build
      deps           satisfied
      compile                   ← deps (satisfied)
    test
      unit: [linux]             ← compile
      unit: [mac]               ← compile
    deploy
      publish        manual     ← any of (unit: [linux] | unit: [mac]), nightly (absent)
    ");
}

#[test]
fn no_view_shows_a_masked_value() {
    let (plan, sources) = planned(CONFIG, &scenario());
    let graph = Graph::of_plan(&plan).expect("there is a pipeline");
    let views = [
        list(&plan, Style::Coloured, true),
        list_json(&plan),
        explain(&plan, &[], &sources, Style::Coloured),
        explain_json(&plan, &[], &sources),
        graph_svg(&graph),
        graph_text(&graph, Style::Coloured),
        graph_mermaid(&graph),
        graph_dot(&graph),
    ];
    for view in views {
        assert!(!view.contains("hunter2"), "{view}");
    }
}

#[test]
fn a_failed_plan_shows_no_masked_value_either() {
    let text = "a:\n  script: x\n  needs: [{job: b}]\n  cache: {key: k-$TOKEN, paths: [x]}\n  \
                rules: [{exists: [$TOKEN/*]}, {when: always}]\nb: {script: x, rules: [{if: $NOPE}]}\n";
    let (plan, sources) = planned(text, &scenario());
    assert!(plan.pipeline().is_none());
    let text = explain(&plan, &[], &sources, Style::Plain);
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("k-[MASKED]"), "{text}");
    assert!(
        text.starts_with("no pipeline: 'a' job needs 'b' job"),
        "{text}"
    );
    assert!(!explain_json(&plan, &[], &sources).contains("hunter2"));
}

#[test]
fn colours_change_nothing_but_colours() {
    let (plan, sources) = planned(CONFIG, &scenario());
    let graph = Graph::of_plan(&plan).expect("there is a pipeline");
    let views = |style: Style| {
        [
            list(&plan, style, true),
            explain(&plan, &[], &sources, style),
            graph_text(&graph, style),
        ]
    };
    for (plain, coloured) in views(Style::Plain).iter().zip(views(Style::Coloured)) {
        assert!(coloured.contains("\u{1b}["));
        assert_eq!(&without_escapes(&coloured), plain);
    }
}

fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + part.split_once('m').map_or("", |(_, rest)| rest)
    })
}
