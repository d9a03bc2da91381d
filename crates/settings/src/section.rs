//! The sections of a settings file. Absent means: not said here, so the file below or the default counts.

mod cache;
mod includes;
mod secrets;
mod variables;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::value::{GitlabVersion, Period, Size};

pub use cache::{
    Cache, CacheAccess, CacheFormat, CachePlace, Protection, RemoteCache, RemoteCredentials,
    Service,
};
pub use includes::{Includes, ProjectMapping, RemoteSection, TemplateMapping};
pub use secrets::{Source, Sources};
pub use variables::{SettingValue, SettingValues, VariableName, Variables};

/// All settings.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whose language is read.
    pub dialect: Option<Dialect>,
    /// Which edition's keywords exist.
    pub edition: Option<Edition>,
    /// Whose behaviour is wanted where versions differ.
    pub gitlab_version: Option<GitlabVersion>,
    /// Where caches, artifacts and logs are kept.
    pub data_dir: Option<PathBuf>,
    /// How much of a configuration is accepted.
    pub limits: Limits,
    /// What `lint` tells.
    pub lint: Lint,
    /// How jobs run.
    pub run: Run,
    /// The project as GitLab knows it.
    pub project: ProjectSection,
    /// The server the pipeline pretends to run on.
    pub server: ServerSection,
    /// Variables of GitLab's settings.
    pub variables: Variables,
    /// What is included from elsewhere.
    pub includes: Includes,
    /// How much the store keeps.
    pub cache: Cache,
    /// Where `secrets` come from.
    pub secrets: Sources,
    /// Where `id_tokens` come from.
    pub id_tokens: Sources,
}

/// Whose language is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// GitLab's and nothing else.
    Gitlab,
    /// GitLab's with extension keywords.
    Tidegate,
}

/// Which edition's keywords exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edition {
    /// Community Edition.
    Community,
    /// Enterprise Edition.
    Enterprise,
}

/// How much of a configuration is accepted; GitLab's names where it has some (reference `config.md` §1.6).
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of one file.
    pub max_yaml_size_bytes: Option<usize>,
    /// Levels of lists and mappings.
    pub max_yaml_depth: Option<u32>,
    /// Included files.
    pub ci_max_includes: Option<usize>,
    /// Bytes of all included files together.
    pub ci_max_total_yaml_size_bytes: Option<u64>,
    /// How long fetching includes may take in all.
    pub include_timeout: Option<Period>,
    /// Values and keys of one interpolated file.
    pub interpolation_nodes: Option<usize>,
    /// Bytes of one text that holds a block.
    pub interpolation_node_bytes: Option<usize>,
    /// Bytes inside one block.
    pub interpolation_expression_bytes: Option<usize>,
    /// Different blocks of one file.
    pub interpolation_blocks: Option<usize>,
    /// Functions of one block.
    pub interpolation_functions: Option<usize>,
    /// Inputs given to a pipeline.
    pub pipeline_inputs: Option<usize>,
}

/// What `lint` tells.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lint {
    /// Codes of findings that are not told. Both files' count.
    pub disable: Vec<String>,
    /// Keys of includes that GitLab passes over are told.
    pub strict_includes: Option<bool>,
}

/// How jobs run.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Run {
    /// How many jobs run at once.
    pub jobs: Option<NonZeroUsize>,
    /// How job trees are made.
    pub workspace: Option<Workspace>,
    /// What reads the scripts of jobs.
    pub shell: Option<Shell>,
    /// Timeout of jobs that name none.
    pub default_timeout: Option<Period>,
    /// Bytes of a job's log.
    pub log_limit: Option<Size>,
    /// What jobs see of the user's environment.
    pub environment: Option<Environment>,
    /// How many runs of each project are kept.
    pub keep_runs: Option<NonZeroUsize>,
    /// Runs begun longer ago go.
    pub max_run_age: Option<Period>,
}

/// What reads the scripts of jobs, `shell` of GitLab Runner's configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shell {
    /// Bash.
    Bash,
    /// Whatever is called `sh`.
    Sh,
}

/// How job trees are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workspace {
    /// The best that works here.
    Auto,
    /// Overlay mounts, whichever kind works.
    Overlay,
    /// Overlay mounts with the privileges there are.
    OverlayRoot,
    /// Overlay mounts in an unprivileged user namespace.
    OverlayUser,
    /// Copies that share blocks.
    Reflink,
    /// Plain copies.
    Copy,
}

impl Workspace {
    /// The name in settings, flags and the backends' own list.
    pub fn name(self) -> &'static str {
        match self {
            Workspace::Auto => "auto",
            Workspace::Overlay => "overlay",
            Workspace::OverlayRoot => "overlay-root",
            Workspace::OverlayUser => "overlay-user",
            Workspace::Reflink => "reflink",
            Workspace::Copy => "copy",
        }
    }
}

/// What jobs see of the user's environment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// All of it, below the job's own variables.
    Inherit,
    /// Only what a job needs to start.
    Clean,
}

/// The project as GitLab knows it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProjectSection {
    /// Full path.
    pub path: Option<String>,
    /// `CI_PROJECT_ID`.
    pub id: Option<u64>,
    /// `CI_DEFAULT_BRANCH`.
    pub default_branch: Option<String>,
    /// Patterns of protected branches.
    pub protected_branches: Option<Vec<String>>,
    /// Patterns of protected tags.
    pub protected_tags: Option<Vec<String>>,
    /// Role of the pipeline's user.
    pub role: Option<RoleName>,
}

