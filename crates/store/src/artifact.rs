//! Artifacts: trees that a job of a run left.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rusqlite::{Row, params};

use crate::Store;
use crate::clock;
use crate::error::Result;
use crate::failpoint::{Point, reach};
use crate::run::RunId;
use crate::scan::Role;
use crate::staging::StagedTree;
use crate::tree::{self, Freed};

/// What is to be kept besides the tree.
#[derive(Clone, Copy, Debug)]
pub struct NewArtifact<'a> {
    /// The run of the job.
    pub run: RunId,
    /// The job, as the caller names it within the run.
    pub job: &'a str,
    /// Which attempt of the job, from 1.
    pub attempt: u32,
    /// What the user calls it.
    pub name: &'a str,
    /// What it is: `archive`, `dotenv`, `junit`, …; any text.
    pub r#type: &'a str,
    /// How long to keep it; `None`: until removed.
    pub expire_in: Option<Duration>,
}

/// A stored artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Its number; never used again.
    pub id: i64,
    /// The run of the job.
    pub run: RunId,
    /// The job.
    pub job: String,
    /// Which attempt of the job.
    pub attempt: u32,
    /// What the user calls it.
    pub name: String,
    /// What it is.
    pub r#type: String,
    /// The read-only directory that holds it, usable as a layer while leased.
    pub tree: PathBuf,
    /// The bytes of its files.
    pub bytes: u64,
    /// The number of its files and links.
    pub files: u64,
    /// When it was stored.
    pub created: SystemTime,
    /// When it may be removed; `None`: never by itself.
    pub expires: Option<SystemTime>,
}

/// Which artifacts are asked for. An absent field admits all.
#[derive(Clone, Copy, Debug, Default)]
pub struct ArtifactFilter<'a> {
    /// Of this run.
    pub run: Option<RunId>,
    /// Of this job.
    pub job: Option<&'a str>,
    /// Of this attempt.
    pub attempt: Option<u32>,
    /// Of this type.
    pub r#type: Option<&'a str>,
}

const COLUMNS: &str = "a.id, a.run, a.job, a.attempt, a.name, a.type, a.created, a.expires,
     t.name, t.bytes, t.files";

impl Store {
    /// Keeps a tree as an artifact of a job. Takes a rename and a walk, as [`Store::put_cache`].
    pub fn put_artifacts(&self, new: NewArtifact<'_>, tree: StagedTree<'_>) -> Result<Artifact> {
        let tree = self.adopt(tree, Role::Base)?;
        let now = clock::now();
        let expires = new
            .expire_in
            .map(|keep| now.saturating_add(i64::try_from(keep.as_micros()).unwrap_or(i64::MAX)));
        let id = self.write_unsettled(|transaction| {
            let row = tree.insert(transaction)?;
            transaction.execute(
                "INSERT INTO artifacts (run, job, attempt, name, type, tree, created, expires)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    new.run.0 as i64,
                    new.job,
                    new.attempt,
                    new.name,
                    new.r#type,
                    row,
                    now,
                    expires
                ],
            )?;
            reach(Point::RowsWritten)?;
            Ok(transaction.last_insert_rowid())
        })?;
        let artifact = Artifact {
            id,
            run: new.run,
            job: new.job.to_owned(),
            attempt: new.attempt,
            name: new.name.to_owned(),
            r#type: new.r#type.to_owned(),
            tree: self.layout().tree(&tree.name),
            bytes: tree.scanned.own.bytes,
            files: tree.scanned.own.files,
            created: clock::from_micros(now),
            expires: expires.map(clock::from_micros),
        };
        tree.keep();
        Ok(artifact)
    }

    /// The artifacts that the filter admits, in the order they were stored.
    ///
    /// Expired ones are found until they are removed, as in GitLab.
    pub fn find_artifacts(&self, filter: ArtifactFilter<'_>) -> Result<Vec<Artifact>> {
        let boot = self.boot();
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM artifacts a JOIN trees t ON t.id = a.tree
                 WHERE (?1 IS NULL OR a.run = ?1) AND (?2 IS NULL OR a.job = ?2)
                   AND (?3 IS NULL OR a.attempt = ?3) AND (?4 IS NULL OR a.type = ?4)
                   AND (t.boot IS NULL OR t.boot = ?5)
                 ORDER BY a.id"
            ))?;
            let run = filter.run.map(|run| run.0 as i64);
            let parameters = params![run, filter.job, filter.attempt, filter.r#type, boot];
            let rows = statement.query_map(parameters, |row| self.artifact_from_row(row))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Removes artifacts whose time is over at `now`, except leased ones; returns how many.
    pub fn expire_artifacts(&self, now: SystemTime) -> Result<usize> {
        self.remove_artifacts_where("expires <= ?", clock::to_micros(now))
    }

    /// Removes the artifacts of a run, except leased ones; returns how many.
    pub fn remove_artifacts_of(&self, run: RunId) -> Result<usize> {
        self.remove_artifacts_where("run = ?", run.0 as i64)
    }

    /// Removes one artifact, unless it is leased; returns whether it did.
    pub fn remove_artifact(&self, artifact: &Artifact) -> Result<bool> {
        Ok(self.remove_artifacts_where("id = ?", artifact.id)? > 0)
    }

    fn remove_artifacts_where(&self, condition: &'static str, value: i64) -> Result<usize> {
        let (count, freed) = self.write(|transaction| {
            let trees = transaction
                .prepare(&format!(
                    "DELETE FROM artifacts WHERE {condition}
                       AND id NOT IN (SELECT artifact FROM leases WHERE artifact IS NOT NULL)
                     RETURNING tree"
                ))?
                .query_map([value], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<i64>>>()?;
            Ok((trees.len(), tree::delete_unreferenced(transaction, &trees)?))
        })?;
        let Freed { names, .. } = freed;
        self.throw_away_trees(&names)?;
        Ok(count)
    }

    fn artifact_from_row(&self, row: &Row<'_>) -> rusqlite::Result<Artifact> {
        Ok(Artifact {
            id: row.get(0)?,
            run: RunId(row.get::<_, i64>(1)?.unsigned_abs()),
            job: row.get(2)?,
            attempt: row.get(3)?,
            name: row.get(4)?,
            r#type: row.get(5)?,
            created: clock::from_micros(row.get(6)?),
            expires: row.get::<_, Option<i64>>(7)?.map(clock::from_micros),
            tree: self.layout().tree(row.get_ref(8)?.as_str()?),
            bytes: row.get::<_, i64>(9)?.unsigned_abs(),
            files: row.get::<_, i64>(10)?.unsigned_abs(),
        })
    }
}

impl Artifact {
    pub(crate) fn describe(&self) -> String {
        format!(
            "artifact {:?} of job {:?} in run {}",
            self.name, self.job, self.run.0
        )
    }
}
