//! The daily commands of the project: `cargo xtask test`, `cargo xtask lint`, `cargo xtask tidy`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talks to the person at the terminal"
)]

mod emulators;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo xtask <command>

  test [ARGS]   check what the tests need, then run all of them; a skipped test is a failure
  lint          format check and clippy, as CI runs them
  tidy          layering and other rules of the repository
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let done = match args.next().as_deref() {
        Some("test") => test(&args.collect::<Vec<_>>()),
        Some("lint") => lint(),
        Some("tidy") => tidy::check(&root()),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .map_or_else(|| here.to_owned(), Path::to_owned)
}

/// Runs all tests; says first what they need and whether it is here.
fn test(args: &[String]) -> Result<(), String> {
    install_missing(&[
        ("git", "git"),
        ("bash", "bash"),
        ("tar", "tar"),
        ("openssl", "openssl"),
        ("sshd", "openssh-server"),
        ("ssh", "openssh-client"),
        ("python3", "python3"),
    ])?;
    let mut cargo = cargo(&["test", "--workspace", "--no-fail-fast"]);
    cargo.args(args).env("TIDEGATE_REQUIRE_ALL", "1");
    for emulator in &emulators::ALL {
        cargo.env(emulator.variable, emulator.program(&root())?);
    }
    println!(
        "running: cargo test --workspace, with TIDEGATE_REQUIRE_ALL=1 (a skipped test is a failure)"
    );
    run(&mut cargo)
}

fn lint() -> Result<(), String> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

/// Programs the tests start, each with the Debian package it is in; those missing are installed where that is possible without
/// asking.
fn install_missing(programs: &[(&str, &str)]) -> Result<(), String> {
    let names: Vec<&str> = programs.iter().map(|(name, _)| *name).collect();
    let missing = programs.iter().filter(|(name, _)| !is_installed(name));
    let mut missing: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if !emulators::has_venv() {
        missing.push("python3-venv");
    }
    if missing.is_empty() {
        println!("the tests need {}: all here", names.join(", "));
        return Ok(());
    }
    println!(
        "the tests need {}; missing: {}",
        names.join(", "),
        missing.join(", ")
    );
    let apt = is_installed("apt-get") && is_root();
    if !apt {
        return Err(format!("install {} and run this again", missing.join(", ")));
    }
    println!("installing: apt-get install {}", missing.join(" "));
    run(Command::new("apt-get").arg("update"))?;
    let mut install = Command::new("apt-get");
    install
        .args(["install", "-y", "--no-install-recommends"])
        .args(&missing);
    run(install.env("DEBIAN_FRONTEND", "noninteractive"))
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    // Servers stand there, which not everybody searches.
    directories.push("/usr/sbin".into());
    directories.iter().any(|dir| dir.join(program).is_file())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(args).current_dir(root());
    command
}

fn run(command: &mut Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|error| format!("failed to start {command:?}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?} ended with {status}"))
    }
}
