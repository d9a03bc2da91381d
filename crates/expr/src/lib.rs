//! GitLab's expression language, RE2 patterns and the three variable expanders.

mod error;
mod evaluate;
mod expand;
mod expression;
mod lexer;
mod name;
mod pattern;
mod re2;
mod reference;
mod resolver;
mod sort;
mod trace;
mod value;
mod variable;

pub use error::{ErrorClass, ExpressionError};
pub use evaluate::{
    Environment, Inputs, NoInputs, Sink, evaluate, evaluate_with, valid_for_config,
};
pub use expand::{
    Blank, Existing, Expanded, RefOptions, Runner, expand_as_runner, expand_blank, expand_existing,
};
pub use expression::{Expression, Node, NodeId, NodeKind};
pub use lexer::BinaryOperator;
pub use name::{job_group_name, slug};
pub use pattern::{Pattern, PatternError, PatternErrorCode};
pub use reference::{Reference, nested_references, references};
pub use resolver::Resolver;
pub use sort::{
    CircularReference, NestedOptions, SortedVariables, circular_reference, sort_and_expand,
};
pub use trace::{Outcome, TraceNode, evaluate_traced};
pub use value::{Number, Value};
pub use variable::{Lookup, Variable, VariableSource, Variables};
