//! Runs a set of vectors and keeps count.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::deviations::Deviations;

/// How a set went.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// Name of the set.
    pub set: String,
    /// How many lines agree with GitLab.
    pub passed: usize,
    /// Ids that do not, with what differs.
    pub failed: Vec<(String, String)>,
    /// Ids that do not, and are known not to.
    pub known: Vec<String>,
}

impl Score {
    /// Whether every line agrees or is a known deviation.
    pub fn is_good(&self) -> bool {
        self.failed.is_empty() && self.passed > 0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} passed, {} failed",
            self.set,
            self.passed,
            self.failed.len()
        )?;
        if !self.known.is_empty() {
            write!(f, ", {} known deviations", self.known.len())?;
        }
        for (id, difference) in &self.failed {
            write!(f, "\n  {id}: {difference}")?;
        }
        Ok(())
    }
}

/// Judges every line of `directory/set.jsonl` (or `.jsonl.zst`); `None` where there is no such file.
///
/// Lines are judged on as many threads as the machine has processors; the result does not depend on it.
///
/// # Errors
/// The file cannot be read or is no JSON; the text says what.
pub fn score(
    directory: &Path,
    set: &str,
    deviations: &Deviations,
    judge: impl Fn(&Json) -> Result<(), String> + Sync,
) -> Result<Option<Score>, String> {
    let Some(text) = read(directory, set)? else {
        return Ok(None);
    };
    let lines: Vec<&str> = text.split('\n').filter(|line| !line.is_empty()).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = lines.len().div_ceil(threads).max(1);
    let judged: Vec<Result<Vec<Judged>, String>> = std::thread::scope(|scope| {
        let judge = &judge;
        let workers: Vec<_> = lines
            .chunks(share)
            .map(|lines| {
                scope.spawn(move || lines.iter().map(|line| judged(line, judge)).collect())
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err("a line panicked".to_owned()))
            })
            .collect()
    });
    let mut score = Score {
        set: set.to_owned(),
        ..Score::default()
    };
    for part in judged {
        for (id, result) in part? {
            match result {
                Ok(()) => score.passed += 1,
                Err(_) if deviations.contains(set, &id) => score.known.push(id),
                Err(difference) => score.failed.push((id, difference)),
            }
        }
    }
    Ok(Some(score))
}

type Judged = (String, Result<(), String>);

fn judged(line: &str, judge: &impl Fn(&Json) -> Result<(), String>) -> Result<Judged, String> {
    let case: Json = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let id = match &case["id"] {
        Json::String(id) => id.clone(),
        // Composite statuses have no ids: the jobs name the case.
        Json::Null => case["jobs"].to_string(),
        other => other.to_string(),
    };
    let result = judge(&case);
    Ok((id, result))
}

/// Judges items on as many threads as the machine has processors; results keep the order.
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], judge: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let judge = &judge;
        let workers: Vec<_> = items
            .chunks(share)
            .map(|items| scope.spawn(move || items.iter().map(judge).collect::<Vec<R>>()))
            .collect();
        let results = workers.into_iter().map(|worker| worker.join());
        results
            .flat_map(|result| result.expect("a case that panics ends the run"))
            .collect()
    })
}

fn read(directory: &Path, set: &str) -> Result<Option<String>, String> {
    let plain = directory.join(format!("{set}.jsonl"));
    let packed = directory.join(format!("{set}.jsonl.zst"));
    let failed = |path: &PathBuf, error: std::io::Error| format!("{}: {error}", path.display());
    let bytes = if plain.exists() {
        std::fs::read(&plain).map_err(|error| failed(&plain, error))?
    } else if packed.exists() {
        let file = std::fs::File::open(&packed).map_err(|error| failed(&packed, error))?;
        zstd::decode_all(file).map_err(|error| failed(&packed, error))?
    } else {
        return Ok(None);
    };
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|error| format!("{set}: {error}"))
}

/// An error that shows both sides where they differ.
pub(crate) fn expect<T: PartialEq + fmt::Debug>(
    what: &str,
    ours: T,
    theirs: T,
) -> Result<(), String> {
    if ours == theirs {
        Ok(())
    } else {
        Err(format!("{what} is {ours:?}, GitLab has {theirs:?}"))
    }
}
