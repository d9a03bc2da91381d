//! What is done for the store when a run is over: never while jobs run, and only when it is due.

use std::num::NonZeroUsize;
use std::time::{Duration, SystemTime};

use tidegate_settings::Settings;
use tidegate_store::{Maintained, Pruned, Quota, Retention, Store, StoreError};

use crate::terminal::tell;

/// How long tidying up may hold the person who waits for the prompt.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many runs of each project are kept where the settings do not say.
const RUNS: NonZeroUsize = NonZeroUsize::new(50).expect("it is not zero");

/// How much the store may keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of caches and of the trees runs start from.
    pub(crate) quota: Quota,
    /// Of runs, with their logs and artifacts.
    pub(crate) retention: Retention,
}

impl Limits {
    /// What the settings say.
    pub(crate) fn of(settings: &Settings) -> Limits {
        let (cache, run) = (&settings.cache, &settings.run);
        Limits {
            quota: Quota {
                bytes: cache.max_size.map(|size| size.0),
                project_bytes: cache.max_project_size.map(|size| size.0),
                age: cache.max_age.map(|period| period.0),
            },
            retention: Retention {
                runs: Some(run.keep_runs.unwrap_or(RUNS)),
                age: run.max_run_age.map(|period| period.0),
            },
        }
    }
}

/// Whether to tidy up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Where it is worth its time.
    Due,
    /// In any case: something was left to be removed.
    Now,
}

/// What tidying up did.
pub(crate) struct Tidied {
    pub(crate) runs: usize,
    pub(crate) artifacts: usize,
    pub(crate) pruned: Pruned,
    pub(crate) maintained: Maintained,
}

/// Makes what was saved durable, keeps the limits, and tidies up. What fails is told and harms nobody: the run has its result.
pub(crate) fn after_run(store: &Store, limits: &Limits, when: When) {
    let due = || match when {
        When::Now => Ok(true),
        When::Due => store.is_maintenance_due(SystemTime::now()),
    };
    let done = due().and_then(|due| match due {
        true => tidy(store, limits, PATIENCE).map(|_| ()),
        false => Ok(()),
    });
    if let Err(error) = done {
        tell(&format!("warning: failed to tidy up the store: {error}\n"));
    }
}

/// Keeps the limits, makes what was saved durable, and empties the trash for at most `patience`.
pub(crate) fn tidy(
    store: &Store,
    limits: &Limits,
    patience: Duration,
) -> Result<Tidied, StoreError> {
    let now = SystemTime::now();
    // On a full disk nothing else can be done before there is room.
    store.empty_trash(patience)?;
    // Runs first: what they alone kept is then freed with the rest.
    let runs = store.prune_runs(&limits.retention, now)?;
    let artifacts = store.expire_artifacts(now)?;
    store.pack_logs_of_ended_runs(patience)?;
    Ok(Tidied {
        runs,
        artifacts,
        pruned: store.prune(&limits.quota, now)?,
        maintained: store.maintain(patience)?,
    })
}
