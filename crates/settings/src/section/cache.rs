//! `[cache]`: how much the store keeps, and the cache that is shared with other machines.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::section::anchor;
use crate::value::{Period, Size};

/// How much the store keeps, and what is shared with others.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cache {
    /// Bytes of all entries together.
    pub max_size: Option<Size>,
    /// Bytes of the entries of one project.
    pub max_project_size: Option<Size>,
    /// Entries not used for longer go.
    pub max_age: Option<Period>,
    /// Which jobs use the caches of protected refs.
    pub protected: Option<Protection>,
    /// How often the project's caches were cleared on GitLab, which stands at the end of its keys; 0: never.
    pub cleared: Option<u64>,
    /// A cache shared with other machines.
    pub remote: RemoteCache,
}

/// Which jobs use the caches of protected refs, whose keys end in `-protected` (reference `compose.md` §10.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// Those of protected refs, and those of a Maintainer on any ref.
    RefOrMaintainer,
    /// Those of protected refs.
    Ref,
    /// Those of a Maintainer.
    Maintainer,
    /// Keys get no end; all refs share their caches.
    Off,
}

/// A cache shared with other machines. Without `url` and `path` there is none.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RemoteCache {
    /// A bucket and the beginning of names in it.
    pub url: Option<CachePlace>,
    /// A directory that machines share.
    pub path: Option<PathBuf>,
    /// Another server than the service's own.
    pub endpoint: Option<String>,
    /// Region of S3.
    pub region: Option<String>,
    /// The bucket is named in the host.
    pub virtual_hosted: Option<bool>,
    /// Who asks.
    pub credentials: Option<RemoteCredentials>,
    /// Name of a pair of keys. Only in the user's file.
    pub access_key: Option<String>,
    /// The secret of the pair. Only in the user's file.
    pub secret_key: Option<String>,
    /// Endpoints a project's file may name. Only in the user's file.
    pub trusted_endpoints: Vec<String>,
    /// How caches are kept.
    pub format: Option<CacheFormat>,
    /// Short token of the runner whose caches are meant.
    pub runner: Option<String>,
    /// Number of the project in names.
    pub project: Option<u64>,
    /// Keys are hashed in names.
    pub hashed_keys: Option<bool>,
    /// Whether it may be changed.
    pub access: Option<CacheAccess>,
    /// Bytes of one cache.
    pub max_size: Option<Size>,
    /// Time for a question.
    pub question_timeout: Option<Period>,
    /// Time for one request that carries contents.
    pub transfer_timeout: Option<Period>,
}

/// A bucket: `s3://bucket/prefix`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct CachePlace {
    /// Whose language is spoken.
    pub service: Service,
    /// Name of the bucket or container.
    pub bucket: String,
    /// What names begin with; may be empty.
    pub prefix: String,
}

/// A service with buckets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    /// `s3`.
    S3,
    /// `gs`.
    Gcs,
    /// `az`.
    Azure,
}

/// Who asks a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemoteCredentials {
    /// Whom the service's usual variables name.
    Environment,
    /// The machine.
    Instance,
    /// Nobody.
    Anonymous,
}

/// How caches are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheFormat {
    /// In chunks that caches share.
    Tidegate,
    /// As GitLab's runner does.
    GitlabRunner,
}

/// Whether a remote cache may be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheAccess {
    /// It is only read.
    ReadOnly,
    /// What jobs save is put there, too.
    ReadWrite,
}

impl TryFrom<String> for CachePlace {
    type Error = String;

