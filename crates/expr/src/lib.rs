//! GitLab's expression language, RE2 patterns and the three variable expanders.

mod error;
mod evaluate;
mod expression;
mod lexer;
mod pattern;
mod re2;
mod trace;
mod value;
mod variable;

pub use error::{ErrorClass, ExpressionError};
pub use evaluate::{
    Environment, Inputs, NoInputs, Sink, evaluate, evaluate_with, valid_for_config,
};
pub use expression::{Expression, Node, NodeId, NodeKind};
pub use lexer::BinaryOperator;
pub use pattern::{Pattern, PatternError, PatternErrorCode};
pub use trace::{Outcome, TraceNode, evaluate_traced};
pub use value::{Number, Value};
pub use variable::{Lookup, Variable, VariableSource, Variables};
