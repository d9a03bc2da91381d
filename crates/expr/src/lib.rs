//! GitLab's expression language, RE2 patterns and the three variable expanders.

mod variable;

pub use variable::{Lookup, Variable, VariableSource, Variables};
