//! GitLab's expression language, RE2 patterns and the three variable expanders.
//!
//! * [`Expression`] is a parsed `if:`; [`evaluate`] gives its typed [`Value`], [`evaluate_traced`] the
//!   same with every step, [`valid_for_config`] says what loading a configuration says.
//! * [`Pattern`] is an RE2 pattern, with RE2's syntax, meaning and error texts.
//! * [`expand_blank`], [`expand_existing`] and [`expand_as_runner`] replace references in a text, each
//!   returning an [`Expanded`] of its own type; [`sort_and_expand`] replaces them inside a list of
//!   [`Variables`], and a [`Resolver`] does that for single names; [`expand_as_shell`] does what the
//!   runner's helper does to paths.
//! * [`slug`] and [`job_group_name`] derive names from names.
//!
//! ```
//! use tidegate_expr::{Expression, Variable, VariableSource, Variables, evaluate};
//!
//! let variables: Variables = [Variable::new("BRANCH", "release/1", VariableSource::Pipeline)]
//!     .into_iter()
//!     .collect();
//! let condition = Expression::parse("$BRANCH =~ /^release\\// && $TAG == null")?;
//! assert!(evaluate(&condition, &variables)?.is_present());
//! # Ok::<(), tidegate_expr::ExpressionError>(())
//! ```

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
mod shell;
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
pub use shell::{ShellError, expand_as_shell};
pub use sort::{
    CircularReference, NestedOptions, SortedVariables, circular_reference, sort_and_expand,
};
pub use trace::{Outcome, TraceNode, evaluate_traced};
pub use value::{Number, Value};
pub use variable::{Lookup, Variable, VariableSource, Variables};
