//! What a successful job leaves for others to see besides artifacts: a deployment, a release, a site.
//!
//! GitLab's server would make these; without one they are recorded. Texts are expanded and hold no masked value. The serialised
//! form is part of the event log's format, version 1: fields may be added, none may change its meaning.

use serde::{Deserialize, Serialize};

/// A result of a job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum JobResult {
    /// It worked on an environment.
    Environment(EnvironmentResult),
    /// It made a release.
    Release(ReleaseResult),
    /// It published a site.
    Pages(PagesResult),
}

/// What a job did to an environment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EnvironmentResult {
    /// Name, expanded.
    pub name: String,
    /// `environment:action`: `start`, `stop`, `prepare`, `verify` or `access`.
    pub action: String,
    /// Where it can be reached, expanded when the job had ended, with the variables of its dotenv reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Name of the job that stops it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_stop: Option<String>,
    /// When GitLab would stop it by itself, expanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_stop_in: Option<String>,
    /// Its tier, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_tier: Option<String>,
}

/// What `release` says.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ReleaseResult {
    /// `tag_name`.
    pub tag_name: String,
    /// `description`; a text, or the path of a file of the job's tree.
    pub description: String,
    /// `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `ref`.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub ref_name: Option<String>,
    /// `tag_message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_message: Option<String>,
    /// `released_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<String>,
    /// `milestones`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub milestones: Vec<String>,
    /// `assets:links`: name and address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<(String, String)>,
}

/// What `pages` says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PagesResult {
    /// The folder that is the site, among the job's artifacts.
    pub folder: String,
    /// `pages:path_prefix`, expanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<String>,
    /// `pages:expire_in`, expanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_in: Option<String>,
}
