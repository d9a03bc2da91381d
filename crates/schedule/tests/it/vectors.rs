//! The composite status against every multiset of up to three jobs.

use serde_json::Value;
use tidegate_pipeline::Status;
use tidegate_schedule::{Mode, composite};

/// A status with a trailing `?` where the job may fail.
fn job(text: &str) -> (Status, bool) {
    let (name, allow_failure) = match text.strip_suffix('?') {
        Some(name) => (name, true),
        None => (text, false),
    };
    let status = Status::from_name(name).unwrap_or_else(|| panic!("unknown status {name}"));
    (status, allow_failure)
}

#[test]
fn every_set_of_up_to_three_jobs_has_the_status_of_gitlab() {
    let mut lines = 0;
    for line in include_str!("../data/composite.jsonl").lines() {
        let case: Value = serde_json::from_str(line).expect("a line is JSON");
        let jobs: Vec<(Status, bool)> = case["jobs"]
            .as_array()
            .expect("jobs is a list")
            .iter()
            .map(|text| job(text.as_str().expect("a job is a text")))
            .collect();
        for (key, mode) in [("stage", Mode::Stage), ("dag", Mode::Dag)] {
            let found = composite(jobs.iter().copied(), mode);
            assert_eq!(
                found.map(|found| found.status.name()),
                case[key].as_str(),
                "{key} of {line}"
            );
            assert_eq!(
                found.is_some_and(|found| found.warnings),
                case["warnings"] == true,
                "warnings of {line}"
            );
        }
        lines += 1;
    }
    assert_eq!(lines, 3654);
}
