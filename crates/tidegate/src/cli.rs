//! The command line: what may be typed. What it means is the business of the commands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::store_args::{ArtifactsArgs, CacheArgs, DoctorArgs};

/// The configuration file where none is named.
pub(crate) const DEFAULT_FILE: &str = ".gitlab-ci.yml";

/// Explains and runs GitLab CI/CD pipelines anywhere.
///
/// Loads .gitlab-ci.yml exactly as GitLab does, decides which jobs enter a pipeline, says why, and runs it.
#[derive(Parser, Debug)]
#[command(
    name = "tidegate",
    version,
    max_term_width = 100,
    propagate_version = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options every command takes.
#[derive(Args, Debug, Clone)]
pub(crate) struct Global {
    /// Work in this directory instead of the current one
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// The configuration file, relative to the project root
    #[arg(
        short,
        long,
        value_name = "FILE",
        global = true,
        default_value = DEFAULT_FILE,
        env = "TIDEGATE_FILE"
    )]
    pub file: String,
    /// Where caches, artifacts and logs are kept
    #[arg(long, value_name = "DIR", global = true, env = "TIDEGATE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// When to use colours
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub color: Color,
    /// Whose language is read: with GitLab's, our own keywords are errors as they are there
    #[arg(long, value_name = "DIALECT", global = true, env = "TIDEGATE_DIALECT")]
    pub dialect: Option<DialectName>,
    /// Which keywords exist: those of the Community or of the Enterprise Edition
    #[arg(long, value_name = "EDITION", global = true, env = "TIDEGATE_EDITION")]
    pub edition: Option<EditionName>,
    /// Version of GitLab to follow where versions differ, such as 18.11
    #[arg(
        long,
        value_name = "VERSION",
        global = true,
        env = "TIDEGATE_GITLAB_VERSION"
    )]
    pub gitlab_version: Option<String>,
    /// Fetch nothing: includes from elsewhere only come from the store, caches from this machine
    #[arg(
        long,
        global = true,
        conflicts_with = "update",
        env = "TIDEGATE_OFFLINE"
    )]
    pub offline: bool,
    /// How the remote cache of the settings is used
    #[arg(
        long,
        value_name = "ACCESS",
        global = true,
        env = "TIDEGATE_REMOTE_CACHE"
    )]
    pub remote_cache: Option<RemoteCacheAccess>,
    /// Fetch includes from elsewhere anew and pin what they are now
    #[arg(long, global = true)]
    pub update: bool,
    /// Use no colours, as `--color never`
    #[arg(long, global = true, conflicts_with = "color")]
    pub no_color: bool,
}

/// How the remote cache is used
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RemoteCacheAccess {
    /// Not at all
    Off,
    /// Caches are fetched
    ReadOnly,
    /// Caches are fetched, and what jobs save is put there
    ReadWrite,
}

/// Whose language is read
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DialectName {
    /// GitLab's and nothing else
    Gitlab,
    /// GitLab's with our own keywords
    Tidegate,
}

/// Which keywords exist.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EditionName {
    /// Community Edition
    Ce,
    /// Enterprise Edition
    Ee,
}

/// The form of a result.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    /// For people
    #[default]
    Human,
    /// For programs
    Json,
}

/// When to use colours.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What runs jobs.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Executor {
    /// The shell of this machine; images and services are left aside
    Shell,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run the pipeline, or these jobs and what they need
    Run(RunArgs),
    /// List the jobs of the pipeline: stage, when, needs, why
    List(ListArgs),
    /// Explain why a job is in the pipeline or not, rule by rule
    Explain(ExplainArgs),
    /// Show everything that is wrong with the configuration
    Lint(LintArgs),
    /// Draw the jobs of the pipeline and what they need
    Graph(GraphArgs),
    /// Show the merged configuration
    Show(ShowArgs),
    /// List the runs of this project, newest first
    Runs(RunsArgs),
    /// Show the log of a job of an earlier run, or follow one that is running
    Logs(LogsArgs),
    /// Open a shell where a job would run: its files, its variables; nothing is saved
    Shell(ShellArgs),
    /// Look into the caches, copy from and to them, prune them
    Cache(CacheArgs),
    /// List, copy and pack what jobs left
    Artifacts(ArtifactsArgs),
    /// Say what this machine offers and what the pipeline would miss
    Doctor(DoctorArgs),
}

