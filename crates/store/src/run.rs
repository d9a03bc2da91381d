//! Runs: ids, a registry, and the directory that holds events and logs of each.

use std::fmt;
use std::fs;
use std::time::SystemTime;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::Store;
use crate::clock;
use crate::error::{IoContext, Result, StoreError};
use crate::event_log::RunLog;
use crate::layout::sync_directory;

/// The number of a run, unique in the store; GitLab's pipeline id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

impl RunId {
    /// Stands in leases for a run that is planned and has no number yet; no run has it.
    pub const PLANNED: Self = Self(0);
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is known of a run when it begins.
#[derive(Clone, Copy, Debug)]
pub struct NewRun<'a> {
    /// Whose run it is; counts the `iid`.
    pub project: &'a str,
    /// The run that started this one as a child.
    pub parent: Option<RunId>,
    /// Any text, given back with the record.
    pub note: &'a str,
}

/// A run in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// Unique in the store, rising.
    pub id: RunId,
    /// Unique in the project, rising from 1.
    pub iid: u64,
    /// Whose run it is.
    pub project: String,
    /// The run that started this one as a child.
    pub parent: Option<RunId>,
    /// When it began.
    pub created: SystemTime,
    /// When [`Store::finish_run`] was called; `None`: it runs, or its process died.
    pub finished: Option<SystemTime>,
    /// As the caller last said.
    pub status: String,
    /// As given when it began.
    pub note: String,
}

const COLUMNS: &str = "id, iid, project, parent, created, finished, status, note";

impl Store {
    /// Registers a run, with the next ids, and opens its event log.
    ///
    /// Ids are durable when this returns: none is ever given twice, whatever crashes.
    pub fn begin_run(&self, new: NewRun<'_>) -> Result<(RunRecord, RunLog)> {
        let now = clock::now();
        let record = self.write(|transaction| {
            let id = take(transaction, "run", 1)?;
            let iid = take(transaction, &format!("iid {}", new.project), 1)?;
            transaction.execute(
                "INSERT INTO runs (id, project, iid, parent, created, status, note)
                 VALUES (?, ?, ?, ?, ?, 'running', ?)",
                params![
                    id as i64,
                    new.project,
                    iid as i64,
                    new.parent.map(|parent| parent.0 as i64),
                    now,
                    new.note
                ],
            )?;
            Ok(RunRecord {
                id: RunId(id),
                iid,
                project: new.project.to_owned(),
                parent: new.parent,
                created: clock::from_micros(now),
                finished: None,
                status: "running".to_owned(),
                note: new.note.to_owned(),
            })
        })?;
        let directory = self.layout().run(record.id.0);
        let logs = directory.join("logs");
        fs::create_dir_all(&logs).at("create", &logs)?;
        let log = self.open_run_log(record.id)?;
        sync_directory(&directory)?;
        sync_directory(&self.layout().runs())?;
        Ok((record, log))
    }

    /// The number in its project that the next run of `project` gets, unless another process begins one first.
    pub fn next_iid(&self, project: &str) -> Result<u64> {
        let name = format!("iid {project}");
        let last: Option<i64> = self.read(|connection| {
            let mut query =
                connection.prepare_cached("SELECT value FROM counters WHERE name = ?")?;
            Ok(query.query_row([name], |row| row.get(0)).optional()?)
        })?;
        Ok(last.unwrap_or_default().unsigned_abs() + 1)
    }

    /// The next `count` job ids, unique in the store and rising; the first of them.
    pub fn allocate_job_ids(&self, count: u64) -> Result<u64> {
        self.write(|transaction| take(transaction, "job", count))
    }

    /// Notes the status of a run; the text is the caller's.
    pub fn set_run_status(&self, run: RunId, status: &str) -> Result<()> {
        self.change_run(
            run,
            "UPDATE runs SET status = ?2 WHERE id = ?1",
            params![run.0 as i64, status],
        )
    }

