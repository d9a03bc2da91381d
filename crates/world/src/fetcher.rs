//! Answers what a configuration includes from elsewhere: projects, components, URLs and GitLab's templates.
//!
//! Three things decide how: the [`Sources`] say where something is, the [`Lock`] what it resolved to last time, and [`Network`]
//! whether asking is allowed. Nothing is read, started or connected before the first question.
//!
//! * Pinned and kept: answered from the shelf or the mirror, without a connection.
//! * Pinned but not kept: fetched and compared; what differs is an error that names both sides.
//! * Not pinned: fetched, and pinned in the lock that [`Fetcher::changed_lock`] hands out. Writing it is the caller's decision.
//!
//! Directories of this machine are never pinned: whoever maps one wants to see its changes.

mod project;

pub(crate) use project::component_in;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use tidegate_scenario::{Answer, Fact, Remote, Why, WorldError};

use crate::address::redacted;
use crate::budget::Budget;
use crate::credentials::Credentials;
use crate::directory::Directory;
use crate::http::Http;
use crate::lock::{Lock, LockKey, LockKind, Pin, digest};
use crate::mirror::Refs;
use crate::plain::is_inside;
use crate::shelf::Shelf;
use crate::sources::{RemotePolicy, Sources, TemplateSource};

/// Whether and when the network is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Network {
    /// For what is not pinned or not kept.
    #[default]
    WhenNeeded,
    /// For everything once, in place of what is pinned (`--update`).
    Refresh,
    /// Never (`--offline`).
    Forbidden,
}

/// What a [`Fetcher`] works with.
pub struct FetcherSetup<'a> {
    /// Where things are.
    pub sources: Sources,
    /// Whether asking is allowed.
    pub network: Network,
    /// What was pinned before.
    pub lock: Lock,
    /// Where fetched bytes are kept.
    pub shelf: &'a dyn Shelf,
    /// Directory for copies of repositories; made when needed, and may be removed at any time.
    pub mirrors: PathBuf,
    /// Tokens.
    pub credentials: Credentials,
}

/// Fetches includes; see the [module](self).
pub struct Fetcher<'a> {
    setup: FetcherSetup<'a>,
    http: Http,
    budget: Budget,
    /// The lock as it will be, and what of it was pinned in this run.
    pins: RefCell<(Lock, BTreeSet<LockKey>)>,
    remotes: RefCell<BTreeMap<String, Fact<Remote>>>,
    templates: RefCell<BTreeMap<String, Fact<Content>>>,
    refs: Asked<String, Option<Arc<Refs>>>,
    /// Whether a commit of a URL is there.
    commits: Asked<(String, String), bool>,
}

/// What was asked already, so that no question is asked twice, not even one that failed.
type Asked<Q, A> = RefCell<BTreeMap<Q, Result<A, Why>>>;

type Content = Option<Arc<[u8]>>;

/// Why there is no answer: it cannot be known, or the outside is broken.
enum Stop {
    Unknown(Why),
    Broken(WorldError),
}

impl From<Why> for Stop {
    fn from(why: Why) -> Stop {
        Stop::Unknown(why)
    }
}

impl From<WorldError> for Stop {
    fn from(error: WorldError) -> Stop {
        Stop::Broken(error)
    }
}

fn answer<T>(found: Result<T, Stop>) -> Answer<T> {
    match found {
        Ok(value) => Ok(Fact::Known(value)),
        Err(Stop::Unknown(why)) => Ok(Fact::Unknown(why)),
        Err(Stop::Broken(error)) => Err(error),
    }
}

