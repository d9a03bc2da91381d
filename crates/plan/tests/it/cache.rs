//! `rules:cache` and final keys (reference `extensions.md` §1, `compose.md` §10).

use tidegate_pipeline::Presence;
use tidegate_plan::{CacheMissReason, NeedFate, Verdict};
use tidegate_scenario::{CacheState, FixtureWorld};

use crate::situation::{errors, job, jobs, planned, planned_in, push, trace};

const PRODUCER: &str = "
poetry:
  stage: build
  script: x
  rules: [{cache: missing}]
  cache: {key: deps-$CI_COMMIT_REF_SLUG, paths: [.venv]}
pytest: {stage: test, script: x, needs: [poetry]}
";

fn with_cache(key: &str) -> FixtureWorld {
    let mut world = FixtureWorld::default();
    world.caches.insert(key.to_owned(), CacheState::Present);
    world
}

#[test]
fn a_missing_cache_runs_its_producer_and_is_asked_for_again_later() {
    let plan = planned(PRODUCER, &push());
    let poetry = job(&plan, "poetry");
    assert_eq!(poetry.presence, Presence::Included);
    assert_eq!(poetry.recheck_caches, [0]);
}

#[test]
fn a_present_cache_satisfies_its_producer() {
    let plan = planned_in(PRODUCER, &push(), &with_cache("deps-main-non_protected"));
    assert_eq!(job(&plan, "poetry").presence, Presence::Satisfied);
    assert!(job(&plan, "poetry").recheck_caches.is_empty());
    assert_eq!(trace(&plan, "pytest").needs[0].fate, NeedFate::Satisfied);
    let verdict = plan
        .decision("poetry")
        .map(|decision| decision.verdict.clone());
    assert!(matches!(verdict, Some(Verdict::Satisfied(_))));
}

#[test]
fn the_key_asked_for_is_the_final_one() {
    let plan = planned_in(PRODUCER, &push(), &with_cache("deps-main"));
    assert_eq!(job(&plan, "poetry").presence, Presence::Included);
    let mut scenario = push();
    scenario.protected = true;
    scenario.project.cache_counter = 2;
    let plan = planned_in(PRODUCER, &scenario, &with_cache("deps-main-2-protected"));
    assert_eq!(job(&plan, "poetry").presence, Presence::Satisfied);
}

#[test]
fn a_key_that_is_not_known_yet_counts_as_missing() {
    let text = "a: {script: x, cache: {key: $CI_RUNNER_ID, paths: [x]}, rules: [{cache: missing}]}";
    let plan = planned(text, &push());
    assert_eq!(jobs(&plan), ["a"]);
    let key = &trace(&plan, "a").caches[0].key;
    assert_eq!(key, &Err(CacheMissReason::Variable("CI_RUNNER_ID".into())));
    let text = "{a: {script: x, cache: {key: $CI_RUNNER_ID, paths: [x]}, rules: [{cache: present}]}, b: {script: x}}";
    assert_eq!(jobs(&planned(text, &push())), ["b"]);
}

#[test]
fn a_guard_against_present_caches_satisfies_too() {
    let text = "
a: {script: x, cache: {key: k, paths: [x]}, rules: [{cache: present, when: never}, {when: always}]}
clean: {script: x, cache: {key: other, paths: [x]}, rules: [{cache: present}]}
";
    let plan = planned_in(text, &push(), &with_cache("k-non_protected"));
    assert_eq!(job(&plan, "a").presence, Presence::Satisfied);
    // What runs only with a cache is simply out without it.
    assert_eq!(jobs(&plan), ["a"]);
}

#[test]
fn artifacts_of_a_satisfied_job_cannot_be_had() {
    let text = PRODUCER.replace(
        "  script: x\n  rules",
        "  script: x\n  artifacts: {paths: [y]}\n  rules",
    );
    let plan = planned_in(&text, &push(), &with_cache("deps-main-non_protected"));
    let expected = "'pytest' needs artifacts of 'poetry', but 'poetry' was left out because its cache \
                    exists. Use reuse: or remove artifacts.";
    assert_eq!(errors(&plan), [expected]);
}

#[test]
fn a_fallback_counts_only_where_it_is_asked_to() {
    let text = |fallback: &str| {
        format!(
            "{{a: {{script: x, cache: {{key: k, fallback_keys: [f], paths: [x]}}, rules: \
             [{{cache: {{missing: any{fallback}}}}}]}}, b: {{script: x}}}}"
        )
    };
    let world = with_cache("f-non_protected");
    let presence = |text: &str| job(&planned_in(text, &push(), &world), "a").presence;
    assert_eq!(presence(&text("")), Presence::Included);
    assert_eq!(presence(&text(", fallback: true")), Presence::Satisfied);
}
