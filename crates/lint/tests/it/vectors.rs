//! All valid configurations of the differential vectors: what fires, and that it fires with a place.

#![expect(clippy::print_stdout, reason = "with --nocapture one reads what fires")]

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tidegate_config::{RootFile, load};
use tidegate_lint::{RULES, Settings, findings};
use tidegate_scenario::{FixtureWorld, Scenario};

const VECTORS: &str = include_str!("../../../conformance/vectors/config.jsonl");

#[test]
fn findings_have_places_and_known_codes_in_every_valid_configuration() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut files = 0;
    for line in VECTORS.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        if case["valid"] != Json::Bool(true) {
            continue;
        }
        files += 1;
        let included = case["files"].as_object().into_iter().flatten();
        let included = included.map(|(path, text)| (path.as_str(), text.as_str().unwrap_or("")));
        let root = RootFile {
            name: ".gitlab-ci.yml".to_owned(),
            bytes: case["yaml"].as_str().unwrap_or("").as_bytes().into(),
        };
        let world = FixtureWorld::with_files(included);
        let settings = tidegate_config::Settings::default();
        let loaded = load(&root, &Scenario::push("main"), &world, &settings).unwrap();
        for finding in findings(&loaded, &Settings::default()) {
            assert!(RULES.iter().any(|rule| rule.code == finding.code.0));
            let place = finding
                .primary()
                .and_then(|span| loaded.sources.locate(span));
            let place = place.expect("a finding has a place");
            *counts.entry(finding.code.0).or_default() += 1;
            let text = loaded.sources.text_of(finding.primary().unwrap());
            println!(
                "{} {} {place} {} | {text}",
                case["id"], finding.code.0, finding.message
            );
        }
    }
    println!("{files} files: {counts:?}");
    assert!(files > 300);
    // Most of these configurations are ordinary; a rule that fires everywhere is wrong.
    assert!(
        counts.values().all(|count| *count < files / 5),
        "{counts:?}"
    );
}
