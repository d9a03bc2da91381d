//! Files, spans and diagnostics: where every word of a configuration came from, and what is wrong with it.
//!
//! * [`SourceMap`] owns the text of every file that took part in loading and knows how each was reached.
//! * [`Span`] is a byte range in one of those files; it is small and `Copy`, so every node can carry one.
//! * [`Diagnostic`] says what is wrong, where, and what to do; [`Diagnostics`] is the sink they are pushed into.
//!
//! The crate knows neither YAML nor CI. Rendering is not its business either: `report` draws diagnostics.
//!
//! ```
//! use tidegate_source::{Diagnostic, Origin, SourceMap, Span};
//!
//! let mut sources = SourceMap::default();
//! let file = sources.add(".gitlab-ci.yml", "job:\n  scrpt: x\n", Origin::Root);
//! let span = Span::new(file, 7, 12);
//! assert_eq!(sources.text_of(span), "scrpt");
//! assert_eq!(sources.position(span).to_string(), "2:3");
//! let problem = Diagnostic::error("config", "jobs:job config contains unknown keys: scrpt").at(span);
//! assert!(problem.is_error());
//! ```

mod diagnostic;
mod map;
mod span;

pub use diagnostic::{Code, Diagnostic, Diagnostics, Label, LabelKind, Severity, Suggestion};
pub use map::{IncludeKind, Origin, Position, SourceFile, SourceMap};
pub use span::{FileId, Span};
