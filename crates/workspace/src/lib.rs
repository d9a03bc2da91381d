//! Layered working trees: what a job sees, what it changed, and how that is kept.
//!
//! A [`Workspace`] is a stack of read-only [`Layer`]s below one writable place. With an overlay
//! [`Backend`] nothing is copied: [`Workspace::prepare`] makes two empty directories, and the
//! process that is to see the tree carries out a [`MountPlan`] in its own private mount namespace.
//! The mount lives only there, so it goes when the last process in it goes, however that happens;
//! the caller of this crate never mounts anything. From outside, a [`Union`] computes the merged
//! view from the upper directory and the layers. With the reflink and copy backends the union of
//! the layers is written out at `prepare`.
//!
//! What a job left is told by [`Workspace::changes`] and taken into a staging directory by
//! [`collect`]. [`snapshot`](snapshot::snapshot) makes the lowest layer from a user's tree;
//! [`probe`](probe::probe) says which backends work for a directory.
//!
//! Nothing here knows of jobs or pipelines, and nothing here writes to a layer.
//!
//! ```no_run
//! use tidegate_workspace::{Backend, Layer, Workspace, WorkspaceSpec};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let workspace = Workspace::prepare(WorkspaceSpec {
//!     dir: "/data/builds/1/project".into(),
//!     layers: vec![Layer::stored("/data/snapshots/7")],
//!     scratch: "/data/builds/1/scratch".into(),
//!     backend: Backend::OverlayRoot,
//! })?;
//! let mut shell = std::process::Command::new("sh");
//! workspace.plan().enter_on_spawn(&mut shell)?;
//! shell.args(["-c", "touch built"]).status()?;
//! for change in workspace.changes()? {
//!     println!("{:?} {}", change.what, change.path.display());
//! }
//! # Ok(())
//! # }
//! ```

mod backend;
mod beneath;
mod changes;
mod collect;
mod error;
mod layer;
mod listing;
mod manifest;
mod mount;
mod parallel;
pub mod probe;
mod remove;
pub mod snapshot;
mod transfer;
mod union;
mod workspace;
mod written;

pub use backend::{Backend, UnknownBackend, Wanted};
pub use changes::{Change, What};
pub use collect::{Collected, Mode, Refused, Why, collect, collect_delta, collect_entries};
pub use error::TreeError;
pub use layer::{Content, Layer};
pub use manifest::{BadManifest, Manifest, ManifestEntry};
pub use mount::{BadPlan, EnterError, MountPlan, Overlay, PreparedMount, Privilege, Step};
pub use remove::remove_tree;
pub use union::{Entry, Inside, Kind, Origin, Time, Union, Walk};
pub use workspace::{Workspace, WorkspaceSpec};
