//! The planner's door to the outside as it is on a developer's machine: a git repository (or a plain directory) and the store.
//!
//! * [`Checkout`] finds the project root and reads git's facts about it: branch, commit, upstream, remote.
//! * [`local_scenario`] makes of them the default event: a push of the present work tree to the present branch.
//! * [`GitWorld`] answers the planner's questions, each at most once, and only when asked.
//!
//! Everything that reads git goes through [`git`]; nothing else in the project does.

mod checkout;
mod committed;
mod git;
mod git_world;
mod job_repository;
mod local;

pub use checkout::{Checkout, CheckoutError, Head};
pub use committed::{tracked_paths, write_committed};
pub use git::GitError;
pub use git_world::{CacheProbe, GitWorld, NoCaches, Subject};
pub use job_repository::{JobRepositoryError, job_repository};
pub use local::local_scenario;
