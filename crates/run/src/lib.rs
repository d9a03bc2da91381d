//! The loop that joins schedule, exec, workspace and store into a running pipeline.
//!
//! [`run`] takes a planned pipeline ([`RunSetup`]), carries out what the scheduler asks for, and tells an [`Observer`] all that
//! happens. One thread owns the state and receives everything that can happen as a [`Message`](message::Message); each running job
//! has a thread to itself ([`job`]) that prepares its work tree, hands it to the executor and reports back. The channel
//! between them is bounded, so that a job cannot print faster than its log is taken.
//!
//! A run keeps what it was begun with ([`StoredRun`]) and logs everything that happens to it ([`Journal`]), so that another
//! process can go on with it ([`Resumption`]) or follow it ([`Follow`]).
//!
//! A run is a tree of pipelines: a trigger job asks the [`Planner`] for another one, which runs beside the others with the same
//! job slots and the same log.
//!
//! Nothing here knows configuration files or terminals.

mod cache;
mod control;
mod dotenv;
mod downstream;
mod earlier;
mod engine;
mod files;
mod gather;
mod input_record;
mod job;
mod journal;
mod message;
mod pins;
mod redundant;
mod remote;
mod results;
mod save;
mod saved_by;
mod secrets;
mod setup;
mod shell;
mod site;
mod snapshot;
mod sources;
mod storage;
mod stored_run;
mod tree_files;
mod trees;
mod upload;
mod workers;

pub use control::{Control, Interrupt};
pub use downstream::{
    Ancestor, Created, Elsewhere, NoPlanner, Planner, ProjectNeed, Refusal, TriggerRequest,
    Triggered,
};
pub use earlier::missing_artifacts;
pub use engine::{Refused, Resumption, run};
pub use journal::{Follow, Journal, JournalError};
pub use pins::Pins;
pub use redundant::{supersede, superseded_by};
pub use remote::RemoteCaches;
pub use saved_by::SavedBy;
pub use secrets::{Providers, SecretSource, Unprovided};
pub use setup::{
    Base, Begun, Observer, ProjectFacts, RunEnd, RunError, RunSetup, begin, begin_downstream,
};
pub use shell::{JobPlace, ShellSetup};
pub use snapshot::{BaseTree, SnapshotError, base_tree};
pub use sources::{SubmoduleFiles, keep_submodules};
pub use stored_run::{StoredRun, StoredRunError, repository_directory};
