//! Runs git, the only way this crate learns anything about a repository.
//!
//! A git process costs about 1.5 ms, so callers ask for much at once and only when they must.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use thiserror::Error;

/// Git did not answer.
#[derive(Debug, Error)]
pub enum GitError {
    /// There is no git, or it cannot be started.
    #[error("start git: {0}")]
    Start(#[source] std::io::Error),
    /// What git wrote cannot be moved to its place.
    #[error("move what git wrote: {0}")]
    Move(#[source] std::io::Error),
    /// Git refused.
    #[error("run `git {command}`: {message}")]
    Refused {
        /// What was asked.
        command: String,
        /// What git said, without the final line break.
        message: String,
    },
}

/// Runs git in `dir` and returns its standard output.
pub(crate) fn git<A: AsRef<OsStr>>(dir: &Path, args: &[A]) -> Result<Vec<u8>, GitError> {
    let mut git = command(dir);
    git.args(args);
    finished(git, args)
}

fn finished<A: AsRef<OsStr>>(mut git: Command, args: &[A]) -> Result<Vec<u8>, GitError> {
    let output = git.output().map_err(GitError::Start)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words: Vec<_> = args
        .iter()
        .map(|arg| arg.as_ref().to_string_lossy())
        .collect();
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(GitError::Refused {
        command: words.join(" "),
        message,
    })
}

/// As [`git`], with further environment variables.
pub(crate) fn git_with<A: AsRef<OsStr>>(
    dir: &Path,
    args: &[A],
    variables: &[(&str, &OsStr)],
) -> Result<Vec<u8>, GitError> {
    let mut git = command(dir);
    git.args(args).envs(variables.iter().copied());
    finished(git, args)
}

/// Runs git in `dir`; `None` where git refuses, for questions whose answer may well be no.
pub(crate) fn try_git<A: AsRef<OsStr>>(dir: &Path, args: &[A]) -> Option<Vec<u8>> {
    git(dir, args).ok()
}

/// The parts of a NUL-separated answer, without the empty last one; bytes that are not UTF-8 are replaced.
pub(crate) fn fields(answer: &[u8]) -> Vec<String> {
    let answer = answer.strip_suffix(b"\0").unwrap_or(answer);
    if answer.is_empty() {
        return Vec::new();
    }
    answer
        .split(|byte| *byte == 0)
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}

/// Asks a repository that is not the user's present one.
///
/// Variables that point git at the present one (it sets them for hooks) would lead it away from `dir`.
pub(crate) fn foreign(dir: &Path) -> Command {
    let mut command = command(dir);
    for name in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_NAMESPACE",
        "GIT_PREFIX",
    ] {
        command.env_remove(name);
    }
    command
}

/// Runs git in a repository that is not the present one and returns its standard output; `None` where it refuses.
pub(crate) fn try_foreign<A: AsRef<OsStr>>(dir: &Path, args: &[A]) -> Option<Vec<u8>> {
    let mut git = foreign(dir);
    git.args(args);
    finished(git, args).ok()
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .arg("--no-optional-locks")
        .current_dir(dir)
        .stdin(Stdio::null())
        // Messages are shown to people as they are; their language must not depend on the machine where tests compare them.
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0");
    command
}