    /// Notes that a run has ended, with its status.
    pub fn finish_run(&self, run: RunId, status: &str) -> Result<()> {
        let change = "UPDATE runs SET status = ?2, finished = ?3 WHERE id = ?1";
        self.change_run(run, change, params![run.0 as i64, status, clock::now()])
    }

    /// One run.
    pub fn run(&self, run: RunId) -> Result<Option<RunRecord>> {
        self.read(|connection| {
            let query = format!("SELECT {COLUMNS} FROM runs WHERE id = ?");
            let mut statement = connection.prepare_cached(&query)?;
            Ok(statement
                .query_row([run.0 as i64], run_from_row)
                .optional()?)
        })
    }

    /// Runs that no other run started, newest first, at most `limit`; of one project or of all.
    pub fn runs(&self, project: Option<&str>, limit: usize) -> Result<Vec<RunRecord>> {
        self.read(|connection| {
            let query = format!(
                "SELECT {COLUMNS} FROM runs WHERE parent IS NULL AND (?1 IS NULL OR project = ?1)
                 ORDER BY id DESC LIMIT ?2"
            );
            let mut statement = connection.prepare_cached(&query)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![project, limit], run_from_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The runs that this one started as children, oldest first.
    pub fn runs_below(&self, run: RunId) -> Result<Vec<RunRecord>> {
        self.read(|connection| {
            let query = format!("SELECT {COLUMNS} FROM runs WHERE parent = ? ORDER BY id");
            let mut statement = connection.prepare_cached(&query)?;
            let rows = statement.query_map([run.0 as i64], run_from_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Whether a process is writing the run now.
    pub fn is_run_live(&self, run: RunId) -> Result<bool> {
        match self.try_lock_run(run) {
            Ok(_lock) => Ok(false),
            Err(StoreError::RunBusy { .. }) => Ok(true),
            Err(StoreError::Gone { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes a run with its events, logs and artifacts, and those it started; one that is being written is refused.
    pub fn remove_run(&self, run: RunId) -> Result<()> {
        let lock = match self.lock_run(run) {
            Err(StoreError::Gone { .. }) => None,
            other => Some(other?),
        };
        for below in self.runs_below(run)? {
            self.remove_run(below.id)?;
        }
        self.remove_artifacts_of(run)?;
        self.forget_base(run)?;
        self.write(|transaction| {
            Ok(transaction.execute("DELETE FROM runs WHERE id = ?", [run.0 as i64])?)
        })?;
        self.throw_away(&self.layout().run(run.0))?;
        drop(lock);
        Ok(())
    }

    fn change_run(
        &self,
        run: RunId,
        change: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<()> {
        match self.write(|transaction| Ok(transaction.execute(change, parameters)?))? {
            0 => Err(StoreError::Gone {
                what: format!("run {run}"),
            }),
            _ => Ok(()),
        }
    }
}

/// Takes `count` numbers from a counter; returns the first.
fn take(transaction: &Transaction<'_>, counter: &str, count: u64) -> Result<u64> {
    let last: i64 = transaction
        .prepare_cached(
            "INSERT INTO counters (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = value + ?2 RETURNING value",
        )?
        .query_row(params![counter, count as i64], |row| row.get(0))?;
    Ok(last.unsigned_abs() - count + 1)
}

fn run_from_row(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    Ok(RunRecord {
        id: RunId(row.get::<_, i64>(0)?.unsigned_abs()),
        iid: row.get::<_, i64>(1)?.unsigned_abs(),
        project: row.get(2)?,
        parent: row
            .get::<_, Option<i64>>(3)?
            .map(|id| RunId(id.unsigned_abs())),
        created: clock::from_micros(row.get(4)?),
        finished: row.get::<_, Option<i64>>(5)?.map(clock::from_micros),
        status: row.get(6)?,
        note: row.get(7)?,
    })
}
