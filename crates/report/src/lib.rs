//! Pure renderers, one file a view: values in, text out. How a value came about is none of their business.
//!
//! * [`diagnostics`]: what is wrong, with the lines involved; [`lint`]: the same in the formats that programs read.
//! * [`list`], [`explain`], [`graph`]: a plan; each with a form for people and one for programs.
//! * [`show_yaml`], [`show_json`], [`show_origin`]: the merged configuration, and where it came from.
//! * [`run`]: a run, live and when it is over.
//!
//! The formats for programs are described in `docs/json.md`.

mod because;
mod diagnostic;
mod explain;
mod expression_text;
mod list;
mod look;
mod not_created;
mod one_line;
pub mod run;
mod secrets;
mod show;
#[cfg(test)]
mod testing;

pub use diagnostic::{Style, diagnostics};
pub use explain::{EXPLAIN_VERSION, explain, explain_json};
pub use list::{LIST_VERSION, list, list_json};
pub use look::{Look, Symbols};
pub use show::{show_json, show_origin, show_yaml};
