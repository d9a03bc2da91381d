//! Which cache entries a job finds (reference `runner.md` §4.1, §4.2).

use std::sync::Arc;

use tidegate_exec::JobVariables;
use tidegate_pipeline::{CachePolicy, CacheSpec, JobSpec, OnMiss, clean_cache_key};
use tidegate_store::{Entry, Lease, RunId, Store, StoreError};

use crate::pins::Pins;
use crate::remote::RemoteCaches;

/// One of a job's caches with its key resolved and what was found under it.
pub(crate) struct ResolvedCache {
    /// Position among the job's caches, from 0.
    pub(crate) index: u32,
    /// As the job has it.
    pub(crate) spec: CacheSpec,
    /// The final key, or why there is none, as the runner says it.
    pub(crate) key: Result<Arc<str>, String>,
    /// What the runner says about the key, whenever it uses it.
    pub(crate) notices: Vec<String>,
    /// What is said about the fallback keys, and about what was found and cannot be restored.
    pub(crate) fallback_notices: Vec<String>,
    /// Keys that were tried, in order.
    pub(crate) tried: Vec<Tried>,
    /// What was found.
    pub(crate) found: Option<FoundEntry>,
}

/// A key that was looked for.
pub(crate) struct Tried {
    /// The key.
    pub(crate) key: Arc<str>,
    /// What the remote cache has to say of it: how it arrived, or why it could not be asked.
    pub(crate) remote: Option<Result<String, String>>,
}

/// An entry that is restored.
pub(crate) struct FoundEntry {
    /// Under which key.
    pub(crate) key: Arc<str>,
    /// It is the key itself, not a fallback.
    pub(crate) exact: bool,
    /// The entry.
    pub(crate) entry: Entry,
    /// Keeps it while the job runs.
    pub(crate) _lease: Lease,
}

/// What a job cannot do without: the key that is missing, and whether its producer is to run.
pub(crate) struct Unmet {
    pub(crate) key: Arc<str>,
    pub(crate) produce: bool,
}

/// Where caches are looked for.
pub(crate) struct Shelf<'a> {
    pub(crate) store: &'a Store,
    pub(crate) project: &'a str,
    pub(crate) run: RunId,
    /// What the run keeps; found also where others have removed it.
    pub(crate) pins: &'a Pins,
    /// Where caches are shared with other machines.
    pub(crate) remote: Option<&'a dyn RemoteCaches>,
}

