//! Removing, pruning and verifying.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate_settings::Settings;
use tidegate_store::{Depth, Problem, Quota, Removed, Retention};

use super::{Caches, open_store};
use crate::amount::bytes;
use crate::cli::{Format, Global, ScenarioArgs};
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::store_args::{CachePruneArgs, CacheRmArgs, CacheVerifyArgs};
use crate::terminal::{print, tell};
use crate::upkeep::{Limits, Tidied, tidy};

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
    if entries.is_empty() {
        tell("no caches\n");
    }
    for entry in &entries {
        let removed = caches.store.remove_entry(entry.id);
        let removed = removed.map_err(|error| {
            Failure::unusable(format!(
                "failed to remove the cache `{}`: {error}",
                entry.key
            ))
        })?;
        tell(&match removed {
            Removed::Gone => format!("removed {}\n", entry.key),
            Removed::StillLeased => format!(
                "removed {}; a run that relies on it uses it until that ends\n",
                entry.key
            ),
        });
    }
    Ok(Exit::Fine)
}

/// Removes what is beyond the limits of the flags or the settings, and empties the trash.
pub(super) fn prune(global: &Global, args: &CachePruneArgs) -> Result<Exit, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::unusable(format!("failed to prune: {error}"));
    let project = Project::open(global, &ScenarioArgs::default())?;
    let store = open_store(&project.data_dir)?;
    let done = tidy(&store, &limits(args, &project.settings), TIDYING);
    let done = done.map_err(|error| failed(&error))?;
    print(&match args.format {
        Format::Json => format!("{}\n", as_json(&done)),
        Format::Human => format!(
            "{} caches, {} snapshots, {} runs and {} artifacts removed, {} freed; {} older versions dropped\n",
            done.pruned.caches,
            done.pruned.snapshots,
            done.runs,
            done.artifacts,
            bytes(done.pruned.bytes),
            done.maintained.superseded
        ),
    })?;
    Ok(Exit::Fine)
}

/// What the flags say, else the settings.
fn limits(args: &CachePruneArgs, settings: &Settings) -> Limits {
    let Limits { quota, retention } = Limits::of(settings);
    let days = |days: u64| Duration::from_secs(days.saturating_mul(86_400));
    Limits {
        quota: Quota {
            bytes: args.max_size.or(quota.bytes),
            project_bytes: args.max_project_size.or(quota.project_bytes),
            age: args.max_age_days.map(days).or(quota.age),
        },
        retention: Retention {
            runs: args.keep_runs.or(retention.runs),
            age: args.max_run_age_days.map(days).or(retention.age),
        },
    }
}

fn as_json(done: &Tidied) -> Value {
    json!({
        "caches": done.pruned.caches,
        "snapshots": done.pruned.snapshots,
        "bytes": done.pruned.bytes,
        "runs": done.runs,
        "artifacts": done.artifacts,
        "superseded": done.maintained.superseded,
        "orphans": done.maintained.orphans,
        "trash_empty": done.maintained.trash_empty,
    })
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
