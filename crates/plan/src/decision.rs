//! What was decided about one job, and where each of its final attributes came from.

use std::sync::Arc;

use tidegate_pipeline::JobIdx;
use tidegate_source::Span;

use crate::trace::Trace;

/// What was decided about one configured job.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Full name of the job.
    pub name: Arc<str>,
    /// Where its name was written.
    pub span: Span,
    /// Name of its stage.
    pub stage: Arc<str>,
    /// In or out.
    pub verdict: Verdict,
    /// Which kind of condition decided.
    pub basis: Basis,
    /// Where the final attributes came from; meaningful for jobs that are in.
    pub origins: Origins,
    /// Everything that was looked at, where it was asked for.
    pub trace: Option<Box<Trace>>,
}

/// In or out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is a job of the pipeline. The index is that of the job in the pipeline, or would be if the pipeline had been created.
    Included(JobIdx),
    /// It stands in the pipeline as a success, because what it would produce exists (reference `extensions.md` §1).
    Satisfied(JobIdx),
    /// It is not in the pipeline.
    LeftOut(LeftOut),
}

/// Why a job is not in the pipeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LeftOut {
    /// No rule matched.
    NoRuleMatched,
    /// A rule matched that says `never`.
    Never {
        /// Its position, from 0.
        rule: u32,
    },
    /// A rule could not be judged; GitLab's message (reference `compose.md` §2.1).
    RuleError {
        /// Its position, from 0.
        rule: u32,
        /// What was wrong, as GitLab says it.
        message: Arc<str>,
    },
    /// The positive policy does not hold: `only`, its default, or one of our forms of it.
    OnlyNotMet,
    /// The negative policy holds.
    ExceptMet,
    /// A job it needs is absent, and its need says `if_absent: skip`.
    NeedAbsent {
        /// Name of the absent job.
        need: Arc<str>,
    },
    /// The chat command asked for another job.
    NotAskedFor,
}

/// Which kind of condition decided about a job (reference `compose.md` §2.1, §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Basis {
    /// Its `rules`.
    Rules {
        /// Position of the rule that matched, from 0. For a satisfied job: the one that would match if its caches were missing.
        matched: Option<u32>,
    },
    /// Its `only` and `except`, or our forms of them.
    Policies,
    /// GitLab's default `only: [branches, tags]`.
    DefaultOnly,
    /// It has no conditions.
    Unconditional,
}

/// Where a final attribute came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// What gave it.
    pub kind: OriginKind,
    /// Where it was written; [`Span::NONE`] for defaults.
    pub span: Span,
}

/// What gave an attribute its final value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OriginKind {
    /// GitLab's default.
    Default,
    /// The job's own keyword (from `extends` and `default` too).
    Job,
    /// The rule that matched.
    Rule,
    /// The default of `allow_failure` for a job-level `when: manual`.
    JobLevelManual,
    /// The workflow, or the rule of it that matched.
    Workflow,
}

impl Origin {
    /// GitLab's default.
    pub const DEFAULT: Origin = Origin {
        kind: OriginKind::Default,
        span: Span::NONE,
    };

    /// Given by `kind` at `span`.
    pub fn new(kind: OriginKind, span: Span) -> Origin {
        Origin { kind, span }
    }
}

/// Where each attribute that a rule may change came from; the values are in the pipeline's job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origins {
    /// `when`.
    pub when: Origin,
    /// `start_in`.
    pub start_in: Origin,
    /// `allow_failure`.
    pub allow_failure: Origin,
    /// `interruptible`.
    pub interruptible: Origin,
    /// `needs`.
    pub needs: Origin,
}

impl Default for Origins {
    fn default() -> Origins {
        Origins {
            when: Origin::DEFAULT,
            start_in: Origin::DEFAULT,
            allow_failure: Origin::DEFAULT,
            interruptible: Origin::DEFAULT,
            needs: Origin::DEFAULT,
        }
    }
}

impl Decision {
    /// The job's index, where it is in the pipeline or stands there as a success.
    pub fn job(&self) -> Option<JobIdx> {
        match self.verdict {
            Verdict::Included(job) | Verdict::Satisfied(job) => Some(job),
            Verdict::LeftOut(_) => None,
        }
    }

    /// Whether the job runs in the pipeline.
    pub fn is_included(&self) -> bool {
        matches!(self.verdict, Verdict::Included(_))
    }
}
