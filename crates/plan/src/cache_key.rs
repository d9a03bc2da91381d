//! Keys of caches: what GitLab makes of them when a pipeline is created, and what a runner makes of that
//! (reference `compose.md` §10, `runner.md` §4.1).

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use sha1::{Digest, Sha1};
use tidegate_expr::{Lookup, NestedOptions, Resolver, expand_as_runner};
use tidegate_glob::Wildcard;
use tidegate_pipeline::{CacheKey, CacheSuffix, clean_cache_key};
use tidegate_scenario::{Fact, Place, Role, Scenario, Why, World, WorldError};

use crate::scope::Scope;
use crate::settings::ProtectedCaches;
use crate::trace::{CacheMissReason, DigestInput, KeyDigest, KeyReference};

/// A key as it stands when the pipeline is created: digests computed, nothing expanded or appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CreatedKey {
    pub(crate) text: Arc<str>,
    pub(crate) digest: Option<KeyDigest>,
    /// The files could not be read; the digest then is that of missing files.
    pub(crate) unknown: Option<Why>,
}

/// The key of the cache at `index` of its job's list.
pub(crate) fn created_key(
    key: &CacheKey,
    index: usize,
    world: &dyn World,
) -> Result<CreatedKey, WorldError> {
    let (files, prefix, commits) = match key {
        CacheKey::Text(text) => {
            return Ok(CreatedKey {
                text: text.clone(),
                digest: None,
                unknown: None,
            });
        }
        CacheKey::Files { files, prefix } => (files, prefix, false),
        CacheKey::FilesCommits { files, prefix } => (files, prefix, true),
    };
    let paths = paths_of(files, world)?;
    let ids = match (commits, paths.is_empty()) {
        (_, true) => Fact::Known(Vec::new()),
        (false, _) => world.blob_ids(&paths)?,
        (true, _) => world.last_commits(&paths)?,
    };
    let (ids, unknown) = match ids {
        Fact::Known(ids) => (ids, None),
        Fact::Unknown(why) => (Vec::new(), Some(why)),
    };
    let prefix: Arc<str> = match prefix {
        Some(prefix) => prefix.clone(),
        None if commits => index.to_string().into(),
        None => default_prefix(index, files).into(),
    };
    let inputs: Vec<DigestInput> = paths
        .iter()
        .enumerate()
        .map(|(at, path)| DigestInput {
            path: path.as_str().into(),
            id: ids.get(at).cloned().flatten().map(Into::into),
        })
        .collect();
    let digest: Arc<str> = digest(&inputs).into();
    let parts = [&*prefix, &*digest];
    let parts: Vec<&str> = parts
        .into_iter()
        .filter(|part| !part.trim().is_empty())
        .collect();
    Ok(CreatedKey {
        text: parts.join("-").into(),
        digest: Some(KeyDigest {
            prefix,
            inputs,
            digest,
        }),
        unknown,
    })
}

/// The files meant: without a leading slash, wildcards searched for in the tree.
fn paths_of(files: &[Arc<str>], world: &dyn World) -> Result<Vec<String>, WorldError> {
    let mut paths = Vec::new();
    for file in files {
        let file = file.strip_prefix('/').unwrap_or(file);
        if !file.contains('*') {
            paths.push(file.to_owned());
            continue;
        }
        if let Fact::Known(tree) = world.tree(&Place::Here)? {
            let wildcard = Wildcard::new(file);
            let found = tree.as_slice().iter().filter(|path| wildcard.matches(path));
            paths.extend(found.map(|path| path.to_string()));
        }
    }
    Ok(paths)
}

/// Position and names, each up to its first dot (`compose.md` §10.2: slashes survive).
fn default_prefix(index: usize, files: &[Arc<str>]) -> String {
    let names: Vec<&str> = files
        .iter()
        .map(|file| file.strip_prefix('/').unwrap_or(file))
        .map(|file| file.split('.').next().unwrap_or_default())
        .collect();
    format!("{index}_{}", names.join("_"))
}

