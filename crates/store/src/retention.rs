//! Which runs are kept: the newest of each project, and none for longer than wanted.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::{Duration, SystemTime};

use crate::Store;
use crate::error::{Result, StoreError};
use crate::run::{RunId, RunRecord};

/// How many runs are kept, and for how long. An absent field is no limit.
///
/// The newest run of a project always stays, and so does one that is being written or whose artifacts another run uses. Runs
/// that another one began as its children go with it and count with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// So many of each project.
    pub runs: Option<NonZeroUsize>,
    /// Those begun longer ago go.
    pub age: Option<Duration>,
}

impl Store {
    /// Removes the runs that are beyond `retention` at `now`, with their logs, artifacts and children; returns how many,
    /// children not counted.
    pub fn prune_runs(&self, retention: &Retention, now: SystemTime) -> Result<usize> {
        let all = self.runs(None, usize::MAX)?;
        let mut by_project: BTreeMap<&str, Vec<&RunRecord>> = BTreeMap::new();
        for run in &all {
            by_project.entry(&run.project).or_default().push(run);
        }
        let mut removed = 0;
        for runs in by_project.values() {
            for (place, run) in runs.iter().enumerate() {
                let over = place > 0 && retention.is_over(place, run, now);
                if !over || self.is_in_use(run.id)? {
                    continue;
                }
                match self.remove_run(run.id) {
                    // Somebody has just gone on with it.
                    Err(StoreError::RunBusy { .. }) => {}
                    done => done.map(|()| removed += 1)?,
                }
            }
        }
        Ok(removed)
    }

    /// Whether a run, or one below it, is being written or has artifacts that are leased.
    fn is_in_use(&self, run: RunId) -> Result<bool> {
        if self.is_run_live(run)? || self.has_leased_artifacts(run)? {
            return Ok(true);
        }
        for below in self.runs_below(run)? {
            if self.is_in_use(below.id)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn has_leased_artifacts(&self, run: RunId) -> Result<bool> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT 1 FROM artifacts JOIN leases ON leases.artifact = artifacts.id
                 WHERE artifacts.run = ?",
            )?;
            Ok(statement.exists([run.0 as i64])?)
        })
    }
}

impl Retention {
    /// Whether the run that has so many newer ones in its project is to go.
    fn is_over(&self, newer: usize, run: &RunRecord, now: SystemTime) -> bool {
        let too_many = self.runs.is_some_and(|keep| newer >= keep.get());
        let age = now.duration_since(run.created).unwrap_or_default();
        too_many || self.age.is_some_and(|most| age > most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::NewArtifact;
    use crate::event_log::RunLog;
    use crate::run::NewRun;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("data")).unwrap();
        (dir, store)
    }

    fn begun(store: &Store, project: &str, parent: Option<RunId>) -> (RunId, RunLog) {
        let new = NewRun {
            project,
            parent,
            note: "",
        };
        let (record, log) = store.begin_run(new).unwrap();
        (record.id, log)
    }

    fn ids(store: &Store) -> Vec<u64> {
        let runs = store.runs(None, usize::MAX).unwrap();
        runs.iter().map(|run| run.id.0).collect()
    }

    fn newest(count: usize) -> Retention {
        Retention {
            runs: NonZeroUsize::new(count),
            age: None,
        }
    }

    #[test]
    fn the_newest_of_each_project_stay() {
        let (_dir, store) = store();
        for project in ["a", "b", "a", "a", "b"] {
            begun(&store, project, None);
        }
        assert_eq!(store.prune_runs(&newest(2), SystemTime::now()).unwrap(), 1);
        assert_eq!(ids(&store), [5, 4, 3, 2]);
        assert!(!store.run_directory(RunId(1)).exists());
    }

    #[test]
    fn old_runs_go_but_the_newest_of_a_project() {
        let (_dir, store) = store();
        for project in ["a", "a", "b"] {
            begun(&store, project, None);
        }
        let retention = Retention {
            runs: None,
            age: Some(Duration::from_secs(60)),
        };
        assert_eq!(store.prune_runs(&retention, SystemTime::now()).unwrap(), 0);
        let later = SystemTime::now() + Duration::from_secs(61);
        assert_eq!(store.prune_runs(&retention, later).unwrap(), 1);
        assert_eq!(ids(&store), [3, 2]);
    }

    #[test]
    fn a_run_that_is_written_stays_and_one_whose_artifacts_are_used() {
        let (_dir, store) = store();
        let (_, live) = begun(&store, "a", None);
        let (used, _) = begun(&store, "a", None);
        begun(&store, "a", None);
        let staging = store.staging().unwrap();
        let new = NewArtifact {
            run: used,
            job: "j",
            attempt: 1,
            name: "n",
            r#type: "archive",
            expire_in: None,
        };
        let artifact = store
            .put_artifacts(new, staging.tree("t").unwrap())
            .unwrap();
        let lease = store.lease_artifact(&artifact, RunId(3)).unwrap();
        assert_eq!(store.prune_runs(&newest(1), SystemTime::now()).unwrap(), 0);
        drop(live);
        drop(lease);
        assert_eq!(store.prune_runs(&newest(1), SystemTime::now()).unwrap(), 2);
        assert_eq!(ids(&store), [3]);
    }

    #[test]
    fn children_go_with_their_parent_and_do_not_count() {
        let (_dir, store) = store();
        let (parent, _) = begun(&store, "a", None);
        let (child, _) = begun(&store, "a", Some(parent));
        let (_, grandchild) = begun(&store, "a", Some(child));
        let (last, _) = begun(&store, "a", None);
        assert_eq!(store.prune_runs(&newest(2), SystemTime::now()).unwrap(), 0);
        assert_eq!(
            store.prune_runs(&newest(1), SystemTime::now()).unwrap(),
            0,
            "the grandchild is being written"
        );
        drop(grandchild);
        assert_eq!(store.prune_runs(&newest(1), SystemTime::now()).unwrap(), 1);
        assert_eq!(ids(&store), [last.0]);
        assert_eq!(store.run(child).unwrap(), None);
    }
}
