//! What is done for the store when a run is over: never while jobs run, and only when it is due.

use std::time::{Duration, SystemTime};

use tidegate_store::{Quota, Store, StoreError};

use crate::terminal::tell;

/// How long tidying up may hold the person who waits for the prompt.
const PATIENCE: Duration = Duration::from_secs(2);

/// Makes what was saved durable, keeps the quota, and tidies up. What fails is told and harms nobody: the run has its result.
pub(crate) fn after_run(store: &Store, quota: &Quota) {
    if let Err(error) = upkeep(store, quota) {
        tell(&format!("warning: failed to tidy up the store: {error}\n"));
    }
}

/// How much the store may keep, as the settings say.
pub(crate) fn quota(settings: &tidegate_settings::Cache) -> Quota {
    Quota {
        bytes: settings.max_size.map(|size| size.0),
        project_bytes: settings.max_project_size.map(|size| size.0),
        age: settings.max_age.map(|period| period.0),
    }
}

fn upkeep(store: &Store, quota: &Quota) -> Result<(), StoreError> {
    if !store.is_maintenance_due(SystemTime::now())? {
        return Ok(());
    }
    let now = SystemTime::now();
    store.expire_artifacts(now)?;
    if *quota != Quota::default() {
        store.prune(quota, now)?;
    }
    store.maintain(PATIENCE).map(|_| ())
}
