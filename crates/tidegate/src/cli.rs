//! The command line: what may be typed. What it means is the business of the commands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options every command takes.
#[derive(Args, Debug, Clone)]
pub struct Global {
    /// Work in this directory instead of the current one
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// The configuration file, relative to the project root
    #[arg(
        short,
        long,
        value_name = "FILE",
        global = true,
        default_value = ".gitlab-ci.yml",
        env = "TIDEGATE_FILE"
    )]
    pub file: String,
    /// Where caches, artifacts and logs are kept
    #[arg(long, value_name = "DIR", global = true, env = "TIDEGATE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// When to use colours
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub color: Color,
    /// Use no colours, as `--color never`
    #[arg(long, global = true, conflicts_with = "color")]
    pub no_color: bool,
}

/// When to use colours.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What runs jobs.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executor {
    /// The shell of this machine; images and services are left aside
    Shell,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the pipeline, or these jobs and what they need
    Run(RunArgs),
    /// List the jobs of the pipeline: stage, when, needs, why
    List(ListArgs),
    /// Explain why a job is in the pipeline or not, rule by rule
    Explain(ExplainArgs),
    /// Show everything that is wrong with the configuration
    Lint(LintArgs),
    /// List the runs of this project, newest first
    Runs(RunsArgs),
    /// Show the log of a job of an earlier run, or follow one that is running
    Logs(LogsArgs),
    /// Open a shell where a job would run: its files, its variables; nothing is saved
    Shell(ShellArgs),
}

/// Which event the pipeline is planned for.
#[derive(Args, Debug, Clone, Default)]
pub struct ScenarioArgs {
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
    /// What caused the pipeline, as in CI_PIPELINE_SOURCE
    #[arg(long, value_name = "SOURCE")]
    pub event: Option<String>,
    /// The branch the pipeline runs for
    #[arg(long = "ref", value_name = "BRANCH", conflicts_with = "tag")]
    pub git_ref: Option<String>,
    /// The tag the pipeline runs for
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// Jobs see the last commit, not the work tree
    #[arg(long)]
    pub committed: bool,
}

/// How results are printed.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people
    #[default]
    Human,
    /// For programs
    Json,
}

/// Arguments of `run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Jobs to run, with what they need; all where none is named. `*` and `?` stand for any characters
    #[arg(value_name = "JOB")]
    pub jobs: Vec<String>,
    /// Run only this stage and those after it
    #[arg(long, value_name = "STAGE")]
    pub from_stage: Option<String>,
    /// Run the jobs that failed in the last run
    #[arg(long, conflicts_with = "jobs")]
    pub only_failed: bool,
    /// Run nothing but the named jobs, not what they need
    #[arg(long)]
    pub no_needs: bool,
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
    /// The run that --retry and --play are about; the last one by default
    #[arg(long, value_name = "ID")]
    pub run: Option<u64>,
    /// `json` prints the events of the run, one object a line
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
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
pub struct RunsArgs {
    /// Show at most this many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// How the runs are printed
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// Arguments of `logs`.
#[derive(Args, Debug)]
pub struct LogsArgs {
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
pub struct ShellArgs {
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
pub struct ListArgs {
    /// Also show jobs that are not in the pipeline, and why
    #[arg(short, long)]
    pub all: bool,
    #[command(flatten)]
    pub scenario: ScenarioArgs,
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// Jobs to explain
    #[arg(value_name = "JOB", required_unless_present = "all")]
    pub jobs: Vec<String>,
    /// Explain every job
    #[arg(long, conflicts_with = "jobs")]
    pub all: bool,
    #[command(flatten)]
    pub scenario: ScenarioArgs,
}

/// Arguments of `lint`.
#[derive(Args, Debug)]
pub struct LintArgs {
    #[command(flatten)]
    pub scenario: ScenarioArgs,
}
