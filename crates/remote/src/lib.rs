//! Caches that machines share, and archives as GitLab's runner packs them.
//!
//! [`Remote`] is a remote cache: in a bucket or a shared directory, in our own format or as GitLab's runner keeps its caches, so that
//! runners and Tidegate find each other's. It fetches into the local store and keeps what is there; it knows nothing of jobs. [`pack`]
//! writes a directory as a zip that GitLab and its runners read; [`unpack`] brings a zip, from whomever it comes, into an empty
//! directory and never writes outside of it.
//!
//! Nobody outside needs an asynchronous runtime: everything here blocks the thread that asks, for a bounded time.

mod remote;

mod archived;
mod chunked;
mod index;
mod name;

mod bucket;
mod cloud;
mod directory;
mod http;
mod objects;

mod pack;
mod place;
mod source;
mod unpack;

mod error;

#[cfg(test)]
mod tests;

pub use bucket::{Bucket, Credentials, Service, Timeouts, is_loopback};
pub use chunked::Sent;
pub use error::RemoteError;
pub use name::{Naming, ProjectName, is_protected};
pub use objects::{ObjectFacts, Stop};
pub use pack::{PackError, Packed, pack};
pub use place::{Limits, UnpackError, Unpacked};
pub use remote::{Access, Arrived, Format, Listed, Place, Pruned, Remote, RemoteSetup, Rights};
pub use unpack::unpack;