impl<'a> Fetcher<'a> {
    /// A fetcher that does nothing until it is asked.
    pub fn new(setup: FetcherSetup<'a>) -> Fetcher<'a> {
        let limits = &setup.sources.limits;
        Fetcher {
            budget: Budget::new(limits.total, limits.request),
            http: Http::default(),
            pins: RefCell::new((setup.lock.clone(), BTreeSet::new())),
            remotes: RefCell::default(),
            templates: RefCell::default(),
            refs: RefCell::default(),
            commits: RefCell::default(),
            setup,
        }
    }

    /// The lock with what this run pinned, where that differs from the one it began with.
    pub fn changed_lock(&self) -> Option<Lock> {
        let now = &self.pins.borrow().0;
        (*now != self.setup.lock).then(|| now.clone())
    }

    /// Fetches a URL for `include:remote`.
    pub fn remote(&self, url: &str) -> Answer<Remote> {
        if let Some(known) = self.remotes.borrow().get(url) {
            return Ok(known.clone());
        }
        let found = answer(self.find_remote(url))?;
        self.remotes
            .borrow_mut()
            .insert(url.to_owned(), found.clone());
        Ok(found)
    }

    fn find_remote(&self, url: &str) -> Result<Remote, Stop> {
        let policy = &self.setup.sources.remote;
        if !policy.allows(url) {
            let text = format!("the settings do not allow to fetch {}", redacted(url));
            return Err(Why::Refused(text).into());
        }
        let key = LockKey {
            kind: LockKind::Remote,
            address: redacted(url),
            name: String::new(),
        };
        self.pinned_content(&key, None, || {
            let limits = &self.setup.sources.limits;
            let fetched = self.http.get(url, limits, policy, &self.budget)?;
            Ok(match fetched {
                Remote::Body(content) => Fetched::Content(content),
                other => Fetched::Other(other),
            })
        })
        .map(|found| match found {
            Fetched::Content(content) => Remote::Body(content),
            Fetched::Other(other) => other,
        })
    }

    /// Finds one of GitLab's templates by name, with or without its extension; folders as GitLab searches them (reference
    /// `config.md` §12).
    pub fn template(&self, name: &str) -> Answer<Content> {
        if let Some(known) = self.templates.borrow().get(name) {
            return Ok(known.clone());
        }
        let found = answer(self.find_template(name))?;
        self.templates
            .borrow_mut()
            .insert(name.to_owned(), found.clone());
        Ok(found)
    }

    fn find_template(&self, name: &str) -> Result<Content, Stop> {
        let key = name.strip_suffix(TEMPLATE_EXTENSION).unwrap_or(name);
        if !is_inside(key) || key.contains("Verify/Browser-Performance") {
            return Ok(None);
        }
        match &self.setup.sources.templates {
            None => {
                let text = format!("no source of templates is configured for `{name}`");
                Err(Why::NotConfigured(text).into())
            }
            Some(TemplateSource::Directory(path)) => {
                let Some(directory) = Directory::open(path, true) else {
                    let text = format!("the templates' directory {} is missing", path.display());
                    return Err(Why::NotConfigured(text).into());
                };
                for path in template_paths(key) {
                    if let Some(content) = directory.file("", &path)? {
                        return Ok(Some(content.into()));
                    }
                }
                Ok(None)
            }
            Some(TemplateSource::Url(base)) => self.fetch_template(key, base.trim_end_matches('/')),
        }
    }

    fn fetch_template(&self, key: &str, base: &str) -> Result<Content, Stop> {
        let pin = LockKey {
            kind: LockKind::Template,
            address: key.to_owned(),
            name: String::new(),
        };
        let found = self.pinned_content(&pin, Some(redacted(base)), || {
            for path in template_paths(key) {
                let url = format!("{base}/{}", escaped(&path));
                let limits = &self.setup.sources.limits;
                let policy = RemotePolicy::default();
                match self.http.get(&url, limits, &policy, &self.budget)? {
                    Remote::Status { code: 404, .. } => {}
                    Remote::Body(content) => return Ok(Fetched::Content(content)),
                    other => return Err(unanswered(&url, &other).into()),
                }
            }
            Ok(Fetched::Other(()))
        })?;
        Ok(match found {
            Fetched::Content(content) => Some(content),
            Fetched::Other(()) => None,
        })
    }

    /// Content by its pin from the shelf, else fetched and pinned.
    fn pinned_content<T>(
        &self,
        key: &LockKey,
        origin: Option<String>,
        fetch: impl FnOnce() -> Result<Fetched<T>, Stop>,
    ) -> Result<Fetched<T>, Stop> {
        let pin = self.pin(key, origin.as_deref())?;
        let pinned = pin.as_ref().and_then(|pin| pin.digest.clone());
        if let Some(pinned) = &pinned
            && let Some(content) = self.kept(pinned)?
        {
            return Ok(Fetched::Content(content.into()));
        }
        self.may_ask()?;
        let fetched = fetch()?;
        let Fetched::Content(content) = &fetched else {
            return Ok(fetched);
        };
        let actual = digest(content);
        if let Some(pinned) = pinned.filter(|pinned| *pinned != actual) {
            let address = &key.address;
            let text = format!(
                "{address} has changed: the lock file has {pinned}, the server gave {actual}; \
                 `--update` accepts what it gives now"
            );
            return Err(Why::Failed(text).into());
        }
        self.shelf(self.setup.shelf.keep(&actual, content))?;
        let pin = Pin {
            origin,
            digest: Some(actual),
            ..Pin::default()
        };
        self.set_pin(key.clone(), pin)?;
        Ok(fetched)
    }

    /// Bytes of the shelf, if they are still what their digest says.
    fn kept(&self, name: &str) -> Result<Option<Vec<u8>>, Stop> {
        let found = self.shelf(self.setup.shelf.find(name))?;
        Ok(found.filter(|bytes| digest(bytes) == name))
    }

    /// What is pinned, unless it came from elsewhere or is to be refreshed. Without a network what an earlier run found counts too.
    fn pin(&self, key: &LockKey, origin: Option<&str>) -> Result<Option<Pin>, Stop> {
        let fits = |pin: &Pin| pin.origin.as_deref() == origin;
        {
            let pins = self.pins.borrow();
            let counts = self.setup.network != Network::Refresh || pins.1.contains(key);
            if let Some(pin) = pins.0.pin(key).filter(|pin| counts && fits(pin)) {
                return Ok(Some(pin.clone()));
            }
        }
        if self.setup.network != Network::Forbidden {
            return Ok(None);
        }
        let found = self.shelf(self.setup.shelf.find(&remembered(key)))?;
        let text = found.and_then(|bytes| String::from_utf8(bytes).ok());
        let lock = text.and_then(|text| Lock::parse(&text).ok());
        Ok(lock.and_then(|lock| lock.pin(key).filter(|pin| fits(pin)).cloned()))
    }

    fn set_pin(&self, key: LockKey, pin: Pin) -> Result<(), Stop> {
        let mut alone = Lock::default();
        alone.set(key.clone(), pin.clone());
        let text = alone.render();
        self.shelf(self.setup.shelf.keep(&remembered(&key), text.as_bytes()))?;
        let mut pins = self.pins.borrow_mut();
        pins.0.set(key.clone(), pin);
        pins.1.insert(key);
        Ok(())
    }

    fn may_ask(&self) -> Result<(), Stop> {
        match self.setup.network {
            Network::Forbidden => Err(Why::Offline.into()),
            Network::WhenNeeded | Network::Refresh => Ok(()),
        }
    }

    fn shelf<T>(&self, found: Result<T, String>) -> Result<T, Stop> {
        found.map_err(|message| Stop::Broken(WorldError::Store(message)))
    }
}

/// What fetching brought.
enum Fetched<T> {
    Content(Arc<[u8]>),
    Other(T),
}

const TEMPLATE_EXTENSION: &str = ".gitlab-ci.yml";

/// Paths a template is looked for at, in order.
fn template_paths(key: &str) -> Vec<String> {
    let mut folders = vec!["", "Pages/", "Verify/", "autodeploy/"];
    if key == "SAST" {
        folders.push("Security/");
    }
    let path = |folder: &str| format!("{folder}{key}{TEMPLATE_EXTENSION}");
    folders.into_iter().map(path).collect()
}

/// A path as part of a URL: `C++.gitlab-ci.yml` holds a sign that means something else there.
fn escaped(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

fn unanswered(url: &str, answer: &Remote) -> Why {
    let url = redacted(url);
    match answer {
        Remote::Status {
            code: 401 | 403, ..
        } => Why::Refused(url),
        Remote::Status { code, .. } => Why::Failed(format!("{url} answered with HTTP code {code}")),
        Remote::TimedOut => Why::TimedOut,
        Remote::SocketError => Why::Failed(format!("{url} cannot be reached")),
        Remote::HttpError | Remote::Body(_) => Why::Failed(format!("{url} gave no HTTP answer")),
    }
}

/// Name under which the shelf remembers what was found, for runs without a network.
fn remembered(key: &LockKey) -> String {
    format!("pin {:?} {} {}", key.kind, key.address, key.name)
}

#[cfg(test)]
mod tests;
