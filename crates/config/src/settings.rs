//! What a load depends on besides files and scenario.

use std::time::Duration;

/// Which keywords exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Edition {
    /// Community Edition.
    Community,
    /// Enterprise Edition: `secrets`, `identity`, `dast_configuration` too.
    Enterprise,
}

/// Whose language is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Dialect {
    /// GitLab's and nothing else; our extension keywords are unknown.
    Gitlab,
    /// GitLab's with our extension keywords (reference `extensions.md`).
    Tidegate,
}

/// How much is accepted (GitLab 18.11 instance settings, reference `config.md` §1.6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Limits on the text of one file.
    pub yaml: tidegate_yaml::Limits,
    /// Included files, nested and repeated ones counted (`ci_max_includes`).
    pub includes: usize,
    /// Bytes of all included files together (`ci_max_total_yaml_size_bytes`).
    pub included_bytes: u64,
    /// How long resolving includes may take; kept by whoever answers for the world, since loading has no clock.
    pub include_time: Duration,
    /// Values and keys of one file that is interpolated.
    pub interpolation_nodes: usize,
    /// Bytes of one text that holds a block.
    pub interpolation_node_bytes: usize,
    /// Bytes inside one block.
    pub interpolation_expression_bytes: usize,
    /// Different blocks of one file.
    pub interpolation_blocks: usize,
    /// Functions of one block.
    pub interpolation_functions: usize,
    /// Inputs given to a pipeline; checked when it is created, not on loading.
    pub pipeline_inputs: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            yaml: tidegate_yaml::Limits::default(),
            includes: 150,
            included_bytes: 314_572_800,
            include_time: Duration::from_secs(30),
            interpolation_nodes: 500_000,
            interpolation_node_bytes: 1_048_576,
            interpolation_expression_bytes: 1024,
            interpolation_blocks: 10_000,
            interpolation_functions: 3,
            pipeline_inputs: 20,
        }
    }
}

/// How a configuration is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Which keywords exist.
    pub edition: Edition,
    /// Whose language is read.
    pub dialect: Dialect,
    /// Version of GitLab whose behaviour is wanted where versions differ, major and minor.
    pub gitlab_version: (u16, u16),
    /// How much is accepted.
    pub limits: Limits,
    /// Keys of `include` entries that GitLab passes over are told as findings.
    pub strict_includes: bool,
    /// What merging replaced is recorded, for showing where values come from.
    pub record_origins: bool,
    /// The merged tree is kept in [`Loaded::merged`](crate::Loaded::merged), and each job's part of it in
    /// [`JobBody::written`](crate::JobBody::written), for showing and checking what was written. That takes more memory than
    /// all the rest; deciding and running do not need it.
    pub keep_written: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            edition: Edition::Community,
            dialect: Dialect::Tidegate,
            gitlab_version: (18, 11),
            limits: Limits::default(),
            strict_includes: false,
            record_origins: false,
            keep_written: true,
        }
    }
}
