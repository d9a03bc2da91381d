//! Runs one job: script generation, process trees, log stream and masking.
//!
//! [`ShellExecutor::start`] takes a [`JobRun`] (a [`JobSpec`](tidegate_pipeline::JobSpec) and a
//! prepared work directory) and gives a [`Running`] job; its log goes to a [`TraceSink`], its
//! caches and artifacts through a [`Storage`], its end is an [`Outcome`]. Every job has a small
//! supervisor process: the hosting binary calls [`supervisor_main`] when it is started with the
//! private word of its [`SupervisorCommand`].
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     let mut args = std::env::args_os().skip(1);
//!     if args.next().is_some_and(|word| word == "__supervise") {
//!         return tidegate_exec::supervisor_main(args, |_plan| Ok(()));
//!     }
//!     let executor = tidegate_exec::ShellExecutor::of_this_binary("__supervise");
//!     // … `executor?.start(job_run)?.wait()`
//!     ExitCode::from(u8::from(executor.is_err()))
//! }
//! ```
//!
//! The crate knows nothing of planning, of stores or of terminals, and handles no signals of the
//! engine.

mod cancel;
mod driver;
mod duration;
mod environment;
mod feature;
mod job;
mod login;
mod processes;
mod provider;
pub mod script;
mod settings;
mod storage;
mod supervisor;
pub mod trace;
mod variables;

pub use cancel::{CancelReason, Canceller};
pub use environment::Environment;
pub use feature::Features;
pub use job::{JobRun, Outcome, Remains, Rested, Running, ShellExecutor};
pub use provider::{CommandError, output_of};
pub use storage::{Storage, StorageContext, StorageFailure};
pub use supervisor::birth::Ground;
pub use supervisor::main as supervisor_main;
pub use supervisor::owner::SupervisorCommand;
pub use trace::{Stream, Trace, TraceOptions, TraceSink, TraceWriter, timestamp};
pub use variables::{JobVariable, JobVariables, RunnerFacts};
