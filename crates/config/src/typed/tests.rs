//! Tidegate's own keywords, places of labels, and what the whole gives.

use std::time::Instant;

use tidegate_source::{FileId, Severity, Span};
use tidegate_yaml::{Limits, load};

use super::testing::{built, check, check_with, gitlab, messages, tidegate, valid};
use crate::tree::Tree;
use crate::{CacheMatch, CacheName, Clause, IfAbsent, NeedSpec, PolicyKind, Settings};

fn findings(yaml: &str) -> Vec<String> {
    let (_, diagnostics) = built(&tidegate(), yaml);
    let found = messages(&diagnostics, Severity::Finding);
    found.into_iter().map(str::to_owned).collect()
}

const RULES_CACHE: &str = "j: {script: x, cache: {key: k}, rules: [{cache: missing}]}";

#[test]
fn own_keywords_are_unknown_keys_in_gitlabs_dialect() {
    check(
        RULES_CACHE,
        &["jobs:j:rules:rule config contains unknown keys: cache"],
    );
    check(
        "j: {script: x, cache: {on_miss: fail, push_if: miss}}",
        &["jobs:j:cache config contains unknown keys: on_miss, push_if"],
    );
    check(
        "j: {script: x, only_or: [main], reuse: {}}",
        &["jobs:j config contains unknown keys: only_or, reuse"],
    );
    check(
        "j: {script: x, needs: [{any: [a, b]}]}",
        &["jobs:j:needs:need has an unsupported type"],
    );
    check(
        "a: {script: x}\nj: {script: x, needs: [{job: a, if_absent: skip}]}",
        &["jobs:j:needs:need config contains unknown keys: if_absent"],
    );
    let (_, diagnostics) = built(&gitlab(), RULES_CACHE);
    let help = &diagnostics[0].suggestions.last().expect("a help line").text;
    assert_eq!(
        help,
        "`cache` is a keyword of Tidegate; `--dialect tidegate` understands it"
    );
}

#[test]
fn each_inline_use_of_an_own_keyword_is_a_finding() {
    let yaml = "j: {script: x, only_or: [main], cache: {key: k, on_miss: fail}}";
    let found = findings(yaml);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("GitLab rejects the key `only_or`"));
    assert!(found[1].starts_with("GitLab rejects the key `on_miss`"));
}

#[test]
fn an_overlay_adds_own_keywords_without_findings() {
    let yaml = "j: {script: x, cache: {key: k}}\n\
                .tidegate: {jobs: {j: {cache: {on_miss: fail}}}}";
    let config = valid(&tidegate(), yaml);
    let caches = &config.jobs["j"].body.inheritable.caches;
    assert_eq!(caches[0].value.on_miss, tidegate_pipeline::OnMiss::Fail);
    assert!(findings(yaml).is_empty());
    let plain = valid(&gitlab(), yaml);
    let caches = &plain.jobs["j"].body.inheritable.caches;
    assert_eq!(caches[0].value.on_miss, tidegate_pipeline::OnMiss::Continue);
}

#[test]
fn cache_clauses_have_a_short_and_a_long_form() {
    let yaml = "j:\n  script: x\n  cache: [{key: k}]\n  rules:\n    - cache: {present: any, of: [0, k], fallback: true}\n      if: $A\n    - cache: present";
    let config = valid(&tidegate(), yaml);
    let rules = config.jobs["j"].body.rules.as_deref().expect("rules");
    let Some(Clause::Cache(clause)) = rules[0].clauses.last() else {
        panic!("the cache clause comes last: {:?}", rules[0].clauses);
    };
    assert_eq!(clause.wanted, CacheMatch::PresentAny);
    assert_eq!(clause.of, [CacheName::Index(0), CacheName::Key("k".into())]);
    assert!(clause.fallback);
    let [Clause::Cache(short)] = rules[1].clauses.as_slice() else {
        panic!("one clause: {:?}", rules[1].clauses);
    };
    assert_eq!(short.wanted, CacheMatch::PresentAll);
}

#[test]
fn wrong_cache_clauses_are_load_errors() {
    let own = |yaml, expected: &[&str]| check_with(&tidegate(), yaml, expected);
    own(
        "j: {script: x, rules: [{cache: missing}]}",
        &["jobs:j:rules:rule cache requires the job to define a cache"],
    );
    own(
        "j: {script: x, cache: {key: k}, rules: [{cache: {key: k}}]}",
        &[
            "jobs:j:rules:rule:cache config contains unknown keys: key",
            "jobs:j:rules:rule:cache config must use exactly one of these keys: missing, present",
        ],
    );
    own(
        "workflow: {rules: [{cache: missing}]}\nj: {script: x}",
        &["workflow:rules:rule config contains unknown keys: cache"],
    );
    own(
        "j: {script: x, cache: {on_miss: stop, push_if: 1}}",
        &[
            "jobs:j:cache on miss should be one of: continue, fail, produce",
            "jobs:j:cache push if should be a string",
            "jobs:j:cache push if should be one of: always, changed, miss",
        ],
    );
}

#[test]
fn policies_exclude_each_other_and_rules() {
    let own = |yaml, expected: &[&str]| check_with(&tidegate(), yaml, expected);
    own(
        "j: {script: x, only: [main], only_or: [dev]}",
        &["jobs:j config only one of `only`, `only_and`, `only_or` may be used"],
    );
    own(
        "j: {script: x, rules: [{if: $A}], only_or: [dev]}",
        &["jobs:j config key may not be used with `rules`: only_or"],
    );
    own(
        "j: {script: x, except_and: {}}",
        &["jobs:j:except_and config can't be blank"],
    );
    let config = valid(
        &tidegate(),
        "j: {script: x, only_or: {variables: [$A]}, except_and: {refs: [dev], variables: [$B]}}",
    );
    let body = &config.jobs["j"].body;
    let (only, except) = (body.only.as_ref(), body.except.as_ref());
    assert!(only.is_some_and(|only| only.kind == PolicyKind::OnlyOr && only.refs.is_none()));
    assert!(except.is_some_and(|except| except.kind == PolicyKind::ExceptAnd));
}

