//! The typed configuration: what validation leaves, with the place of everything an explanation may point at.
//!
//! Defaults and `inherit` are applied, parallel jobs are expanded (reference `config.md` §8.3, §10.1). Rules are not
//! evaluated and nothing depends on a pipeline's event except through includes and inputs.

mod job;
mod policy;
mod rule;

use std::sync::Arc;

use indexmap::IndexMap;
use tidegate_pipeline::AutoCancelOnJobFailure;
use tidegate_pipeline::AutoCancelOnNewCommit;
use tidegate_source::Span;

pub use job::{
    AllowFailureSpec, AnyNeed, BridgeInclude, EnvironmentSpec, IfAbsent, InheritVariables,
    Inheritable, Instance, Job, JobBody, JobKind, NeedSpec, Needs, PipelineNeed, ProjectNeed,
    Trigger, TriggerTarget, Written,
};
pub use policy::{Policy, PolicyKind, RefPattern};
pub use rule::{
    CacheClause, CacheMatch, CacheName, Changes, Clause, Exists, IfClause, Rule, RuleWhen,
};

/// A value with the place it was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written; [`Span::NONE`] for defaults.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value that stands at `span`.
    pub fn new(value: T, span: Span) -> Spanned<T> {
        Spanned { value, span }
    }

    /// A value that was not written.
    pub fn default_value(value: T) -> Spanned<T> {
        Spanned {
            value,
            span: Span::NONE,
        }
    }
}

/// A text with its place.
pub type Text = Spanned<Arc<str>>;

/// A whole configuration, valid and normalised.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Stage names in order, `.pre` and `.post` included, flattened. Repetitions stay, as in GitLab, which numbers a
    /// stage by its first place.
    pub stages: Vec<Text>,
    /// Top-level `variables`.
    pub variables: Vec<VariableDefinition>,
    /// `workflow`.
    pub workflow: Workflow,
    /// Jobs by full name in definition order, parallel ones expanded at their place.
    pub jobs: IndexMap<Arc<str>, Job>,
    /// Names of hidden jobs, for suggestions.
    pub hidden: Vec<Arc<str>>,
}

/// One entry of a `variables` map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VariableDefinition {
    /// Name.
    pub key: Arc<str>,
    /// Value as text, unexpanded.
    pub value: Arc<str>,
    /// `expand: false`.
    pub raw: bool,
    /// Where it was written.
    pub span: Span,
    /// What people are told who start a pipeline; top level only, `None` where neither key is written.
    pub prompt: Option<Box<VariablePrompt>>,
}

/// How a top-level variable is offered to people who start a pipeline.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VariablePrompt {
    /// `description`.
    pub description: Option<Arc<str>>,
    /// `options`.
    pub options: Vec<Arc<str>>,
}

/// `workflow`.
#[derive(Clone, Debug, Default)]
pub struct Workflow {
    /// `rules`; `None` where the key is absent, which changes the default of `only`.
    pub rules: Option<Vec<Rule>>,
    /// Whether the map has a key `rules` at all, null included.
    pub has_rules_key: bool,
    /// `name`, unexpanded.
    pub name: Option<Text>,
    /// `auto_cancel`.
    pub auto_cancel: AutoCancelSpec,
}

/// `auto_cancel` as written; absent fields are filled from the workflow's own or GitLab's defaults.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AutoCancelSpec {
    /// `on_new_commit`.
    pub on_new_commit: Option<AutoCancelOnNewCommit>,
    /// `on_job_failure`.
    pub on_job_failure: Option<AutoCancelOnJobFailure>,
}

impl Config {
    /// Whether jobs without `rules` and `only` get the default `only: [branches, tags]` (reference `compose.md` §3.1).
    pub fn has_implicit_only(&self) -> bool {
        !self.workflow.has_rules_key
    }

    /// The index of a stage, or `None` where no such stage exists.
    pub fn stage_index(&self, name: &str) -> Option<usize> {
        self.stages.iter().position(|stage| &*stage.value == name)
    }
}