/// Which event the pipeline is planned for.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct ScenarioArgs {
    /// Set a pipeline variable, as "Run pipeline" in GitLab would
    #[arg(short, long = "variable", value_name = "KEY=VALUE")]
    pub variables: Vec<String>,
    /// Set a pipeline input
    #[arg(long = "input", value_name = "KEY=VALUE")]
    pub inputs: Vec<String>,
    /// Compare changes with this commit instead of the upstream
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
    /// Take these paths as the changed ones
    #[arg(long, value_name = "PATH")]
    pub changed: Vec<String>,
    /// State that the changed paths cannot be determined
    #[arg(long, conflicts_with = "changed")]
    pub changed_unknown: bool,
    /// What caused the pipeline, as in CI_PIPELINE_SOURCE
    #[arg(long, value_name = "SOURCE")]
    pub event: Option<String>,
    /// The branch the pipeline runs for
    #[arg(long = "ref", value_name = "BRANCH", conflicts_with_all = ["tag", "merge_request"])]
    pub git_ref: Option<String>,
    /// The tag the pipeline runs for
    #[arg(long, value_name = "TAG", conflicts_with = "merge_request")]
    pub tag: Option<String>,
    /// The merge request the pipeline runs for: `target=BRANCH` and further `key=value`, separated by commas
    #[arg(long, value_name = "KEY=VALUE,…")]
    pub merge_request: Option<String>,
    /// The ref is protected
    #[arg(long)]
    pub protected: bool,
    /// Role of the user who runs the pipeline
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// Take this message as the commit's
    #[arg(long, value_name = "TEXT")]
    pub commit_message: Option<String>,
    /// A push option below `ci`, such as `skip`
    #[arg(long = "push-option", value_name = "OPTION")]
    pub push_options: Vec<String>,
    /// State that a cache with this final key is present or missing
    #[arg(long = "cache", value_name = "KEY=present|missing")]
    pub caches: Vec<String>,
    /// Inputs with their types, as a YAML or JSON mapping
    #[arg(long, value_name = "FILE")]
    pub inputs_file: Option<PathBuf>,
    /// Variables of the project's settings, one KEY=VALUE a line
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// A file that states the event; flags win over it
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Jobs see the last commit, not the work tree
    #[arg(long)]
    pub committed: bool,
}

/// Planning that is written down, and planning from what was.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct RecordingArgs {
    /// Write everything the plan depends on to this file
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    pub record: Option<PathBuf>,
    /// Plan from what --record wrote, without repository and network
    #[arg(long, value_name = "FILE", conflicts_with = "ScenarioArgs")]
    pub replay: Option<PathBuf>,
}

/// Arguments of `run`.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// Jobs to run, with what they need; all where none is named. `*` and `?` stand for any characters
    #[arg(value_name = "JOB", group = "chosen")]
    pub jobs: Vec<String>,
    /// Run only this stage and those after it
    #[arg(long, value_name = "STAGE")]
    pub from_stage: Option<String>,
    /// Run the jobs that failed in the last run
    #[arg(long, conflicts_with = "jobs", group = "chosen")]
    pub only_failed: bool,
    /// Run nothing but the named jobs, not what they need; artifacts they get come from the last run that has them
    #[arg(long, requires = "chosen")]
    pub no_needs: bool,
    /// Run again what a change of files touches, until Ctrl-C
    #[arg(long, conflicts_with_all = ["resume", "retry", "play", "run", "only_failed", "committed"])]
    pub watch: bool,
    /// Run the named jobs even where their rules leave them out
    #[arg(long, requires = "jobs")]
    pub force: bool,
    /// Go on with a run that was stopped; the last one where no ID is given
    #[arg(long, value_name = "ID", num_args = 0..=1, conflicts_with_all = ["jobs", "retry", "play", "run"])]
    pub resume: Option<Option<u64>>,
    /// Run a finished job of an earlier run again
    #[arg(long, value_name = "JOB", conflicts_with = "jobs")]
    pub retry: Vec<String>,
    /// Start a manual or delayed job of an earlier run
    #[arg(long, value_name = "JOB", conflicts_with = "jobs")]
    pub play: Vec<String>,
    /// Another value for an input of the jobs that --play, --retry or JOB names; lists, numbers and booleans as JSON
    #[arg(long = "job-input", value_name = "NAME=VALUE", conflicts_with_all = ["resume", "only_failed", "watch"])]
    pub job_inputs: Vec<String>,
    /// The run that --retry and --play are about; the last one by default
    #[arg(long, value_name = "ID")]
    pub run: Option<u64>,
    /// `json` prints the events of the run, one object a line
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
    /// Write how the run ended as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write how the run ended as a page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// How many jobs run at once; the number of cores by default
    #[arg(long = "jobs", value_name = "N", env = "TIDEGATE_JOBS")]
    pub parallel: Option<std::num::NonZeroUsize>,
    /// How job trees are made: overlay, reflink or copy; the best that works by default
    #[arg(long, value_name = "BACKEND", env = "TIDEGATE_WORKSPACE")]
    pub workspace: Option<String>,
    /// Run jobs with this executor, also those that name an image
    #[arg(long, value_name = "EXECUTOR", env = "TIDEGATE_EXECUTOR")]
    pub executor: Option<Executor>,
    /// Show only what failed and how it ended
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub scenario: ScenarioArgs,
}

