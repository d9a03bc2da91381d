//! L006: `changes` that is judged in branch pipelines without `compare_to`.
//!
//! Why it bites: the first push of a branch has no earlier commit of that branch, so `changes` is true whatever the branch
//! changes (reference `compose.md` §2.3): every new branch runs everything once.
//!
//! How to mend it: `compare_to` with the branch that work starts from, or merge request pipelines.

use tidegate_scenario::PipelineSource;
use tidegate_source::Diagnostic;

use super::changes::uses;
use crate::event::{Event, For};
use crate::found::Found;
use crate::reach::Reach;
use crate::subject::Subject;

const FIRST_PUSH: Event = Event::new(PipelineSource::Push, For::NewBranch);

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let Some(config) = subject.config() else {
        return;
    };
    let reach = Reach::new(config);
    for changes in uses(subject) {
        if !changes.is_judged(reach, FIRST_PUSH) {
            continue;
        }
        let text = "`changes` is always true on the first push of a branch";
        let finding = Diagnostic::finding("L006", text)
            .at_with(changes.span, "there is nothing to compare with")
            .help("compare with a branch: `changes: {paths: […], compare_to: refs/heads/main}`")
            .help("or judge it in merge request pipelines: `if: $CI_MERGE_REQUEST_IID`");
        found.add_for(&changes.job.base, finding);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn only_pushes_of_new_branches_count() {
        check("L006", "j: {script: x, rules: [{changes: [a]}]}", &["[a]"]);
        for text in [
            "j: {script: x, rules: [{if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH, changes: [a]}]}",
            "j: {script: x, rules: [{if: $CI_MERGE_REQUEST_IID, changes: [a]}]}",
            "j: {script: x, rules: [{if: $CI_COMMIT_TAG, changes: [a]}]}",
            "j: {script: x, only: {refs: [main], changes: [a]}}",
        ] {
            check("L006", text, &[]);
        }
    }
}
