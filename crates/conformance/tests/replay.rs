//! Replays the inputs of `fuzz/corpus` on a stable compiler.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tidegate_conformance::fuzz::TARGETS;

/// No input of the corpus may take longer, unoptimised and on a busy machine.
const LONGEST: Duration = Duration::from_secs(10);

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let entries = std::fs::read_dir(folder.join(target)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_input_of_the_corpus_is_taken_in_good_time() {
    for target in TARGETS {
        let inputs = corpus(target.name);
        assert!(inputs.len() > 9, "{} has hardly any inputs", target.name);
        for path in inputs {
            let input = std::fs::read(&path).unwrap();
            let begun = Instant::now();
            let ended = std::panic::catch_unwind(|| (target.run)(&input));
            assert!(ended.is_ok(), "{}", path.display());
            let taken = begun.elapsed();
            assert!(taken < LONGEST, "{}: {taken:?}", path.display());
        }
    }
}

#[test]
fn every_target_has_its_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/fuzz_targets");
    for target in TARGETS {
        let text = std::fs::read_to_string(folder.join(format!("{}.rs", target.name))).unwrap();
        assert!(text.contains(&format!("fuzz::{}(input)", target.name)));
    }
}