fn digest(inputs: &[DigestInput]) -> String {
    let mut ids: Vec<&str> = inputs.iter().filter_map(|i| i.id.as_deref()).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return "default".to_owned();
    }
    let bytes = Sha1::digest(ids.join("-").as_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What GitLab appends to cache keys of jobs of this pipeline (reference `compose.md` §10.3).
pub fn cache_suffix(scenario: &Scenario, policy: ProtectedCaches) -> CacheSuffix {
    let maintainer = scenario.user.role >= Role::Maintainer;
    let protected = match policy {
        ProtectedCaches::RefOrMaintainer => scenario.protected || maintainer,
        ProtectedCaches::Ref => scenario.protected,
        ProtectedCaches::Maintainer => maintainer,
    };
    let separate = scenario.project.separate_protected_caches;
    CacheSuffix {
        cleared: scenario.project.cache_counter,
        protected: separate.then_some(protected),
    }
}

/// A key as the runner uses it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FinalCacheKey {
    /// What the store is asked for.
    pub key: String,
    /// Before sanitising, where that changed it.
    pub unsanitised: Option<String>,
}

/// A cache key of which nothing is left after sanitising; the cache is then skipped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnusableCacheKey {
    /// The key before sanitising.
    pub raw: String,
}

/// Makes of a key with its suffixes what the runner makes of it: variables replaced once, then sanitised.
///
/// `value` gives the value of a variable as the job sees it; unknown names are blank. An empty key stands for
/// `<job name>/<ref>`. Source: reference `runner.md` §4.1; used by planning and by runs alike.
///
/// # Errors
/// Nothing is left after sanitising.
pub fn final_cache_key<'v>(
    suffixed: &'v str,
    value: impl Fn(&str) -> Option<Cow<'v, str>>,
    job_name: &str,
    ref_name: &str,
) -> Result<FinalCacheKey, UnusableCacheKey> {
    let mut raw = expand_as_runner(suffixed, value).into_string();
    if raw.is_empty() {
        raw = format!("{job_name}/{ref_name}");
    }
    let clean = clean_cache_key(&raw);
    let Some(key) = clean.key else {
        return Err(UnusableCacheKey { raw });
    };
    let unsanitised = clean.changed.then_some(raw);
    Ok(FinalCacheKey { key, unsanitised })
}

/// A key expanded as far as is possible before the job runs.
pub(crate) struct ExpandedKey {
    pub(crate) references: Vec<KeyReference>,
    pub(crate) key: Result<String, CacheMissReason>,
}

/// The final key of `suffixed` for a job, or the variable in it that has no value yet.
pub(crate) fn expanded_key(suffixed: &str, scope: &Scope<'_>) -> ExpandedKey {
    let references: RefCell<Vec<KeyReference>> = RefCell::default();
    let missing: RefCell<Option<Arc<str>>> = RefCell::default();
    let resolver = Resolver::new(scope.variables(), NestedOptions::FOR_RUNNER);
    let plain = |name: &str| value_at_creation(&resolver, name, &missing);
    let recorded = |name: &str| {
        let value = plain(name);
        let source = resolver.lookup(name).map(|variable| variable.source);
        references.borrow_mut().push(KeyReference {
            name: name.into(),
            value: value.clone().map(Into::into),
            source,
        });
        value.map(Cow::Owned)
    };
    let job = &scope.job().name;
    let ref_name = scope.shared().scenario.ref_name();
    let expanded = final_cache_key(suffixed, recorded, job, ref_name);
    let key = match (missing.into_inner(), expanded) {
        (Some(name), _) => Err(CacheMissReason::Variable(name)),
        (None, Ok(found)) => Ok(found.key),
        (None, Err(_)) => Err(CacheMissReason::Unusable),
    };
    ExpandedKey {
        references: references.into_inner(),
        key,
    }
}

