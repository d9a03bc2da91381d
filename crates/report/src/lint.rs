//! What a check of the configuration found, in the formats that programs read; [`diagnostics`](crate::diagnostics) is the form for people.
//!
//! [`lint_json`] has the shape of GitLab's CI Lint API, [`lint_sarif`] is SARIF 2.1.0, [`lint_codeclimate`] is what GitLab shows in merge
//! requests, [`lint_github`] are commands that GitHub shows in pull requests.

mod api;
mod codeclimate;
mod fingerprint;
mod github;
mod place;
mod sarif;
mod summary;

pub use api::{LintAnswer, lint_json};
pub use codeclimate::lint_codeclimate;
pub use github::lint_github;
pub use sarif::lint_sarif;
pub use summary::lint_summary;

#[cfg(test)]
mod tests;
