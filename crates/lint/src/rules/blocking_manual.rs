//! L015: `when: manual` in a rule without `allow_failure`.
//!
//! Why it bites: a manual job does not block the pipeline when `when: manual` stands at the job, but it does when it stands in a
//! rule: there `allow_failure` stays false (reference `compose.md` §2.2). The pipeline waits, later stages do not start.
//!
//! How to mend it: `allow_failure: true` in the rule — or `false`, to say that blocking is meant.

use tidegate_config::RuleWhen;
use tidegate_pipeline::When;
use tidegate_source::Diagnostic;

use crate::found::Found;
use crate::subject::Subject;
use crate::text::entry_behind;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    for (job, _, rule) in subject.job_rules() {
        let Some(when) = rule.when else {
            continue;
        };
        let manual = when.value == RuleWhen::When(When::Manual);
        if !manual || rule.allow_failure.is_some() || job.body.allow_failure.is_some() {
            continue;
        }
        let text = "this manual job blocks the pipeline until somebody starts it";
        let finding = Diagnostic::finding("L015", text).at(when.span).note(
            "`when: manual` in a rule does not imply `allow_failure: true`, as it does at the job",
        );
        let entry = entry_behind(
            subject.sources(),
            rule.span,
            when.span,
            "allow_failure: true",
        );
        let advice = "let the pipeline go on, or say `allow_failure: false` if blocking is meant";
        found.add_for(
            &job.base,
            match entry {
                Some(text) => finding.suggest(advice, when.span, text),
                None => finding.help(advice),
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check, check_mended};

    #[test]
    fn only_rules_without_an_answer_are_found() {
        check(
            "L015",
            "j: {script: x, rules: [{when: manual}]}",
            &["manual"],
        );
        for text in [
            "j: {script: x, rules: [{when: manual, allow_failure: false}]}",
            "j: {script: x, allow_failure: true, rules: [{when: manual}]}",
            "j: {script: x, when: manual}",
        ] {
            check("L015", text, &[]);
        }
    }

    #[test]
    fn mended_in_both_styles() {
        check_mended(
            "L015",
            "j:\n  script: x\n  rules:\n    - if: $A\n      when: manual\n",
            "j:\n  script: x\n  rules:\n    - if: $A\n      when: manual\n      allow_failure: true\n",
        );
        check_mended(
            "L015",
            "j: {script: x, rules: [{when: manual}]}",
            "j: {script: x, rules: [{when: manual, allow_failure: true}]}",
        );
    }
}
