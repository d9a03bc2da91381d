//! Loads a configuration: documents to included, merged, typed and validated.

mod edge_stages;
mod extends;
mod merge;
mod nearest;
mod overridden;
mod reference;
mod ruby;
#[cfg(test)]
mod testing;

pub use overridden::{KeyPath, Layer, Overridden};
