//! Values of keywords that configuration, planner and executors share.

use std::sync::Arc;
use std::time::Duration;

/// When a job starts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum When {
    /// When everything before it went well.
    #[default]
    OnSuccess,
    /// When something before it failed.
    OnFailure,
    /// When everything before it is over.
    Always,
    /// When a person starts it.
    Manual,
    /// When its delay is over.
    Delayed,
}

impl When {
    /// The keyword's word.
    pub fn name(self) -> &'static str {
        match self {
            When::OnSuccess => "on_success",
            When::OnFailure => "on_failure",
            When::Always => "always",
            When::Manual => "manual",
            When::Delayed => "delayed",
        }
    }

    /// The value of a word; `never` is none of them.
    pub fn from_name(name: &str) -> Option<When> {
        let all = [
            When::OnSuccess,
            When::OnFailure,
            When::Always,
            When::Manual,
            When::Delayed,
        ];
        all.into_iter().find(|when| when.name() == name)
    }
}

/// For which outcomes caches and artifacts are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum CacheWhen {
    /// When the job succeeded.
    #[default]
    OnSuccess,
    /// When the job failed.
    OnFailure,
    /// Always.
    Always,
}

impl CacheWhen {
    /// The keyword's word.
    pub fn name(self) -> &'static str {
        match self {
            CacheWhen::OnSuccess => "on_success",
            CacheWhen::OnFailure => "on_failure",
            CacheWhen::Always => "always",
        }
    }

    /// The value of a word.
    pub fn from_name(name: &str) -> Option<CacheWhen> {
        let all = [
            CacheWhen::OnSuccess,
            CacheWhen::OnFailure,
            CacheWhen::Always,
        ];
        all.into_iter().find(|when| when.name() == name)
    }

    /// Whether something is kept when the job's success is `succeeded`.
    pub fn applies(self, succeeded: bool) -> bool {
        match self {
            CacheWhen::OnSuccess => succeeded,
            CacheWhen::OnFailure => !succeeded,
            CacheWhen::Always => true,
        }
    }
}

/// `timeout`, `start_in`, `expire_in`: a duration with the words it was written in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timeout {
    /// As written.
    pub text: Arc<str>,
    /// Its length; fractions of a second are dropped.
    pub duration: Duration,
}

/// `retry`; absent fields are those not written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Retry {
    /// How often a failed job is tried again, 0 to 2.
    pub max: u32,
    /// Failure reasons for which it is; empty and no exit codes means `always`.
    pub when: Vec<Arc<str>>,
    /// Exit codes for which it is.
    pub exit_codes: Vec<i64>,
}

/// `pull_policy` of an image.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PullPolicy {
    /// `always`.
    Always,
    /// `if-not-present`.
    IfNotPresent,
    /// `never`.
    Never,
}

impl PullPolicy {
    /// The keyword's word.
    pub fn name(self) -> &'static str {
        match self {
            PullPolicy::Always => "always",
            PullPolicy::IfNotPresent => "if-not-present",
            PullPolicy::Never => "never",
        }
    }
}

/// `image`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// Name, unexpanded.
    pub name: Arc<str>,
    /// `entrypoint`, `None` where not written.
    pub entrypoint: Option<Vec<Arc<str>>>,
    /// `pull_policy` in order of preference; empty where not written.
    pub pull_policy: Vec<PullPolicy>,
    /// `docker:platform`.
    pub docker_platform: Option<Arc<str>>,
    /// `docker:user`.
    pub docker_user: Option<Arc<str>>,
    /// `kubernetes:user`, as text.
    pub kubernetes_user: Option<Arc<str>>,
}

/// One entry of `services`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Service {
    /// What it runs.
    pub image: Image,
    /// `alias`, several separated by spaces or commas.
    pub alias: Option<Arc<str>>,
    /// `command`, `None` where not written.
    pub command: Option<Vec<Arc<str>>>,
    /// `variables`, unexpanded.
    pub variables: Vec<(Arc<str>, Arc<str>)>,
}

