//! Everything an executor needs of one try of one job.

use std::sync::Arc;
use std::time::Duration;

use crate::id::{JobIdx, JobKey};
use crate::keyword::{ArtifactFormat, CacheWhen, Image, OnMiss, PushIf, Service};

/// One try of one job, self-contained: local executors consume it, a server serialises it for GitLab's runners
/// (reference `runner.md` §1.4). Texts still hold the references a runner expands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobSpec {
    /// Which try of which job.
    pub key: JobKey,
    /// `CI_JOB_ID`.
    pub job_id: u64,
    /// Full name.
    pub name: Arc<str>,
    /// Stage name.
    pub stage: Arc<str>,
    /// Variables, sorted and expanded; undefined references kept, file and raw references left in place.
    pub variables: Vec<VariableSpec>,
    /// Steps in order; `after_script` is the last where there is one.
    pub steps: Vec<StepSpec>,
    /// `hooks:pre_get_sources_script`.
    pub pre_get_sources_script: Vec<Arc<str>>,
    /// Image, for executors that use one.
    pub image: Option<Image>,
    /// Services, for executors that can start them.
    pub services: Vec<Service>,
    /// Caches in order.
    pub caches: Vec<CacheSpec>,
    /// Archives and reports to keep.
    pub artifacts: Vec<ArtifactSpec>,
    /// Jobs whose artifacts are wanted, in download order.
    pub dependencies: Vec<DependencySpec>,
    /// How long it may run.
    pub timeout: Duration,
    /// The commit it runs on.
    pub git: GitSpec,
    /// Shell its scripts are written for.
    pub shell: ShellKind,
}

/// A variable as handed to a runner.
#[derive(Clone, PartialEq, Eq)]
pub struct VariableSpec {
    /// Name.
    pub key: Arc<str>,
    /// Value.
    pub value: Arc<str>,
    /// The job sees the path of a file that holds the value.
    pub file: bool,
    /// The value is masked in the log.
    pub masked: bool,
    /// References in the value are not expanded.
    pub raw: bool,
}

impl std::fmt::Debug for VariableSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A masked value must not reach any log by way of a debug print.
        let value = if self.masked {
            "[MASKED]"
        } else {
            &*self.value
        };
        write!(f, "{}={value:?}", self.key)
    }
}

/// A list of commands that one shell runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepSpec {
    /// `script`, `release`, `after_script`.
    pub name: Arc<str>,
    /// Its commands.
    pub script: Vec<Arc<str>>,
    /// Runs whatever happened before.
    pub always: bool,
}

/// A cache as handed to a runner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CacheSpec {
    /// Key with suffixes, unexpanded.
    pub key: Arc<str>,
    /// Fallback keys with suffixes, unexpanded.
    pub fallback_keys: Vec<Arc<str>>,
    /// Patterns, unexpanded.
    pub paths: Vec<Arc<str>>,
    /// Files git does not know are part of it.
    pub untracked: bool,
    /// Policy as text, unexpanded.
    pub policy: Arc<str>,
    /// For which outcomes it is saved.
    pub when: CacheWhen,
    /// What happens on a miss.
    pub on_miss: OnMiss,
    /// When it is saved.
    pub push_if: PushIf,
}

/// An archive or report as handed to a runner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArtifactSpec {
    /// Name, unexpanded; `None`: `artifacts`, or the report's own name.
    pub name: Option<Arc<str>>,
    /// `archive`, or the kind of report.
    pub kind: Arc<str>,
    /// How it is packed.
    pub format: ArtifactFormat,
    /// Patterns, unexpanded.
    pub paths: Vec<Arc<str>>,
    /// Patterns left out, unexpanded.
    pub exclude: Vec<Arc<str>>,
    /// Files git does not know are part of it.
    pub untracked: bool,
    /// For which outcomes it is kept.
    pub when: CacheWhen,
    /// How long it is kept; `None`: for ever.
    pub expire_in: Option<Duration>,
}

/// A job whose artifacts are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DependencySpec {
    /// Which; `None`: a job of an earlier run that is not in this one.
    pub job: Option<JobIdx>,
    /// Its name.
    pub name: Arc<str>,
    /// `CI_JOB_ID` of the try whose artifacts are meant.
    pub job_id: u64,
}

/// The commit a job runs on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GitSpec {
    /// Branch or tag.
    pub ref_name: String,
    /// Commit id; empty where there is no repository.
    pub sha: String,
    /// Commit before the push.
    pub before_sha: String,
    /// It is a tag.
    pub is_tag: bool,
}

/// Shells scripts can be written for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ShellKind {
    /// bash.
    #[default]
    Bash,
    /// A POSIX shell.
    Sh,
}
