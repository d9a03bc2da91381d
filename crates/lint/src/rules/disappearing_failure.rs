//! L007: a job that must succeed and is selected by `changes` between two pushes of a branch.
//!
//! Why it bites: in a branch pipeline `changes` compares with the commit before the push. A job that failed is left out of the
//! next pipeline when that push touches other files: the pipeline turns green and the failure is gone. Without merge request
//! pipelines that green pipeline is the one that lets a merge through.
//!
//! How to mend it: `compare_to`, which compares with the whole branch, or merge request pipelines, which do the same.

use tidegate_config::{AllowFailureSpec, Config, Rule, RuleWhen};
use tidegate_pipeline::When;
use tidegate_scenario::PipelineSource;
use tidegate_source::Diagnostic;

use super::changes::{ChangesUse, uses};
use crate::event::{Event, For};
use crate::found::Found;
use crate::reach::Reach;
use crate::subject::Subject;
use crate::truth::Truth;

const PUSH: Event = Event::new(PipelineSource::Push, For::NewBranch);
const MERGE_REQUEST: Event = Event::new(PipelineSource::MergeRequestEvent, For::MergeRequest);

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let Some(config) = subject.config() else {
        return;
    };
    let reach = Reach::new(config);
    if has_merge_request_pipelines(config, reach) {
        return;
    }
    for changes in uses(subject) {
        if changes.excludes || !must_succeed(&changes) || !changes.is_judged(reach, PUSH) {
            continue;
        }
        let text = "a failure of this job disappears with the next push that changes other files";
        let finding = Diagnostic::finding("L007", text)
            .at_with(
                changes.span,
                "compares with the push before, not with the last success",
            )
            .note("no job of this configuration runs in merge request pipelines")
            .help("compare the whole branch: `changes: {paths: […], compare_to: refs/heads/main}`");
        found.add_for(&changes.job.base, finding);
    }
}

fn has_merge_request_pipelines(config: &Config, reach: Reach<'_>) -> bool {
    let mut jobs = config.jobs.values();
    jobs.any(|job| reach.job(job, MERGE_REQUEST) != Truth::No)
}

/// Whether its failure fails the pipeline.
fn must_succeed(changes: &ChangesUse<'_>) -> bool {
    let body = &changes.job.body;
    let rule = changes.rule.map(|(_, rule)| rule);
    let of_rule = |rule: &Rule| rule.allow_failure.map(|it| it.value);
    let allowed = rule.and_then(of_rule).unwrap_or_else(|| {
        let of_job = body.allow_failure.as_ref().map(|it| &it.value);
        matches!(of_job, Some(AllowFailureSpec::Always(true)))
    });
    let manual = match rule.and_then(|rule| rule.when) {
        Some(when) => when.value == RuleWhen::When(When::Manual),
        None => body.when.is_some_and(|when| when.value == When::Manual),
    };
    !allowed && !manual
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn jobs_that_gate_by_branch_pipelines_are_found() {
        check(
            "L007",
            "j: {script: x, rules: [{changes: [a], if: $CI_COMMIT_BRANCH}]}",
            &["[a]"],
        );
        check("L007", "j: {script: x, only: {changes: [a]}}", &["a"]);
        for text in [
            "j: {script: x, rules: [{changes: [a]}]}",
            "{j: {script: x, only: {changes: [a]}}, k: {script: x, only: [merge_requests]}}",
            "j: {script: x, allow_failure: true, only: {changes: [a]}}",
            "j: {script: x, when: manual, only: {changes: [a]}}",
            "j: {script: x, except: {changes: [a]}}",
        ] {
            check("L007", text, &[]);
        }
    }
}
