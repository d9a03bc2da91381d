//! The remote cache of the settings: made of them, and joined with runs and plans.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_pipeline::CacheSuffix;
use tidegate_plan::ProtectedCaches;
use tidegate_remote::{
    Access, Arrived, Bucket, Credentials, Format, Limits, Naming, Place, Remote, RemoteError,
    RemoteSetup, Rights, Service, Stop, Timeouts, is_loopback,
};
use tidegate_run::RemoteCaches;
use tidegate_scenario::CacheState;
use tidegate_settings::{
    Cache, CacheAccess, CacheFormat, Period, Protection, RemoteCache, RemoteCredentials,
};
use tidegate_store::{Entry, Store};

use crate::amount::bytes;
use crate::cli::{Global, RemoteCacheAccess};

/// What is fetched is not believed to be small: unpacked, a cache has no more bytes, unless settings say otherwise.
const MAX_SIZE: u64 = 20_000_000_000;
/// Nor more paths.
const MAX_ENTRIES: usize = 5_000_000;
const QUESTION: std::time::Duration = std::time::Duration::from_secs(5);
const TRANSFER: std::time::Duration = std::time::Duration::from_secs(600);

/// The remote cache as settings and flags want it.
#[derive(Clone)]
pub(crate) enum Wanted {
    /// There is none, or it is switched off.
    Nothing,
    /// It is left alone: `--offline`.
    Offline,
    /// It is used.
    Setup(Box<RemoteSetup>),
    /// It cannot be used, and why.
    Unusable(String),
}

impl Wanted {
    /// As settings and flags say, for the project of this number.
    pub(crate) fn of(settings: &Cache, global: &Global, project: u64) -> Wanted {
        let remote = &settings.remote;
        if remote.url.is_none() && remote.path.is_none() {
            return Wanted::Nothing;
        }
        let access = match (global.remote_cache, remote.access) {
            (Some(RemoteCacheAccess::Off), _) => return Wanted::Nothing,
            (Some(RemoteCacheAccess::ReadOnly), _) | (None, Some(CacheAccess::ReadOnly)) => {
                Access::ReadOnly
            }
            (Some(RemoteCacheAccess::ReadWrite), _) | (None, _) => Access::ReadWrite,
        };
        if global.offline {
            return Wanted::Offline;
        }
        let place = match place(remote) {
            Ok(place) => place,
            Err(why) => return Wanted::Unusable(why),
        };
        let time = |period: Option<Period>, default| period.map_or(default, |period| period.0);
        Wanted::Setup(Box::new(RemoteSetup {
            place,
            naming: Naming {
                prefix: remote
                    .url
                    .as_ref()
                    .map_or_else(String::new, |url| url.prefix.clone()),
                runner: remote.runner.clone(),
                project: remote.project.unwrap_or(project),
                hashed_keys: remote.hashed_keys.unwrap_or(false),
            },
            format: match remote.format {
                Some(CacheFormat::GitlabRunner) => Format::GitlabRunner,
                Some(CacheFormat::Tidegate) | None => Format::Tidegate,
            },
            access,
            rights: Rights::Unprotected,
            limits: Limits {
                bytes: remote.max_size.map_or(MAX_SIZE, |size| size.0),
                entries: MAX_ENTRIES,
            },
            timeouts: Timeouts {
                question: time(remote.question_timeout, QUESTION),
                transfer: time(remote.transfer_timeout, TRANSFER),
            },
        }))
    }

    /// The remote cache for a pipeline whose keys end so; `None` where there is none.
    ///
    /// # Errors
    /// Why it cannot be used; for people.
    pub(crate) fn open(&self, suffix: CacheSuffix) -> Result<Option<Remote>, String> {
        let rights = match suffix.protected {
            Some(false) => Rights::Unprotected,
            // Where keys say nothing of protection, all refs share their caches.
            Some(true) | None => Rights::All,
        };
        match self {
            Wanted::Nothing => Ok(None),
            Wanted::Offline => Err("the remote cache is not asked: --offline".to_owned()),
            Wanted::Unusable(why) => Err(why.clone()),
            Wanted::Setup(setup) => {
                let setup = RemoteSetup {
                    rights,
                    ..(**setup).clone()
                };
                let remote = Remote::open(setup);
                remote
                    .map(Some)
                    .map_err(|error| format!("failed to {error}"))
            }
        }
    }
}

/// Where it is and who asks.
fn place(remote: &RemoteCache) -> Result<Place, String> {
    if let Some(path) = &remote.path {
        return Ok(Place::Directory(path.clone()));
    }
    let Some(url) = &remote.url else {
        return Err("`cache.remote` names no place".to_owned());
    };
    let service = match url.service {
        tidegate_settings::Service::S3 => Service::S3,
        tidegate_settings::Service::Gcs => Service::Gcs,
        tidegate_settings::Service::Azure => Service::Azure,
    };
    let credentials = credentials(remote, service);
    if let Some(endpoint) = &remote.endpoint {
        let anonymous = matches!(credentials, Credentials::Anonymous);
        let trusted = remote.trusted_endpoints.contains(endpoint);
        // Whoever wrote the project's file must not make us show our credentials to any server.
        if !anonymous && !trusted && !is_loopback(endpoint) {
            return Err(format!(
                "the remote cache is not used: `cache.remote.endpoint` of the project is `{endpoint}`, which your own \
                 settings do not trust; add it to `trusted_endpoints` of `[cache.remote]` there"
            ));
        }
    }
    Ok(Place::Bucket(Bucket {
        service,
        name: url.bucket.clone(),
        endpoint: remote.endpoint.clone(),
        region: remote.region.clone(),
        virtual_hosted: remote.virtual_hosted.unwrap_or(false),
        credentials,
    }))
}

