//! The loop that joins schedule, exec, workspace and store into a running pipeline.
//!
//! [`run`] takes a planned pipeline ([`RunSetup`]), carries out what the scheduler asks for, and tells an [`Observer`] all that
//! happens. One thread owns the state and receives everything that can happen as a [`Message`](message::Message); each running job
//! has a thread of its own ([`job`]) that prepares its work tree, hands it to the executor and reports back. The channel
//! between them is bounded, so that a job cannot print faster than its log is taken.
//!
//! Nothing here knows configuration files or terminals.

mod cache;
mod control;
mod dotenv;
mod engine;
mod files;
mod job;
mod message;
mod save;
mod saved_by;
mod setup;
mod snapshot;
mod storage;
mod trees;

pub use control::{Control, Interrupt};
pub use engine::run;
pub use saved_by::SavedBy;
pub use setup::{Base, Begun, Observer, ProjectFacts, RunEnd, RunError, RunSetup, begin};
pub use snapshot::{BaseTree, SnapshotError, base_tree};
