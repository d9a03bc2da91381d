//! Behaviour of GitLab that surprises, told where it bites (reference `compose.md` §12).

use std::sync::Arc;

/// One surprise; the number in each description is that of reference `compose.md` §12.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Quirk {
    /// 1: `&&` and `||` let an empty string through or stop at it.
    EmptyStringInLogic {
        /// Name of the variable that is defined and empty.
        variable: Arc<str>,
    },
    /// 2: an undefined variable is not the empty string.
    UndefinedIsNotEmpty {
        /// Its name.
        variable: Arc<str>,
    },
    /// 3: values in `if` are compared as written, references in them are not replaced.
    NestedValueNotExpanded {
        /// Name of the variable.
        variable: Arc<str>,
        /// Its value as written.
        value: Arc<str>,
    },
    /// 4: what is right of `=~` is no pattern, so it is searched for the left text.
    ReversedMatch {
        /// The text right of `=~`.
        right: Arc<str>,
    },
    /// 6: `!` binds tighter than a comparison.
    NotBindsTighter,
    /// 7: changes cannot be known in this pipeline, so `changes` holds.
    ChangesUnknown,
    /// 9: a glob that cannot match what its author probably meant.
    GlobMatchesLess {
        /// The glob.
        glob: Arc<str>,
    },
    /// 10: too many comparisons, so the clause holds.
    ComparisonLimit,
    /// 12: the default `only: [branches, tags]` decides.
    ImplicitOnly,
    /// 13: a written `only` keeps the default `refs` beside it.
    OnlyKeepsDefaultRefs,
    /// 14: `when: manual` in a rule blocks, at job level it does not.
    ManualInRuleBlocks,
    /// 14: job-level `when: manual` with another `when` in the rule leaves the job allowed to fail.
    ManualLeavesAllowFailure,
    /// 15: all optional needs are absent, so the job starts at once.
    AllNeedsAbsent,
    /// 16: a needed job is manual and optional, so the dependant is skipped until it is played.
    NeedsOptionalManual {
        /// Name of the needed job.
        job: Arc<str>,
    },
    /// 17: `on_failure` in the first stage, or with `needs: []`, never runs.
    OnFailureNeverRuns,
    /// 19: a need of a rule is absent and silently ignored.
    RuleNeedAbsent {
        /// Name of the absent job.
        job: Arc<str>,
    },
    /// 19: `needs: []` in a rule has no effect: a stage job stays one, and a job keeps its needs.
    EmptyRuleNeedsKeepStage,
    /// 24: the position of a cache in the list is part of its key.
    CacheKeyHoldsPosition {
        /// Position, from 0.
        index: usize,
    },
    /// 25: variables of a rule are not visible in its own `if`.
    RuleVariableInOwnIf {
        /// Name of the variable.
        variable: Arc<str>,
    },
    /// 27: a scheduled pipeline satisfies `branches` too.
    ScheduleIsBranch,
    /// 30: `exists` without a trailing slash never finds a directory.
    ExistsNamesDirectory {
        /// The pattern.
        pattern: Arc<str>,
    },
    /// §9.6: the variable is only known when the job runs.
    RuntimeOnlyVariable {
        /// Its name.
        variable: Arc<str>,
    },
}
