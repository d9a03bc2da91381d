//! Pure renderers, one file a view: values in, text out. How a value came about is none of their business.

mod diagnostic;
pub mod run;

pub use diagnostic::{Style, diagnostics};
