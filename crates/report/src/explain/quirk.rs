//! Surprises in words, each with the page of GitLab's documentation that speaks of it (reference `compose.md` §12).

use tidegate_plan::Quirk;

use super::record::NoteRecord;
use super::teller::Teller;

const RULES_IF: &str = "https://docs.gitlab.com/ci/yaml/#rulesif";
const EXPRESSIONS: &str = "https://docs.gitlab.com/ci/jobs/job_rules/";
const CHANGES: &str = "https://docs.gitlab.com/ci/yaml/#ruleschanges";
const EXISTS: &str = "https://docs.gitlab.com/ci/yaml/#rulesexists";
const ONLY: &str = "https://docs.gitlab.com/ci/yaml/deprecated_keywords/";
const WHEN: &str = "https://docs.gitlab.com/ci/yaml/#when";
const NEEDS: &str = "https://docs.gitlab.com/ci/yaml/#needs";
const OPTIONAL: &str = "https://docs.gitlab.com/ci/yaml/#needsoptional";
const RULES_NEEDS: &str = "https://docs.gitlab.com/ci/yaml/#rulesneeds";
const RULES_VARIABLES: &str = "https://docs.gitlab.com/ci/yaml/#rulesvariables";
const CACHE: &str = "https://docs.gitlab.com/ci/yaml/#cachekeyfiles";
const VARIABLES: &str = "https://docs.gitlab.com/ci/variables/where_variables_can_be_used/";

/// The surprise as a sentence. `base` says why changes cannot be known, where that is what bit.
pub(crate) fn note(quirk: &Quirk, base: Option<&str>, teller: &Teller<'_>) -> NoteRecord {
    let (code, text, doc) = told(quirk, base);
    NoteRecord {
        code,
        text: teller.text(&text),
        doc,
    }
}

