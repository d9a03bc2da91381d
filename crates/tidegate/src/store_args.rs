//! The command line of the commands that look into the store: `cache`, `artifacts`, `doctor`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::{Format, ScenarioArgs};

/// Arguments of `cache`.
#[derive(Args, Debug)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    pub command: CacheCommand,
}

/// What to do with caches.
#[derive(Subcommand, Debug)]
pub(crate) enum CacheCommand {
    /// List the caches of the project, the most recently used first
    Ls(CacheLsArgs),
    /// Show one cache: who saved it, with which patterns, and its files
    Inspect(CacheInspectArgs),
    /// Copy a cache into a directory
    Get(CacheGetArgs),
    /// Save files of the project under a key
    Put(CachePutArgs),
    /// Remove caches of the project
    Rm(CacheRmArgs),
    /// Remove caches and runs beyond limits and expired artifacts, and tidy up
    Prune(CachePruneArgs),
    /// Compare the store with what was saved
    Verify(CacheVerifyArgs),
    /// Show which keys a job has, how they come about, and what is there
    Why(Box<CacheWhyArgs>),
}

/// Arguments of `cache ls`.
#[derive(Args, Debug)]
pub(crate) struct CacheLsArgs {
    /// Those of all projects
    #[arg(short, long, conflicts_with = "remote")]
    pub all: bool,
    /// In the cache shared with other machines (`[cache.remote]` of the settings)
    #[arg(long)]
    pub remote: bool,
    /// The form of the result
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// Arguments of `cache inspect`.
#[derive(Args, Debug)]
pub(crate) struct CacheInspectArgs {
    /// The key, with everything appended to it
    pub key: String,
    /// Also list what is in it
    #[arg(long)]
    pub files: bool,
    /// The form of the result
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// Arguments of `cache get`.
#[derive(Args, Debug)]
pub(crate) struct CacheGetArgs {
    /// The key, with everything appended to it
    pub key: String,
    /// From the cache shared with other machines; it is kept here as well
    #[arg(long)]
    pub remote: bool,
    /// Where to copy it: an empty directory, or one to be made
    #[arg(value_name = "DIRECTORY")]
    pub into: PathBuf,
}

/// Arguments of `cache put`.
#[derive(Args, Debug)]
pub(crate) struct CachePutArgs {
    /// The key, with everything appended to it
    pub key: String,
    /// Also into the cache shared with other machines
    #[arg(long)]
    pub remote: bool,
    /// Files and directories, relative to the project root
    #[arg(required_unless_present = "zip", value_name = "PATH")]
    pub paths: Vec<String>,
    /// What is in this archive, such as a `cache.zip` of GitLab's runner
    #[arg(long, value_name = "FILE", conflicts_with = "paths")]
    pub zip: Option<PathBuf>,
}

/// Arguments of `cache rm`.
#[derive(Args, Debug)]
pub(crate) struct CacheRmArgs {
    /// Keys, with everything appended to them
    #[arg(value_name = "KEY", required_unless_present = "all")]
    pub keys: Vec<String>,
    /// All caches of the project
    #[arg(short, long, conflicts_with = "keys")]
    pub all: bool,
    /// In the cache shared with other machines (`[cache.remote]` of the settings)
    #[arg(long)]
    pub remote: bool,
}

/// Arguments of `cache prune`.
#[derive(Args, Debug)]
pub(crate) struct CachePruneArgs {
    /// All caches together may take so much: 20GB (of 1000), 20GiB or 20G (of 1024)
    #[arg(long, value_name = "SIZE", value_parser = crate::amount::parse_bytes)]
    pub max_size: Option<u64>,
    /// Those of each project may take so much
    #[arg(long, value_name = "SIZE", value_parser = crate::amount::parse_bytes)]
    pub max_project_size: Option<u64>,
    /// Those not used for so many days go; in the remote cache those saved before
    #[arg(long, value_name = "DAYS")]
    pub max_age_days: Option<u64>,
    /// In the cache shared with other machines (`[cache.remote]` of the settings)
    #[arg(long, conflicts_with_all = ["max_size", "max_project_size", "keep_runs", "max_run_age_days"])]
    pub remote: bool,
    /// So many runs of each project stay
    #[arg(long, value_name = "NUMBER")]
    pub keep_runs: Option<std::num::NonZeroUsize>,
    /// Runs begun longer ago go; the newest of a project stays
    #[arg(long, value_name = "DAYS")]
    pub max_run_age_days: Option<u64>,
    /// The form of the result
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// Arguments of `cache verify`.
#[derive(Args, Debug)]
pub(crate) struct CacheVerifyArgs {
    /// Also read and compare the contents of files
    #[arg(long)]
    pub contents: bool,
    /// The form of the result
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// Arguments of `cache why`.
#[derive(Args, Debug)]
pub(crate) struct CacheWhyArgs {
    /// The job whose caches are meant
    pub job: String,
    /// The form of the result
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
    #[command(flatten)]
    pub scenario: ScenarioArgs,
}

/// Arguments of `artifacts`.
#[derive(Args, Debug)]
pub(crate) struct ArtifactsArgs {
    #[command(subcommand)]
    pub command: ArtifactsCommand,
}

/// What to do with artifacts.
#[derive(Subcommand, Debug)]
pub(crate) enum ArtifactsCommand {
    /// List what the jobs of a run left
    Ls(ArtifactsLsArgs),
    /// Copy artifacts of a job into a directory
    Get(ArtifactsGetArgs),
    /// Print where artifacts of a job can be read
    Open(ArtifactsOpenArgs),
    /// Pack artifacts of a job as GitLab would
    Export(ArtifactsExportArgs),
}

/// Arguments of `artifacts ls`.
#[derive(Args, Debug)]
pub(crate) struct ArtifactsLsArgs {
    /// Of this run; of the newest by default
    #[arg(long, value_name = "ID")]
    pub run: Option<u64>,
    /// The form of the result
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// Arguments of `artifacts get`.
#[derive(Args, Debug)]
pub(crate) struct ArtifactsGetArgs {
    /// The job
    pub job: String,
    /// Where to copy them: an empty directory, or one to be made
    #[arg(value_name = "DIRECTORY")]
    pub into: PathBuf,
    /// Of this run; of the newest that has some by default
    #[arg(long, value_name = "ID")]
    pub run: Option<u64>,
    /// The archive, or a kind of report such as junit
    #[arg(long, value_name = "KIND", default_value = "archive")]
    pub kind: String,
}

/// Arguments of `artifacts open`.
#[derive(Args, Debug)]
pub(crate) struct ArtifactsOpenArgs {
    /// The job
    pub job: String,
    /// A file among them; all where none is named
    pub path: Option<PathBuf>,
    /// Of this run; of the newest that has some by default
    #[arg(long, value_name = "ID")]
    pub run: Option<u64>,
    /// The archive, or a kind of report such as junit
    #[arg(long, value_name = "KIND", default_value = "archive")]
    pub kind: String,
}

/// Arguments of `artifacts export`.
#[derive(Args, Debug)]
pub(crate) struct ArtifactsExportArgs {
    /// The job
    pub job: String,
    /// The archive to write; the name of the artifacts with `.zip` by default
    #[arg(value_name = "FILE")]
    pub archive: Option<PathBuf>,
    /// Of this run; of the newest that has some by default
    #[arg(long, value_name = "ID")]
    pub run: Option<u64>,
    /// The archive, or a kind of report such as junit
    #[arg(long, value_name = "KIND", default_value = "archive")]
    pub kind: String,
}

/// Arguments of `doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// The form of the result
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}
