//! Mounting a workspace in a namespace of its own.

mod enter;
mod plan;

pub use enter::{EnterError, PreparedMount, Step};
pub use plan::{BadPlan, MountPlan, Overlay, Privilege};