fn told(quirk: &Quirk, base: Option<&str>) -> (&'static str, String, &'static str) {
    match quirk {
        Quirk::EmptyStringInLogic { variable } => (
            "empty_string_in_logic",
            format!(
                "${variable} is defined but empty; `&&` goes on after an empty string and `||` stops at it, \
                 and the result counts as false. Compare with `!= \"\"` and `!= null` instead"
            ),
            EXPRESSIONS,
        ),
        Quirk::UndefinedIsNotEmpty { variable } => (
            "undefined_is_not_empty",
            format!(
                "${variable} is not defined, which is not the empty string: `${variable} != \"\"` is true and \
                 `${variable} == \"\"` is false. `${variable}` alone is false for both"
            ),
            EXPRESSIONS,
        ),
        Quirk::NestedValueNotExpanded { variable, value } => (
            "nested_value_not_expanded",
            format!(
                "`if` compares values as written: ${variable} is the text `{value}`, the variables in it are not replaced"
            ),
            RULES_IF,
        ),
        Quirk::ReversedMatch { right } => (
            "reversed_match",
            format!(
                "`{right}` right of `=~` is not of the form `/…/`, so it is no pattern: GitLab looks for the left text inside it"
            ),
            EXPRESSIONS,
        ),
        Quirk::NotBindsTighter => (
            "not_binds_tighter",
            "`!` binds tighter than `==` and `=~`: `!$A == \"b\"` means `(!$A) == \"b\"`".to_owned(),
            EXPRESSIONS,
        ),
        Quirk::ChangesUnknown => (
            "changes_unknown",
            match base {
                Some(base) => format!("`changes` is true because {base}, so what changed cannot be known"),
                None => "`changes` is true because what changed cannot be known in this pipeline".to_owned(),
            },
            CHANGES,
        ),
        Quirk::GlobMatchesLess { glob } => (
            "glob_matches_less",
            format!(
                "`{glob}` matches less than it seems: `*` and a `**` at the end stay within one directory, and a directory \
                 alone matches nothing. `dir/**/*` matches everything below `dir`"
            ),
            CHANGES,
        ),
        Quirk::ComparisonLimit => (
            "comparison_limit",
            "paths times patterns exceed the limit, so GitLab takes the clause for true without looking".to_owned(),
            CHANGES,
        ),
        Quirk::ImplicitOnly => (
            "implicit_only",
            "the job has neither `rules` nor `only`, so GitLab's default `only: [branches, tags]` decides: it never runs in \
             merge request pipelines"
                .to_owned(),
            ONLY,
        ),
        Quirk::OnlyKeepsDefaultRefs => (
            "only_keeps_default_refs",
            "`only` without `refs`, and `except` without `only`, keep the default `only: {refs: [branches, tags]}` beside what is written, and all of it must hold"
                .to_owned(),
            ONLY,
        ),
        Quirk::ManualInRuleBlocks => (
            "manual_in_rule_blocks",
            "`when: manual` in a rule blocks the pipeline until the job is played; at job level it would not. \
             `allow_failure: true` in the rule makes it optional"
                .to_owned(),
            WHEN,
        ),
        Quirk::ManualLeavesAllowFailure => (
            "manual_leaves_allow_failure",
            "`when: manual` at job level makes the job allowed to fail, even where the rule starts it by another `when`".to_owned(),
            WHEN,
        ),
        Quirk::AllNeedsAbsent => (
            "all_needs_absent",
            "all its needs are optional and absent, so it starts at once, as with `needs: []`, and does not wait for its stage"
                .to_owned(),
            OPTIONAL,
        ),
        Quirk::NeedsOptionalManual { job } => (
            "needs_optional_manual",
            format!(
                "it needs `{job}`, a manual job that may be left unplayed: until somebody plays it, this job is skipped rather \
                 than waiting"
            ),
            NEEDS,
        ),
        Quirk::OnFailureNeverRuns => (
            "on_failure_never_runs",
            "`when: on_failure` never runs here: nothing comes before the job that could fail".to_owned(),
            WHEN,
        ),
        Quirk::RuleNeedAbsent { job } => (
            "rule_need_absent",
            format!(
                "the rule needs `{job}`, which is not in the pipeline; for needs of a rule GitLab ignores that without a word"
            ),
            RULES_NEEDS,
        ),
        Quirk::EmptyRuleNeedsKeepStage => (
            "empty_rule_needs_keep_stage",
            "`needs: []` in a rule has no effect: the job keeps its own `needs`, or waits for the stages before it".to_owned(),
            RULES_NEEDS,
        ),
        Quirk::CacheKeyHoldsPosition { index } => (
            "cache_key_holds_position",
            format!(
                "the key of cache {} holds the cache's position in the list: moving it gives another key. `prefix` avoids that",
                index + 1
            ),
            CACHE,
        ),
        Quirk::RuleVariableInOwnIf { variable } => (
            "rule_variable_in_own_if",
            format!("${variable} is set by the rule itself, which its own `if` cannot see"),
            RULES_VARIABLES,
        ),
        Quirk::ScheduleIsBranch => (
            "schedule_is_branch",
            "a scheduled pipeline runs on a branch, so `branches` holds too".to_owned(),
            ONLY,
        ),
        Quirk::ExistsNamesDirectory { pattern } => (
            "exists_names_directory",
            format!("`{pattern}` names a directory; `exists` finds files. `{pattern}/` or `{pattern}/**/*` finds what is below it"),
            EXISTS,
        ),
        Quirk::RuntimeOnlyVariable { variable } => (
            "runtime_only_variable",
            format!("${variable} has no value before the job runs, so `rules` never see it"),
            VARIABLES,
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn every_surprise_has_a_word_of_its_own_a_sentence_and_a_page() {
        let name: Arc<str> = "NAME".into();
        let all = [
            Quirk::EmptyStringInLogic {
                variable: name.clone(),
            },
            Quirk::UndefinedIsNotEmpty {
                variable: name.clone(),
            },
            Quirk::NestedValueNotExpanded {
                variable: name.clone(),
                value: "$NAME".into(),
            },
            Quirk::ReversedMatch {
                right: name.clone(),
            },
            Quirk::NotBindsTighter,
            Quirk::ChangesUnknown,
            Quirk::GlobMatchesLess { glob: name.clone() },
            Quirk::ComparisonLimit,
            Quirk::ImplicitOnly,
            Quirk::OnlyKeepsDefaultRefs,
            Quirk::ManualInRuleBlocks,
            Quirk::ManualLeavesAllowFailure,
            Quirk::AllNeedsAbsent,
            Quirk::NeedsOptionalManual { job: name.clone() },
            Quirk::OnFailureNeverRuns,
            Quirk::RuleNeedAbsent { job: name.clone() },
            Quirk::EmptyRuleNeedsKeepStage,
            Quirk::CacheKeyHoldsPosition { index: 0 },
            Quirk::RuleVariableInOwnIf {
                variable: name.clone(),
            },
            Quirk::ScheduleIsBranch,
            Quirk::ExistsNamesDirectory {
                pattern: name.clone(),
            },
            Quirk::RuntimeOnlyVariable { variable: name },
        ];
        let mut codes = BTreeSet::new();
        for quirk in &all {
            let (code, text, doc) = told(quirk, None);
            assert!(codes.insert(code), "{code}");
            assert!(doc.starts_with("https://docs.gitlab.com/ci/"), "{doc}");
            assert!(!text.ends_with('.') && !text.contains("  "), "{text}");
            let is_named = format!("{quirk:?}").contains("NAME");
            assert_eq!(is_named, text.contains("NAME"), "{text}");
        }
    }
}
