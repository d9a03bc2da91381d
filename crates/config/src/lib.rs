//! Loads a configuration: documents to included, merged, typed and validated.
//!
//! [`load`] takes the root file through GitLab's steps (reference `config.md` §2), a module each, in this order:
//!
//! 1. `header` and `interpolation`: `spec:inputs` get their values, which replace `$[[ … ]]`.
//! 2. `include`: other files come in through the [`World`](tidegate_scenario::World), each through step 1, and are
//!    merged (`merge`) under the file that names them.
//! 3. `extends`, 4. `reference` and 5. `edge_stages` work on the merged tree.
//! 6. `typed` checks the tree keyword by keyword (`keyword`) and builds the [`Config`]; `normalize` and `logical` follow.
//!
//! What is wrong in the user's text is a diagnostic with GitLab's own message; only a failing world is an `Err`. Parsing
//! depends on nothing but content: give one [`ParsedFiles`] to several loads ([`load_with`]) and each file is parsed once.
//! The crate knows nothing of deciding which jobs run, nor how.
//!
//! ```
//! use tidegate_config::{RootFile, Settings, load};
//! use tidegate_scenario::{FixtureWorld, Scenario};
//!
//! let world = FixtureWorld::with_files([("ci/base.yml", ".base: {script: make}\n")]);
//! let root = RootFile {
//!     name: ".gitlab-ci.yml".to_owned(),
//!     bytes: b"include: ci/base.yml\nbuild: {extends: .base}\n"[..].into(),
//! };
//! let loaded = load(&root, &Scenario::push("main"), &world, &Settings::default())?;
//! assert!(loaded.is_valid());
//! assert_eq!(loaded.includes[0].location, "ci/base.yml");
//! let config = loaded.config.unwrap_or_default();
//! assert_eq!(&*config.jobs["build"].body.script[0].value, "make");
//! # Ok::<(), tidegate_scenario::WorldError>(())
//! ```

mod edge_stages;
mod extends;
mod header;
mod include;
mod interpolation;
mod job_inputs;
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
mod overlay;
mod overridden;
mod parsed;
mod reference;
mod ruby;
mod settings;
#[cfg(test)]
mod testing;
mod tree;
mod typed;
mod variables;

pub use include::IncludeRecord;
pub use job_inputs::job_input_values;
pub use load::{Loaded, RootFile, load, load_with};
pub use merged_yaml::merged_yaml;
pub use model::*;
pub use nearest::nearest;
pub use overlay::FILE as OVERLAY_FILE;
pub use overridden::{KeyPath, Layer, Overridden};
pub use parsed::ParsedFiles;
pub use settings::{Dialect, Edition, Limits, Settings};
