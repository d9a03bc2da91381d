//! Which key the caches of a job have, step by step, what is there, and what comes near.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tidegate_plan::{CacheDerivation, CacheMissReason, Detail};
use tidegate_remote::Remote;
use tidegate_report::Secrets;
use tidegate_scenario::{CacheState, Fact, Role, Scenario};

use super::Caches;
use crate::cli::{Format, Global};
use crate::command::explain::unknown;
use crate::command::require_valid;
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::remote_cache;
use crate::store_args::CacheWhyArgs;
use crate::terminal::print;

/// How many keys that come near are shown.
const NEAREST: usize = 3;

/// Prints how the keys of a job come about and what the store has.
pub(super) fn why(global: &Global, args: &CacheWhyArgs) -> Result<Exit, Failure> {
    let project = Project::open(global, &args.scenario)?;
    let loaded = project.load()?;
    require_valid(global, &loaded)?;
    let detail = Detail::Full {
        jobs: BTreeSet::from([args.job.clone()]),
    };
    let plan = project.plan(&loaded, &detail)?.ok_or_else(Failure::shown)?;
    let decision = plan
        .decisions
        .iter()
        .find(|decision| *decision.name == *args.job);
    let traced = decision.and_then(|decision| decision.trace.as_ref());
    let Some(trace) = traced else {
        let names = plan.decisions.iter().map(|decision| &*decision.name);
        return Err(unknown(&args.job, names));
    };
    let caches = Caches::of(&project)?;
    let remote = project.remote.open(project.cache_suffix());
    let keys = trace
        .caches
        .iter()
        .map(|derivation| Found::of(&caches, &remote, derivation, &project.scenario));
    let keys: Vec<Found<'_>> = keys.collect::<Result<_, _>>()?;
    let secrets = Secrets::of(&plan);
    print(&match args.format {
        Format::Json => {
            let keys: Vec<Value> = keys.iter().map(Found::as_json).collect();
            let told = without(&secrets, json!({ "job": args.job, "caches": keys }));
            format!("{told}\n")
        }
        Format::Human if keys.is_empty() => format!("{} has no caches\n", args.job),
        Format::Human => {
            let text: String = keys.iter().map(Found::as_text).collect();
            secrets.hide(&text).into_owned()
        }
    })?;
    Ok(Exit::Fine)
}

/// The value with secrets hidden in its texts.
fn without(secrets: &Secrets, value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(secrets.hide(&text).into_owned()),
        Value::Array(list) => list.into_iter().map(|one| without(secrets, one)).collect(),
        Value::Object(map) => {
            let map = map.into_iter();
            map.map(|(key, one)| (key, without(secrets, one))).collect()
        }
        other => other,
    }
}

/// Why a key ends as it does, where caches of protected refs are kept apart.
fn suffix_reason(suffixed: &str, scenario: &Scenario) -> Option<&'static str> {
    let maintainer = scenario.user.role >= Role::Maintainer;
    if suffixed.ends_with("-non_protected") {
        return Some(match maintainer || scenario.protected {
            true => "the cache says `unprotect: true`",
            false => "the ref is not protected, and the pipeline's user no maintainer",
        });
    }
    let protected = suffixed.ends_with("-protected");
    protected.then_some(match maintainer {
        true => "the pipeline's user is a maintainer or owner",
        false => "the ref is protected",
    })
}

/// The derivation of one key and what the store has for it.
struct Found<'t> {
    derivation: &'t CacheDerivation,
    /// Why its suffix is this one; `None`: it has none.
    because: Option<&'static str>,
    state: &'static str,
    /// Where it is, where there is more than one place: here and in the remote cache.
    places: Option<(&'static str, String)>,
    nearest: Vec<String>,
    /// What is tried after it, and what the store or the remote cache has for it.
    fallbacks: Vec<(String, String)>,
}

