//! Caches a run has come to rely on, kept until it ends.
//!
//! What a decision said was present must be there when a job asks for it: a job that was left out because its cache exists does
//! not make it any more (reference `extensions.md` §1, point 6). So the answer and the lease are one step, already while the
//! pipeline is planned, and what the run's own jobs save is kept for those that come after them. Where somebody removes a cache by
//! name meanwhile, the run goes on using what it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tidegate_store::{Entry, Lease, RunId, Store, StoreError};

/// How long a run keeps a cache at most.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The file of a run with the projects and keys of the caches it relies on, a pair on a line.
const FILE: &str = "caches.jsonl";

/// The caches a run keeps. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Pins {
    held: Arc<Mutex<Held>>,
}

/// By project and key.
type Held = BTreeMap<(String, String), Pin>;

#[derive(Debug)]
struct Pin {
    entry: Entry,
    lease: Lease,
    since: Instant,
}

impl Pins {
    /// Whether the key has a cache; if so it is kept from now on.
    ///
    /// # Errors
    /// The store cannot be used.
    pub fn keep(&self, store: &Store, project: &str, key: &str) -> Result<bool, StoreError> {
        match store.lease_cache(project, key, RunId::PLANNED)? {
            Some((entry, lease)) => {
                self.hold(entry, lease);
                Ok(true)
            }
            None => Ok(self.entry(project, key).is_some()),
        }
    }

    /// Keeps an entry that is leased already, in place of an older one of its key.
    pub(crate) fn hold(&self, entry: Entry, lease: Lease) {
        let place = (entry.project.clone(), entry.key.clone());
        let since = Instant::now();
        let pin = Pin {
            entry,
            lease,
            since,
        };
        let older = self.lock().insert(place, pin);
        // Letting go of a lease writes: not while others wait for the lock.
        drop(older);
    }

    /// What is kept under a key.
    pub(crate) fn entry(&self, project: &str, key: &str) -> Option<Entry> {
        let place = (project.to_owned(), key.to_owned());
        self.lock().get(&place).map(|pin| pin.entry.clone())
    }

    /// Lets go of what was kept for a day.
    pub(crate) fn let_old_go(&self) {
        let mut held = self.lock();
        if held.values().all(|pin| pin.since.elapsed() < LONGEST) {
            return;
        }
        let (old, kept): (Held, Held) = std::mem::take(&mut *held)
            .into_iter()
            .partition(|(_, pin)| pin.since.elapsed() >= LONGEST);
        *held = kept;
        drop(held);
        old.into_values().for_each(|pin| drop(pin.lease));
    }

    /// Keeps what a job of the run has saved, and notes it for a process that goes on with the run.
    pub(crate) fn saved(&self, store: &Store, run: RunId, entry: Entry) -> Result<(), StoreError> {
        let line = line(&entry.project, &entry.key);
        let lease = store.lease(&entry, run)?;
        self.hold(entry, lease);
        store.add_to_run_file(run, FILE, &line)
    }

    /// Notes with a run which caches are kept, for a process that goes on with it.
    pub(crate) fn save(&self, store: &Store, run: RunId) -> Result<(), StoreError> {
        let held = self.lock();
        if held.is_empty() {
            return Ok(());
        }
        let lines = held.keys().map(|(project, key)| line(project, key) + "\n");
        let text: String = lines.collect();
        drop(held);
        store.write_run_file(run, FILE, text.as_bytes())
    }

    /// Keeps what is still there of what an earlier process relied on with the pipelines of a run, and of what its jobs saved.
    ///
    /// Nothing was kept while no process had the run in hand; what has gone since is missing like any other cache.
    ///
    /// # Errors
    /// The store cannot be used.
    pub fn of_past(
        store: &Store,
        pipelines: impl IntoIterator<Item = RunId>,
    ) -> Result<Pins, StoreError> {
        let pins = Pins::default();
        for run in pipelines {
            let noted = store.read_run_file(run, FILE)?.unwrap_or_default();
            // Without a line, as after a crash while it was written, the jobs look for themselves.
            let lines = noted.split(|byte| *byte == b'\n');
            let noted = lines.filter_map(|line| serde_json::from_slice(line).ok());
            for (project, key) in noted.collect::<BTreeSet<(String, String)>>() {
                pins.keep(store, &project, &key)?;
            }
        }
        Ok(pins)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn line(project: &str, key: &str) -> String {
    serde_json::json!([project, key]).to_string()
}
