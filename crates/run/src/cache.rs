//! Which cache entries a job finds (reference `runner.md` §4.1, §4.2).

use std::sync::Arc;

use tidegate_exec::JobVariables;
use tidegate_pipeline::{CachePolicy, CacheSpec, JobSpec, OnMiss, clean_cache_key};
use tidegate_store::{Entry, Lease, RunId, Store, StoreError};

use crate::remote::RemoteCaches;

/// One of a job's caches with its key resolved and what was found under it.
pub(crate) struct ResolvedCache {
    /// Position among the job's caches, from 0.
    pub(crate) index: u32,
    /// As the job has it.
    pub(crate) spec: CacheSpec,
    /// The final key, or why there is none.
    pub(crate) key: Result<Arc<str>, String>,
    /// What the runner says about the key.
    pub(crate) notices: Vec<String>,
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

    /// Whether entries with the exact keys of all these caches exist, here or where caches are shared.
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
            let here = self.store.find_cache(self.project, &key)?.is_some();
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
        let fallbacks = cache
            .spec
            .fallback_keys
            .iter()
            .map(|key| variables.expand(key));
        candidates.extend(
            fallbacks
                .filter_map(|key| clean_cache_key(&key).key)
                .map(Arc::from),
        );
        match global_fallback(variables) {
            Ok(fallback) => candidates.extend(fallback),
            Err(notice) => cache.notices.push(notice),
        }
        for (at, candidate) in candidates.into_iter().enumerate() {
            let (found, remote) = self.look(&candidate)?;
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

    /// The entry of a key, leased: from here, else from where caches are shared.
    fn look(&self, key: &str) -> Result<Looked, StoreError> {
        // Somebody may have removed it since it was found; then it is as if it had never been there.
        let leased = |entry: Entry| {
            let lease = self.store.lease(&entry, self.run).ok()?;
            Some((entry, lease))
        };
        if let Some(found) = self.store.find_cache(self.project, key)?.and_then(leased) {
            return Ok((Some(found), None));
        }
        Ok(match self.remote.map(|remote| remote.fetch(key)) {
            None | Some(Ok(None)) => (None, None),
            Some(Ok(Some(arrived))) => (leased(arrived.entry), Some(Ok(arrived.says))),
            Some(Err(why)) => (None, Some(Err(why))),
        })
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
    let clean = clean_cache_key(&raw);
    let Some(key) = clean.key else {
        return Err(format!("cache key \"{raw}\" could not be sanitized"));
    };
    if clean.changed {
        notices.push(format!("cache key \"{raw}\" sanitized to \"{key}\""));
    }
    Ok(key.into())
}

fn global_fallback(variables: &JobVariables) -> Result<Option<Arc<str>>, String> {
    let Some(key) = variables
        .get("CACHE_FALLBACK_KEY")
        .filter(|key| !key.is_empty())
    else {
        return Ok(None);
    };
    // Cleaning may bring the end to light: `x-protected/` is cleaned to `x-protected`.
    let clean = clean_cache_key(key).key;
    let forbidden = |key: &str| key.trim_end_matches(['.', ' ']).ends_with("-protected");
    if forbidden(key) || clean.as_deref().is_some_and(forbidden) {
        return Err(format!(
            "CACHE_FALLBACK_KEY \"{key}\" not allowed to end in \"-protected\""
        ));
    }
    Ok(clean.map(Arc::from))
}
