//! Archives as GitLab's runner packs caches and artifacts.
//!
//! [`pack`] writes a directory as a zip that GitLab and its runners read; [`unpack`] brings a zip, from whomever it comes, into
//! an empty directory and never writes outside of it. [`SharedDirectory`] keeps such archives where a
//! team and its runners find them. Nothing here knows of jobs or of the store.

mod directory;
mod pack;
mod unpack;

pub use directory::{Naming, RemoteError, SharedDirectory};
pub use pack::{PackError, Packed, pack};
pub use unpack::{Limits, UnpackError, Unpacked, unpack};
