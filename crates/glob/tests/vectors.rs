//! Runs test vectors whose expectations came out of Ruby itself.
//!
//! A subset is part of the project. `TIDEGATE_VECTORS=DIR cargo test -p tidegate-glob --test vectors
//! -- --nocapture` runs the full set of that directory.

#![expect(clippy::print_stdout, reason = "the score is what one runs this for")]

use serde_json::Value as Json;
use tidegate_glob::Fnmatch;

#[test]
fn globs_agree_with_ruby() {
    let full = std::env::var_os("TIDEGATE_VECTORS").map(|directory| {
        let file = std::path::Path::new(&directory).join("globs.jsonl");
        std::fs::read_to_string(&file).unwrap()
    });
    let subset = include_str!("data/globs.jsonl");
    let mut passed = 0;
    let mut failed = Vec::new();
    for line in full.as_deref().unwrap_or(subset).lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let glob = Fnmatch::new(case["pattern"].as_str().unwrap()).unwrap();
        let path = case["path"].as_str().unwrap();
        let below = path.starts_with(glob.literal_directory());
        if case["result"] == glob.matches(path) && (below || !glob.matches(path)) {
            passed += 1;
        } else {
            failed.push(line);
        }
    }
    println!("globs.jsonl: {passed} passed, {} failed", failed.len());
    assert!(passed > 0, "no vectors");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
