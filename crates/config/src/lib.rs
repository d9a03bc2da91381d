//! Loads a configuration: documents to included, merged, typed and validated.

mod edge_stages;
mod extends;
mod header;
mod interpolation;
mod merge;
mod model;
mod nearest;
mod overridden;
mod reference;
mod ruby;
mod settings;
#[cfg(test)]
mod testing;
mod variables;

pub use model::*;
pub use overridden::{KeyPath, Layer, Overridden};
pub use settings::{Dialect, Edition, Limits, Settings};
