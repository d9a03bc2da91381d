//! `[includes]`: what is included from elsewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::section::anchor;
use crate::value::{Period, Size};

/// What is included from elsewhere.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Includes {
    /// Projects (of components too) by path or pattern.
    pub projects: BTreeMap<String, ProjectMapping>,
    /// Projects nothing names are looked for beside `origin`.
    pub beside_origin: Option<bool>,
    /// GitLab's templates.
    pub templates: Option<TemplateMapping>,
    /// Which URLs may be fetched.
    pub remote: RemoteSection,
    /// Time for one request.
    pub request_timeout: Option<Period>,
    /// Bytes of one file.
    pub max_file_size: Option<Size>,
    /// Hosts `GITLAB_TOKEN` may be sent to. Only in the user's file.
    pub token_hosts: Vec<String>,
}

/// Where a project is.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "MappingTable")]
pub enum ProjectMapping {
    /// A directory.
    Directory {
        /// Which.
        path: PathBuf,
        /// Its files are taken as they lie there.
        work_tree: bool,
        /// Ref of includes that name none.
        default_ref: Option<String>,
    },
    /// What git can fetch from.
    Url {
        /// Address.
        url: String,
        /// Ref of includes that name none.
        default_ref: Option<String>,
    },
}

/// Where GitLab's templates are.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "TemplateTable")]
pub enum TemplateMapping {
    /// A directory.
    Directory(PathBuf),
    /// A URL.
    Url(String),
}

/// Which URLs may be fetched.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RemoteSection {
    /// Only these.
    pub allow: Option<Vec<String>>,
    /// Never these. Both files' count.
    pub deny: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingTable {
    path: Option<PathBuf>,
    url: Option<String>,
    #[serde(rename = "ref")]
    default_ref: Option<String>,
    work_tree: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateTable {
    path: Option<PathBuf>,
    url: Option<String>,
}

impl TryFrom<MappingTable> for ProjectMapping {
    type Error = &'static str;

    fn try_from(table: MappingTable) -> Result<ProjectMapping, &'static str> {
        let default_ref = table.default_ref;
        match (table.path, table.url, table.work_tree) {
            (Some(path), None, work_tree) => Ok(ProjectMapping::Directory {
                path,
                work_tree: work_tree.unwrap_or(false),
                default_ref,
            }),
            (None, Some(url), None) => Ok(ProjectMapping::Url { url, default_ref }),
            (None, Some(_), Some(_)) => Err("`work_tree` is only for a `path`"),
            (Some(_), Some(_), _) | (None, None, _) => Err("it needs either `path` or `url`"),
        }
    }
}

impl TryFrom<TemplateTable> for TemplateMapping {
    type Error = &'static str;

    fn try_from(table: TemplateTable) -> Result<TemplateMapping, &'static str> {
        match (table.path, table.url) {
            (Some(path), None) => Ok(TemplateMapping::Directory(path)),
            (None, Some(url)) => Ok(TemplateMapping::Url(url)),
            _ => Err("it needs either `path` or `url`"),
        }
    }
}

impl Includes {
    pub(super) fn over(self, below: Includes) -> Includes {
        let mut projects = below.projects;
        projects.extend(self.projects);
        let mut deny = self.remote.deny;
        deny.extend(below.remote.deny);
        let mut token_hosts = self.token_hosts;
        token_hosts.extend(below.token_hosts);
        Includes {
            projects,
            beside_origin: self.beside_origin.or(below.beside_origin),
            templates: self.templates.or(below.templates),
            remote: RemoteSection {
                allow: self.remote.allow.or(below.remote.allow),
                deny,
            },
            request_timeout: self.request_timeout.or(below.request_timeout),
            max_file_size: self.max_file_size.or(below.max_file_size),
            token_hosts,
        }
    }

    pub(super) fn anchor(&mut self, dir: &Path, home: Option<&Path>) {
        for mapping in self.projects.values_mut() {
            if let ProjectMapping::Directory { path, .. } = mapping {
                anchor(path, dir, home);
            }
        }
        if let Some(TemplateMapping::Directory(path)) = &mut self.templates {
            anchor(path, dir, home);
        }
    }
}
