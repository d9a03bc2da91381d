//! All rules with their codes.
//!
//! `L0xx` are about what jobs do (reference `wishes.md`, Appendix A); numbers missing here need scenarios. `L1xx` are about the
//! text: `L100` comments, `L101`–`L106` YAML, `L11x` values and keywords that do nothing.

use crate::found::Found;
use crate::rules::{
    blocking_manual, cache_index, cache_only_path, cache_with_artifacts, changes_always_true,
    changes_first_push, default_timeout, disappearing_failure, duplicate_key, empty_only,
    ignored_document, key_unknown, merge_of_no_map, merge_overrides, no_single_producer,
    number_as_variable, octal, replaced_list, sexagesimal, unknown_code, unreachable_rule,
    variable_in_condition,
};
use crate::subject::Subject;

/// One rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its code: what is printed, switched off and searched for.
    pub code: &'static str,
    /// What it finds, as a heading.
    pub title: &'static str,
    pub(crate) check: fn(&Subject<'_>, &mut Found),
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.title)
    }
}

/// Codes of findings that loading makes; they can be switched off like ours.
const OF_LOADING: [&str; 2] = ["extension-keyword", "include-ignored-key"];

/// Whether a comment or setting may name `code`.
pub fn is_known(code: &str) -> bool {
    OF_LOADING.contains(&code) || RULES.iter().any(|rule| rule.code == code)
}

/// Every rule, by code.
pub const RULES: &[Rule] = &[
    Rule {
        code: "L005",
        title: "`changes` that is always true in some pipelines",
        check: changes_always_true::check,
    },
    Rule {
        code: "L006",
        title: "`changes` that is true on the first push of a branch",
        check: changes_first_push::check,
    },
    Rule {
        code: "L007",
        title: "a failure that `changes` makes disappear",
        check: disappearing_failure::check,
    },
    Rule {
        code: "L008",
        title: "a cache key that depends on the place in the list",
        check: cache_index::check,
    },
    Rule {
        code: "L011",
        title: "a cache key that cannot be known or does not work",
        check: key_unknown::check,
    },
    Rule {
        code: "L012",
        title: "a path that only a cache provides",
        check: cache_only_path::check,
    },
    Rule {
        code: "L013",
        title: "a variable that a condition cannot see",
        check: variable_in_condition::check,
    },
    Rule {
        code: "L014",
        title: "a list of a base that is replaced, not extended",
        check: replaced_list::check,
    },
    Rule {
        code: "L015",
        title: "a manual job that blocks the pipeline",
        check: blocking_manual::check,
    },
    Rule {
        code: "L016",
        title: "a rule that never takes effect",
        check: unreachable_rule::check,
    },
    Rule {
        code: "L017",
        title: "artifacts of a job that a cache may leave out",
        check: cache_with_artifacts::check,
    },
    Rule {
        code: "L018",
        title: "a cache that no single job produces",
        check: no_single_producer::check,
    },
    Rule {
        code: "L100",
        title: "a comment that switches off an unknown code",
        check: unknown_code::check,
    },
    Rule {
        code: "L101",
        title: "a key written twice",
        check: duplicate_key::check,
    },
    Rule {
        code: "L102",
        title: "a YAML document that is never read",
        check: ignored_document::check,
    },
    Rule {
        code: "L103",
        title: "`<<` that replaces a key above it",
        check: merge_overrides::check,
    },
    Rule {
        code: "L104",
        title: "`<<` that merges nothing",
        check: merge_of_no_map::check,
    },
    Rule {
        code: "L105",
        title: "a number to base 60",
        check: sexagesimal::check,
    },
    Rule {
        code: "L106",
        title: "a number to base 8",
        check: octal::check,
    },
    Rule {
        code: "L110",
        title: "a variable whose text YAML changes",
        check: number_as_variable::check,
    },
    Rule {
        code: "L111",
        title: "`default:timeout`, which has no effect",
        check: default_timeout::check,
    },
    Rule {
        code: "L112",
        title: "`only` that nothing satisfies",
        check: empty_only::check,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(RULES.is_sorted_by(|a, b| a.code < b.code));
        assert!(is_known("L005") && is_known("extension-keyword") && !is_known("L999"));
    }
}
