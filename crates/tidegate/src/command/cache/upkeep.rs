//! Removing, pruning and verifying.

use std::time::{Duration, SystemTime};

use serde_json::json;
use tidegate_store::{Depth, Problem, Quota};

use super::Caches;
use crate::amount::bytes;
use crate::cli::{Format, Global};
use crate::exit::{Exit, Failure};
use crate::store_args::{CachePruneArgs, CacheRmArgs, CacheVerifyArgs};
use crate::terminal::{print, tell};

/// How long emptying the trash may take when somebody asked for it.
const TIDYING: Duration = Duration::from_secs(600);

/// Removes caches of the project.
pub(super) fn remove(global: &Global, args: &CacheRmArgs) -> Result<Exit, Failure> {
    let caches = Caches::open(global)?;
    let entries = match args.all {
        true => caches.entries()?,
        false => {
            let keys = args.keys.iter();
            keys.map(|key| caches.find(key)).collect::<Result<_, _>>()?
        }
    };
    for entry in &entries {
        let removed = caches.store.remove_entry(entry.id);
        removed.map_err(|error| {
            Failure::unusable(format!(
                "failed to remove the cache `{}`: {error}",
                entry.key
            ))
        })?;
        tell(&format!("removed {}\n", entry.key));
    }
    Ok(Exit::Fine)
}

/// Removes what is beyond the limits, and empties the trash.
pub(super) fn prune(global: &Global, args: &CachePruneArgs) -> Result<Exit, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::unusable(format!("failed to prune: {error}"));
    let caches = Caches::open(global)?;
    let quota = Quota {
        bytes: args.max_size,
        project_bytes: args.max_project_size,
        age: args
            .max_age_days
            .map(|days| Duration::from_secs(days * 86_400)),
    };
    let now = SystemTime::now();
    let pruned = caches
        .store
        .prune(&quota, now)
        .map_err(|error| failed(&error))?;
    let expired = caches
        .store
        .expire_artifacts(now)
        .map_err(|error| failed(&error))?;
    let tidied = caches
        .store
        .maintain(TIDYING)
        .map_err(|error| failed(&error))?;
    print(&match args.format {
        Format::Json => format!(
            "{}\n",
            json!({
                "keys": pruned.keys,
                "bytes": pruned.bytes,
                "artifacts": expired,
                "superseded": tidied.superseded,
                "orphans": tidied.orphans,
                "trash_empty": tidied.trash_empty,
            })
        ),
        Format::Human => format!(
            "{} caches and {} artifacts removed, {} freed; {} older versions dropped\n",
            pruned.keys,
            expired,
            bytes(pruned.bytes),
            tidied.superseded
        ),
    })?;
    Ok(Exit::Fine)
}

/// Compares the disk with what was saved. Problems make it fail.
pub(super) fn verify(global: &Global, args: &CacheVerifyArgs) -> Result<Exit, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::unusable(format!("failed to verify: {error}"));
    let caches = Caches::open(global)?;
    let depth = match args.contents {
        true => {
            let pending = caches.store.hash_pending(TIDYING);
            pending.map_err(|error| failed(&error))?;
            Depth::Contents
        }
        false => Depth::Lstat,
    };
    let found = caches.store.verify(depth).map_err(|error| failed(&error))?;
    let problems: Vec<String> = found.problems.iter().map(problem).collect();
    print(&match args.format {
        Format::Json => format!(
            "{}\n",
            json!({
                "trees": found.trees,
                "paths": found.paths,
                "bytes": found.bytes,
                "problems": problems,
            })
        ),
        Format::Human => {
            let lines: String = problems.iter().map(|line| format!("{line}\n")).collect();
            let count = match problems.len() {
                0 => "no problems".to_owned(),
                1 => "1 problem".to_owned(),
                n => format!("{n} problems"),
            };
            format!(
                "{lines}{count} in {} trees with {} paths\n",
                found.trees, found.paths
            )
        }
    })?;
    Ok(match problems.is_empty() {
        true => Exit::Fine,
        false => Exit::Failed,
    })
}

pub(in crate::command) fn problem(problem: &Problem) -> String {
    match problem {
        Problem::Index(why) => format!("the index is damaged: {why}"),
        Problem::Tree { object, why } => format!("{}: {why}", object.display()),
        Problem::Orphan(path) => {
            format!(
                "{}: left by a process that died; `tidegate cache prune` removes it",
                path.display()
            )
        }
        Problem::NoLayers { project, key } => {
            format!("the cache `{key}` of {project} has lost its files")
        }
    }
}
