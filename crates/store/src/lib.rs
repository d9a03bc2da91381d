//! Everything Tidegate keeps on disk, under one data directory.
//!
//! * *Entries*: trees under a key of a project. Caches and base snapshots. A tree is kept unpacked
//!   beside its manifest, so that restoring it is naming directories for an overlay mount, and
//!   saving one is a rename ([`Store::put_cache`], [`Store::find_cache`]).
//! * *Artifacts*: trees that a job of a run left ([`Store::put_artifacts`]).
//! * *Runs*: their ids, an append-only event log each, and job logs ([`Store::begin_run`]).
//! * *Blobs*: bytes by digest, with names, for fetched includes ([`Store::put_blob`]).
//! * [`Lease`]s pin what a plan relied on; [`Store::prune`] evicts the rest by age and size;
//!   [`Store::verify`] compares the disk with the manifests; [`Store::maintain`] tidies up.
//!
//! The store knows no CI keywords: keys, projects, jobs and notes are strings to it. They never
//! become path components. The format on disk is described in `docs/store-format.md`; its version
//! is the first thing checked on opening.
//!
//! ```
//! use tidegate_store::{NewEntry, Store};
//!
//! # fn main() -> Result<(), tidegate_store::StoreError> {
//! # let dir = tempfile::tempdir().unwrap();
//! # let dir = dir.path().join("data");
//! let store = Store::open(&dir)?;
//! let staging = store.staging()?;
//! let tree = staging.tree("upper")?;
//! std::fs::write(tree.path().join("left-pad.js"), "…").unwrap();
//! store.put_cache(NewEntry { project: "7", key: "0_package-lock-ab12", note: "{}" }, tree)?;
//!
//! let entry = store.find_cache("7", "0_package-lock-ab12")?.expect("it was just saved");
//! let lease = store.lease(&entry, tidegate_store::RunId(1))?;
//! assert!(entry.layers[0].join("left-pad.js").is_file());
//! # drop(lease);
//! # Ok(())
//! # }
//! ```

mod artifact;
mod blob;
mod entry;
mod event_log;
mod job_log;
mod lease;
mod records;
mod resumption;
mod retention;
mod run;

mod compact;
mod maintain;
mod materialise;
mod settle;
mod staging;
mod tree;
mod verify;

mod manifest;
mod overlay;
mod scan;
mod view;

mod clock;
mod digest;
mod error;
mod failpoint;
mod index;
mod layout;
mod owner;
mod store;

#[cfg(test)]
mod tests;

pub use artifact::{Artifact, ArtifactFilter, NewArtifact};
pub use blob::Remembered;
pub use digest::Digest;
pub use entry::{Entry, EntryId, EntryKind, KeyState, NewEntry, Removed};
pub use error::{Result, StoreError};
pub use event_log::RunLog;
pub use job_log::{JobLogReader, JobLogWriter, JobLogs, JobLogsReader};
pub use lease::Lease;
pub use maintain::{Maintained, Pruned, Quota};
pub use manifest::{ManifestEntry, Node, PathFault, safe_path};
pub use records::{NextRecord, RecordReader};
pub use retention::Retention;
pub use run::{NewRun, RunId, RunRecord};
pub use settle::Settling;
pub use staging::{StagedTree, Staging};
pub use store::Store;
pub use verify::{Depth, Problem, Verified};
