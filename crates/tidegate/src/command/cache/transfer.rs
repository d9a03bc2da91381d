//! Copies out of a cache and into one.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use tidegate_pipeline::clean_cache_key;
use tidegate_remote::{Limits, unpack};
use tidegate_run::SavedBy;
use tidegate_store::NewEntry;
use tidegate_workspace::{Mode, Union, collect};

use super::Caches;
use crate::cli::{Global, ScenarioArgs};
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::store_args::{CacheGetArgs, CachePutArgs};
use crate::terminal::tell;

/// An archive that swells beyond this was made to fill the disk.
const IMPORT: Limits = Limits {
    bytes: 100 << 30,
    entries: 10_000_000,
};

/// Copies a cache into a directory, which must be empty or not there yet.
pub(super) fn get(global: &Global, args: &CacheGetArgs) -> Result<Exit, Failure> {
    let project = Project::open(global, &ScenarioArgs::default())?;
    let caches = Caches::of(&project)?;
    let entry = match args.remote {
        true => super::remote::fetched(&project, &caches, &args.key)?,
        false => caches.find(&args.key)?,
    };
    empty_directory(&args.into)?;
    let copied = entry.copy_to(&args.into);
    copied.map_err(|error| Failure::unusable(format!("failed to copy the cache: {error}")))?;
    let place = args.into.display();
    tell(&format!("{} files copied to {place}\n", entry.files));
    Ok(Exit::Fine)
}

/// Saves paths of the project, or what is in an archive, under a key.
pub(super) fn put(global: &Global, args: &CachePutArgs) -> Result<Exit, Failure> {
    require_usable(&args.key)?;
    let project = Project::open(global, &ScenarioArgs::default())?;
    let caches = Caches::of(&project)?;
    let staging = caches.store.staging().map_err(|error| failed(&error))?;
    let tree = staging.tree("cache").map_err(|error| failed(&error))?;
    match &args.zip {
        Some(archive) => unpacked(archive, tree.path())?,
        None => copied(&project, &args.paths, tree.path())?,
    }
    let note = SavedBy::default().to_note();
    let new = NewEntry {
        project: &caches.project,
        key: &args.key,
        note: &note,
    };
    let entry = caches
        .store
        .put_cache(new, tree)
        .map_err(|error| failed(&error))?;
    caches.store.settle().map_err(|error| failed(&error))?;
    tell(&format!("{} files saved as {}\n", entry.files, entry.key));
    if args.remote {
        super::remote::send(&project, &caches.store, &entry)?;
    }
    Ok(Exit::Fine)
}

/// Refuses a key that no job can have: the runner would make another one of it.
fn require_usable(key: &str) -> Result<(), Failure> {
    let clean = clean_cache_key(key);
    match clean.key {
        Some(_) if !clean.changed => Ok(()),
        other => {
            let failure = Failure::unusable(format!("no job can have the cache key `{key}`"));
            Err(match other {
                Some(clean) => failure.hint(format!("a job with this key uses `{clean}`")),
                None => failure.hint("a key names a path: `deps`, `deps/linux`"),
            })
        }
    }
}

/// Copies paths of the project into the tree to be saved.
fn copied(project: &Project, written: &[String], into: &Path) -> Result<(), Failure> {
    let union = Union::of_plain(&project.checkout.root).map_err(|error| failed(&error))?;
    let mut paths = Vec::new();
    for written in written {
        let text = Path::new(written.trim_end_matches('/'));
        let root = &project.checkout.root;
        let path = text.strip_prefix(root).unwrap_or(text);
        let hint = format!("paths are below the project's directory {}", root.display());
        let wrong = |fault: &str| Failure::unusable(format!("{written}: {fault}")).hint(&hint);
        tidegate_store::safe_path(path).map_err(|fault| wrong(&fault.to_string()))?;
        let missing = || wrong("no such file in the project");
        let found = union.lookup(path).map_err(|error| failed(&error))?;
        paths.push(found.ok_or_else(missing)?.path);
        let inside = union.walk(path).map_err(|error| failed(&error))?;
        paths.extend(inside.into_iter().map(|entry| entry.path));
    }
    let taken = collect(&union, &paths, into, Mode::Copy).map_err(|error| failed(&error))?;
    for refused in &taken.refused {
        tell(&format!("warning: {refused}\n"));
    }
    Ok(())
}

/// Unpacks an archive, from whomever it comes, into the tree to be saved.
fn unpacked(archive: &Path, into: &Path) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::unusable(format!("failed to unpack {}: {error}", archive.display()))
    };
    let file = File::open(archive).map_err(|error| failed(&error))?;
    let reader = BufReader::new(file);
    unpack(reader, into, IMPORT)
        .map_err(|error| failed(&error).hint("`--zip` takes a zip archive"))?;
    Ok(())
}

fn failed(error: &dyn std::fmt::Display) -> Failure {
    Failure::unusable(format!("failed to save the cache: {error}"))
}

/// Makes the directory where it is missing; one that holds something is refused.
pub(in crate::command) fn empty_directory(path: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::unusable(format!("failed to use {}: {error}", path.display()));
    if path.exists() && !path.is_dir() {
        let text = format!("{} is no directory", path.display());
        return Err(Failure::unusable(text));
    }
    std::fs::create_dir_all(path).map_err(failed)?;
    let mut inside = std::fs::read_dir(path).map_err(failed)?;
    match inside.next() {
        None => Ok(()),
        Some(_) => Err(Failure::unusable(format!(
            "{} is not empty",
            path.display()
        ))),
    }
}
