//! Housekeeping: settling, evicting, sweeping, deleting. Nothing here is needed for correctness
//! of what is stored; a run does it when its jobs are done.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use rusqlite::{Transaction, params};

use crate::Store;
use crate::clock;
use crate::entry::{EntryId, delete_entry, is_leased, remove_with_older};
use crate::error::{IoContext, Result, StoreError};
use crate::owner::{self, owner_of};
use crate::settle::UNSETTLED_MAX;
use crate::tree::{self, Freed};

/// How much entries may take. An absent field is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of files of all entries together; shared layers count once.
    pub bytes: Option<u64>,
    /// Bytes of files of the entries of each project.
    pub project_bytes: Option<u64>,
    /// Entries not leased or saved for longer go.
    pub age: Option<Duration>,
}

/// What [`Store::prune`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Caches whose keys point at nothing now.
    pub caches: usize,
    /// Trees that runs started from.
    pub snapshots: usize,
    /// Bytes of files moved to the trash.
    pub bytes: u64,
}

/// What [`Store::maintain`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Trees made durable.
    pub settled: usize,
    /// Older entries of a key, and entries lost with an earlier boot, that were dropped.
    pub superseded: usize,
    /// Leases of dead processes that were dropped.
    pub leases: usize,
    /// Directories that dead processes left, moved to the trash.
    pub orphans: usize,
    /// Whether the trash is empty, or time ran out before.
    pub trash_empty: bool,
}

/// How often to tidy up.
const INTERVAL: Duration = Duration::from_secs(3600);
/// The counter with the microseconds since 1970 of the last [`Store::maintain`].
const MAINTAINED: &str = "maintained";

