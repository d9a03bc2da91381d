//! `rules`, of jobs and of the workflow.

use std::sync::Arc;

use tidegate_expr::Expression;
use tidegate_pipeline::{Timeout, When};
use tidegate_source::Span;

use super::{AutoCancelSpec, Needs, Spanned, Text, VariableDefinition};

/// One rule. Clauses are ANDed in written order; a rule without clauses always matches (reference `compose.md` §2.1).
#[derive(Clone, Debug)]
pub struct Rule {
    /// Where the rule was written.
    pub span: Span,
    /// `if`, `changes`, `exists` in written order, then `cache`, which is always judged last.
    pub clauses: Vec<Clause>,
    /// `when`; `None`: the job's own, or `always` in a workflow.
    pub when: Option<Spanned<RuleWhen>>,
    /// `start_in`.
    pub start_in: Option<Spanned<Timeout>>,
    /// `allow_failure`.
    pub allow_failure: Option<Spanned<bool>>,
    /// `variables`.
    pub variables: Vec<VariableDefinition>,
    /// `needs`, which replaces the job's.
    pub needs: Option<Needs>,
    /// `interruptible`.
    pub interruptible: Option<Spanned<bool>>,
    /// `auto_cancel`, workflow only.
    pub auto_cancel: AutoCancelSpec,
}

/// `when` of a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleWhen {
    /// The job stays out, or the pipeline is not created.
    Never,
    /// It enters with this.
    When(When),
}

/// One condition of a rule.
#[derive(Clone, Debug)]
pub enum Clause {
    /// `if`.
    If(IfClause),
    /// `changes`.
    Changes(Changes),
    /// `exists`.
    Exists(Exists),
    /// `cache`, an extension (reference `extensions.md` §1).
    Cache(CacheClause),
}

/// `if`.
#[derive(Clone, Debug)]
pub struct IfClause {
    /// The text as written.
    pub text: Text,
    /// The text, parsed. Shared: many jobs have the same rules.
    pub expression: Arc<Expression>,
}

/// `changes`.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Where the value was written.
    pub span: Span,
    /// Patterns, unexpanded; empty with `regexp`.
    pub paths: Vec<Text>,
    /// `compare_to`, unexpanded.
    pub compare_to: Option<Text>,
    /// `regexp` (GitLab 19.2).
    pub regexp: Option<Text>,
}

/// `exists`.
#[derive(Clone, Debug)]
pub struct Exists {
    /// Where the value was written.
    pub span: Span,
    /// Patterns, unexpanded; empty with `regexp`.
    pub paths: Vec<Text>,
    /// `project`, unexpanded.
    pub project: Option<Text>,
    /// `ref`, unexpanded.
    pub reference: Option<Text>,
    /// `regexp` (GitLab 19.2).
    pub regexp: Option<Text>,
}

/// `cache`, an extension.
#[derive(Clone, Debug)]
pub struct CacheClause {
    /// Where the value was written.
    pub span: Span,
    /// What must hold.
    pub wanted: CacheMatch,
    /// Which caches: indices among the job's, or key texts; empty: the default of reference `extensions.md` §1.
    pub of: Vec<CacheName>,
    /// Fallback keys count.
    pub fallback: bool,
}

/// What a cache clause asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CacheMatch {
    /// Any of them is missing.
    MissingAny,
    /// All of them are missing.
    MissingAll,
    /// Any of them is present.
    PresentAny,
    /// All of them are present.
    PresentAll,
}

impl CacheMatch {
    /// The clause as it is written, in its shortest form.
    pub fn words(self) -> &'static str {
        match self {
            CacheMatch::MissingAny => "missing",
            CacheMatch::MissingAll => "missing: all",
            CacheMatch::PresentAny => "present: any",
            CacheMatch::PresentAll => "present",
        }
    }
}

/// Names a cache in `of`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CacheName {
    /// Index among the job's caches, from 0.
    Index(usize),
    /// A key text.
    Key(Arc<str>),
}
