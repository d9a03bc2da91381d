//! `only` and `except`, and the four keywords that combine as their names say.

use std::sync::Arc;

use tidegate_expr::{Expression, Pattern};
use tidegate_source::Span;

use super::Text;

/// Which of the six keywords a policy is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PolicyKind {
    /// `only`: all conditions.
    Only,
    /// `only_and` (extension): all conditions.
    OnlyAnd,
    /// `only_or` (extension): any condition.
    OnlyOr,
    /// `except`: any condition excludes.
    Except,
    /// `except_and` (extension): all conditions exclude.
    ExceptAnd,
    /// `except_or` (extension): any condition excludes.
    ExceptOr,
}

/// One policy; a condition that is not written is `None`, one written with an empty list is `Some` of nothing and never true.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Which keyword.
    pub kind: PolicyKind,
    /// Where its value was written; [`Span::NONE`] for the default `only`.
    pub span: Span,
    /// `refs`, GitLab's default merged in (reference `compose.md` §3.1).
    pub refs: Option<Vec<RefPattern>>,
    /// `refs` are GitLab's default, not written.
    pub default_refs: bool,
    /// `variables`.
    pub variables: Option<Vec<(Text, Arc<Expression>)>>,
    /// `changes`, never expanded.
    pub changes: Option<Vec<Text>>,
    /// `kubernetes: active`.
    pub kubernetes: bool,
}

/// One entry of `refs`.
#[derive(Clone, Debug)]
pub struct RefPattern {
    /// As written, with the project behind `@`.
    pub text: Text,
    /// What stands before the first `@`.
    pub pattern: Arc<str>,
    /// Project path behind the first `@`.
    pub project: Option<Arc<str>>,
    /// The pattern compiled, where it has the form `/re/flags` and compiles.
    pub regex: Option<Arc<Pattern>>,
}