/// The value the runner will see, where it is known; otherwise `missing` takes the name.
fn value_at_creation(
    variables: &Resolver<'_>,
    name: &str,
    missing: &RefCell<Option<Arc<str>>>,
) -> Option<String> {
    let note = || {
        missing.borrow_mut().get_or_insert_with(|| name.into());
    };
    let known = variables.lookup(name);
    let value = known.filter(|variable| !variable.file);
    let Some(value) = value.and_then(|variable| variable.value.as_deref()) else {
        note();
        return None;
    };
    if known.is_some_and(|variable| variable.raw) {
        return Some(value.to_owned());
    }
    let nested = expand_as_runner(value, |inner| {
        let inner = variables.lookup(inner);
        match inner.and_then(|variable| variable.value.as_deref()) {
            Some(value) => Some(Cow::Borrowed(value)),
            None => {
                note();
                None
            }
        }
    });
    Some(nested.into_string())
}

#[cfg(test)]
mod tests {
    use tidegate_scenario::FixtureWorld;

    use super::*;

    fn files(files: &[&str], prefix: Option<&str>) -> CacheKey {
        CacheKey::Files {
            files: files.iter().map(|file| (*file).into()).collect(),
            prefix: prefix.map(Into::into),
        }
    }

    fn key(key: &CacheKey, index: usize, world: &FixtureWorld) -> String {
        let created = created_key(key, index, world).expect("a fixture never fails");
        created.text.to_string()
    }

    #[test]
    fn position_and_names_make_the_prefix() {
        let world = FixtureWorld::default();
        for (paths, index, expected) in [
            (&["Gemfile.lock"][..], 0, "0_Gemfile-default"),
            (&["yarn.lock"], 1, "1_yarn-default"),
            (&[".nvmrc"], 0, "0_-default"),
            (&["/dir/Gemfile.lock"], 0, "0_dir/Gemfile-default"),
            (&["a.x", "b.y"], 0, "0_a_b-default"),
        ] {
            assert_eq!(key(&files(paths, None), index, &world), expected);
        }
    }

    #[test]
    fn the_digest_is_of_sorted_distinct_ids() {
        let world = FixtureWorld::with_files([("a", "1"), ("b", "2"), ("c", "1")]);
        let both = key(&files(&["a", "b"], Some("p")), 0, &world);
        assert_eq!(both, key(&files(&["b", "a"], Some("p")), 3, &world));
        let one = key(&files(&["a"], Some("p")), 0, &world);
        assert_eq!(one, key(&files(&["a", "c"], Some("p")), 0, &world));
        assert_ne!(one, both);
        assert_eq!(one.len(), "p-".len() + 40);
    }

    #[test]
    fn a_blank_prefix_leaves_the_digest_alone() {
        let world = FixtureWorld::default();
        assert_eq!(key(&files(&["x"], Some("")), 0, &world), "default");
    }

    #[test]
    fn an_empty_key_is_the_job_on_its_ref() {
        let key = final_cache_key("$NONE", |_| None, "job", "main").map(|key| key.key);
        assert_eq!(key, Ok("job/main".to_owned()));
        let lost = final_cache_key("..", |_| None, "job", "main");
        assert_eq!(lost, Err(UnusableCacheKey { raw: "..".into() }));
    }

    #[test]
    fn maintainers_use_protected_caches_on_any_ref() {
        let mut scenario = Scenario::push("main");
        let protected = |scenario: &Scenario, policy| cache_suffix(scenario, policy).protected;
        assert_eq!(
            protected(&scenario, ProtectedCaches::RefOrMaintainer),
            Some(false)
        );
        scenario.user.role = Role::Maintainer;
        assert_eq!(
            protected(&scenario, ProtectedCaches::RefOrMaintainer),
            Some(true)
        );
        assert_eq!(protected(&scenario, ProtectedCaches::Ref), Some(false));
        scenario.project.separate_protected_caches = false;
        assert_eq!(protected(&scenario, ProtectedCaches::Ref), None);
    }
}
