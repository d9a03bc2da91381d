//! Runs the corpus: hand-written and random cases by topic (`corpus/FORMAT.md`).
//!
//! Each topic file names the kind of its cases; each kind is one module with one function that judges one case.

mod attributes;
mod compare;
mod expand;
mod expression;
mod glob;
mod outcome;
mod pipeline;
mod processing;
mod situation;
mod world;
mod yaml;

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::deviations::Deviations;
use crate::{composite, score};

/// How a topic went.
#[derive(Clone, Debug, Default)]
pub struct TopicScore {
    /// Name of the topic.
    pub topic: String,
    /// How many cases hold.
    pub passed: usize,
    /// Ids of those that do not, with what differs.
    pub failed: Vec<(String, String)>,
    /// Ids of those that do not, and are known not to.
    pub known: Vec<String>,
}

impl fmt::Display for TopicScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (topic, passed, failed) = (&self.topic, self.passed, self.failed.len());
        write!(f, "{topic}: {passed} passed, {failed} failed")?;
        if !self.known.is_empty() {
            write!(f, ", {} known deviations", self.known.len())?;
        }
        for (id, difference) in &self.failed {
            write!(f, "\n  {id}: {difference}")?;
        }
        Ok(())
    }
}

/// Judges every case of every topic of `directory`.
///
/// # Errors
/// A file cannot be read or is no corpus file; the text says what.
pub fn run(directory: &Path, deviations: &Deviations) -> Result<Vec<TopicScore>, String> {
    let listing = std::fs::read_dir(directory)
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut files: Vec<PathBuf> = listing
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "yml"))
        .collect();
    files.sort();
    let scores = files.iter().map(|file| topic(file, deviations));
    scores.collect()
}

type Judge = fn(&Json) -> Result<(), String>;

fn topic(file: &Path, deviations: &Deviations) -> Result<TopicScore, String> {
    let content = yaml::read(file)?;
    let name = content["topic"].as_str().unwrap_or_default().to_owned();
    let judge: Judge = match content["kind"].as_str() {
        Some("pipeline") => pipeline::judge,
        Some("expression") => expression::judge,
        Some("glob") => glob::judge,
        Some("expand") => expand::judge,
        Some("composite") => composite::judge_statuses,
        Some("processing") => processing::judge,
        other => return Err(format!("{}: unknown kind {other:?}", file.display())),
    };
    let cases = content["cases"].as_array().ok_or("no cases")?;
    let results = score::in_parallel(cases, |case| {
        let id = case["id"].as_str().unwrap_or_default().to_owned();
        (id, judge(case))
    });
    let mut score = TopicScore {
        topic: name,
        ..TopicScore::default()
    };
    for (id, result) in results {
        match result {
            Ok(()) => score.passed += 1,
            Err(_) if deviations.contains(&score.topic, &id) => score.known.push(id),
            Err(difference) => score.failed.push((id, difference)),
        }
    }
    Ok(score)
}
