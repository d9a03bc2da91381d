//! Mirrors of the values of keywords.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::mirror::{Mirrored, record, words};
use crate::keyword::{
    Artifacts, Cache, CacheKey, CachePolicy, CacheWhen, Image, OnMiss, PullPolicy, PushIf, Report,
    Retry, Service, Timeout, When,
};

words!(When {
    OnSuccess = "on_success",
    OnFailure = "on_failure",
    Always = "always",
    Manual = "manual",
    Delayed = "delayed",
});

words!(CacheWhen {
    OnSuccess = "on_success",
    OnFailure = "on_failure",
    Always = "always",
});

words!(PullPolicy {
    Always = "always",
    IfNotPresent = "if-not-present",
    Never = "never",
});

words!(OnMiss {
    Continue = "continue",
    Fail = "fail",
    Produce = "produce",
});

words!(PushIf {
    Changed = "changed",
    Always = "always",
    Miss = "miss",
});

record!(Timeout as TimeoutWire { text: Arc<str>, duration: Duration });

record!(Retry as RetryWire { max: u32, when: Vec<Arc<str>>, exit_codes: Vec<i64> });

record!(Image as ImageWire {
    name: Arc<str>,
    entrypoint: Option<Vec<Arc<str>>>,
    pull_policy: Vec<PullPolicy>,
    docker_platform: Option<Arc<str>>,
    docker_user: Option<Arc<str>>,
    kubernetes_user: Option<Arc<str>>,
});

record!(Service as ServiceWire {
    image: Image,
    alias: Option<Arc<str>>,
    command: Option<Vec<Arc<str>>>,
    variables: Vec<(Arc<str>, Arc<str>)>,
});

record!(Cache as CacheWire {
    key: CacheKey,
    paths: Vec<Arc<str>>,
    untracked: bool,
    policy: CachePolicy,
    when: CacheWhen,
    unprotect: bool,
    fallback_keys: Vec<Arc<str>>,
    on_miss: OnMiss,
    push_if: PushIf,
});

record!(Report as ReportWire { kind: Arc<str>, paths: Vec<Arc<str>> });

record!(Artifacts as ArtifactsWire {
    name: Option<Arc<str>>,
    paths: Vec<Arc<str>>,
    exclude: Vec<Arc<str>>,
    untracked: bool,
    when: CacheWhen,
    expire_in: Option<Timeout>,
    never_expires: bool,
    expose_as: Option<Arc<str>>,
    reports: Vec<Report>,
    access: Option<Arc<str>>,
});

/// The text of a policy says which it is.
impl Mirrored for CachePolicy {
    type Wire = String;

    fn wire(&self) -> String {
        self.text().to_owned()
    }

    fn model(wire: String) -> Option<CachePolicy> {
        Some(CachePolicy::from_text(&wire))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CacheKeyWire {
    Text(String),
    Files {
        files: Vec<String>,
        prefix: Option<String>,
    },
    FilesCommits {
        files: Vec<String>,
        prefix: Option<String>,
    },
}

impl Mirrored for CacheKey {
    type Wire = CacheKeyWire;

    fn wire(&self) -> CacheKeyWire {
        match self {
            CacheKey::Text(text) => CacheKeyWire::Text(text.wire()),
            CacheKey::Files { files, prefix } => CacheKeyWire::Files {
                files: files.wire(),
                prefix: prefix.wire(),
            },
            CacheKey::FilesCommits { files, prefix } => CacheKeyWire::FilesCommits {
                files: files.wire(),
                prefix: prefix.wire(),
            },
        }
    }

    fn model(wire: CacheKeyWire) -> Option<CacheKey> {
        Some(match wire {
            CacheKeyWire::Text(text) => CacheKey::Text(text.into()),
            CacheKeyWire::Files { files, prefix } => CacheKey::Files {
                files: Mirrored::model(files)?,
                prefix: Mirrored::model(prefix)?,
            },
            CacheKeyWire::FilesCommits { files, prefix } => CacheKey::FilesCommits {
                files: Mirrored::model(files)?,
                prefix: Mirrored::model(prefix)?,
            },
        })
    }
}
