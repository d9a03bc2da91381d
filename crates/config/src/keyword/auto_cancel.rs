//! `auto_cancel` of the workflow and its rules (reference `config.md` §9.16).

use tidegate_pipeline::{AutoCancelOnJobFailure, AutoCancelOnNewCommit};
use tidegate_yaml::Node;

use crate::AutoCancelSpec;
use crate::typed::{Check, Faults, Place, specified};

/// What cancels a pipeline.
pub(crate) fn auto_cancel(place: &Place<'_>, node: &Node, faults: &mut Faults) -> AutoCancelSpec {
    let mut check = Check::new(place, node, faults);
    let Some(map) = check.map(node) else {
        return AutoCancelSpec::default();
    };
    check.known_keys(node, &["on_new_commit", "on_job_failure"]);
    let words = ["conservative", "interruptible", "none"];
    let text = "must be one of: conservative, interruptible, none";
    let on_new_commit = check.word(
        "on new commit",
        specified(map, "on_new_commit"),
        &words,
        text,
    );
    let text = "must be one of: none, all";
    let on_job_failure = check.word(
        "on job failure",
        specified(map, "on_job_failure"),
        &["none", "all"],
        text,
    );
    AutoCancelSpec {
        on_new_commit: on_new_commit.map(|text| match &*text.value {
            "interruptible" => AutoCancelOnNewCommit::Interruptible,
            "none" => AutoCancelOnNewCommit::None,
            _ => AutoCancelOnNewCommit::Conservative,
        }),
        on_job_failure: on_job_failure.map(|text| match &*text.value {
            "all" => AutoCancelOnJobFailure::All,
            _ => AutoCancelOnJobFailure::None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn words_of_cancellation_are_checked() {
        check(
            "workflow: {auto_cancel: 1}\nj: {script: x}",
            &["workflow:auto_cancel config should be a hash"],
        );
        check(
            "workflow: {auto_cancel: {on_job_failure: foo}}\nj: {script: x}",
            &["workflow:auto_cancel on job failure must be one of: none, all"],
        );
        check(
            "workflow: {auto_cancel: {on_new_commit: 1}}\nj: {script: x}",
            &[
                "workflow:auto_cancel on new commit should be a string",
                "workflow:auto_cancel on new commit must be one of: conservative, interruptible, none",
            ],
        );
    }
}
