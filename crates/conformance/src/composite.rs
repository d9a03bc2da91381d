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

/// Judges one case of the corpus (`corpus/FORMAT.md` §7).
pub(crate) fn judge_statuses(case: &Json) -> Result<(), String> {
    let listed = case["statuses"].as_array().ok_or("no statuses")?;
    let jobs: Vec<(Status, bool)> = listed
        .iter()
        .map(|item| {
            let name = item.as_str().or(item["status"].as_str());
            let status = Status::from_name(name.unwrap_or_default());
            let allowed = item["allow_failure"] == Json::Bool(true);
            Ok((
                status.ok_or_else(|| format!("unknown status {item}"))?,
                allowed,
            ))
        })
        .collect::<Result<_, String>>()?;
    let mode = if case["dag"] == Json::Bool(true) {
        Mode::Dag
    } else {
        Mode::Stage
    };
    let status = composite(jobs, mode).map_or("success", |combined| combined.status.name());
    expect("status", Some(status), case["expect"]["status"].as_str())
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
