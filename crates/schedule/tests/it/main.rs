//! The state machine from the outside: GitLab's cases, a naive model, and whole pipelines.

mod model;
mod processing;
#[path = "../../src/testing.rs"]
mod testing;
mod vectors;
