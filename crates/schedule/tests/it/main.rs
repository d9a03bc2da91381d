//! The state machine from the outside: GitLab's cases, a naive model, and whole pipelines.

mod model;
mod processing;
#[expect(dead_code, reason = "unit tests use the rest")]
#[path = "../../src/testing.rs"]
mod testing;
mod vectors;
