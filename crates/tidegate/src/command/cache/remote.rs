//! `--remote`: the cache that is shared with other machines.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tidegate_remote::{Format as RemoteFormat, Listed, Remote, RemoteError};
use tidegate_store::{Entry, RunId, Store};

use super::Caches;
use crate::amount::{age, bytes, unix};
use crate::cli::{Format, Global, ScenarioArgs};
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::remote_cache::kept;
use crate::store_args::CachePruneArgs;
use crate::terminal::{print, tell};

/// The remote cache of the project, with the rights of its present ref.
fn open(project: &Project) -> Result<Remote, Failure> {
    let remote = project.remote.open(project.cache_suffix());
    remote.map_err(Failure::unusable)?.ok_or_else(|| {
        Failure::unusable("there is no remote cache")
            .hint("`url` or `path` of `[cache.remote]` in the settings names one")
    })
}

fn of(global: &Global) -> Result<Remote, Failure> {
    open(&Project::open(global, &ScenarioArgs::default())?)
}

fn failed(error: &RemoteError) -> Failure {
    Failure::unusable(format!("failed to {error}"))
}

/// Prints the project's caches there.
pub(super) fn list(global: &Global, format: Format) -> Result<Exit, Failure> {
    let remote = of(global)?;
    let listed = remote.list().map_err(|error| failed(&error))?;
    print(&match format {
        Format::Json => {
            let caches: Vec<Value> = listed.iter().map(as_json).collect();
            format!("{}\n", json!({ "caches": caches }))
        }
        Format::Human if listed.is_empty() => "no caches\n".to_owned(),
        Format::Human => table(&listed, remote.format()),
    })?;
    Ok(Exit::Fine)
}

fn table(listed: &[Listed], format: RemoteFormat) -> String {
    let now = SystemTime::now();
    let width = listed.iter().map(|cache| cache.key.chars().count()).max();
    let width = width.unwrap_or_default().min(60);
    let line = |cache: &Listed| {
        // In our own format it is the size of an index, which says nothing.
        let size = match format {
            RemoteFormat::GitlabRunner => format!("  {:>9}", bytes(cache.bytes)),
            RemoteFormat::Tidegate => String::new(),
        };
        let saved = age(cache.modified, now);
        format!("{:<width$}{size}  saved {saved}\n", cache.key)
    };
    listed.iter().map(line).collect()
}

fn as_json(cache: &Listed) -> Value {
    json!({
        "key": cache.key,
        "object_bytes": cache.bytes,
        "created": unix(cache.modified),
    })
}

/// Brings a cache from there into the store.
pub(super) fn fetched(project: &Project, caches: &Caches, key: &str) -> Result<Entry, Failure> {
    let remote = open(project)?;
    let arrived = remote.fetch(&caches.store, &caches.project, key);
    let arrived = arrived.map_err(|error| failed(&error))?;
    let missing = || Failure::failed(format!("there is no cache `{key}` in the remote cache"));
    Ok(arrived.ok_or_else(missing)?.entry)
}

/// Puts a cache of the store there.
pub(super) fn send(project: &Project, store: &Store, entry: &Entry) -> Result<(), Failure> {
    let remote = open(project)?;
    let unusable = |error: &dyn std::fmt::Display| {
        Failure::unusable(format!("failed to use the cache `{}`: {error}", entry.key))
    };
    let lease = store.lease(entry, RunId(0));
    let _lease = lease.map_err(|error| unusable(&error))?;
    let says = kept(&remote, entry, store, &|| false).map_err(Failure::unusable)?;
    tell(&format!("{says}\n"));
    Ok(())
}

/// Removes caches there.
pub(super) fn remove(global: &Global, keys: &[String], all: bool) -> Result<Exit, Failure> {
    let remote = of(global)?;
    let listed = match all {
        true => remote.list().map_err(|error| failed(&error))?,
        false => Vec::new(),
    };
    if all && listed.is_empty() {
        tell("no caches\n");
    }
    let keys = keys.iter().chain(listed.iter().map(|cache| &cache.key));
    for key in keys {
        match remote.remove(key).map_err(|error| failed(&error))? {
            true => tell(&format!("removed {key}\n")),
            false => {
                let text = format!("there is no cache `{key}` in the remote cache");
                return Err(Failure::failed(text));
            }
        }
    }
    Ok(Exit::Fine)
}

/// Removes what is old there, and what no cache needs.
pub(super) fn prune(global: &Global, args: &CachePruneArgs) -> Result<Exit, Failure> {
    let age = args.max_age_days;
    let age = age.map(|days| Duration::from_secs(days.saturating_mul(86_400)));
    let pruned = of(global)?.prune(age).map_err(|error| failed(&error))?;
    print(&match args.format {
        Format::Json => format!(
            "{}\n",
            json!({ "keys": pruned.caches, "chunks": pruned.chunks, "bytes": pruned.bytes })
        ),
        Format::Human => format!(
            "{} caches and {} chunks removed, {} freed\n",
            pruned.caches,
            pruned.chunks,
            bytes(pruned.bytes)
        ),
    })?;
    Ok(Exit::Fine)
}
