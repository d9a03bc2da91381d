//! Holds Tidegate against what GitLab itself answered.
//!
//! `vectors/` holds sets of inputs with the answers of GitLab 18.11.2's own code (`vectors/FORMAT.md`). Each set is one
//! module here with one function that judges one line; [`score`] runs a set over a file. `TIDEGATE_VECTORS=DIR cargo
//! test -p tidegate-conformance -- --nocapture` runs the sets of another directory of the same format.
//!
//! `corpus/` holds cases by topic, run by [`corpus`]; `TIDEGATE_CONFORMANCE=DIR` names another directory.
//!
//! A known deviation is an id with its reason in `docs/deviations.md`; nothing else may fail.

mod canonical;
pub mod composite;
pub mod config;
pub mod corpus;
mod deviations;
pub mod expressions;
pub mod fuzz;
pub mod globs;
mod score;
pub mod variables;

pub use deviations::Deviations;
pub use score::{Score, score};
