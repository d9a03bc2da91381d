//! Runs the sets of vectors: those of this crate, or those of the directory `TIDEGATE_VECTORS` names.

#![expect(clippy::print_stdout, reason = "the score is what one runs this for")]

use std::path::PathBuf;

use serde_json::Value as Json;
use tidegate_conformance::{Deviations, composite, config, expressions, globs, score, variables};

fn check(set: &str, judge: impl Fn(&Json) -> Result<(), String> + Sync) {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(here.join("../../docs/deviations.md")).unwrap();
    let named = std::env::var_os("TIDEGATE_VECTORS").map(PathBuf::from);
    let directory = named.clone().unwrap_or_else(|| here.join("vectors"));
    match score(&directory, set, &Deviations::parse(&page), judge).unwrap() {
        Some(score) => {
            println!("{score}");
            assert!(score.is_good(), "{set}");
        }
        // Another directory need not hold every set.
        None => assert!(named.is_some(), "{set} is missing"),
    }
}

#[test]
fn configurations_load_as_in_gitlab() {
    check("config", config::judge);
}

#[test]
fn mutated_configurations_load_as_in_gitlab() {
    check("config_mut", config::judge);
}

#[test]
fn expressions_evaluate_as_in_gitlab() {
    check("expressions", expressions::judge);
}

#[test]
fn globs_match_as_in_ruby() {
    check("globs", globs::judge);
}

#[test]
fn variables_expand_as_in_gitlab() {
    check("variables", variables::judge);
}

#[test]
fn statuses_combine_as_in_gitlab() {
    check("composite", composite::judge);
}
