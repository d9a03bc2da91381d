//! Archives as GitLab's runner packs caches and artifacts.
//!
//! [`pack`] writes a directory as a zip that GitLab and its runners read; [`unpack`] brings a zip, from whomever it comes, into
//! an empty directory and never writes outside of it. Nothing here knows of jobs or of the store.

mod pack;
mod unpack;

pub use pack::{PackError, Packed, pack};
pub use unpack::{Limits, UnpackError, Unpacked, unpack};
