//! Loads a configuration: documents to included, merged, typed and validated.

mod edge_stages;
mod extends;
mod header;
mod include;
mod interpolation;
mod json;
mod keyword;
mod load;
mod logical;
mod merge;
mod merged_yaml;
mod model;
mod nearest;
mod normalize;
pub mod normalized;
mod overridden;
mod parsed;
mod reference;
mod ruby;
mod settings;
#[cfg(test)]
mod testing;
mod typed;
mod variables;

pub use include::IncludeRecord;
pub use load::{Loaded, RootFile, load, load_with};
pub use merged_yaml::merged_yaml;
pub use model::*;
pub use nearest::nearest;
pub use overridden::{KeyPath, Layer, Overridden};
pub use parsed::ParsedFiles;
pub use settings::{Dialect, Edition, Limits, Settings};