#[test]
fn alternatives_are_expanded_and_checked() {
    let config = valid(
        &tidegate(),
        "a: {script: x, parallel: 2}\nb: {script: x}\n\
         j: {script: x, needs: [{any: [a, b], min: 2, wait: all}, {job: c, if_absent: stage}]}",
    );
    let needs = config.jobs["j"].needs.as_ref().expect("needs");
    let [NeedSpec::Any(any), NeedSpec::Job { if_absent, .. }] = &*needs.entries else {
        panic!("{needs:?}");
    };
    assert_eq!(any.min, 2);
    let names: Vec<_> = any
        .alternatives
        .iter()
        .map(|(name, _)| &*name.value)
        .collect();
    assert_eq!(names, ["a 1/2", "a 2/2", "b"]);
    assert_eq!(*if_absent, IfAbsent::Stage);
    let own = |yaml, expected: &[&str]| check_with(&tidegate(), yaml, expected);
    own(
        "j: {script: x, needs: [{any: [a], min: 3}]}",
        &[
            "jobs:j:needs:need any should be an array of at least 2 jobs",
            "jobs:j:needs:need min should be an integer from 1 to 1",
        ],
    );
    own(
        "a: {script: x}\nj: {script: x, needs: [{job: a, optional: true, if_absent: skip}]}",
        &["jobs:j:needs:need config these keys cannot be used together: optional, if_absent"],
    );
    own(
        "a: {script: x}\nj: {script: x, needs: [{any: [a, b]}]}",
        &["j job: undefined need: b"],
    );
}

#[test]
fn planned_keywords_are_named_as_not_supported_yet() {
    let own = |yaml, expected: &[&str]| check_with(&tidegate(), yaml, expected);
    own(
        "j: {script: x, reuse: {files: [a]}}",
        &["jobs:j reuse is not supported yet"],
    );
    own(
        "j: {script: x, rules: [{changes: {paths: [a], since: previous}}]}",
        &["jobs:j:rules:rule:changes since is not supported yet"],
    );
    own(
        "j: {script: x, rules: [{if: $A, unless: {if: $B}}]}",
        &["jobs:j:rules:rule unless is not supported yet"],
    );
}

#[test]
fn newer_syntax_needs_a_newer_gitlab() {
    let yaml = "j: {script: x, rules: [{changes: {regexp: 'a.*'}}]}";
    check(
        yaml,
        &[
            "jobs:j:rules:rule:changes config contains unknown keys: regexp",
            "jobs:j:rules:rule:changes config missing required keys: paths",
            "jobs:j:rules:rule:changes paths should be an array of strings",
            "jobs:j:rules:rule:changes paths has too many entries (maximum 50)",
        ],
    );
    let newer = Settings {
        gitlab_version: (19, 2),
        ..gitlab()
    };
    check_with(&newer, yaml, &[]);
    check_with(
        &newer,
        "j: {script: x, rules: [{changes: {regexp: a, paths: [a]}}]}",
        &["jobs:j:rules:rule:changes config must use exactly one of these keys: paths, regexp"],
    );
}

#[test]
fn labels_stand_on_the_culprit_and_suggest_what_was_meant() {
    let yaml = "job:\n  scrpt: x\n  script: y\n";
    let (_, diagnostics) = built(&gitlab(), yaml);
    let [unknown] = diagnostics.as_slice() else {
        panic!("{diagnostics:?}");
    };
    let place = unknown.primary().expect("a place");
    assert_eq!(&yaml[place.start() as usize..place.end() as usize], "scrpt");
    assert_eq!(unknown.suggestions[0].text, "did you mean `script`?");
}

#[test]
fn needs_of_later_stages_show_both_jobs() {
    let yaml = "a: {script: x, stage: deploy}\nb: {script: x, stage: build, needs: [a]}";
    let (_, diagnostics) = built(&gitlab(), yaml);
    let spans: Vec<Span> = diagnostics[0]
        .labels
        .iter()
        .map(|label| label.span)
        .collect();
    let texts: Vec<_> = spans
        .iter()
        .map(|span| &yaml[span.start() as usize..span.end() as usize])
        .collect();
    assert_eq!(texts, ["a", "a", "b"]);
}

/// `cargo test --release -p tidegate-config -- --ignored --nocapture speed`
#[test]
#[ignore = "a measurement, not a check"]
#[expect(clippy::print_stdout, reason = "the figure is what one runs this for")]
fn speed_of_typing_many_jobs() {
    let mut yaml = String::from("default: {image: ruby, before_script: [a, b]}\n");
    for n in 0..5000 {
        yaml += &format!(
            "job{n}:\n  stage: test\n  script: [make {n}, make check]\n  rules:\n    - if: $CI_COMMIT_BRANCH == \"main\"\n    - changes: [src/**/*]\n  needs: []\n"
        );
    }
    let limits = Limits {
        text_bytes: usize::MAX,
        value_bytes: u64::MAX,
        ..Limits::default()
    };
    let loaded = load(yaml.as_bytes(), FileId(0), &limits).expect("valid YAML");
    let root = loaded.content.into_map().expect("a mapping");
    let settings = gitlab();
    for _ in 0..5 {
        let start = Instant::now();
        let (config, _) = super::build(Tree::whole(root.clone()), &settings);
        let taken = start.elapsed();
        println!(
            "{} jobs in {taken:?}",
            config.map_or(0, |config| config.jobs.len())
        );
    }
}