impl<'t> Found<'t> {
    fn of(
        caches: &Caches,
        remote: &Result<Option<Remote>, String>,
        derivation: &'t CacheDerivation,
        scenario: &Scenario,
    ) -> Result<Found<'t>, Failure> {
        let state = match &derivation.state {
            tidegate_plan::KeyState::Asked(Fact::Known(CacheState::Present)) => "present",
            tidegate_plan::KeyState::Asked(Fact::Known(CacheState::Missing)) => "missing",
            _ => "unknown",
        };
        let nearest = match &derivation.key {
            Ok(key) if state == "missing" => {
                let near = caches
                    .store
                    .nearest_cache_keys(&caches.project, key, NEAREST);
                near.map_err(|error| {
                    Failure::unusable(format!("failed to look for keys that come near: {error}"))
                })?
            }
            _ => Vec::new(),
        };
        let places = match &derivation.key {
            Ok(key) => places(caches, remote, key)?,
            Err(_) => None,
        };
        let mut fallbacks = Vec::new();
        for key in &derivation.fallback_keys {
            fallbacks.push(match key {
                Ok(key) => (key.clone(), fallback_state(caches, remote, key)?),
                Err(why) => ("none yet".to_owned(), reason_text(why)),
            });
        }
        Ok(Found {
            derivation,
            because: suffix_reason(&derivation.suffixed, scenario),
            state,
            places,
            nearest,
            fallbacks,
        })
    }

    fn as_text(&self) -> String {
        let derivation = self.derivation;
        let mut text = format!("cache {}\n", derivation.index);
        let mut line = |what: &str, value: &str| text.push_str(&format!("  {what:<12} {value}\n"));
        if let Some(digest) = &derivation.digest {
            for input in &digest.inputs {
                let id = input.id.as_deref().unwrap_or("not there, so left out");
                line("file", &format!("{}  {id}", input.path));
            }
            line("digest", &digest.digest);
        }
        line("key", &derivation.created);
        if derivation.suffixed != *derivation.created {
            line("with suffix", &derivation.suffixed);
        }
        if let Some(because) = self.because {
            line("because", because);
        }
        for reference in &derivation.references {
            let value = reference
                .value
                .as_deref()
                .unwrap_or("no value before the job runs");
            line("variable", &format!("${} = {value}", reference.name));
        }
        match &derivation.key {
            Ok(key) => line("final key", key),
            Err(reason) => line("final key", &format!("none yet: {}", reason_text(reason))),
        }
        line("state", self.state);
        if derivation.is_empty {
            line("passed over", "it has neither `paths` nor `untracked`");
        }
        if let Some((here, remote)) = &self.places {
            line("here", here);
            line("remote", remote);
        }
        for near in &self.nearest {
            let wanted = derivation.key.as_deref().unwrap_or_default();
            line("near", &format!("{near}  ({})", difference(wanted, near)));
        }
        for (key, state) in &self.fallbacks {
            line("fallback", &format!("{key}  ({state})"));
        }
        text
    }

    fn as_json(&self) -> Value {
        let derivation = self.derivation;
        let files = derivation.digest.as_ref().map(|digest| {
            let inputs = digest.inputs.iter();
            let inputs = inputs.map(|input| json!({ "path": *input.path, "id": input.id.as_deref() }));
            json!({ "prefix": *digest.prefix, "digest": *digest.digest, "inputs": inputs.collect::<Vec<_>>() })
        });
        let references = derivation.references.iter();
        let references =
            references.map(|r| json!({ "name": *r.name, "value": r.value.as_deref() }));
        let mut value = json!({
            "index": derivation.index,
            "files": files,
            "created": *derivation.created,
            "suffixed": derivation.suffixed,
            "because": self.because,
            "variables": references.collect::<Vec<_>>(),
            "key": derivation.key.as_ref().ok(),
            "unknown": derivation.key.as_ref().err().map(reason_text),
            "state": self.state,
            "nearest": self.nearest,
            "passed_over": derivation.is_empty,
            "fallbacks": self.fallbacks.iter().map(|(key, state)| json!({ "key": key, "state": state })).collect::<Vec<_>>(),
        });
        if let (Some((here, remote)), Some(object)) = (&self.places, value.as_object_mut()) {
            object.insert("here".to_owned(), json!(here));
            object.insert("remote".to_owned(), json!(remote));
        }
        value
    }
}

/// Whether a fallback key has a cache, and where.
fn fallback_state(
    caches: &Caches,
    remote: &Result<Option<Remote>, String>,
    key: &str,
) -> Result<String, Failure> {
    Ok(match places(caches, remote, key)? {
        Some(("present", _)) => "present".to_owned(),
        Some((_, there)) => format!("remote: {there}"),
        None => {
            let here = caches.store.find_cache(&caches.project, key);
            let here = here.map_err(|error| {
                Failure::unusable(format!("failed to look for the cache `{key}`: {error}"))
            })?;
            if here.is_some() { "present" } else { "missing" }.to_owned()
        }
    })
}

/// Where a key is, if there is a remote cache: here, and there or why that cannot be told.
fn places(
    caches: &Caches,
    remote: &Result<Option<Remote>, String>,
    key: &str,
) -> Result<Option<(&'static str, String)>, Failure> {
    if matches!(remote, Ok(None)) {
        return Ok(None);
    }
    let here = caches.store.find_cache(&caches.project, key);
    let here = here.map_err(|error| {
        Failure::unusable(format!("failed to look for the cache `{key}`: {error}"))
    })?;
    let there = match remote {
        Ok(None) => return Ok(None),
        Ok(Some(remote)) => remote_cache::state(remote, key).and_then(|state| {
            Ok(match (state, &here) {
                (CacheState::Missing, _) => "missing",
                (CacheState::Present, Some(entry))
                    if remote_cache::is_older(entry, remote, &caches.store)? =>
                {
                    "present, newer than here"
                }
                (CacheState::Present, _) => "present",
            })
        }),
        Err(why) => Err(why.clone()),
    };
    let there = match there {
        Ok(state) => state.to_owned(),
        Err(why) => format!("unknown: {why}"),
    };
    let here = if here.is_some() { "present" } else { "missing" };
    Ok(Some((here, there)))
}

fn reason_text(reason: &CacheMissReason) -> String {
    match reason {
        CacheMissReason::Variable(name) => format!("${name} has no value before the job runs"),
        CacheMissReason::Files(why) => {
            format!("the files it is computed from cannot be read: {why}")
        }
        CacheMissReason::Unusable => "nothing is left of it after sanitising".to_owned(),
    }
}

/// Where two keys part.
fn difference(wanted: &str, other: &str) -> String {
    let same = wanted
        .chars()
        .zip(other.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let rest = |key: &str| -> String { key.chars().skip(same).collect() };
    let (wanted, other) = (rest(wanted), rest(other));
    match (&*wanted, &*other) {
        ("", more) => format!("ends in `{more}` besides"),
        (more, "") => format!("lacks `{more}`"),
        (wanted, other) => format!("has `{other}` instead of `{wanted}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart_where_they_part() {
        assert_eq!(difference("a-1", "a-2"), "has `2` instead of `1`");
        assert_eq!(
            difference("a", "a-protected"),
            "ends in `-protected` besides"
        );
        assert_eq!(difference("a-x", "a"), "lacks `-x`");
    }
}
