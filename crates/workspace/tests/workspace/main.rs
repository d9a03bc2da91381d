//! Workspaces as a job and as the engine see them, on every backend that works here.

mod equivalence;
mod isolation;
mod layers;
mod results;
mod snapshots;
mod stage;
