//! A remote cache: where it is, in which format, and what may be done with it.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tidegate_store::{Entry, NewEntry, Store};

use crate::archived::Archived;
use crate::bucket::{Bucket, Timeouts};
use crate::chunked::{Chunked, RENEWED_AFTER, Sent, chunk_name};
use crate::directory::Directory;
use crate::error::{RemoteError, Result};
use crate::name::{Naming, is_protected, key_of_part};
use crate::objects::{ObjectFacts, Objects, Stop};
use crate::place::Limits;

/// Everything a remote cache is made of.
#[derive(Clone, Debug)]
pub struct RemoteSetup {
    /// Where it is.
    pub place: Place,
    /// What names begin with.
    pub naming: Naming,
    /// How caches are kept there.
    pub format: Format,
    /// Whether it may be changed.
    pub access: Access,
    /// Whose caches may be used.
    pub rights: Rights,
    /// How much one cache may hold.
    pub limits: Limits,
    /// How long things may take.
    pub timeouts: Timeouts,
}

/// Where a remote cache is.
#[derive(Clone, Debug)]
pub enum Place {
    /// A directory that machines share.
    Directory(PathBuf),
    /// A bucket.
    Bucket(Bucket),
}

/// How caches are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// In chunks that caches share; only what is missing travels.
    Tidegate,
    /// As GitLab's runner keeps them: one zip each.
    GitlabRunner,
}

/// Whether a remote cache may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is only read.
    ReadOnly,
    /// What jobs save is put there, too.
    ReadWrite,
}

/// Whose caches may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// All of them: the pipeline is of a protected ref, or caches are not kept apart.
    All,
    /// Only those that are not for protected refs.
    Unprotected,
}

/// A cache that came from afar.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// As it is in the local store now.
    pub entry: Entry,
    /// Bytes that travelled.
    pub bytes: u64,
}

/// A cache in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key; where keys are hashed, the hash.
    pub key: String,
    /// Bytes of its object; in our own format those of the index, not of the contents it shares with others.
    pub bytes: u64,
    /// When it was saved.
    pub modified: SystemTime,
}

/// What [`Remote::prune`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Caches.
    pub caches: u64,
    /// Chunks no cache needs.
    pub chunks: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// Where the store notes which version of an object an entry is.
const VERSIONS: &str = "remote-cache";
/// For how long nobody is asked again who did not answer: a run asks for many keys.
const PAUSE: Duration = Duration::from_secs(30);

