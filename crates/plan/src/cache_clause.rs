//! `rules:cache`, an extension (reference `extensions.md` §1): conditions on what the store holds.

use std::sync::Arc;

use tidegate_config::{CacheClause, CacheMatch, CacheName, Clause, Rule};
use tidegate_pipeline::{Cache, CacheKey, CachePolicy};
use tidegate_scenario::{CacheQuery, CacheState, Fact, Why, WorldError};

use crate::cache_key::{CreatedKey, cache_suffix, created_key, expanded_key};
use crate::scope::Scope;
use crate::trace::{CacheAsked, CacheDerivation, CacheMissReason, ClauseOutcome, KeyState};

/// The caches a list of rules may ask for.
pub(crate) struct CacheView<'v, 's> {
    /// The job; the workflow has none.
    scope: Option<&'v Scope<'s>>,
    /// Every cache is taken for missing, to see whether it is what keeps the job out.
    assume_missing: bool,
}

impl<'v, 's> CacheView<'v, 's> {
    /// The caches of a job as they are.
    pub(crate) fn of_job(scope: &'v Scope<'s>) -> CacheView<'v, 's> {
        CacheView {
            scope: Some(scope),
            assume_missing: false,
        }
    }

    /// The caches of a job as if all were missing.
    pub(crate) fn all_missing(scope: &'v Scope<'s>) -> CacheView<'v, 's> {
        CacheView {
            scope: Some(scope),
            assume_missing: true,
        }
    }

    /// No caches: those of a workflow.
    pub(crate) fn none() -> CacheView<'v, 's> {
        CacheView {
            scope: None,
            assume_missing: false,
        }
    }
}

/// Judges one clause. What is unknown counts as missing, so that the producer runs.
pub(crate) fn judge_cache(
    clause: &CacheClause,
    view: &CacheView<'_, '_>,
) -> Result<(ClauseOutcome, Vec<CacheAsked>), WorldError> {
    let Some(scope) = view.scope else {
        return Ok((ClauseOutcome::Fails, Vec::new()));
    };
    let mut asked = Vec::new();
    for named in named_caches(clause, scope) {
        asked.push(ask(&named, clause, scope, view.assume_missing)?);
    }
    let is_present = |asked: &CacheAsked| {
        asked.state == Fact::Known(CacheState::Present) || asked.fallback.is_some()
    };
    let holds = match clause.wanted {
        CacheMatch::MissingAny => !asked.iter().all(is_present),
        CacheMatch::MissingAll => !asked.iter().any(is_present),
        CacheMatch::PresentAny => asked.iter().any(is_present),
        CacheMatch::PresentAll => asked.iter().all(is_present),
    };
    let unknown = asked.iter().find_map(|asked| match &asked.state {
        Fact::Unknown(why) if asked.fallback.is_none() => Some(why.clone()),
        _ => None,
    });
    let missing = asked
        .iter()
        .any(|asked| asked.state == Fact::Known(CacheState::Missing));
    let wants_missing = matches!(
        clause.wanted,
        CacheMatch::MissingAny | CacheMatch::MissingAll
    );
    let outcome = match (holds, unknown) {
        (false, _) => ClauseOutcome::Fails,
        (true, Some(why)) if wants_missing && !missing => ClauseOutcome::HoldsUnknown(why),
        (true, _) => ClauseOutcome::Holds,
    };
    Ok((outcome, asked))
}

/// One cache a clause names.
enum Named<'c> {
    /// The job's own.
    Own(usize, &'c Cache),
    /// That of another job, by its key.
    Key(Arc<str>),
}