    fn try_from(text: String) -> Result<CachePlace, String> {
        let wrong = || {
            format!(
                "`{text}` is no place for caches; write it like `s3://bucket/prefix`, `gs://bucket/prefix` or \
                 `az://container/prefix`, or name a shared directory with `path`"
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let service = match scheme {
            "s3" => Service::S3,
            "gs" => Service::Gcs,
            "az" => Service::Azure,
            _ => return Err(wrong()),
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '$');
        let climbs = prefix.split('/').any(|part| part == "." || part == "..");
        if bucket.is_empty() || !bucket.chars().all(is_name) || climbs {
            return Err(wrong());
        }
        Ok(CachePlace {
            service,
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
        })
    }
}

impl fmt::Debug for RemoteCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteCache")
            .field("url", &self.url)
            .field("path", &self.path)
            .field("endpoint", &self.endpoint)
            .field("secret_key", &self.secret_key.as_ref().map(|_| "[MASKED]"))
            .field("format", &self.format)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

impl Cache {
    pub(super) fn over(self, below: Cache) -> Cache {
        Cache {
            max_size: self.max_size.or(below.max_size),
            max_project_size: self.max_project_size.or(below.max_project_size),
            max_age: self.max_age.or(below.max_age),
            protected: self.protected.or(below.protected),
            cleared: self.cleared.or(below.cleared),
            remote: self.remote.over(below.remote),
        }
    }
}

impl RemoteCache {
    /// What only the user's own file may say, and this one does: who asks, and who may be told.
    pub(crate) fn reserved(&self) -> Option<(&'static str, &'static str)> {
        let secrets = "only the user's own settings may hold secrets";
        if self.access_key.is_some() {
            return Some(("access_key", secrets));
        }
        if self.secret_key.is_some() {
            return Some(("secret_key", secrets));
        }
        let whom = "only the user's own settings may say which servers are trusted";
        (!self.trusted_endpoints.is_empty()).then_some(("trusted_endpoints", whom))
    }

    /// What is wrong with the whole, at a key of it.
    pub(crate) fn problem(&self) -> Option<(&'static str, String)> {
        if self.url.is_some() && self.path.is_some() {
            let text = "either `url` or `path` says where the remote cache is";
            return Some(("path", text.to_owned()));
        }
        let endpoint = self.endpoint.as_deref();
        if endpoint.is_some_and(|endpoint| !is_endpoint(endpoint)) {
            let text =
                "write it like `https://minio.example.com:9000`; `http` only for this machine";
            return Some(("endpoint", text.to_owned()));
        }
        if self.access_key.is_some() != self.secret_key.is_some() {
            let key = match self.access_key {
                Some(_) => "access_key",
                None => "secret_key",
            };
            return Some((
                key,
                "`access_key` and `secret_key` belong together".to_owned(),
            ));
        }
        if self.runner.as_deref().is_some_and(|token| !is_token(token)) {
            let text =
                "this is no short token of a runner, which has only letters, digits, `-` and `_`";
            return Some(("runner", text.to_owned()));
        }
        let of_runner = self.format == Some(CacheFormat::GitlabRunner);
        if !of_runner && self.format.is_some() && self.runner.is_some() {
            let text = "only `format = \"gitlab-runner\"` has it in its names";
            return Some(("runner", text.to_owned()));
        }
        if !of_runner && self.format.is_some() && self.hashed_keys == Some(true) {
            let text = "only `format = \"gitlab-runner\"` has them in its names";
            return Some(("hashed_keys", text.to_owned()));
        }
        None
    }

    fn over(self, below: RemoteCache) -> RemoteCache {
        // One place: a directory above replaces a bucket below.
        let placed = self.url.is_some() || self.path.is_some();
        let (url, path) = match placed {
            true => (self.url, self.path),
            false => (below.url, below.path),
        };
        let mut trusted_endpoints = below.trusted_endpoints;
        // What the user's file names itself is trusted.
        trusted_endpoints.extend(below.endpoint.clone());
        trusted_endpoints.extend(self.trusted_endpoints);
        RemoteCache {
            url,
            path,
            endpoint: match placed {
                true => self.endpoint,
                false => self.endpoint.or(below.endpoint),
            },
            region: self.region.or(below.region),
            virtual_hosted: self.virtual_hosted.or(below.virtual_hosted),
            credentials: self.credentials.or(below.credentials),
            access_key: self.access_key.or(below.access_key),
            secret_key: self.secret_key.or(below.secret_key),
            trusted_endpoints,
            format: self.format.or(below.format),
            runner: self.runner.or(below.runner),
            project: self.project.or(below.project),
            hashed_keys: self.hashed_keys.or(below.hashed_keys),
            access: self.access.or(below.access),
            max_size: self.max_size.or(below.max_size),
            question_timeout: self.question_timeout.or(below.question_timeout),
            transfer_timeout: self.transfer_timeout.or(below.transfer_timeout),
        }
    }

    pub(super) fn anchor(&mut self, dir: &Path, home: Option<&Path>) {
        if let Some(path) = &mut self.path {
            anchor(path, dir, home);
        }
    }
}

/// Whether this is the address of a server nobody in between can listen to.
fn is_endpoint(text: &str) -> bool {
    let Some((scheme, place)) = text.trim_end_matches('/').split_once("://") else {
        return false;
    };
    let mut segments = place.split('/');
    let authority = segments.next().unwrap_or_default();
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if authority.is_empty() || !authority.chars().all(is_part) || !segments.all(is_segment) {
        return false;
    }
    let host = authority.split(':').next().unwrap_or_default();
    let loopback = host == "localhost"
        || authority.starts_with("[::1]")
        || host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback());
    scheme == "https" || (scheme == "http" && loopback)
}

/// Whether this is a plain step of a path in an endpoint: emulators and gateways name the account there.
fn is_segment(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '~');
    !matches!(text, "" | "." | "..") && text.chars().all(is_part)
}

fn is_token(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty() && text.chars().all(is_part)
}
