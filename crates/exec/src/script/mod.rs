//! The text of each stage's script, as GitLab's runner writes it. Pure: values in, text out.
//!
//! A stage is one text that a fresh shell reads on its standard input: a frame around
//! a body. Exit rules are the shell's own, so nothing of them is imitated here. Source: reference
//! `runner.md` §2.2, §2.3, §2.6.

mod body;
mod quote;
mod unnoticed;
mod wrapper;

use std::sync::Arc;

use tidegate_pipeline::ShellKind;

use crate::feature::Features;
use crate::variables::{JobVariable, JobVariables};

use body::Body;
pub use quote::Quoting;
pub use wrapper::{BodyIn, StageText};

/// What the scripts of a job have in common.
#[derive(Clone, Copy, Debug)]
pub struct Scripts<'a> {
    /// Shell they are written for.
    pub shell: ShellKind,
    /// Feature flags of the job.
    pub features: &'a Features,
    /// Variables to export.
    pub variables: &'a JobVariables,
    /// How scripts come by them.
    pub exports: Exports,
    /// The work tree as the job sees it.
    pub project_dir: &'a str,
    /// Private directory beside it.
    pub temp_dir: &'a str,
    /// Section markers may be written (`features.trace_sections` of a job).
    pub sections: bool,
    /// `CI_DEBUG_TRACE`.
    pub debug_trace: bool,
}

/// How scripts come by the variables of their job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exports {
    /// Every stage exports all of them.
    Written,
    /// Those the shell can be started with ([`Scripts::passed`]) are in its environment already.
    Passed,
}

/// What stands in the project directory before the first script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source<'a> {
    /// `GIT_STRATEGY` fetch or clone: a snapshot of the work tree at this commit, empty where there
    /// is none.
    Snapshot {
        /// Commit id.
        sha: &'a str,
    },
    /// `GIT_STRATEGY: none`.
    None,
    /// `GIT_STRATEGY: empty`. Who prepares the directory leaves the project's files out; caches and artifacts may be there.
    Empty,
}

