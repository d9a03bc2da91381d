//! Loads a configuration: documents to included, merged, typed and validated.

mod json;
mod keyword;
mod logical;
mod model;
mod nearest;
mod normalize;
pub mod normalized;
mod ruby;
mod settings;
mod typed;

pub use model::*;
pub use settings::{Dialect, Edition, Limits, Settings};
