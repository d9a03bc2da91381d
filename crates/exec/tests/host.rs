//! A binary that hosts the supervisor, and an engine that can be killed. Only the tests of this
//! crate use it.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

#[path = "exec/job.rs"]
mod job;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args
        .next()
        .and_then(|word| word.into_string().ok())
        .as_deref()
    {
        Some("__supervise") => tidegate_exec::supervisor_main(args, enter),
        Some("engine") => engine(args),
        _ => ExitCode::from(2),
    }
}

/// Stands in for a mount plan: fails when told to, else leaves a mark of its words.
fn enter(plan: &[OsString]) -> io::Result<()> {
    match plan {
        [word] if word == "fail" => Err(io::Error::other("told to fail")),
        [word, file] if word == "mark" => std::fs::write(file, "entered"),
        _ => Err(io::Error::other("unknown plan")),
    }
}

/// Runs one command as a job in a directory, log to standard output.
fn engine(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(dir), Some(command)) = (args.next(), args.next()) else {
        return ExitCode::from(2);
    };
    let command = command.to_string_lossy();
    let program = std::env::current_exe().expect("this binary has a path");
    let log = |bytes: &[u8]| {
        io::stdout()
            .write_all(bytes)
            .expect("standard output takes the log");
        io::stdout().flush().expect("standard output takes the log");
    };
    let run = job::run(dir.as_ref(), job::spec(&[&command]), Box::new(log));
    let outcome = job::executor(program)
        .start(run)
        .expect("the job starts")
        .wait();
    ExitCode::from(u8::from(outcome.exit_code.is_some()))
}