/// Role of the pipeline's user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleName {
    /// Guest.
    Guest,
    /// Reporter.
    Reporter,
    /// Developer.
    Developer,
    /// Maintainer.
    Maintainer,
    /// Owner.
    Owner,
}

/// The server the pipeline pretends to run on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSection {
    /// Its address: protocol, host, port.
    pub url: Option<ServerUrl>,
}

/// Address of a server: `https://gitlab.example.com:8443`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct ServerUrl {
    /// `https` or `http`.
    pub protocol: String,
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl TryFrom<String> for ServerUrl {
    type Error = String;

    fn try_from(text: String) -> Result<ServerUrl, String> {
        let parts = text.split_once("://").and_then(|(protocol, rest)| {
            let usual = match protocol {
                "https" => 443,
                "http" => 80,
                _ => return None,
            };
            let rest = rest.trim_end_matches('/');
            let (host, port) = match rest.split_once(':') {
                Some((host, port)) => (host, port.parse().ok()?),
                None => (rest, usual),
            };
            let is_host = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
            let valid = !host.is_empty() && host.chars().all(is_host);
            valid.then(|| (protocol.to_owned(), host.to_owned(), port))
        });
        let Some((protocol, host, port)) = parts else {
            let example = "write it like `https://gitlab.example.com`";
            return Err(format!("`{text}` is no address of a server; {example}"));
        };
        Ok(ServerUrl {
            protocol,
            host,
            port,
        })
    }
}

impl Settings {
    /// These settings, and where they say nothing the ones `below`.
    ///
    /// Mappings, variables and disabled codes of both count; other lists are replaced as a whole.
    pub fn over(self, below: Settings) -> Settings {
        Settings {
            dialect: self.dialect.or(below.dialect),
            edition: self.edition.or(below.edition),
            gitlab_version: self.gitlab_version.or(below.gitlab_version),
            data_dir: self.data_dir.or(below.data_dir),
            limits: self.limits.over(below.limits),
            lint: self.lint.over(below.lint),
            run: self.run.over(below.run),
            project: self.project.over(below.project),
            server: ServerSection {
                url: self.server.url.or(below.server.url),
            },
            variables: self.variables.over(below.variables),
            includes: self.includes.over(below.includes),
            cache: self.cache.over(below.cache),
            secrets: sources_over(self.secrets, below.secrets),
            id_tokens: sources_over(self.id_tokens, below.id_tokens),
        }
    }

    /// Makes paths relative to `dir` absolute; `~/` stands for `home`.
    pub(crate) fn anchor(&mut self, dir: &Path, home: Option<&Path>) {
        if let Some(data_dir) = &mut self.data_dir {
            anchor(data_dir, dir, home);
        }
        self.includes.anchor(dir, home);
        self.cache.remote.anchor(dir, home);
        for source in self.secrets.values_mut().chain(self.id_tokens.values_mut()) {
            if let Source::File(path) = source {
                anchor(path, dir, home);
            }
        }
    }
}

fn sources_over(own: Sources, mut below: Sources) -> Sources {
    below.extend(own);
    below
}

fn anchor(path: &mut PathBuf, dir: &Path, home: Option<&Path>) {
    *path = match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => dir.join(&*path),
    };
}

impl Limits {
    fn over(self, below: Limits) -> Limits {
        Limits {
            max_yaml_size_bytes: self.max_yaml_size_bytes.or(below.max_yaml_size_bytes),
            max_yaml_depth: self.max_yaml_depth.or(below.max_yaml_depth),
            ci_max_includes: self.ci_max_includes.or(below.ci_max_includes),
            ci_max_total_yaml_size_bytes: self
                .ci_max_total_yaml_size_bytes
                .or(below.ci_max_total_yaml_size_bytes),
            include_timeout: self.include_timeout.or(below.include_timeout),
            interpolation_nodes: self.interpolation_nodes.or(below.interpolation_nodes),
            interpolation_node_bytes: self
                .interpolation_node_bytes
                .or(below.interpolation_node_bytes),
            interpolation_expression_bytes: self
                .interpolation_expression_bytes
                .or(below.interpolation_expression_bytes),
            interpolation_blocks: self.interpolation_blocks.or(below.interpolation_blocks),
            interpolation_functions: self
                .interpolation_functions
                .or(below.interpolation_functions),
            pipeline_inputs: self.pipeline_inputs.or(below.pipeline_inputs),
        }
    }
}

impl Lint {
    fn over(mut self, below: Lint) -> Lint {
        self.disable.extend(below.disable);
        self.disable.sort();
        self.disable.dedup();
        Lint {
            disable: self.disable,
            strict_includes: self.strict_includes.or(below.strict_includes),
        }
    }
}

impl Run {
    fn over(self, below: Run) -> Run {
        Run {
            jobs: self.jobs.or(below.jobs),
            workspace: self.workspace.or(below.workspace),
            shell: self.shell.or(below.shell),
            default_timeout: self.default_timeout.or(below.default_timeout),
            log_limit: self.log_limit.or(below.log_limit),
            environment: self.environment.or(below.environment),
            keep_runs: self.keep_runs.or(below.keep_runs),
            max_run_age: self.max_run_age.or(below.max_run_age),
        }
    }
}

impl ProjectSection {
    fn over(self, below: ProjectSection) -> ProjectSection {
        ProjectSection {
            path: self.path.or(below.path),
            id: self.id.or(below.id),
            default_branch: self.default_branch.or(below.default_branch),
            protected_branches: self.protected_branches.or(below.protected_branches),
            protected_tags: self.protected_tags.or(below.protected_tags),
            role: self.role.or(below.role),
        }
    }
}
