//! Damaged input: whatever the bytes, loading ends, and what loads can be printed and written.

use std::path::Path;
use std::time::{Duration, Instant};

use tidegate_source::FileId;
use tidegate_yaml::ruby::{HashKeys, inspect};
use tidegate_yaml::{Limits, Node, Value, dump, load};

/// A fixed sequence of numbers (xorshift), so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_seeds");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the seeds are there")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    let read = |path| std::fs::read(path).expect("a seed can be read");
    files.into_iter().map(read).collect()
}

fn damage(seed: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    const SPICE: &[u8] = b"{}[]:,-?&*!|>'\"%@`#\n\t \\<=~0:.\xEF\xBB\xBF\xC2\x85\xFF";
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(5) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] = SPICE[dice.below(SPICE.len())],
            2 => bytes.insert(at, SPICE[dice.below(SPICE.len())]),
            3 => {
                let end = (at + dice.below(20)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let from = dice.below(other.len());
                let to = (from + dice.below(30)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
        }
    }
    bytes
}

/// Spans lie in the text, and children of a written collection do not begin before it.
fn check_spans(node: &Node, length: usize) {
    assert!(
        node.span.start() <= node.span.end() && node.span.end() as usize <= length,
        "{node:?}"
    );
    match &node.value {
        Value::Seq(items) => items.iter().for_each(|item| check_spans(item, length)),
        Value::Map(map) => {
            for (key, node) in map.iter() {
                assert!(key.span.end() as usize <= length);
                check_spans(node, length);
            }
        }
        Value::Reference(inner) => check_spans(inner, length),
        _ => {}
    }
}

#[test]
fn damaged_files_neither_panic_nor_hang() {
    let seeds = seeds();
    let mut dice = Dice(0x7469_6465_6761_7465);
    let begun = Instant::now();
    let (mut loaded, mut tried) = (0, 0);
    while tried < 20_000 && begun.elapsed() < Duration::from_secs(2) {
        let seed = &seeds[tried % seeds.len()];
        let other = &seeds[dice.below(seeds.len())];
        let text = damage(seed, other, &mut dice);
        tried += 1;
        match load(&text, FileId(0), &Limits::default()) {
            Ok(result) => {
                loaded += 1;
                check_spans(&result.content, text.len());
                assert!(!inspect(&result.content.value, HashKeys::Symbols).is_empty());
                assert!(dump(&result.content).is_some_and(|text| text.starts_with("---")));
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert!(error.span.end() as usize <= text.len(), "{error:?}");
            }
        }
    }
    assert!(loaded > 50 && tried > loaded, "{loaded} of {tried} loaded");
}
