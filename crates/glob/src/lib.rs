//! The glob dialects of GitLab CI, as types that cannot be mixed up.
//!
//! * [`Fnmatch`] is GitLab's side: `changes` and `exists` (Ruby's `File.fnmatch?`).
//! * [`Doublestar`] is the runner's side: cache and artifact paths and excludes.
//! * [`Wildcard`] is for `include:local`, where only `*` and `**` are special.
//!
//! They differ: `dir/**` matches `dir/a/b` for the runner but not for GitLab. All are compiled once and
//! matched against slash-separated paths relative to the repository. [`GlobSet`] says which of many
//! patterns matched first, [`ExistsGlob`] sorts the patterns of `exists` into their three classes.
//!
//! ```
//! use tidegate_glob::{Doublestar, Fnmatch};
//!
//! assert!(!Fnmatch::new("dir/**").unwrap().matches("dir/a/b"));
//! assert!(Doublestar::new("dir/**").unwrap().matches("dir/a/b"));
//! assert!(Doublestar::new("dir/[").is_err());
//! ```

mod doublestar;
mod exists;
mod fnmatch;
mod set;
mod wildcard;

pub use doublestar::{BadPattern, Doublestar};
pub use exists::{ExistsGlob, lists_root_only};
pub use fnmatch::{Fnmatch, TooManyAlternatives};
pub use set::{GlobSet, PathMatcher};
pub use wildcard::Wildcard;

/// Braces may stand for this many patterns; `{a,b}` twenty times over would be a million.
pub const MAX_ALTERNATIVES: usize = 4096;
