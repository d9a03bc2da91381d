//! Runs that a newer one of the same branch or tag makes redundant (`workflow:auto_cancel:on_new_commit`).
//!
//! Processes tell each other through the directories of their runs: who starts a run leaves a file with the older ones, and whoever
//! executes an older one looks for it from time to time. What follows is up to the older run's own settings (reference
//! `compose.md` §8.8).

use tidegate_pipeline::GitSpec;
use tidegate_store::{RunId, Store, StoreError};

use crate::stored_run::StoredRun;

/// Name of the file; it holds the number of the newer run.
const FILE: &str = "superseded";
/// How many runs are looked at.
const LOOKED_AT: usize = 100;

/// Tells the live runs of the project that are of the same ref and of another commit that `run` is newer; returns them.
///
/// # Errors
/// The store cannot be used.
pub fn supersede(
    store: &Store,
    project: &str,
    run: RunId,
    git: &GitSpec,
) -> Result<Vec<RunId>, StoreError> {
    let mut told = Vec::new();
    if git.sha.is_empty() {
        // Without commits there is no newer one.
        return Ok(told);
    }
    for record in store.runs(Some(project), LOOKED_AT)? {
        let older = record.id < run && record.finished.is_none();
        if !older || !store.is_run_live(record.id)? {
            continue;
        }
        // A run without facts has not begun; it will look at the store after us.
        let Ok(facts) = StoredRun::load(store, record.id) else {
            continue;
        };
        let same_ref = facts.git.ref_name == git.ref_name && facts.git.is_tag == git.is_tag;
        if same_ref && facts.git.sha != git.sha {
            store.write_run_file(record.id, FILE, run.to_string().as_bytes())?;
            told.push(record.id);
        }
    }
    Ok(told)
}

/// The newer run that makes `run` redundant, if there is one.
///
/// # Errors
/// The store cannot be read.
pub fn superseded_by(store: &Store, run: RunId) -> Result<Option<RunId>, StoreError> {
    let bytes = store.read_run_file(run, FILE)?;
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(text.and_then(|text| text.parse().ok()).map(RunId))
}