fn named_caches<'s>(clause: &CacheClause, scope: &Scope<'s>) -> Vec<Named<'s>> {
    let own = || {
        let caches = scope.written().inheritable.caches.iter().enumerate();
        caches.map(|(at, cache)| Named::Own(at, &cache.value))
    };
    if clause.of.is_empty() {
        let pushing: Vec<_> = own()
            .filter(|named| matches!(named, Named::Own(_, cache) if can_push(cache, scope)))
            .collect();
        return if pushing.is_empty() {
            own().collect()
        } else {
            pushing
        };
    }
    let mut named = Vec::new();
    for name in &clause.of {
        match name {
            CacheName::Index(at) => {
                named.extend(own().filter(|own| matches!(own, Named::Own(i, _) if i == at)));
            }
            CacheName::Key(key) => {
                let is_it = |own: &Named<'_>| match own {
                    Named::Own(_, cache) => cache.key == CacheKey::Text(key.clone()),
                    Named::Key(_) => false,
                };
                named.push(own().find(is_it).unwrap_or(Named::Key(key.clone())));
            }
        }
    }
    named
}

fn can_push(cache: &Cache, scope: &Scope<'_>) -> bool {
    let judged = |policy: &CachePolicy| matches!(policy, CachePolicy::PullPush | CachePolicy::Push);
    match &cache.policy {
        CachePolicy::Text(text) => judged(&CachePolicy::from_text(&scope.blank(text))),
        known => judged(known),
    }
}

fn ask(
    named: &Named<'_>,
    clause: &CacheClause,
    scope: &Scope<'_>,
    assume_missing: bool,
) -> Result<CacheAsked, WorldError> {
    let (index, text, unprotect) = match named {
        Named::Own(at, cache) => {
            let created = created_keys(scope)?;
            match created.get(*at) {
                Some(CreatedKey {
                    unknown: Some(why), ..
                }) => {
                    return Ok(CacheAsked {
                        index: Some(*at),
                        key: Err(CacheMissReason::Files(why.clone())),
                        state: Fact::Unknown(why.clone()),
                        fallback: None,
                    });
                }
                Some(key) => (Some(*at), key.text.clone(), cache.unprotect),
                None => (Some(*at), "default".into(), cache.unprotect),
            }
        }
        Named::Key(key) => (None, key.clone(), false),
    };
    let key = final_key(&text, unprotect, scope);
    let state = if assume_missing {
        Fact::Known(CacheState::Missing)
    } else {
        state_of(&key, scope)?
    };
    let mut fallback = None;
    if let (Named::Own(_, cache), true) = (named, clause.fallback && !assume_missing) {
        for key in &cache.fallback_keys {
            let key = final_key(key, unprotect, scope);
            if state_of(&key, scope)? == Fact::Known(CacheState::Present) {
                fallback = key.ok();
                break;
            }
        }
    }
    Ok(CacheAsked {
        index,
        key,
        state,
        fallback,
    })
}

fn final_key(created: &str, unprotect: bool, scope: &Scope<'_>) -> Result<String, CacheMissReason> {
    let shared = scope.shared();
    let suffix = cache_suffix(shared.scenario, shared.settings.protected_caches);
    expanded_key(&suffix.apply(created, unprotect), scope).key
}

fn state_of(
    key: &Result<String, CacheMissReason>,
    scope: &Scope<'_>,
) -> Result<Fact<CacheState>, WorldError> {
    let key = match key {
        Ok(key) => key,
        Err(CacheMissReason::Variable(name)) => {
            let why = format!("`{name}` in its key has no value before the job runs");
            return Ok(Fact::Unknown(Why::NotApplicable(why)));
        }
        Err(CacheMissReason::Files(why)) => return Ok(Fact::Unknown(why.clone())),
        Err(CacheMissReason::Unusable) => {
            let why = "nothing is left of its key after sanitising".to_owned();
            return Ok(Fact::Unknown(Why::NotApplicable(why)));
        }
    };
    let shared = scope.shared();
    match shared.scenario.overrides.caches.get(key) {
        Some(stated) => Ok(Fact::Known(*stated)),
        None => shared.world.cache_state(&CacheQuery { key: key.clone() }),
    }
}

