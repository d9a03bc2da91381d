//! `tidegate cache`: looks into the caches of the store, copies from and to them, removes them.

mod ls;
mod remote;
mod transfer;
mod upkeep;
mod why;

pub(super) use transfer::empty_directory;
pub(super) use upkeep::problem;

use tidegate_store::{Entry, EntryKind, Store, StoreError};

use crate::cli::{Global, ScenarioArgs};
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::store_args::{CacheArgs, CacheCommand};

/// Does what the subcommand says.
pub(crate) fn run(global: &Global, args: &CacheArgs) -> Result<Exit, Failure> {
    match &args.command {
        CacheCommand::Ls(args) if args.remote => remote::list(global, args.format),
        CacheCommand::Rm(args) if args.remote => remote::remove(global, &args.keys, args.all),
        CacheCommand::Prune(args) if args.remote => remote::prune(global, args),
        CacheCommand::Ls(args) => ls::list(global, args),
        CacheCommand::Inspect(args) => ls::inspect(global, args),
        CacheCommand::Get(args) => transfer::get(global, args),
        CacheCommand::Put(args) => transfer::put(global, args),
        CacheCommand::Rm(args) => upkeep::remove(global, args),
        CacheCommand::Prune(args) => upkeep::prune(global, args),
        CacheCommand::Verify(args) => upkeep::verify(global, args),
        CacheCommand::Why(args) => why::why(global, args),
    }
}

/// The project's part of the store.
struct Caches {
    store: Store,
    project: String,
}

impl Caches {
    fn open(global: &Global) -> Result<Caches, Failure> {
        Caches::of(&Project::open(global, &ScenarioArgs::default())?)
    }

    fn of(project: &Project) -> Result<Caches, Failure> {
        Ok(Caches {
            store: open_store(&project.data_dir)?,
            project: project.key(),
        })
    }

    /// All caches of the project, the most recently used first.
    fn entries(&self) -> Result<Vec<Entry>, Failure> {
        let entries = self.store.entries(EntryKind::Cache, Some(&self.project));
        entries.map_err(|error| Failure::unusable(format!("failed to list the caches: {error}")))
    }

    /// The cache of this key; keys that resemble it are hinted at.
    fn find(&self, key: &str) -> Result<Entry, Failure> {
        let unreadable =
            |error| Failure::unusable(format!("failed to look for the cache `{key}`: {error}"));
        let found = self.store.find_cache(&self.project, key);
        if let Some(entry) = found.map_err(unreadable)? {
            return Ok(entry);
        }
        let near = self.store.nearest_cache_keys(&self.project, key, 3);
        let failure = Failure::failed(format!("there is no cache `{key}`"));
        let near = near.map_err(unreadable)?;
        match near.is_empty() {
            true => Err(failure.hint("this project has no caches yet")),
            false => Err(failure.hint(format!("there are: {}", near.join(", ")))),
        }
    }
}

/// Opens the store, which is made where it is not there yet.
pub(super) fn open_store(directory: &std::path::Path) -> Result<Store, Failure> {
    let made = std::fs::create_dir_all(directory);
    let place = directory.display();
    made.map_err(|error| Failure::unusable(format!("failed to make {place}: {error}")))?;
    Store::open(directory).map_err(|error| unopened(&error))
}

/// A store that cannot be opened; a run elsewhere is no harm.
pub(super) fn unopened(error: &StoreError) -> Failure {
    let failure = Failure::unusable(format!("failed to {error}"));
    match error {
        StoreError::Format { .. }
        | StoreError::NotAStore { .. }
        | StoreError::FormatFile { .. } => {
            failure.hint("`--data-dir DIR` or `data_dir` of the settings names another one")
        }
        _ => failure,
    }
}
