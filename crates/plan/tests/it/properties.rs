//! What holds of every plan.

use proptest::prelude::*;
use tidegate_plan::{Detail, plan};
use tidegate_scenario::{CacheState, FixtureWorld};

use crate::situation::{config, push};

const TEXT: &str = "
workflow: {rules: [{exists: [README]}, {when: always, variables: {W: w}}]}
a: {script: x, rules: [{changes: {paths: [src/*], compare_to: $TARGET}}, {exists: [src/*]}]}
b: {script: x, cache: {key: {files: [lock]}, paths: [d]}, rules: [{cache: missing}, {if: $W}]}
c: {script: x, rules: [{exists: {paths: [x], project: group/other}}, {changes: [src/a]}]}
d: {script: x, needs: [{job: a, optional: true}, {any: [b, c], optional: true}]}
";

fn world() -> impl Strategy<Value = FixtureWorld> {
    let files = prop::collection::btree_set("README|lock|src/a|src/b|x", 0..4);
    let compared = prop::option::of(prop::collection::vec("src/a|src/c|y", 0..3));
    (files, compared, any::<bool>()).prop_map(|(files, compared, cached)| {
        let mut world = FixtureWorld::default();
        world
            .files
            .extend(files.into_iter().map(|path| (path, String::new())));
        if let Some(paths) = compared {
            world.compare.insert("main".to_owned(), paths.clone());
            world.compare.insert("before".to_owned(), paths);
        }
        if cached {
            let key = "0_lock-default-non_protected".to_owned();
            world.caches.insert(key, CacheState::Present);
        }
        world
    })
}

/// Everything decided, as text.
fn decided(plan: &tidegate_plan::Plan) -> String {
    format!(
        "{:?}{:?}{:?}{:?}",
        plan.outcome, plan.diagnostics, plan.workflow, plan.decisions
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn replaying_the_facts_gives_the_same_plan(world in world(), target in "main|nope") {
        let config = config(TEXT);
        let mut scenario = push();
        scenario.overrides.changed_paths = None;
        scenario.commit.before_sha = Some("before".to_owned());
        let target = tidegate_expr::Variable::new(
            "TARGET", target, tidegate_expr::VariableSource::Given,
        );
        scenario.variables.push(target);
        let live = plan(&config, &scenario, &world, &Detail::All).expect("a fixture never fails");
        let replayed = plan(&config, &scenario, &live.facts, &Detail::All).expect("facts never fail");
        prop_assert_eq!(decided(&live), decided(&replayed));
        prop_assert_eq!(&live.facts, &replayed.facts);
    }

    #[test]
    fn detail_changes_no_decision(world in world()) {
        let config = config(TEXT);
        let compact = plan(&config, &push(), &world, &Detail::Compact).expect("a fixture never fails");
        let full = plan(&config, &push(), &world, &Detail::All).expect("a fixture never fails");
        prop_assert_eq!(format!("{:?}", compact.outcome), format!("{:?}", full.outcome));
        for (compact, full) in compact.decisions.iter().zip(&full.decisions) {
            prop_assert_eq!(&compact.verdict, &full.verdict);
            prop_assert_eq!(compact.basis, full.basis);
            prop_assert!(compact.trace.is_none() && full.trace.is_some());
        }
    }
}
