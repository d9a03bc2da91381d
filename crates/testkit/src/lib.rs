//! Temporary repositories for tests from outside.
//!
//! A [`Sandbox`] has its own home, git configuration and store, so that nothing of the machine reaches a test.

#![allow(
    clippy::unwrap_used,
    reason = "a broken machine should fail the test at once"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A temporary directory with a project, a home and a store of its own; removed when dropped.
pub struct Sandbox {
    root: tempfile::TempDir,
    binary: PathBuf,
}

/// How a command ended, as text.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Sandbox {
    /// An empty project directory without git. `binary` is the tidegate under test.
    pub fn new(binary: impl AsRef<Path>) -> Sandbox {
        let root = tempfile::tempdir().unwrap();
        for dir in ["project", "home"] {
            std::fs::create_dir(root.path().join(dir)).unwrap();
        }
        Sandbox {
            root,
            binary: binary.as_ref().to_owned(),
        }
    }

    /// A project with this configuration, committed to a new git repository on branch `main`.
    pub fn repository(binary: impl AsRef<Path>, configuration: &str) -> Sandbox {
        let sandbox = Sandbox::new(binary);
        sandbox.write(".gitlab-ci.yml", configuration);
        sandbox.git(&["init", "--quiet", "--initial-branch", "main"]);
        sandbox.commit("first commit");
        sandbox
    }

    /// The project's directory.
    pub fn project(&self) -> PathBuf {
        self.root.path().join("project")
    }

    /// The directory of the store.
    pub fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// Writes a file of the project, folders included.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.project().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Reads a file of the project.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.project().join(path)).unwrap()
    }

    /// Runs git in the project; fails the test when git fails.
    pub fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(args);
        let output = self.isolated(&mut git).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Commits everything in the project.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    /// Runs tidegate in the project and waits for its end.
    pub fn run(&self, args: &[&str]) -> Ended {
        Ended::of(self.command(args).output().unwrap())
    }

    /// Tidegate ready to be started in the project, without a terminal.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(args).stdin(Stdio::null());
        self.isolated(&mut command);
        command
    }

    fn isolated<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let home = self.root.path().join("home");
        command
            .current_dir(self.project())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &home)
            .env("XDG_DATA_HOME", home.join("data"))
            .env("TIDEGATE_DATA_DIR", self.data())
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Ada")
            .env("GIT_AUTHOR_EMAIL", "ada@example.com")
            .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
            .env("GIT_COMMITTER_NAME", "Ada")
            .env("GIT_COMMITTER_EMAIL", "ada@example.com")
            .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")
    }
}

impl Ended {
    /// The end of a finished process.
    pub fn of(output: Output) -> Ended {
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Exit code, standard output and standard error in one text, for snapshots.
    pub fn shown(&self) -> String {
        let code = self.code.map_or("none".to_owned(), |code| code.to_string());
        format!(
            "exit code: {code}\n----- stdout\n{}----- stderr\n{}",
            self.stdout, self.stderr
        )
    }
}

/// Says that a test cannot run here; a failure where `TIDEGATE_REQUIRE_ALL=1` demands every test.
///
/// # Panics
/// When every test is demanded.
pub fn skip(reason: &str) {
    assert!(
        std::env::var_os("TIDEGATE_REQUIRE_ALL").is_none_or(|value| value != "1"),
        "skipped although every test is demanded: {reason}"
    );
    #[expect(clippy::print_stderr, reason = "the test runner shows it")]
    {
        eprintln!("skipped: {reason}");
    }
}