impl Shelf<'_> {
    /// Resolves all caches of a job and finds what those that restore shall restore.
    pub(crate) fn resolve(
        &self,
        spec: &JobSpec,
        variables: &JobVariables,
    ) -> Result<Vec<ResolvedCache>, StoreError> {
        let caches = spec.caches.iter().enumerate();
        caches
            .map(|(index, cache)| self.resolve_one(spec, index, cache, variables))
            .collect()
    }

    /// Whether entries with the exact keys of all these caches exist, here or where caches are shared. Those that are here are kept
    /// until the run ends.
    pub(crate) fn all_present(
        &self,
        spec: &JobSpec,
        wanted: &[u32],
        variables: &JobVariables,
    ) -> Result<Option<Arc<str>>, StoreError> {
        let mut last = None;
        for index in wanted {
            let Some(cache) = spec.caches.get(*index as usize) else {
                return Ok(None);
            };
            let Ok(key) = final_key(spec, cache, variables, &mut Vec::new()) else {
                return Ok(None);
            };
            let here = match self.pins.keep(self.store, self.project, &key) {
                // What cannot be told counts as missing, and is then made anew.
                Err(StoreError::Damaged { .. }) => false,
                told => told?,
            };
            // Where it cannot be told the job runs.
            let there = || {
                self.remote
                    .is_some_and(|remote| remote.is_present(&key) == Ok(true))
            };
            if !here && !there() {
                return Ok(None);
            }
            last = Some(key);
        }
        Ok(last)
    }

    fn resolve_one(
        &self,
        spec: &JobSpec,
        index: usize,
        cache: &CacheSpec,
        variables: &JobVariables,
    ) -> Result<ResolvedCache, StoreError> {
        let mut notices = Vec::new();
        let key = final_key(spec, cache, variables, &mut notices);
        let mut resolved = ResolvedCache {
            index: index as u32,
            spec: cache.clone(),
            key,
            notices,
            fallback_notices: Vec::new(),
            tried: Vec::new(),
            found: None,
        };
        if restores(cache, variables) {
            self.find(&mut resolved, variables)?;
        }
        Ok(resolved)
    }

    /// The key, then the fallback keys, then `CACHE_FALLBACK_KEY`; the first that has an entry is restored.
    fn find(&self, cache: &mut ResolvedCache, variables: &JobVariables) -> Result<(), StoreError> {
        let Ok(key) = &cache.key else { return Ok(()) };
        let mut candidates = vec![key.clone()];
        let said = &mut cache.fallback_notices;
        let fallbacks = cache.spec.fallback_keys.iter();
        let fallbacks = fallbacks.map(|key| variables.expand(key));
        candidates.extend(fallbacks.filter_map(|key| fallback_key(&key, said)));
        candidates.extend(global_fallback(variables, said));
        for (at, candidate) in candidates.into_iter().enumerate() {
            let (found, remote) = match self.look(&candidate) {
                Err(error @ StoreError::Damaged { .. }) => {
                    let text = format!("The cache {candidate} is not restored: {error}");
                    cache.fallback_notices.push(text);
                    (None, Default::default())
                }
                looked => looked?,
            };
            cache.tried.push(Tried {
                key: candidate.clone(),
                remote,
            });
            if let Some((entry, lease)) = found {
                cache.found = Some(FoundEntry {
                    key: candidate,
                    exact: at == 0,
                    entry,
                    _lease: lease,
                });
                break;
            }
        }
        Ok(())
    }

    /// The entry of a key, leased: from here unless there is a newer one where caches are shared, else from there.
    fn look(&self, key: &str) -> Result<Looked, StoreError> {
        if let Some(found) = self.leased(key)? {
            return match self.remote.map(|remote| remote.renew(&found.0)) {
                None | Some(Ok(None)) => Ok((Some(found), None)),
                Some(Ok(Some(says))) => Ok((self.leased(key)?, Some(Ok(says)))),
                // It may be older than another one, but it is a cache.
                Some(Err(why)) => Ok((Some(found), Some(Err(why)))),
            };
        }
        Ok(match self.remote.map(|remote| remote.fetch(key)) {
            None | Some(Ok(None)) => (None, None),
            // Somebody may remove it at once; then it is as if it had never come.
            Some(Ok(Some(says))) => (self.leased(key)?, Some(Ok(says))),
            Some(Err(why)) => (None, Some(Err(why))),
        })
    }

    /// What the key points at, else what the run keeps under it.
    fn leased(&self, key: &str) -> Result<Option<(Entry, Lease)>, StoreError> {
        if let Some(found) = self.store.lease_cache(self.project, key, self.run)? {
            return Ok(Some(found));
        }
        let Some(kept) = self.pins.entry(self.project, key) else {
            return Ok(None);
        };
        let lease = self.store.lease(&kept, self.run)?;
        Ok(Some((kept, lease)))
    }
}

/// A leased entry, and what the remote cache has to say.
type Looked = (Option<(Entry, Lease)>, Option<Result<String, String>>);

/// The first cache that is missing although the job says that it cannot do without.
pub(crate) fn unmet(caches: &[ResolvedCache], variables: &JobVariables) -> Option<Unmet> {
    caches.iter().find_map(|cache| {
        let produce = match cache.spec.on_miss {
            OnMiss::Continue => return None,
            OnMiss::Fail => false,
            OnMiss::Produce => true,
        };
        if cache.found.is_some() || !restores(&cache.spec, variables) {
            return None;
        }
        let key = cache.key.clone().unwrap_or_else(|_| cache.spec.key.clone());
        Some(Unmet { key, produce })
    })
}