/// `cache:key`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CacheKey {
    /// A text, unexpanded; `default` where nothing is written.
    Text(Arc<str>),
    /// The contents of files.
    Files {
        /// One or two paths or patterns.
        files: Vec<Arc<str>>,
        /// `prefix`, unexpanded.
        prefix: Option<Arc<str>>,
    },
    /// The last commits that touched files.
    FilesCommits {
        /// One or two paths or patterns.
        files: Vec<Arc<str>>,
        /// `prefix`, unexpanded.
        prefix: Option<Arc<str>>,
    },
}

/// `cache:policy`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum CachePolicy {
    /// Restore and save.
    #[default]
    PullPush,
    /// Restore only.
    Pull,
    /// Save only.
    Push,
    /// Holds a variable or is none of the words; judged after expansion. Unknown words behave as the runner does.
    Text(Arc<str>),
}

impl CachePolicy {
    /// The policy of an expanded text.
    pub fn from_text(text: &str) -> CachePolicy {
        match text {
            "pull-push" => CachePolicy::PullPush,
            "pull" => CachePolicy::Pull,
            "push" => CachePolicy::Push,
            other => CachePolicy::Text(other.into()),
        }
    }

    /// The keyword's word, or the text as written.
    pub fn text(&self) -> &str {
        match self {
            CachePolicy::PullPush => "pull-push",
            CachePolicy::Pull => "pull",
            CachePolicy::Push => "push",
            CachePolicy::Text(text) => text,
        }
    }
}

/// `cache:on_miss`, an extension: what happens when no entry was found (reference `extensions.md` §2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum OnMiss {
    /// Go on, as GitLab does.
    #[default]
    Continue,
    /// Fail before any script runs.
    Fail,
    /// Run the job that produces it first.
    Produce,
}

/// `cache:push_if`, an extension: when a cache is saved (reference `extensions.md` §2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PushIf {
    /// When its files changed, GitLab's check made exact.
    #[default]
    Changed,
    /// Whatever happened.
    Always,
    /// When no entry with the exact key was restored.
    Miss,
}

/// One entry of `cache`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cache {
    /// `key`.
    pub key: CacheKey,
    /// `paths`, unexpanded.
    pub paths: Vec<Arc<str>>,
    /// `untracked`.
    pub untracked: bool,
    /// `policy`.
    pub policy: CachePolicy,
    /// `when`.
    pub when: CacheWhen,
    /// `unprotect`.
    pub unprotect: bool,
    /// `fallback_keys`, unexpanded.
    pub fallback_keys: Vec<Arc<str>>,
    /// `on_miss`.
    pub on_miss: OnMiss,
    /// `push_if`.
    pub push_if: PushIf,
}

/// How an artifact is packed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ArtifactFormat {
    /// A zip archive of several files.
    Zip,
    /// One gzipped file.
    Gzip,
    /// One file as it is.
    Raw,
}

/// One kind of `artifacts:reports`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The kind, such as `junit` or `dotenv`; `cobertura` or `jacoco` for a coverage report.
    pub kind: Arc<str>,
    /// Paths, unexpanded.
    pub paths: Vec<Arc<str>>,
}

/// `artifacts`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Artifacts {
    /// `name`, unexpanded.
    pub name: Option<Arc<str>>,
    /// `paths`, unexpanded.
    pub paths: Vec<Arc<str>>,
    /// `exclude`, unexpanded.
    pub exclude: Vec<Arc<str>>,
    /// `untracked`.
    pub untracked: bool,
    /// `when`.
    pub when: CacheWhen,
    /// `expire_in`; `None` is GitLab's default of the instance.
    pub expire_in: Option<Timeout>,
    /// `expire_in: never`.
    pub never_expires: bool,
    /// `expose_as`.
    pub expose_as: Option<Arc<str>>,
    /// `reports`, in written order.
    pub reports: Vec<Report>,
    /// `public: false` or `access`, as written.
    pub access: Option<Arc<str>>,
}
