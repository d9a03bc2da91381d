//! Mutates the corpus of one fuzz target for a while: `mutate TARGET SECONDS [SEED]`. Needs no nightly compiler.
//!
//! The seed is fixed unless given, so a run can be repeated. Inputs that panic end the run and are written to
//! `fuzz/corpus/TARGET/found-…`, and so are inputs that take longer than ten seconds; those that take longer than a second are
//! written too.

#![expect(clippy::print_stdout, reason = "it reports what it found")]

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tidegate_conformance::fuzz::TARGETS;

const SLOW: Duration = Duration::from_secs(1);
const HANGING: Duration = Duration::from_secs(10);
const LONGEST_INPUT: usize = 20_000;
const SPICE: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"- ",
    b"? ",
    b"&a ",
    b"*a",
    b"!reference [",
    b"|",
    b">",
    b"'",
    b"\"",
    b"%",
    b"#",
    b"\n",
    b" ",
    b"\t",
    b"\\",
    b"<<: ",
    b"=",
    b"~",
    b"0",
    b"-1",
    b"\xEF\xBB\xBF",
    b"\xC2\x85",
    b"\xFF",
    b"$",
    b"${A}",
    b"$[[ inputs.a ]]",
    b"null",
    b"(",
    b")",
    b"*",
    b"+",
    b"{1,9}",
    b"/",
    b"\n---\n",
    b"rules: [{changes: [a]}]",
    b"extends: .a",
    b"needs: [j]",
    b"parallel: 3",
    b"\xF0\x9F\x8C\x8A",
    b"(?i)",
    b"**/",
];

/// What is running and since when, for the watch.
static RUNNING: Mutex<Option<(Instant, Vec<u8>)>> = Mutex::new(None);

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, seconds, seed @ ..] = arguments.as_slice() else {
        println!("usage: mutate TARGET SECONDS [SEED]");
        return;
    };
    let target = TARGETS.into_iter().find(|target| target.name == name);
    let target = target.expect("a target of `fuzz::TARGETS`");
    let time = Duration::from_secs(seconds.parse().expect("a number of seconds"));
    let seed = seed.first().map(|seed| seed.parse().expect("a number"));
    let mut dice = Dice(seed.unwrap_or(0x7469_6465_6761_7465));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(name);
    let mut inputs = read(&folder);
    let watched = folder.clone();
    std::thread::spawn(move || watch(&watched));
    let seeds = inputs.len();
    let begun = Instant::now();
    let (mut tried, mut slowest) = (0_u64, Duration::ZERO);
    while begun.elapsed() < time {
        let input = mutated(&inputs, &mut dice);
        let started = Instant::now();
        if let Ok(mut running) = RUNNING.lock() {
            *running = Some((started, input.clone()));
        }
        let ended = std::panic::catch_unwind(|| (target.run)(&input));
        let taken = started.elapsed();
        tried += 1;
        slowest = slowest.max(taken);
        if ended.is_err() || taken > SLOW {
            let kind = if ended.is_err() { "panic" } else { "slow" };
            let path = folder.join(format!("found-{kind}-{tried}"));
            std::fs::write(&path, &input).expect("the corpus can be written");
            println!("{kind} after {taken:?}: {}", path.display());
            if ended.is_err() {
                std::process::exit(1);
            }
        }
        // Without coverage there is no telling what is new; a slow drift still leads away from the seeds.
        if dice.below(200) == 0 && input.len() < LONGEST_INPUT {
            let at = seeds + dice.below(seeds * 2);
            match inputs.get_mut(at) {
                Some(place) => *place = input,
                None => inputs.push(input),
            }
        }
    }
    println!(
        "{name}: {tried} inputs in {:?}, slowest {slowest:?}",
        begun.elapsed()
    );
}

/// Ends the process when one input takes too long.
fn watch(folder: &Path) {
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let Ok(running) = RUNNING.lock() else {
            return;
        };
        if let Some((started, input)) = &*running
            && started.elapsed() > HANGING
        {
            let path = folder.join("found-hang");
            std::fs::write(&path, input).expect("the corpus can be written");
            println!("hangs: {}", path.display());
            std::process::exit(1);
        }
    }
}

fn read(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("a corpus");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
        .iter()
        .filter_map(|path| std::fs::read(path).ok())
        .collect()
}

fn mutated(inputs: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.one_of(inputs).clone();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(8) {
            0 => bytes.truncate(at),
            1 => {
                let end = (at + dice.below(20)).min(bytes.len());
                bytes.drain(at..end);
            }
            2 if at < bytes.len() => bytes[at] = dice.below(256) as u8,
            3 => {
                let other = dice.one_of(inputs);
                let from = dice.below(other.len() + 1);
                let to = (from + dice.below(60)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            4 => {
                let end = (at + dice.below(30)).min(bytes.len());
                let part = bytes[at..end].repeat(1 + dice.below(20));
                bytes.splice(at..at, part);
            }
            _ => {
                let spice: &&[u8] = dice.one_of(SPICE);
                bytes.splice(at..at, spice.iter().copied());
            }
        }
        bytes.truncate(LONGEST_INPUT);
    }
    bytes
}