/// What a job's scripts are told about its caches (reference `extensions.md` §2); indices count from 0.
pub(crate) fn facts(caches: &[ResolvedCache]) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    for cache in caches {
        let hit = match &cache.found {
            Some(found) if found.exact => "exact",
            Some(_) => "partial",
            None => "miss",
        };
        let key = cache.key.as_deref().unwrap_or_default();
        facts.push((
            format!("TIDEGATE_CACHE_{}_HIT", cache.index),
            hit.to_owned(),
        ));
        facts.push((
            format!("TIDEGATE_CACHE_{}_KEY", cache.index),
            key.to_owned(),
        ));
    }
    facts
}

/// The policy in force.
pub(crate) fn policy(cache: &CacheSpec, variables: &JobVariables) -> CachePolicy {
    match &*variables.expand(&cache.policy) {
        "" => CachePolicy::PullPush,
        text => CachePolicy::from_text(text),
    }
}

fn restores(cache: &CacheSpec, variables: &JobVariables) -> bool {
    let holds_something = !cache.paths.is_empty() || cache.untracked;
    let pulls = matches!(
        policy(cache, variables),
        CachePolicy::PullPush | CachePolicy::Pull
    );
    holds_something && pulls
}

/// The key a cache has in the end, `None` where it has none.
pub(crate) fn final_key_of(
    spec: &JobSpec,
    cache: &CacheSpec,
    variables: &JobVariables,
) -> Option<Arc<str>> {
    final_key(spec, cache, variables, &mut Vec::new()).ok()
}

/// A key as it may be told in events and logs: without masked values.
pub(crate) fn shown(key: &str, variables: &JobVariables) -> Arc<str> {
    let masked = variables.masked_values().filter(|value| !value.is_empty());
    let hide = |text: String, value: &str| text.replace(value, "[MASKED]");
    masked.fold(key.to_owned(), hide).into()
}

fn final_key(
    spec: &JobSpec,
    cache: &CacheSpec,
    variables: &JobVariables,
    notices: &mut Vec<String>,
) -> Result<Arc<str>, String> {
    let mut raw = variables.expand(&cache.key);
    if raw.is_empty() {
        raw = format!("{}/{}", spec.name, spec.git.ref_name);
    }
    clean(&raw, notices).ok_or_else(|| {
        notices.push(format!("cache key \"{raw}\" could not be sanitized"));
        "empty cache key".to_owned()
    })
}

/// The key as the runner cleans it, with what it says where that changes it.
fn clean(raw: &str, notices: &mut Vec<String>) -> Option<Arc<str>> {
    let clean = clean_cache_key(raw);
    let key = clean.key?;
    if clean.changed {
        notices.push(format!("cache key \"{raw}\" sanitized to \"{key}\""));
    }
    Some(key.into())
}

/// A fallback key; an empty one is passed over in silence.
fn fallback_key(raw: &str, notices: &mut Vec<String>) -> Option<Arc<str>> {
    if raw.is_empty() {
        return None;
    }
    let key = clean(raw, notices);
    if key.is_none() {
        notices.push(format!("cache key \"{raw}\" could not be sanitized"));
    }
    key
}

fn global_fallback(variables: &JobVariables, notices: &mut Vec<String>) -> Option<Arc<str>> {
    let key = variables.get("CACHE_FALLBACK_KEY")?;
    // Cleaning may bring the end to light: `x-protected/` is cleaned to `x-protected`.
    let clean = clean_cache_key(key).key;
    let forbidden = |key: &str| key.trim_end_matches(['.', ' ']).ends_with("-protected");
    if forbidden(key) || clean.as_deref().is_some_and(forbidden) {
        notices.push(format!(
            "CACHE_FALLBACK_KEY \"{key}\" not allowed to end in \"-protected\""
        ));
        return None;
    }
    fallback_key(key, notices)
}
