//! Errors, warnings and what came of a pipeline as a whole (`corpus/FORMAT.md` §3.4).

use serde_json::{Value as Json, json};
use tidegate_pipeline::{AutoCancelOnJobFailure, AutoCancelOnNewCommit};
use tidegate_plan::{Outcome, Plan};

use super::compare::{compare, is_found};
use super::pipeline::Found;

pub(super) fn judge_outcome(expect: &Json, found: &Found) -> Result<(), String> {
    listed("errors", expect, &found.errors)?;
    matched("errors_match", expect, &found.errors)?;
    matched("warnings_match", expect, &found.warnings)?;
    if expect["errors_only"] == Json::Bool(true) {
        compare(
            "errors",
            &expect["errors"],
            &Json::from(found.errors.clone()),
        )?;
    }
    if let Some(warnings) = expect.get("warnings") {
        compare("warnings", warnings, &Json::from(found.warnings.clone()))?;
    }
    let fails = expect.get("errors").is_some()
        || expect.get("errors_match").is_some()
        || expect["valid"] == Json::Bool(false);
    if fails == found.is_valid() {
        return Err(if fails {
            "it is valid".to_owned()
        } else {
            format!("it is invalid: {:?}", found.errors)
        });
    }
    match &found.planned {
        Some((_, plan)) if found.is_valid() => judge_plan(expect, plan),
        _ => Ok(()),
    }
}

fn listed(field: &str, expect: &Json, found: &[String]) -> Result<(), String> {
    for wanted in expect[field].as_array().into_iter().flatten() {
        let wanted = wanted.as_str().unwrap_or_default();
        if !found.iter().any(|message| message == wanted) {
            return Err(format!("{field} are {found:?}, expected {wanted:?}"));
        }
    }
    Ok(())
}

fn matched(field: &str, expect: &Json, found: &[String]) -> Result<(), String> {
    for wanted in expect[field].as_array().into_iter().flatten() {
        let wanted = wanted.as_str().unwrap_or_default();
        let mut any = false;
        for message in found {
            any = any || is_found(wanted, message)?;
        }
        if !any {
            return Err(format!("{field}: {found:?} has none like {wanted:?}"));
        }
    }
    Ok(())
}

fn judge_plan(expect: &Json, plan: &Plan) -> Result<(), String> {
    let (outcome, message) = match &plan.outcome {
        Outcome::Created(_) => ("created", None),
        Outcome::Filtered { message } => ("filtered", Some(message)),
        Outcome::Empty { message } => ("empty", Some(message)),
        Outcome::Skipped { .. } => ("skipped", None),
        Outcome::Failed => ("failed", None),
    };
    if let Some(wanted) = expect.get("pipeline") {
        compare("pipeline", wanted, &Json::from(outcome))?;
    }
    if let Some(wanted) = expect.get("message") {
        compare("message", wanted, &json!(message))?;
    }
    let Some(workflow) = expect.get("workflow") else {
        return Ok(());
    };
    let pipeline = plan.pipeline().ok_or("there is no pipeline")?;
    let cancel = pipeline.auto_cancel;
    let found = json!({
        "name": pipeline.name.as_deref(),
        "auto_cancel": {
            "on_new_commit": match cancel.on_new_commit {
                AutoCancelOnNewCommit::Conservative => "conservative",
                AutoCancelOnNewCommit::Interruptible => "interruptible",
                AutoCancelOnNewCommit::None => "none",
            },
            "on_job_failure": match cancel.on_job_failure {
                AutoCancelOnJobFailure::None => "none",
                AutoCancelOnJobFailure::All => "all",
            },
        },
    });
    compare("workflow", workflow, &found)
}
