//! Loads a configuration: documents to included, merged, typed and validated.

mod model;

pub use model::*;
