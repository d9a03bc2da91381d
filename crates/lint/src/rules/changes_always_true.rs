//! L005: `changes` in a job that can enter pipelines that have nothing to compare with.
//!
//! Why it bites: in tag, schedule, web, API, trigger and downstream pipelines GitLab knows no changed files and takes `changes`
//! for true (reference `compose.md` §2.3), so a job meant for changes of one folder runs in every nightly pipeline.
//!
//! How to mend it: an `if` beside `changes` that names the pipelines meant, or `compare_to`.

use tidegate_source::Diagnostic;

use super::changes::{WITHOUT_DIFF, uses};
use crate::found::Found;
use crate::reach::Reach;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let Some(config) = subject.config() else {
        return;
    };
    let reach = Reach::new(config);
    for changes in uses(subject) {
        let kinds = WITHOUT_DIFF
            .iter()
            .filter(|(_, event)| changes.is_judged(reach, *event));
        let kinds: Vec<&str> = kinds.map(|(name, _)| *name).collect();
        if kinds.is_empty() {
            continue;
        }
        let effect = match changes.excludes {
            true => "the job is left out there whatever changed",
            false => "the job can run there whatever changed",
        };
        let text = format!("`changes` is always true in {} pipelines", listed(&kinds));
        let finding = Diagnostic::finding("L005", text)
            .at_with(changes.span, effect)
            .note("those pipelines have no earlier commit to compare with");
        found.add_for(&changes.job.base, mended(finding, changes.rule.is_some()));
    }
}

fn mended(finding: Diagnostic, is_rule: bool) -> Diagnostic {
    match is_rule {
        true => finding
            .help(
                "name the pipelines meant: `if: $CI_PIPELINE_SOURCE == \"push\"` beside `changes`",
            )
            .help("or compare with a branch: `changes: {paths: […], compare_to: refs/heads/main}`"),
        false => {
            finding.help("use `rules`, where `if` and `compare_to` can stand beside `changes`")
        }
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check, found};

    #[test]
    fn a_bare_changes_is_true_without_a_diff() {
        check("L005", "j: {script: x, rules: [{changes: [a]}]}", &["[a]"]);
        check("L005", "j: {script: x, only: {changes: [a]}}", &["a"]);
        let text = "j: {script: x, rules: [{if: $CI_COMMIT_TAG, changes: [a]}]}";
        let messages: Vec<_> = found("L005", text)
            .iter()
            .map(|(f, _)| f.message.clone())
            .collect();
        assert_eq!(messages, ["`changes` is always true in tag pipelines"]);
    }

    #[test]
    fn conditions_workflow_and_earlier_rules_keep_those_pipelines_away() {
        for text in [
            "j: {script: x, rules: [{if: $CI_PIPELINE_SOURCE == 'push' && $CI_COMMIT_BRANCH, changes: [a]}]}",
            "j: {script: x, rules: [{if: $CI_MERGE_REQUEST_IID, changes: [a]}]}",
            "j: {script: x, rules: [{if: $CI_PIPELINE_SOURCE != 'merge_request_event', when: never}, {changes: [a]}]}",
            "{workflow: {rules: [{if: $CI_MERGE_REQUEST_IID}]}, j: {script: x, rules: [{changes: [a]}]}}",
            "j: {script: x, rules: [{changes: {paths: [a], compare_to: main}}]}",
            "j: {script: x, only: {refs: [merge_requests], changes: [a]}}",
        ] {
            check("L005", text, &[]);
        }
    }
}
