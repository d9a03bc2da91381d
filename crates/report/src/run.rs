//! A run for people: what happens line by line, and how it ended.

mod job_table;
mod log_lines;
mod plain;
mod progress;
mod summary;

pub use job_table::job_table;
pub use log_lines::{LogLines, Shown};
pub use plain::PlainRun;
pub use progress::{JobProgress, Progress};
pub use summary::summary;
