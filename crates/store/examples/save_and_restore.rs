//! Measures the store against `tar | zstd` on a generated tree.
//!
//! `cargo run --release -p tidegate-store --example save_and_restore -- [DIR] [FILES] [MB]`
//!
//! Rounds are interleaved; each line gives minimum, median and maximum. `tar | zstd` is measured
//! when both are installed; it does not sync, so compare it with `save`, and with `save + settle`
//! for what a sync adds.

#![expect(clippy::print_stdout, reason = "the figures are the product")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tidegate_store::{Depth, NewEntry, RunId, Store};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROUNDS: usize = 5;
const CHANGED: usize = 10;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(
        arguments
            .next()
            .unwrap_or_else(|| "target/store-bench".into()),
    );
    let files: usize = arguments.next().map_or(Ok(50_000), |text| text.parse())?;
    let megabytes: usize = arguments.next().map_or(Ok(500), |text| text.parse())?;
    let store = Store::open(&directory.join("data"))?;
    let mut figures = Figures::default();
    for round in 0..ROUNDS {
        measure(
            &store,
            &directory,
            files,
            megabytes * 1_000_000 / files,
            round,
            &mut figures,
        )?;
    }
    figures.print();
    memory();
    Ok(())
}

fn measure(
    store: &Store,
    directory: &Path,
    files: usize,
    size: usize,
    round: usize,
    figures: &mut Figures,
) -> Outcome<()> {
    let staging = store.staging()?;
    let tree = staging.tree("upper")?;
    generate(tree.path(), files, size, round)?;
    figures.time("tar | zstd -T0 -3", || {
        archive(tree.path(), &directory.join("tree.tar.zst"))
    })?;
    let key = format!("key-{round}");
    let new = NewEntry {
        project: "bench",
        key: &key,
        note: "",
    };
    let base = figures.time("save", || Ok(store.put_cache(new, tree)?))?;
    figures.time("settle (freshly written files)", || Ok(store.settle()?))?;
    figures.time("find + lease", || {
        let found = store.find_cache("bench", &key)?.ok_or("just saved")?;
        Ok(store.lease(&found, RunId(1))?)
    })?;
    figures.time("check by lstat", || Ok(store.check_entry(&base)?))?;

    let changes = staging.tree("changes")?;
    for file in (0..files).step_by((files / CHANGED).max(1)) {
        let path = changes.path().join(path_of(file));
        fs::create_dir_all(path.parent().ok_or("no parent")?)?;
        fs::write(path, vec![b'x'; size])?;
    }
    let next = figures.time("save 10 changed", || {
        Ok(store.put_cache_delta(new, &base, changes, &[])?)
    })?;
    figures.time("settle 10 changed", || Ok(store.settle()?))?;
    let keys: Vec<String> = (0..100).map(|index| format!("key-{index}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    figures.time("state of 100 keys", || {
        Ok(store.cache_states("bench", &keys)?)
    })?;
    figures.time("open + state of one key", || {
        Ok(Store::open(store.directory())?.cache_states("bench", &[&key])?)
    })?;
    figures.time("open", || Ok(Store::open(store.directory())?))?;
    figures.time("hash contents", || {
        Ok(store.hash_pending(Duration::from_secs(600))?)
    })?;
    let verified = figures.time("verify contents", || Ok(store.verify(Depth::Contents)?))?;
    if !verified.problems.is_empty() {
        return Err(format!("{:?}", verified.problems).into());
    }
    // Not deleted before the end: creating files after deletion is slow on ext4.
    drop(next);
    Ok(())
}

fn path_of(file: usize) -> PathBuf {
    PathBuf::from(format!("d{}/s{}/f{file}.js", file / 625, file / 6 % 104))
}

/// Text that zstd compresses about threefold, as source code.
fn generate(root: &Path, files: usize, size: usize, seed: usize) -> Outcome<()> {
    let mut state = seed as u64 + 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let words: Vec<String> = (0..4000)
        .map(|_| format!("{:x}", next() % (1 << 28)))
        .collect();
    for file in 0..files {
        let path = root.join(path_of(file));
        fs::create_dir_all(path.parent().ok_or("no parent")?)?;
        let mut text = String::with_capacity(size + 16);
        while text.len() < size {
            let index = (next() % words.len() as u64) as usize;
            text.push_str(words.get(index).map_or("", String::as_str));
            text.push(' ');
        }
        fs::write(path, text)?;
    }
    Ok(())
}

fn archive(tree: &Path, target: &Path) -> Outcome<()> {
    let status = Command::new("sh")
        .args([
            "-c",
            "tar cf - -C \"$1\" . | zstd -q -T0 -3 -f -o \"$2\"",
            "sh",
        ])
        .args([tree, target])
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err("tar or zstd failed".into())
    }
}

#[derive(Default)]
struct Figures(Vec<(&'static str, Vec<Duration>)>);

impl Figures {
    fn time<T>(&mut self, what: &'static str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let started = Instant::now();
        let value = work()?;
        let took = started.elapsed();
        match self.0.iter_mut().find(|(name, _)| *name == what) {
            Some((_, times)) => times.push(took),
            None => self.0.push((what, vec![took])),
        }
        Ok(value)
    }

    fn print(&mut self) {
        println!(
            "{:<34} {:>10} {:>10} {:>10}  ms",
            "", "min", "median", "max"
        );
        for (name, times) in &mut self.0 {
            times.sort();
            let at = |index: usize| times.get(index).map_or(0.0, |t| t.as_secs_f64() * 1000.0);
            let (middle, last) = (times.len() / 2, times.len().saturating_sub(1));
            println!(
                "{name:<34} {:>10.2} {:>10.2} {:>10.2}",
                at(0),
                at(middle),
                at(last)
            );
        }
    }
}

fn memory() {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(line) = status.lines().find(|line| line.starts_with("VmHWM")) {
        println!("{line}");
    }
}
