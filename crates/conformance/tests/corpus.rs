//! Runs the corpus: that of this crate, or that of the directory `TIDEGATE_CONFORMANCE` names.

#![expect(clippy::print_stdout, reason = "the score is what one runs this for")]

use std::path::PathBuf;

use tidegate_conformance::{Deviations, corpus};

#[test]
fn every_case_of_the_corpus_holds() {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(here.join("../../docs/deviations.md")).unwrap();
    let named = std::env::var_os("TIDEGATE_CONFORMANCE").map(PathBuf::from);
    let directory = named.unwrap_or_else(|| here.join("corpus"));
    let scores = corpus::run(&directory, &Deviations::parse(&page)).unwrap();
    for score in &scores {
        println!("{score}");
    }
    let passed: usize = scores.iter().map(|score| score.passed).sum();
    let failed: usize = scores.iter().map(|score| score.failed.len()).sum();
    println!("{passed} passed, {failed} failed");
    assert!(failed == 0 && passed > 0, "{failed} cases fail");
}