/// Arguments of `runs`.
#[derive(Args, Debug)]
pub(crate) struct RunsArgs {
    /// Show at most this many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// How the runs are printed
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// Arguments of `logs`.
#[derive(Args, Debug)]
pub(crate) struct LogsArgs {
    /// Jobs whose logs to show; the name of a parallel job stands for all its instances
    #[arg(value_name = "JOB", required = true)]
    pub jobs: Vec<String>,
    /// The run; the last one by default
    #[arg(long, value_name = "ID")]
    pub run: Option<u64>,
    /// Which try of the job; the last one by default
    #[arg(long, value_name = "N", conflicts_with = "follow")]
    pub attempt: Option<u32>,
    /// Go on showing what is added until the job ends; also `-f`
    #[arg(long)]
    pub follow: bool,
    /// The log as it was written, with section markers and colours
    #[arg(long)]
    pub raw: bool,
}

/// Arguments of `shell`.
#[derive(Args, Debug)]
pub(crate) struct ShellArgs {
    /// The job
    #[arg(value_name = "JOB")]
    pub job: String,
    /// A command to run instead of an interactive shell
    #[arg(value_name = "COMMAND", last = true)]
    pub command: Vec<std::ffi::OsString>,
    /// How the job's tree is made: overlay, reflink or copy; the best that works by default
    #[arg(long, value_name = "BACKEND", env = "TIDEGATE_WORKSPACE")]
    pub workspace: Option<String>,
    #[command(flatten)]
    pub scenario: ScenarioArgs,
}

/// Arguments of `list`.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Also show jobs that are not in the pipeline, and why
    #[arg(short, long)]
    pub all: bool,
    /// The form of the result
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    #[command(flatten)]
    pub recording: RecordingArgs,
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// Jobs to explain
    #[arg(value_name = "JOB", required_unless_present = "all")]
    pub jobs: Vec<String>,
    /// Explain every job
    #[arg(long, conflicts_with = "jobs")]
    pub all: bool,
    /// The form of the result
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    #[command(flatten)]
    pub recording: RecordingArgs,
}

/// Arguments of `lint`.
#[derive(Args, Debug)]
pub(crate) struct LintArgs {
    /// The form of the result
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: LintFormat,
    /// Switch a finding of ours off everywhere
    #[arg(long = "disable", value_name = "CODE")]
    pub disabled: Vec<String>,
    #[command(flatten)]
    pub scenario: ScenarioArgs,
}

/// The form of what `lint` finds.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LintFormat {
    /// For people, with the lines involved
    Human,
    /// The shape of GitLab's CI Lint API
    Json,
    /// SARIF 2.1.0
    Sarif,
    /// GitLab's code quality report
    Codeclimate,
    /// Commands that GitHub shows in pull requests
    Github,
}

/// Arguments of `graph`.
#[derive(Args, Debug)]
pub(crate) struct GraphArgs {
    /// The form of the graph
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: GraphFormat,
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    #[command(flatten)]
    pub recording: RecordingArgs,
}

/// The form of a graph.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GraphFormat {
    /// For the terminal
    Text,
    /// A picture for browsers
    Svg,
    /// Mermaid, for Markdown
    Mermaid,
    /// Graphviz
    Dot,
}

/// Arguments of `show`.
#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// Only this job or top-level key
    #[arg(value_name = "JOB")]
    pub job: Option<String>,
    /// Say for each key where it was written and what it overrides
    #[arg(long, conflicts_with = "format")]
    pub origin: bool,
    /// The form of the result
    #[arg(long, value_name = "FORMAT", default_value = "yaml")]
    pub format: ShowFormat,
    #[command(flatten)]
    pub scenario: ScenarioArgs,
}

/// The form of a configuration.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShowFormat {
    /// As GitLab shows it
    Yaml,
    /// For programs
    Json,
}
