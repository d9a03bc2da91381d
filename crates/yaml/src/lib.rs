//! YAML 1.1 as GitLab reads it: bytes to spanned nodes with Psych's typing.
//!
//! [`load`] takes a whole file apart; [`parse`] reads one piece of it. Errors read as GitLab words them, and every node, error
//! and remark says where in the file it stands.
//!
//! ```
//! use tidegate_source::FileId;
//! use tidegate_yaml::{Limits, load};
//!
//! let loaded = load(b"job: {script: [make], timeout: 1:30}", FileId(0), &Limits::default())?;
//! let job = loaded.content.as_map().and_then(|map| map.get("job"));
//! assert!(job.is_some_and(|job| job.as_map().is_some_and(|job| job.contains("script"))));
//! assert_eq!(loaded.remarks.len(), 1, "1:30 is 5400 to GitLab");
//! # Ok::<(), tidegate_yaml::YamlError>(())
//! ```

mod base64;
mod document;
mod dump;
mod error;
mod libyaml;
mod limits;
mod node;
mod number;
mod remark;
pub mod ruby;
mod scalar;
mod size;
mod tag;
mod tree;

pub use document::{Loaded, Piece, load, split};
pub use dump::dump;
pub use error::{YamlError, YamlErrorKind};
pub use limits::Limits;
pub use node::{Key, Map, Node, Value};
pub use remark::{Remark, RemarkKind};
pub use size::map_bytes;
pub use tree::{Parsed, parse};
