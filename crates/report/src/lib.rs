//! Pure renderers, one file a view: values in, text out. How a value came about is none of their business.
//!
//! * [`diagnostics`]: what is wrong, with the lines involved; [`lint`]: the same in the formats that programs read.
//! * [`list`], [`explain`], [`graph`]: a plan; each with a form for people and one for programs.
//! * [`show_yaml`], [`show_json`], [`show_origin`]: the merged configuration, and where it came from.
//! * [`run`]: a run, live and when it is over.
//!
//! The formats for programs are described in `docs/json.md`.
//!
//! ```
//! use tidegate_config::{RootFile, Settings, load};
//! use tidegate_plan::{Detail, plan};
//! use tidegate_report::{Style, explain, list};
//! use tidegate_scenario::{FixtureWorld, Scenario};
//!
//! let (scenario, world) = (Scenario::push("main"), FixtureWorld::default());
//! let root = RootFile {
//!     name: ".gitlab-ci.yml".to_owned(),
//!     bytes: b"build: {script: make, rules: [{if: $CI_COMMIT_BRANCH}]}\n"[..].into(),
//! };
//! let loaded = load(&root, &scenario, &world, &Settings::default())?;
//! let config = loaded.config.unwrap_or_default();
//! // Reasons are whole sentences where decisions have traces.
//! let plan = plan(&config, &scenario, &world, &Detail::All)?;
//! assert!(list(&plan, Style::Plain, false).contains("rule 1: if $CI_COMMIT_BRANCH"));
//! let text = explain(&plan, &["build"], &loaded.sources, Style::Plain);
//! assert!(text.contains("$CI_COMMIT_BRANCH is \"main\""));
//! # Ok::<(), tidegate_scenario::WorldError>(())
//! ```

mod because;
mod diagnostic;
mod explain;
mod expression_text;
mod graph;
pub mod lint;
mod list;
mod look;
mod not_created;
mod one_line;
pub mod run;
mod secrets;
mod show;
#[cfg(test)]
mod testing;
mod xml;

pub use diagnostic::{Style, diagnostics};
pub use explain::{EXPLAIN_VERSION, explain, explain_json};
pub use graph::{Graph, graph_dot, graph_mermaid, graph_svg, graph_text};
pub use list::{LIST_VERSION, list, list_json};
pub use look::{Look, Symbols};
pub use secrets::Secrets;
pub use show::{show_json, show_origin, show_yaml};
