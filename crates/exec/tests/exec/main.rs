//! Jobs run from outside the crate, with real shells and real processes.

mod job;
mod kit;
mod scripts;
