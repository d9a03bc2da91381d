//! `composite.jsonl`: the status of a set of jobs.

use serde_json::Value as Json;
use tidegate_pipeline::Status;
use tidegate_schedule::{Mode, composite};

use crate::score::expect;

/// Judges one line.
pub fn judge(case: &Json) -> Result<(), String> {
    let names = case["jobs"].as_array().ok_or("no jobs")?;
    let jobs: Vec<(Status, bool)> = names
        .iter()
        .map(|name| job(name.as_str().unwrap_or_default()))
        .collect::<Result<_, _>>()?;
    for (field, mode) in [("stage", Mode::Stage), ("dag", Mode::Dag)] {
        let status = composite(jobs.iter().copied(), mode).map(|combined| combined.status.name());
        expect(field, status, case[field].as_str())?;
    }
    let warnings = composite(jobs, Mode::Stage).is_some_and(|combined| combined.warnings);
    expect("warnings", Some(warnings), case["warnings"].as_bool())
}

fn job(name: &str) -> Result<(Status, bool), String> {
    let allow_failure = name.ends_with('?');
    let name = name.trim_end_matches('?');
    let status = Status::ALL
        .into_iter()
        .find(|status| status.name() == name)
        .ok_or_else(|| format!("unknown status {name}"))?;
    Ok((status, allow_failure))
}
