//! `docs/lint.md`: every rule has a section, every section a rule, and every example is found.

use tidegate_config::{Dialect, RootFile, load};
use tidegate_lint::{RULES, Settings, findings};
use tidegate_scenario::{FixtureWorld, Scenario};

const PAGE: &str = include_str!("../../../../docs/lint.md");

/// Code, title and example of each section about a rule.
fn sections() -> Vec<(&'static str, &'static str, &'static str)> {
    let parts = PAGE.split("\n## L").skip(1);
    parts
        .map(|part| {
            let (heading, body) = part.split_once('\n').unwrap();
            let (_, title) = heading.split_once(": ").unwrap();
            let example = body.split("```").nth(1).unwrap();
            (&part[..3], title, example.strip_prefix("yaml\n").unwrap())
        })
        .collect()
}

#[test]
fn every_rule_has_a_section_and_every_section_a_rule() {
    let rules: Vec<_> = RULES
        .iter()
        .map(|rule| (&rule.code[1..], rule.title))
        .collect();
    let sections: Vec<_> = sections()
        .into_iter()
        .map(|(code, title, _)| (code, title))
        .collect();
    assert_eq!(sections, rules);
}

#[test]
fn every_example_is_found_and_can_be_switched_off() {
    let settings = tidegate_config::Settings {
        dialect: Dialect::Tidegate,
        ..tidegate_config::Settings::default()
    };
    for (number, _, example) in sections() {
        let code = format!("L{number}");
        let found = |text: &str, disabled: &[&str]| {
            let root = RootFile {
                name: ".gitlab-ci.yml".to_owned(),
                bytes: text.as_bytes().into(),
            };
            let world = FixtureWorld::default();
            let loaded = load(&root, &Scenario::push("main"), &world, &settings).unwrap();
            let settings = Settings {
                disabled: disabled.iter().map(|code| (*code).to_owned()).collect(),
            };
            let all = findings(&loaded, &settings);
            all.iter().any(|finding| finding.code.0 == code)
        };
        assert!(found(example, &[]), "{code} does not find its example");
        assert!(!found(example, &[&code]), "{code} cannot be disabled");
        let allowed = format!("{example}# tidegate: allow-file {code}\n");
        assert!(!found(&allowed, &[]), "{code} cannot be allowed");
    }
}
