//! YAML 1.1 as GitLab reads it: bytes to spanned nodes with Psych's typing.

mod node;

pub use node::{Key, Map, Node, Value};