/// A remote cache.
pub struct Remote {
    objects: Box<dyn Objects>,
    setup: RemoteSetup,
    /// Since when and why it is not asked.
    outage: Mutex<Option<(Instant, String)>>,
    /// Keys that are being fetched, so that two jobs fetch one thing once.
    fetching: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Directory(path) => write!(f, "{}", path.display()),
            Place::Bucket(bucket) => {
                write!(f, "{}://{}", bucket.service.scheme(), bucket.name)?;
                match &bucket.endpoint {
                    Some(endpoint) => write!(f, " at {endpoint}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl Remote {
    /// Checks the setup; nothing is asked yet.
    ///
    /// # Errors
    /// Names that climb, credentials that are missing or not well formed.
    pub fn open(setup: RemoteSetup) -> Result<Remote> {
        setup.naming.runner_directory()?;
        let objects: Box<dyn Objects> = match &setup.place {
            Place::Directory(path) => Box::new(Directory::new(path.clone())),
            Place::Bucket(bucket) => Box::new(bucket.open(setup.timeouts)?),
        };
        Ok(Remote {
            objects,
            setup,
            outage: Mutex::new(None),
            fetching: Mutex::default(),
        })
    }

    /// Where it is, for people; without secrets.
    pub fn place(&self) -> &Place {
        &self.setup.place
    }

    /// How caches are kept there.
    pub fn format(&self) -> Format {
        self.setup.format
    }

    /// Whether it may be changed.
    pub fn access(&self) -> Access {
        self.setup.access
    }

    /// Whether it answers and lets us in.
    pub fn check(&self) -> Result<()> {
        self.objects.check(&self.directory()?)
    }

    /// What is known of the cache of this final key, if there is one. Takes one question, which is bounded in time.
    pub fn facts(&self, key: &str) -> Result<Option<ObjectFacts>> {
        let name = self.name(key)?;
        self.ask(|| self.objects.facts(&name))
    }

    /// Brings the cache of this final key into the local store, if there is one: checked, and under the same key.
    ///
    /// If another thread of this process is just doing that, what it brought is taken. Which version it was is noted: see
    /// [`Remote::has_newer`].
    pub fn fetch(&self, store: &Store, project: &str, key: &str) -> Result<Option<Arrived>> {
        self.name(key)?;
        let turn = {
            let mut fetching = locked(&self.fetching);
            Arc::clone(fetching.entry(key.to_owned()).or_default())
        };
        let first = turn.try_lock().ok();
        if first.is_none() {
            drop(turn.lock());
            if let Some(entry) = store.find_cache(project, key)? {
                return Ok(Some(Arrived { entry, bytes: 0 }));
            }
        }
        self.ask(|| self.fetch_now(store, project, key))
    }

    fn fetch_now(&self, store: &Store, project: &str, key: &str) -> Result<Option<Arrived>> {
        // Asked before: should another one take its place meanwhile, that one is fetched next time rather than never.
        let Some(facts) = self.objects.facts(&self.name(key)?)? else {
            return Ok(None);
        };
        let staging = store.staging()?;
        let tree = staging.tree("tree")?;
        let (into, scratch) = (tree.path(), staging.path());
        let (note, bytes) = match self.setup.format {
            Format::Tidegate => {
                let similar = self.similar(store, project, key)?;
                let limits = self.setup.limits;
                let fetched = self
                    .chunked()
                    .fetch(key, into, scratch, similar.as_ref(), limits)?;
                let Some(fetched) = fetched else {
                    return Ok(None);
                };
                (fetched.note, fetched.travelled)
            }
            Format::GitlabRunner => {
                let archived = self
                    .archived()
                    .fetch(key, into, scratch, self.setup.limits)?;
                let Some((_, bytes)) = archived else {
                    return Ok(None);
                };
                (String::new(), bytes)
            }
        };
        let new = NewEntry {
            project,
            key,
            note: &note,
        };
        let entry = store.put_cache(new, tree)?;
        self.note(store, &entry, &facts.version)?;
        Ok(Some(Arrived { entry, bytes }))
    }

    /// A local cache that may have parts in common with the one of `key`.
    fn similar(&self, store: &Store, project: &str, key: &str) -> Result<Option<Entry>> {
        if let Some(entry) = store.find_cache(project, key)? {
            return Ok(Some(entry));
        }
        match store.nearest_cache_keys(project, key, 1)?.first() {
            Some(near) => Ok(store.find_cache(project, near)?),
            None => Ok(None),
        }
    }

    /// Puts an entry of the local store there; it must be leased. Given up where `stop` says so; then nothing is changed.
    pub fn keep(&self, entry: &Entry, store: &Store, stop: Stop<'_>) -> Result<Sent> {
        self.writable()?;
        self.name(&entry.key)?;
        self.ask(|| {
            let (sent, version) = match self.setup.format {
                Format::Tidegate => self.chunked().keep(entry, stop)?,
                Format::GitlabRunner => {
                    let staging = store.staging()?;
                    self.archived().keep(entry, staging.path(), stop)?
                }
            };
            if let Some(version) = version {
                self.note(store, entry, &version)?;
            }
            Ok(sent)
        })
    }

    /// Whether what is there under the key of an entry was put there since the entry came from there or was sent there. Takes one
    /// question, which is bounded in time.
    ///
    /// Of an entry that did neither the times are compared, as GitLab's runner does: the newer one counts.
    pub fn has_newer(&self, entry: &Entry, store: &Store) -> Result<bool> {
        let name = self.name(&entry.key)?;
        let Some(there) = self.ask(|| self.objects.facts(&name))? else {
            return Ok(false);
        };
        Ok(match self.noted(store, entry)? {
            Some(version) => version != there.version,
            None => there.modified > entry.created,
        })
    }

    /// Notes which version of what is there an entry is.
    fn note(&self, store: &Store, entry: &Entry, version: &str) -> Result<()> {
        let text = format!("{} {version}", entry.id.number());
        store.remember(VERSIONS, &self.noted_as(entry)?, text.as_bytes())?;
        Ok(())
    }

    /// The version an entry is, unless it was saved here since.
    fn noted(&self, store: &Store, entry: &Entry) -> Result<Option<String>> {
        let noted = store.recall(VERSIONS, &self.noted_as(entry)?)?;
        let text = noted.and_then(|noted| String::from_utf8(noted.bytes).ok());
        Ok(text.and_then(|text| {
            let (id, version) = text.split_once(' ')?;
            (id.parse() == Ok(entry.id.number())).then(|| version.to_owned())
        }))
    }

    fn noted_as(&self, entry: &Entry) -> Result<String> {
        let (place, name) = (&self.setup.place, self.name(&entry.key)?);
        Ok(format!("{}\n{place}\n{name}", entry.project))
    }

    /// The project's caches, sorted by key. Where rights end, they are left out.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let mut listed = Vec::new();
        match self.setup.format {
            Format::GitlabRunner => {
                let directory = self.setup.naming.runner_directory()?;
                let found = self.ask(|| self.objects.list(&directory))?;
                listed.extend(found.into_iter().filter_map(|facts| {
                    let key = facts.name.strip_prefix(&directory)?.strip_prefix('/')?;
                    Some(listed_as(key.to_owned(), &facts))
                }));
            }
            Format::Tidegate => {
                for facts in self.indexes()? {
                    let last = facts.name.rsplit('/').next().unwrap_or_default();
                    // The key of a long name is only in the index.
                    let key = match key_of_part(last) {
                        Some(key) => key,
                        None => match self.chunked().index_at(&facts.name)? {
                            Some(index) => index.key,
                            None => continue,
                        },
                    };
                    listed.push(listed_as(key, &facts));
                }
            }
        }
        listed.retain(|cache| self.may(&cache.key));
        listed.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(listed)
    }

    /// Removes the cache of a key; whether there was one. Chunks stay until [`Remote::prune`].
    pub fn remove(&self, key: &str) -> Result<bool> {
        self.writable()?;
        let name = self.name(key)?;
        self.ask(|| {
            let there = self.objects.facts(&name)?.is_some();
            self.objects.remove(&name)?;
            Ok(there)
        })
    }

    /// Removes caches saved longer than `age` ago, and chunks that no cache needs.
    ///
    /// Chunks of the last two days stay: a cache that needs them may be on its way.
    pub fn prune(&self, age: Option<Duration>) -> Result<Pruned> {
        self.writable()?;
        let mut pruned = Pruned::default();
        if let Some(age) = age {
            let names: Vec<ObjectFacts> = match self.setup.format {
                Format::Tidegate => self.indexes()?,
                Format::GitlabRunner => {
                    let directory = self.setup.naming.runner_directory()?;
                    let mut found = self.ask(|| self.objects.list(&directory))?;
                    found.retain(|facts| self.may(&facts.name));
                    found
                }
            };
            for facts in names.iter().filter(|facts| is_older(facts, age)) {
                self.objects.remove(&facts.name)?;
                pruned.caches += 1;
                pruned.bytes += facts.bytes;
            }
        }
        if self.setup.format == Format::Tidegate {
            self.prune_chunks(&mut pruned)?;
        }
        Ok(pruned)
    }

    fn prune_chunks(&self, pruned: &mut Pruned) -> Result<()> {
        for protected in self.sides() {
            let directory = self.setup.naming.own_directory(protected)?;
            // Listed before the indexes are read: a chunk written since is not in it.
            let chunks = self.objects.list(&format!("{directory}/chunks"))?;
            let mut needed = BTreeSet::new();
            for facts in self.objects.list(&format!("{directory}/keys"))? {
                // With an index that cannot be read nothing is known to be unneeded.
                if let Some(index) = self.chunked().index_at(&facts.name)? {
                    let names = index.chunks.iter();
                    needed.extend(names.map(|chunk| chunk_name(&directory, chunk.digest)));
                }
            }
            for chunk in chunks {
                if !needed.contains(&chunk.name) && is_older(&chunk, 2 * RENEWED_AFTER) {
                    self.objects.remove(&chunk.name)?;
                    pruned.chunks += 1;
                    pruned.bytes += chunk.bytes;
                }
            }
        }
        Ok(())
    }

    fn indexes(&self) -> Result<Vec<ObjectFacts>> {
        let mut found = Vec::new();
        for protected in self.sides() {
            let directory = self.setup.naming.own_directory(protected)?;
            found.extend(self.ask(|| self.objects.list(&format!("{directory}/keys")))?);
        }
        Ok(found)
    }

    /// The sides that may be used: shared, and protected with the right to it.
    fn sides(&self) -> impl Iterator<Item = bool> + use<> {
        let all = self.setup.rights == Rights::All;
        [false, true].into_iter().filter(move |side| all || !side)
    }

    fn directory(&self) -> Result<String> {
        match self.setup.format {
            Format::Tidegate => self.setup.naming.own_project(),
            Format::GitlabRunner => self.setup.naming.runner_directory(),
        }
    }

    /// The name of the object of a key, if it may be used.
    fn name(&self, key: &str) -> Result<String> {
        if !self.may(key) {
            return Err(RemoteError::Protected(key.to_owned()));
        }
        match self.setup.format {
            Format::Tidegate => self.setup.naming.own_index(key),
            Format::GitlabRunner => self.setup.naming.runner_object(key),
        }
    }

    fn may(&self, key: &str) -> bool {
        self.setup.rights == Rights::All || !is_protected(key)
    }

    fn writable(&self) -> Result<()> {
        match self.setup.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(RemoteError::ReadOnly),
        }
    }

    /// Asks, unless nobody answered just now.
    fn ask<T>(&self, question: impl FnOnce() -> Result<T>) -> Result<T> {
        if let Some((since, why)) = &*locked(&self.outage)
            && since.elapsed() < PAUSE
        {
            return Err(RemoteError::Unreachable(why.clone()));
        }
        let answer = question();
        if let Err(RemoteError::Unreachable(why)) = &answer {
            *locked(&self.outage) = Some((Instant::now(), why.clone()));
        }
        answer
    }

    fn chunked(&self) -> Chunked<'_> {
        Chunked {
            objects: &*self.objects,
            naming: &self.setup.naming,
        }
    }

    fn archived(&self) -> Archived<'_> {
        Archived {
            objects: &*self.objects,
            naming: &self.setup.naming,
        }
    }
}

fn listed_as(key: String, facts: &ObjectFacts) -> Listed {
    Listed {
        key,
        bytes: facts.bytes,
        modified: facts.modified,
    }
}

fn is_older(facts: &ObjectFacts, age: Duration) -> bool {
    let now = SystemTime::now().duration_since(facts.modified);
    now.unwrap_or_default() >= age
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
