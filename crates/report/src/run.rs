//! A run for people: what happens line by line, and how it ended.

mod counts;
mod html;
mod junit;
mod live_tree;
mod log_lines;
mod plain;
mod progress;
mod results;
mod run_progress;
mod summary;
#[cfg(test)]
mod tests;
mod timestamp;

pub use html::html;
pub use junit::junit;
pub use live_tree::{Space, live_tree};
pub use log_lines::{LogLines, Shown};
pub use plain::PlainRun;
pub use progress::{JobProgress, Progress};
pub use results::results;
pub use run_progress::{Member, RunProgress};
pub use summary::{quoted, summary};
