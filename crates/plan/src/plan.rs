//! The result of planning.

use std::sync::Arc;

use tidegate_expr::Variable;
use tidegate_pipeline::{AutoCancel, Pipeline};
use tidegate_scenario::Facts;
use tidegate_source::Diagnostic;

use crate::decision::{Decision, Origin};
use crate::trace::RuleTrial;

/// A pipeline, or why there is none, with the reasons for everything.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What came of it.
    pub outcome: Outcome,
    /// What is wrong, in GitLab's words and order; a failed plan has at least one error.
    pub diagnostics: Vec<Diagnostic>,
    /// What the workflow decided.
    pub workflow: WorkflowDecision,
    /// One for every configured job, in definition order. Empty where jobs were never judged: skipped and filtered pipelines.
    pub decisions: Vec<Decision>,
    /// Every answer of the world that was relied on; replaying them gives the same plan.
    pub facts: Facts,
    /// Values of all masked variables of the situation, for hiding them in views; there for failed plans too.
    pub masked_values: Arc<[Arc<str>]>,
}

/// What came of planning.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// There is a pipeline.
    Created(Arc<Pipeline>),
    /// `workflow:rules` say no.
    Filtered {
        /// What GitLab says.
        message: String,
    },
    /// Nothing would run.
    Empty {
        /// What GitLab says.
        message: String,
    },
    /// The push asked for no pipeline; GitLab stores one without jobs with the status skipped.
    Skipped {
        /// What asked for it.
        why: SkipReason,
    },
    /// Creation failed; the diagnostics say why.
    Failed,
}

/// What asked for a pipeline not to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SkipReason {
    /// The commit message, by this mark.
    CommitMessage {
        /// The mark as it stands in the message.
        mark: String,
    },
    /// The push option `ci.skip`.
    PushOption,
}

/// What the workflow decided.
#[derive(Clone, Debug, Default)]
pub struct WorkflowDecision {
    /// Each rule tried, in full; empty without `workflow:rules` or where they were never judged.
    pub rules: Vec<RuleTrial>,
    /// Position of the rule that matched, from 0.
    pub matched: Option<u32>,
    /// Why the rules could not be judged. GitLab takes it for `never` and does not show it (reference `compose.md` §1.1).
    pub error: Option<String>,
    /// Top-level variables with those of the matched rule, which all jobs start from.
    pub variables: Arc<[Variable]>,
    /// How the pipeline got its name.
    pub name: Option<NameDerivation>,
    /// What cancels it.
    pub auto_cancel: AutoCancelDecision,
}

/// How the pipeline got its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameDerivation {
    /// `workflow:name` as written.
    pub written: Arc<str>,
    /// Expanded and stripped; blank means that the pipeline has no name.
    pub expanded: String,
}

/// What cancels the pipeline, and what said so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AutoCancelDecision {
    /// The settings in force.
    pub value: AutoCancel,
    /// What gave `on_new_commit`.
    pub on_new_commit: Origin,
    /// What gave `on_job_failure`.
    pub on_job_failure: Origin,
}

impl Default for AutoCancelDecision {
    fn default() -> AutoCancelDecision {
        AutoCancelDecision {
            value: AutoCancel::default(),
            on_new_commit: Origin::DEFAULT,
            on_job_failure: Origin::DEFAULT,
        }
    }
}

impl Plan {
    /// The pipeline, where one was created.
    pub fn pipeline(&self) -> Option<&Arc<Pipeline>> {
        match &self.outcome {
            Outcome::Created(pipeline) => Some(pipeline),
            _ => None,
        }
    }

    /// The decision about the job of this full name.
    pub fn decision(&self, name: &str) -> Option<&Decision> {
        self.decisions
            .iter()
            .find(|decision| &*decision.name == name)
    }
}
