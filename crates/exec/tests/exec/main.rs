//! Jobs run from outside the crate, with real shells and real processes.

mod ending;
mod job;
mod kit;
mod log;
mod processes;
mod profile;
mod scripts;
