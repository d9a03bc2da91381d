//! `include:rules` and what an entry of `include` names.

use super::*;

fn error(rules: &str) -> String {
    let world = FixtureWorld::with_files([("a.yml", "a: {script: x}\n"), ("b", "")]);
    let text = format!("include: [{{local: a.yml, rules: [{rules}]}}]\nj: {{script: x}}");
    shown(&loaded_from(&text, &world))
}

#[test]
fn include_rules_decide_and_ask_the_world() {
    let mut world = FixtureWorld::with_files([("a.yml", "a: {script: x}\n"), ("src/x.rs", "")]);
    world
        .compare
        .insert("old".to_owned(), vec!["src/x.rs".to_owned()]);
    let mut scenario = Scenario::push("main");
    scenario.commit.before_sha = Some("old".to_owned());
    let included = |rules: &str| {
        let text = format!("include: [{{local: a.yml, rules: [{rules}]}}]\nj: {{script: x}}");
        let loaded = load(&root(&text), &scenario, &world, &Settings::default()).unwrap();
        loaded.includes.len() == 1
    };
    assert!(included("{if: $CI_COMMIT_BRANCH}"));
    assert!(!included("{if: $CI_COMMIT_TAG}"));
    assert!(!included("{when: never}, {when: always}"));
    assert!(included("{exists: [src/*.rs]}"));
    assert!(!included("{exists: {paths: [src]}}"));
    assert!(included("{changes: ['src/*']}"));
    assert!(!included("{changes: [docs/x]}"));
}

#[test]
fn clauses_of_include_rules_are_checked_as_those_of_jobs() {
    for (rules, expected) in [
        (
            "{changes: {since: x, paths: [a]}}",
            "include:rule:changes config contains unknown keys: since",
        ),
        (
            "{changes: {paths: a}}",
            "include:rule:changes paths should be an array of strings",
        ),
        (
            "{changes: {paths: [a], compare_to: 1}}",
            "include:rule:changes compare to should be a string",
        ),
        (
            "{exists: {paths: [a], ref: r}}",
            "include:rule:exists config missing required keys: project",
        ),
        (
            "{exists: 1, changes: 1}",
            "include:rule:changes should be an array or a hash",
        ),
        ("{exists: 1, when: x}", "include:rule when unknown value: x"),
        (
            "{exists: [1]}, {if: '$A =='}",
            "include:rule:exists config should be an array of strings",
        ),
    ] {
        let gitlab = Settings {
            dialect: Dialect::Gitlab,
            ..Settings::default()
        };
        let text = format!("include: [{{local: a.yml, rules: [{rules}]}}]");
        let world = FixtureWorld::default();
        let scenario = Scenario::push("main");
        let loaded = load(&root(&text), &scenario, &world, &gitlab).unwrap();
        assert_eq!(shown(&loaded), expected, "{rules}");
    }
}

#[test]
fn clauses_are_judged_in_the_order_they_are_written_in() {
    let missing = "{paths: [b], project: no/where}";
    assert_eq!(
        error(&format!("{{exists: {missing}, if: $NO}}")),
        "include:rules:exists:project `no/where` not found or access denied"
    );
    assert!(error(&format!("{{if: $NO, exists: {missing}}}")).starts_with('{'));
    assert_eq!(
        error("{changes: {paths: [a], compare_to: nope}}"),
        "include:rules:changes:compare_to is not a valid ref"
    );
}

#[test]
fn patterns_see_variables_inside_of_variables() {
    let world = FixtureWorld::with_files([("a.yml", "a: {script: x}\n"), ("docs/x.md", "")]);
    let mut scenario = Scenario::push("main");
    for (key, value) in [("DIR", "docs"), ("GLOB", "$DIR/*.md")] {
        scenario.settings.push(SettingVariable {
            variable: Variable::new(key, value, VariableSource::SettingProject),
            protected: false,
            environment_scope: "*".to_owned(),
        });
    }
    let text = "include: [{local: a.yml, rules: [{exists: [$GLOB]}]}]\nj: {script: x}";
    let loaded = load(&root(text), &scenario, &world, &Settings::default()).unwrap();
    assert_eq!(loaded.includes.len(), 1);
}

#[test]
fn only_files_looked_at_count_for_the_limit() {
    let many: Vec<_> = (0..50_001).map(|at| (format!("d/{at}"), "")).collect();
    let mut files: Vec<_> = many
        .iter()
        .map(|(path, text)| (path.as_str(), *text))
        .collect();
    files.push(("a.yml", "a: {script: x}\n"));
    let world = FixtureWorld::with_files(files);
    let included = |glob: &str| {
        let text = format!(
            "include: [{{local: a.yml, rules: [{{exists: ['{glob}']}}]}}]\nj: {{script: x}}"
        );
        loaded_from(&text, &world).includes.len() == 1
    };
    assert!(!included("*.none"));
    assert!(included("*/*.none"));
}

#[test]
fn whatever_names_a_file_of_a_repository_is_taken_for_its_text() {
    let message = |include: &str| {
        let text = format!("include: {include}\nj: {{script: x}}");
        shown(&loaded_from(&text, &FixtureWorld::default()))
    };
    for (include, expected) in [
        (
            "{local: {a: b}}",
            "Included file `{:a=>\"b\"}` does not have YAML extension!",
        ),
        (
            "{local: []}",
            "Included file `[]` does not have YAML extension!",
        ),
        (
            "{project: g/p, file: 1}",
            "Included file `1` does not have YAML extension!",
        ),
        (
            "{project: 1, file: a.yml}",
            "Project `1` not found or access denied! Make sure any includes in the pipeline \
             configuration are correctly defined.",
        ),
        ("{remote: 1}", "Included file `1` needs to be a string"),
        (
            "{remote: [u]}",
            "Included file `[\"u\"]` needs to be a string",
        ),
    ] {
        assert_eq!(message(include), expected, "{include}");
    }
}
