//! The planner's door to the outside as it is on a developer's machine: a git repository (or a plain directory) and the store.
//!
//! * [`Checkout`] finds the project root and reads git's facts about it: branch, commit, upstream, remote.
//! * [`local_scenario`] makes of them the default event: a push of the present work tree to the present branch.
//! * [`GitWorld`] answers the planner's questions, each at most once, and only when asked.
//! * [`Fetcher`] answers those about other projects, components, URLs and templates, pinned by a [`Lock`].
//!
//! Everything that reads git goes through [`git`]; nothing else in the project does.

mod checkout;
mod committed;
mod fetcher;
mod git_world;
mod job_repository;
mod local;

mod credentials;
mod lock;
mod shelf;
mod sources;
mod submodules;

mod address;
mod budget;
mod directory;
mod git;
mod http;
mod mirror;
mod plain;
mod transport;
mod version;
mod wildcard;

pub use address::origin_pattern;
pub use checkout::{Checkout, CheckoutError, Head};
pub use committed::{tracked_paths, write_committed};
pub use credentials::Credentials;
pub use fetcher::{Fetcher, FetcherSetup, Network};
pub use git::GitError;
pub use git_world::{CacheProbe, GitWorld, KnownTree, NoCaches, Subject};
pub use http::trusted_roots;
pub use job_repository::{JobRepositoryError, job_repository};
pub use local::local_scenario;
pub use lock::{Lock, LockError};
pub use plain::{plain_file, plain_files};
pub use shelf::{NoShelf, Shelf};
pub use sources::{FetchLimits, Location, ProjectSource, RemotePolicy, Sources, TemplateSource};
pub use submodules::{Submodule, submodules};
pub use wildcard::wildcard_matches;