/// The keys of a job's caches when the pipeline is created; instances of a parallel job share them.
pub(crate) fn created_keys(scope: &Scope<'_>) -> Result<Arc<[CreatedKey]>, WorldError> {
    if let Some(known) = scope.body.keys.get() {
        return Ok(known.clone());
    }
    let world = scope.shared().world;
    let caches = scope.written().inheritable.caches.iter().enumerate();
    let keys: Arc<[CreatedKey]> = caches
        .map(|(at, cache)| created_key(&cache.value.key, at, world))
        .collect::<Result<_, _>>()?;
    Ok(scope.body.keys.get_or_init(|| keys).clone())
}

/// How the keys of all caches of a job come about, with their state.
pub(crate) fn derivations(scope: &Scope<'_>) -> Result<Vec<CacheDerivation>, WorldError> {
    let created = created_keys(scope)?;
    let shared = scope.shared();
    let suffix = cache_suffix(shared.scenario, shared.settings.protected_caches);
    let caches = scope
        .written()
        .inheritable
        .caches
        .iter()
        .zip(created.iter());
    let derivation = |(index, (cache, created)): (usize, (_, &CreatedKey))| {
        let cache: &tidegate_config::Spanned<Cache> = cache;
        let suffixed = suffix.apply(&created.text, cache.value.unprotect);
        let expanded = expanded_key(&suffixed, scope);
        let key = match &created.unknown {
            Some(why) => Err(CacheMissReason::Files(why.clone())),
            None => expanded.key,
        };
        let state = KeyState::Asked(state_of(&key, scope)?);
        Ok(CacheDerivation {
            index,
            span: cache.span,
            digest: created.digest.clone(),
            created: created.text.clone(),
            suffixed,
            references: expanded.references,
            key,
            state,
            fallback_keys: fallback_keys(&cache.value, scope),
            is_empty: cache.value.paths.is_empty() && !cache.value.untracked,
        })
    };
    caches.enumerate().map(derivation).collect()
}

/// The keys a cache is looked for under after its own. `CACHE_FALLBACK_KEY` gets no suffix, and is none where it ends as if it had one.
fn fallback_keys(cache: &Cache, scope: &Scope<'_>) -> Vec<Result<String, CacheMissReason>> {
    let own = cache.fallback_keys.iter();
    let mut keys: Vec<_> = own
        .map(|key| final_key(key, cache.unprotect, scope))
        .collect();
    let of_all = expanded_key("$CACHE_FALLBACK_KEY", scope);
    let mut values = of_all.references.iter();
    let is_set = values.any(|one| one.value.as_deref().is_some_and(|value| !value.is_empty()));
    let is_protected = |key: &String| key.trim_end_matches(['.', ' ']).ends_with("-protected");
    if is_set && !of_all.key.as_ref().is_ok_and(is_protected) {
        keys.push(of_all.key);
    }
    keys
}

/// Whether any clause of the rules looks at caches.
pub(crate) fn looks_at_caches(rules: &[Rule]) -> bool {
    let is_cache = |clause: &Clause| matches!(clause, Clause::Cache(_));
    rules.iter().any(|rule| rule.clauses.iter().any(is_cache))
}

/// The job's own caches that the matched rule wanted to be missing, which are asked for again right before it starts.
pub(crate) fn recheck(rule: &Rule, scope: &Scope<'_>) -> Vec<u32> {
    let mut indices: Vec<u32> = Vec::new();
    for clause in &rule.clauses {
        let Clause::Cache(clause) = clause else {
            continue;
        };
        if matches!(
            clause.wanted,
            CacheMatch::PresentAny | CacheMatch::PresentAll
        ) {
            continue;
        }
        for named in named_caches(clause, scope) {
            if let Named::Own(at, _) = named {
                indices.push(at as u32);
            }
        }
    }
    indices.sort_unstable();
    indices.dedup();
    indices
}