impl Scripts<'_> {
    /// `prepare_script`: says where the job runs and forgets what an earlier job left in
    /// `GITLAB_ENV`. At last, outside the frame of ordinary commands, the shell runs `account`.
    pub fn prepare(&self, account: &str) -> StageText {
        let mut body = self.body();
        body.line("echo \"Running on $(uname -n)...\"");
        match self.debug_trace {
            true => body.remove_file(&self.env_file()),
            false => body.remove_written_file(&self.env_file()),
        }
        self.wrap_with(body, account)
    }

    /// `get_sources`: variables, the hook, and a word about where the files come from.
    pub fn get_sources(&self, source: Source<'_>, hook: &[Arc<str>]) -> StageText {
        let mut body = self.body();
        self.export_all(&mut body);
        body.line("export GIT_TERMINAL_PROMPT=0");
        body.line("export GCM_INTERACTIVE=Never");
        match source {
            Source::Snapshot { sha } => {
                self.commands(&mut body, "pre_clone_script", hook);
                body.notice(&snapshot_notice(sha));
            }
            Source::None => {
                body.notice("Skipping Git repository setup");
                body.make_dir(self.project_dir);
            }
            Source::Empty => {
                body.notice("Skipping Git repository setup and creating an empty build directory");
                body.make_dir(self.project_dir);
            }
        }
        self.wrap(body)
    }

    /// `step_<name>`: variables, `cd` and the commands. Those of a `release` step are expanded by
    /// the runner first.
    pub fn step(&self, name: &str, commands: &[Arc<str>]) -> StageText {
        let mut body = self.body();
        self.export_all(&mut body);
        body.change_dir(self.project_dir);
        if name == "release" {
            let expanded: Vec<Arc<str>> = commands
                .iter()
                .map(|command| self.variables.expand(command).into())
                .collect();
            self.commands(&mut body, "script_step", &expanded);
        } else {
            self.commands(&mut body, "script_step", commands);
        }
        self.wrap(body)
    }

    /// `after_script`; the status of the job is in the variables already.
    pub fn after_script(&self, commands: &[Arc<str>]) -> StageText {
        let mut body = self.body();
        self.export_all(&mut body);
        body.change_dir(self.project_dir);
        body.notice("Running after script...");
        self.commands(&mut body, "after_script_step", commands);
        self.wrap(body)
    }

    /// `cleanup_file_variables`: removes the file variables and `GITLAB_ENV`.
    pub fn cleanup(&self) -> StageText {
        let mut body = self.body();
        body.remove_file(&self.env_file());
        for file in self
            .variables
            .iter()
            .filter_map(|variable| variable.file.as_deref())
        {
            body.remove_file(file);
        }
        self.wrap(body)
    }

    /// Path of the file that carries variables from stage to stage (`GITLAB_ENV`).
    pub fn env_file(&self) -> String {
        format!("{}/gitlab_runner_env", self.temp_dir)
    }

    fn quoting(&self) -> Quoting {
        let flag = "FF_POSIXLY_CORRECT_ESCAPES";
        // Where `sh` is dash, the runner's default quoting gives garbage; a job has to ask for that
        // explicitly here.
        let posix = match self.shell {
            ShellKind::Bash => self.features.is_on(flag),
            ShellKind::Sh => self.features.is_on(flag) || !self.features.is_given(flag),
        };
        if posix {
            Quoting::Posix
        } else {
            Quoting::AnsiC
        }
    }

    fn body(&self) -> Body {
        Body::new(self.quoting())
    }

    fn wrap(&self, body: Body) -> StageText {
        self.wrap_with(body, "")
    }

    fn wrap_with(&self, body: Body, account: &str) -> StageText {
        wrapper::wrap(&wrapper::Frame {
            shell: self.shell,
            quoting: self.quoting(),
            debug_trace: self.debug_trace,
            legacy_eval: self.features.is_on("FF_USE_LEGACY_BASH_EVAL"),
            body: &body.into_text(),
            account,
        })
    }

    /// The variables that need no `export` with [`Exports::Passed`], each as `KEY=VALUE` and a zero byte.
    ///
    /// To a script it makes no difference how they came to be exported, but reading a hundred of them line by line takes a shell
    /// longer than starting does. Only names that mean nothing to a shell, a loader or a C library are passed: those would heed
    /// the others already at their start.
    pub fn passed(&self) -> Vec<u8> {
        let mut passed = Vec::new();
        for variable in self.variables.iter().filter(|variable| is_passed(variable)) {
            for part in [&*variable.key, "=", &*variable.value, "\0"] {
                passed.extend_from_slice(part.as_bytes());
            }
        }
        passed
    }

    fn export_all(&self, body: &mut Body) {
        body.make_dir(self.temp_dir);
        for variable in self.variables.iter() {
            match &variable.file {
                Some(path) => {
                    body.write_file(path, &variable.value);
                    body.export(&variable.key, path);
                }
                None if self.exports == Exports::Passed && is_passed(variable) => {}
                None => body.export(&variable.key, &variable.value),
            }
        }
        body.load_env_file(&self.env_file());
    }

    fn commands(&self, body: &mut Body, prefix: &str, commands: &[Arc<str>]) {
        let sections = self.sections && self.features.is_on("FF_SCRIPT_SECTIONS");
        let check = self.features.is_on("FF_ENABLE_BASH_EXIT_CODE_CHECK");
        for (index, command) in commands.iter().enumerate() {
            let command = command.trim();
            match command.split_once('\n') {
                None if command.is_empty() => body.line("echo"),
                None => body.notice(&format!("$ {command}")),
                Some(_) if sections => {
                    body.section(
                        &format!("section_{prefix}_{index}"),
                        &format!("$ {command}"),
                    );
                }
                Some((first, _)) => {
                    body.notice(&format!("$ {first} # collapsed multi-line command"));
                }
            }
            body.line(command);
            if check {
                body.check_exit_code();
            }
        }
    }
}

/// Beginnings of names only GitLab and this program give.
const PASSED: [&str; 5] = ["CI_", "FF_", "GITLAB_", "RUNNER_", "TIDEGATE_"];
/// Longest value that is passed; the kernel takes 128 KiB, a hundred such values together would be too much.
const PASSED_MOST: usize = 4096;

fn is_passed(variable: &JobVariable) -> bool {
    let key = &*variable.key;
    let known = PASSED.iter().any(|prefix| key.starts_with(prefix));
    let plain = key
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let fits = variable.value.len() <= PASSED_MOST && !variable.value.contains('\0');
    variable.file.is_none() && known && plain && fits
}

/// The line `get_sources` prints for a snapshot, as a shell prints it.
pub(crate) fn snapshot_line(sha: &str) -> String {
    body::green_line(&snapshot_notice(sha))
}

fn snapshot_notice(sha: &str) -> String {
    match sha.get(..8) {
        Some(short) => format!("Using the snapshot of the work tree at {short}"),
        None if sha.is_empty() => "Using the snapshot of the work tree".to_owned(),
        None => format!("Using the snapshot of the work tree at {sha}"),
    }
}

#[cfg(test)]
mod tests;