fn credentials(remote: &RemoteCache, service: Service) -> Credentials {
    if let (Some(access), Some(secret)) = (&remote.access_key, &remote.secret_key) {
        return Credentials::Keys {
            access: access.clone(),
            secret: secret.clone(),
        };
    }
    match remote.credentials {
        Some(RemoteCredentials::Instance) => Credentials::Instance,
        Some(RemoteCredentials::Anonymous) => Credentials::Anonymous,
        Some(RemoteCredentials::Environment) | None => {
            let variables = std::env::vars_os().filter_map(|(name, value)| {
                let name = name.into_string().ok()?;
                let value = value.into_string().ok()?;
                (name.starts_with(service.variables()) && !value.is_empty())
                    .then_some((name, value))
            });
            Credentials::Variables(variables.collect())
        }
    }
}

/// How protected refs and others share caches, as the settings say.
pub(crate) fn protected_caches(settings: &Cache) -> ProtectedCaches {
    match settings.protected {
        Some(Protection::Ref) => ProtectedCaches::Ref,
        Some(Protection::Maintainer) => ProtectedCaches::Maintainer,
        Some(Protection::RefOrMaintainer | Protection::Off) | None => {
            ProtectedCaches::RefOrMaintainer
        }
    }
}

/// Whether a key is there: what `rules:cache` is told of caches that are not here.
pub(crate) fn state(remote: &Remote, key: &str) -> Result<CacheState, String> {
    match remote.facts(key) {
        Ok(Some(_)) => Ok(CacheState::Present),
        Ok(None) => Ok(CacheState::Missing),
        Err(error) => Err(format!("failed to {error}")),
    }
}

/// Whether the remote cache has a newer one under the key of an entry.
pub(crate) fn is_older(entry: &Entry, remote: &Remote, store: &Store) -> Result<bool, String> {
    let newer = remote.has_newer(entry, store);
    newer.map_err(|error| format!("failed to {error}"))
}

/// The remote cache of a run.
struct OfRun {
    remote: Remote,
    store: Store,
    project: String,
    /// Keys of which it is known that the store has the newest cache, or that nobody can tell. Each is locked while somebody asks,
    /// so that jobs which run at once use the same one.
    asked: Mutex<HashMap<String, Arc<Mutex<bool>>>>,
    /// It does not answer: what is here will do.
    is_silent: AtomicBool,
}

impl OfRun {
    fn asked(&self, key: &str) -> Arc<Mutex<bool>> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(asked.entry(key.to_owned()).or_default())
    }

    fn arrived(&self, key: &str) -> Result<Option<Arrived>, RemoteError> {
        self.remote.fetch(&self.store, &self.project, key)
    }
}

/// Makes a remote cache one that jobs use.
pub(crate) fn of_run(remote: Remote, store: Store, project: String) -> Arc<dyn RemoteCaches> {
    Arc::new(OfRun {
        remote,
        store,
        project,
        asked: Mutex::default(),
        is_silent: AtomicBool::new(false),
    })
}

impl RemoteCaches for OfRun {
    fn is_present(&self, key: &str) -> Result<bool, String> {
        state(&self.remote, key).map(|state| state == CacheState::Present)
    }

    fn fetch(&self, key: &str) -> Result<Option<String>, String> {
        let asked = self.asked(key);
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        *asked = true;
        let arrived = self.arrived(key);
        let arrived = arrived.map_err(|error| format!("failed to {error}"))?;
        Ok(arrived.map(|arrived| format!("Fetched from the remote cache: {}", amounts(&arrived))))
    }

    fn renew(&self, entry: &Entry) -> Result<Option<String>, String> {
        let asked = self.asked(&entry.key);
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *asked, true) || self.is_silent.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let newer = match self.remote.has_newer(entry, &self.store) {
            Ok(true) => self.arrived(&entry.key),
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        };
        match newer {
            Ok(newer) => Ok(newer.map(|arrived| {
                let amounts = amounts(&arrived);
                format!("Fetched from the remote cache, which has a newer one than this machine: {amounts}")
            })),
            // A cache of protected refs is none for others: nothing is newer.
            Err(RemoteError::Protected(_)) => Ok(None),
            Err(error) => {
                if matches!(error, RemoteError::Unreachable(_)) {
                    self.is_silent.store(true, Ordering::Relaxed);
                }
                Err(format!(
                    "failed to {error}; the cache of this machine is used, which may be older"
                ))
            }
        }
    }

    fn takes(&self) -> bool {
        self.remote.access() == Access::ReadWrite
    }

    fn keep(&self, entry: &Entry, stop: Stop<'_>) -> Result<String, String> {
        let asked = self.asked(&entry.key);
        *asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        kept(&self.remote, entry, &self.store, stop)
    }
}

/// What came, for people.
fn amounts(arrived: &Arrived) -> String {
    let (of_files, received) = (bytes(arrived.entry.bytes), bytes(arrived.bytes));
    let files = arrived.entry.files;
    format!("{files} files, {of_files} ({received} received)")
}

/// Puts a leased entry into the remote cache, and tells what travelled.
pub(crate) fn kept(
    remote: &Remote,
    entry: &Entry,
    store: &Store,
    stop: Stop<'_>,
) -> Result<String, String> {
    let sent = remote.keep(entry, store, stop);
    let sent = sent.map_err(|error| format!("failed to {error}"))?;
    let known = match sent.known {
        0 => String::new(),
        known => format!(", {known} were there already"),
    };
    let objects = match sent.objects {
        1 => "1 object".to_owned(),
        count => format!("{count} objects"),
    };
    let sent = bytes(sent.bytes);
    Ok(format!(
        "Saved in the remote cache: {objects} sent ({sent}){known}"
    ))
}