impl Store {
    /// Whether [`Store::maintain`] is worth its time at `now`: more than 64 MiB would be lost in a
    /// power cut, or an hour has passed since the last time, or since the first run.
    pub fn is_maintenance_due(&self, now: SystemTime) -> Result<bool> {
        // It may be settled already, but limits are to be kept, and how that went is to be told.
        if self.saved_much() {
            return Ok(true);
        }
        let boot = self.boot();
        self.read(|connection| {
            let unsettled: i64 = connection.query_row(
                "SELECT COALESCE(SUM(bytes), 0) FROM trees WHERE boot = ?",
                [boot],
                |row| row.get(0),
            )?;
            let last: Option<i64> = connection.query_row(
                "SELECT COALESCE((SELECT value FROM counters WHERE name = ?),
                                 (SELECT MIN(created) FROM runs))",
                [MAINTAINED],
                |row| row.get(0),
            )?;
            let interval = i64::try_from(INTERVAL.as_micros()).unwrap_or(i64::MAX);
            let overdue = last.is_some_and(|last| clock::to_micros(now) - last >= interval);
            Ok(unsettled.unsigned_abs() >= UNSETTLED_MAX || overdue)
        })
    }

    /// Evicts entries beyond the quota at `now`, the least recently used first, never leased ones.
    pub fn prune(&self, quota: &Quota, now: SystemTime) -> Result<Pruned> {
        self.drop_superseded()?;
        let (pruned, freed) = self.write(|transaction| {
            let mut pruning = Pruning {
                transaction,
                done: Pruned::default(),
                freed: Freed::default(),
            };
            if let Some(age) = quota.age {
                let limit = now.checked_sub(age).map_or(i64::MIN, clock::to_micros);
                pruning.older_than(limit)?;
            }
            if let Some(bytes) = quota.project_bytes {
                for project in projects(transaction)? {
                    pruning.down_to(Some(&project), bytes)?;
                }
            }
            if let Some(bytes) = quota.bytes {
                pruning.down_to(None, bytes)?;
            }
            let Pruning { done, freed, .. } = pruning;
            let bytes = freed.bytes;
            Ok((Pruned { bytes, ..done }, freed))
        })?;
        self.throw_away_trees(&freed.names)?;
        Ok(pruned)
    }

    /// Settles, drops what is superseded or left by the dead, and empties the trash for at most
    /// `time`.
    ///
    /// Deleting many files makes ext4 slow at creating files for a minute or more, so do this
    /// after the jobs, not between them.
    pub fn maintain(&self, time: Duration) -> Result<Maintained> {
        let deadline = Instant::now() + time;
        let settled = self.settle()?;
        let leases = self.drop_lapsed_leases()?;
        let superseded = self.drop_superseded()?;
        let orphans = owner::sweep_staging(self.layout())? + self.sweep_orphans()?;
        let trash_empty = self.empty_trash_until(deadline)?;
        let now = clock::now();
        self.write(|transaction| {
            let change = "INSERT INTO counters (name, value) VALUES (?1, ?2)
                          ON CONFLICT (name) DO UPDATE SET value = ?2";
            Ok(transaction.execute(change, params![MAINTAINED, now])?)
        })?;
        Ok(Maintained {
            settled,
            superseded,
            leases,
            orphans,
            trash_empty,
        })
    }

    /// Forgets what was saved but never settled, up to this tree.
    pub(crate) fn drop_unsettled(&self, last: i64) -> Result<()> {
        let boot = self.boot();
        let freed = self.write(|transaction| {
            let unsettled = "SELECT id FROM trees WHERE boot = ?1 AND id <= ?2";
            let mut freed = Freed::default();
            let entries = ids(
                transaction,
                &format!("SELECT DISTINCT entry FROM layers WHERE tree IN ({unsettled})"),
                params![boot, last],
            )?;
            for entry in entries {
                freed.add(delete_entry(transaction, EntryId(entry))?);
            }
            let trees = ids(
                transaction,
                &format!("DELETE FROM artifacts WHERE tree IN ({unsettled}) RETURNING tree"),
                params![boot, last],
            )?;
            freed.add(tree::delete_unreferenced(transaction, &trees)?);
            Ok(freed)
        })?;
        self.throw_away_trees(&freed.names)
    }

    fn drop_lapsed_leases(&self) -> Result<usize> {
        let owners: Vec<String> = self.read(|connection| {
            let mut statement = connection.prepare("SELECT DISTINCT owner FROM leases")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })?;
        let mut dropped = 0;
        for name in owners {
            if !owner::is_alive(self.layout(), &name)? {
                dropped += self.write(|transaction| {
                    Ok(transaction.execute("DELETE FROM leases WHERE owner = ?", [&name])?)
                })?;
            }
        }
        Ok(dropped)
    }

    /// Drops unleased entries that a settled newer one of their key has replaced, removed ones,
    /// and what was lost with an earlier boot.
    fn drop_superseded(&self) -> Result<usize> {
        let boot = self.boot();
        let (count, freed) = self.write(|transaction| {
            let mut doomed: BTreeSet<i64> = BTreeSet::new();
            doomed.extend(ids(
                transaction,
                "SELECT o.id FROM entries o WHERE o.kind = 'removed' OR EXISTS (
                   SELECT 1 FROM entries n WHERE n.kind = o.kind AND n.project = o.project
                     AND n.key = o.key AND n.id > o.id AND NOT EXISTS (
                       SELECT 1 FROM layers JOIN trees ON trees.id = layers.tree
                       WHERE layers.entry = n.id AND trees.boot IS NOT NULL))",
                [],
            )?);
            doomed.extend(ids(
                transaction,
                "SELECT DISTINCT layers.entry FROM layers JOIN trees ON trees.id = layers.tree
                 WHERE trees.boot <> ?",
                [boot],
            )?);
            let mut freed = Freed::default();
            let mut count = 0;
            for id in doomed.into_iter().map(EntryId) {
                if !is_leased(transaction, id)? {
                    freed.add(delete_entry(transaction, id)?);
                    count += 1;
                }
            }
            let lost = ids(
                transaction,
                "DELETE FROM artifacts WHERE tree IN (SELECT id FROM trees WHERE boot <> ?)
                 RETURNING tree",
                [boot],
            )?;
            freed.add(tree::delete_unreferenced(transaction, &lost)?);
            Ok((count, freed))
        })?;
        self.throw_away_trees(&freed.names)?;
        Ok(count)
    }

    /// Moves objects that no row names, and whose maker is dead, to the trash.
    fn sweep_orphans(&self) -> Result<usize> {
        let mut swept = 0;
        for name in self.orphans()? {
            self.throw_away(&self.layout().object(&name))?;
            swept += 1;
        }
        Ok(swept)
    }

    pub(crate) fn orphans(&self) -> Result<Vec<String>> {
        let trees = self.layout().trees();
        let mut orphans = Vec::new();
        for entry in fs::read_dir(&trees).at("list", &trees)? {
            let name = entry
                .at("list", &trees)?
                .file_name()
                .to_string_lossy()
                .into_owned();
            // In this order: its maker may commit the row as its last act.
            if !owner::is_alive(self.layout(), owner_of(&name))? && !self.knows_tree(&name)? {
                orphans.push(name);
            }
        }
        orphans.sort();
        Ok(orphans)
    }

    fn knows_tree(&self, name: &str) -> Result<bool> {
        self.read(|connection| {
            let query = "SELECT 1 FROM trees WHERE name = ?";
            Ok(connection.prepare_cached(query)?.exists([name])?)
        })
    }

    /// Deletes what was thrown away, for at most `time`; returns whether all of it is gone.
    ///
    /// Writes nothing, so that it makes room on a full disk, where removing entries cannot be noted.
    pub fn empty_trash(&self, time: Duration) -> Result<bool> {
        self.empty_trash_until(Instant::now() + time)
    }

    fn empty_trash_until(&self, deadline: Instant) -> Result<bool> {
        let trash = self.layout().trash();
        for entry in fs::read_dir(&trash).at("list", &trash)? {
            let path = entry.at("list", &trash)?.path();
            if !delete(&path, deadline)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What may have to go.
struct Candidate {
    id: EntryId,
    kind: String,
    used: i64,
    leased: bool,
}

struct Pruning<'a> {
    transaction: &'a Transaction<'a>,
    done: Pruned,
    freed: Freed,
}

impl Pruning<'_> {
    fn older_than(&mut self, limit: i64) -> Result<()> {
        for found in self.candidates(None)? {
            if !found.leased && found.used < limit {
                self.evict(&found)?;
            }
        }
        Ok(())
    }

    fn down_to(&mut self, project: Option<&str>, limit: u64) -> Result<()> {
        let mut total = total_bytes(self.transaction, project)?;
        for found in self.candidates(project)? {
            if total <= limit {
                break;
            }
            if !found.leased {
                let before = self.freed.bytes;
                self.evict(&found)?;
                total = total.saturating_sub(self.freed.bytes - before);
            }
        }
        Ok(())
    }

    fn evict(&mut self, found: &Candidate) -> Result<()> {
        self.freed
            .add(remove_with_older(self.transaction, found.id)?);
        match &*found.kind {
            "cache" => self.done.caches += 1,
            _ => self.done.snapshots += 1,
        }
        Ok(())
    }

    /// The newest entry of every key, least recently used first. A key counts as leased when any
    /// of its entries is.
    fn candidates(&self, project: Option<&str>) -> Result<Vec<Candidate>> {
        let mut statement = self.transaction.prepare(
            "SELECT MAX(e.id), e.kind, MAX(e.used) AS last,
                    MAX(EXISTS (SELECT 1 FROM leases WHERE leases.entry = e.id))
             FROM entries e WHERE e.kind <> 'removed' AND (?1 IS NULL OR e.project = ?1)
             GROUP BY e.kind, e.project, e.key ORDER BY last, 1",
        )?;
        let rows = statement.query_map([project], |row| {
            Ok(Candidate {
                id: EntryId(row.get(0)?),
                kind: row.get(1)?,
                used: row.get(2)?,
                leased: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn projects(transaction: &Transaction<'_>) -> Result<Vec<String>> {
    let mut statement =
        transaction.prepare("SELECT DISTINCT project FROM entries ORDER BY project")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn total_bytes(transaction: &Transaction<'_>, project: Option<&str>) -> Result<u64> {
    let total: i64 = transaction.query_row(
        "SELECT COALESCE(SUM(bytes), 0) FROM trees WHERE id IN (
           SELECT layers.tree FROM layers JOIN entries e ON e.id = layers.entry
           WHERE ?1 IS NULL OR e.project = ?1)",
        [project],
        |row| row.get(0),
    )?;
    Ok(total.unsigned_abs())
}

fn ids(
    transaction: &Transaction<'_>,
    query: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<i64>> {
    let mut statement = transaction.prepare(query)?;
    let rows = statement.query_map(parameters, |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Deletes a path and what it holds; `false`: time ran out. Others may be deleting it too.
fn delete(path: &Path, deadline: Instant) -> Result<bool> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(StoreError::io("inspect", path, error)),
    };
    if Instant::now() >= deadline {
        return Ok(false);
    }
    if !meta.is_dir() {
        owner::ignore_missing(fs::remove_file(path)).at("remove", path)?;
        return Ok(true);
    }
    if meta.permissions().mode() & 0o700 != 0o700 {
        // Jobs leave read-only directories; their owner may still delete what is in them.
        let open = fs::Permissions::from_mode(0o700);
        owner::ignore_missing(fs::set_permissions(path, open)).at("change the mode of", path)?;
    }
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(StoreError::io("list", path, error)),
    };
    for entry in entries {
        let inside = entry.at("list", path)?.path();
        if !delete(&inside, deadline)? {
            return Ok(false);
        }
    }
    owner::ignore_missing(fs::remove_dir(path)).at("remove", path)?;
    Ok(true)
}
