//! The tidegate binary: arguments, settings, views, exit codes. Everything else is in the crates below.

mod amount;
mod arguments;
mod cli;
mod command;
mod downstream;
mod exit;
mod planner;
mod project;
mod recording;
mod remote_cache;
mod scenario_args;
mod statement;
mod store_args;
mod terminal;
mod upkeep;
mod view;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::Parser;
use tidegate_workspace::MountPlan;

use cli::{Cli, Command};
use exit::{Exit, Failure};

/// The word with which the binary starts itself as the supervisor of a job.
pub const SUPERVISE: &str = "__supervise";

/// Does what the process's arguments say.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    if arguments.nth(1).is_some_and(|word| word == SUPERVISE) {
        return tidegate_exec::supervisor_main(arguments, enter);
    }
    let mut cli = Cli::parse_from(arguments::with_follow(std::env::args_os()));
    if cli.global.no_color {
        cli.global.color = cli::Color::Never;
    }
    let done = match &cli.command {
        Command::Run(args) => command::run::run(&cli.global, args),
        Command::List(args) => command::list::run(&cli.global, args),
        Command::Explain(args) => command::explain::run(&cli.global, args),
        Command::Lint(args) => command::lint::run(&cli.global, args),
        Command::Graph(args) => command::graph::run(&cli.global, args),
        Command::Cache(args) => command::cache::run(&cli.global, args),
        Command::Artifacts(args) => command::artifacts::run(&cli.global, args),
        Command::Doctor(args) => command::doctor::run(&cli.global, args),
        Command::Show(args) => command::show::run(&cli.global, args),
        Command::Runs(args) => command::runs::run(&cli.global, args),
        Command::Logs(args) => command::logs::run(&cli.global, args),
        Command::Shell(args) => command::shell::run(&cli.global, args),
    };
    done.unwrap_or_else(|failure| tell(&failure)).into()
}

/// Puts a supervisor into its job's mount namespace.
fn enter(words: &[OsString]) -> io::Result<()> {
    let plan = MountPlan::from_args(words)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the mount plan is unreadable"))?;
    plan.enter().map_err(io::Error::other)
}

fn tell(failure: &Failure) -> Exit {
    if !failure.message.is_empty() {
        terminal::tell(&format!("error: {}\n", failure.message));
    }
    for hint in &failure.hints {
        terminal::tell(&format!("hint: {hint}\n"));
    }
    failure.exit
}
