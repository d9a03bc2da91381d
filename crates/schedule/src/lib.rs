//! The state machine of a pipeline: inputs in, actions with their reasons out.

mod action;
mod composite;
mod graph;
mod input;
mod predecessors;
mod resource;
mod schedule;
#[cfg(test)]
mod testing;

pub use action::{Action, Claim};
pub use composite::{Composite, Mode, composite};
pub use input::{CancelCause, IllegalInput, Input, MetState};
pub use resource::ResourceGroups;
pub use schedule::Schedule;
