//! Entries: trees under a key of a project.
//!
//! A key points at its newest usable entry. An entry is a stack of layers: a base tree and the
//! deltas saved on top of it. Entries are immutable; saving under a key again adds one, and the
//! older one goes when the newer is settled and nobody leases it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::Store;
use crate::clock;
use crate::error::{Result, StoreError};
use crate::failpoint::{Point, reach};
use crate::manifest::safe_path;
use crate::materialise::make_parents;
use crate::overlay;
use crate::scan::Role;
use crate::staging::StagedTree;
use crate::tree::{self, Freed, NewTree};
use crate::view::{Totals, View};

/// The number of an entry in the index; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub(crate) i64);

impl EntryId {
    /// The number, to note it elsewhere.
    pub fn number(self) -> i64 {
        self.0
    }
}

/// What an entry is kept for. Keys of different kinds do not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// What jobs save under a cache key.
    Cache,
    /// The tree a run starts from, under a key that names its content.
    Snapshot,
}

impl EntryKind {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Snapshot => "snapshot",
        }
    }

    fn from_text(text: &str) -> rusqlite::Result<Self> {
        match text {
            "cache" => Ok(Self::Cache),
            "snapshot" => Ok(Self::Snapshot),
            _ => Err(rusqlite::Error::InvalidQuery),
        }
    }
}

/// What is to be saved besides the tree.
#[derive(Clone, Copy, Debug)]
pub struct NewEntry<'a> {
    /// Whose key it is: the same key of another project is another key.
    pub project: &'a str,
    /// Any text.
    pub key: &'a str,
    /// Any text, given back with the entry: who saved it and why.
    pub note: &'a str,
}

/// What a key points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which one it is among those of the same key.
    pub id: EntryId,
    /// What it is for.
    pub kind: EntryKind,
    /// Whose it is.
    pub project: String,
    /// Its key.
    pub key: String,
    /// Read-only directories, topmost first, in the order of overlayfs's `lowerdir`.
    ///
    /// They are there as long as the entry is leased. Nobody may write to them.
    pub layers: Vec<PathBuf>,
    /// The bytes of the files of the merged tree.
    pub bytes: u64,
    /// The number of files and links of the merged tree.
    pub files: u64,
    /// When it was saved.
    pub created: SystemTime,
    /// When it was last leased, or saved.
    pub last_used: SystemTime,
    /// As given when it was saved.
    pub note: String,
}

/// Whether a key points at anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It points at an entry.
    Present,
    /// It does not.
    Missing,
}

/// What became of an entry that was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Gone,
    /// Nobody finds it any more, but who leases it goes on using it.
    StillLeased,
}

/// SQL: the entry `e` counts in the boot `?1`. No layer may be lost with an earlier boot.
const USABLE: &str = "NOT EXISTS (
    SELECT 1 FROM layers JOIN trees ON trees.id = layers.tree
    WHERE layers.entry = e.id AND trees.boot IS NOT NULL AND trees.boot <> ?1)";

const COLUMNS: &str = "e.id, e.kind, e.project, e.key, e.bytes, e.files, e.created, e.used, e.note";

impl Store {
    /// Saves a whole tree under a cache key.
    ///
    /// Takes a rename and a walk, whatever the files weigh. Deletion marks of overlayfs in the
    /// tree are removed: a cache adds files, it never deletes those of a checkout.
    pub fn put_cache(&self, new: NewEntry<'_>, tree: StagedTree<'_>) -> Result<Entry> {
        self.put_entry(EntryKind::Cache, new, tree)
    }

    /// Saves what changed since `base` under a cache key, as one more layer.
    ///
    /// `changes` is an overlay's upper layer over the layers of `base`, with overlayfs's own
    /// deletion marks; `deleted` names further paths to mark, for those who mount nothing. Takes
    /// time in proportion to the changes, except that now and then layers are merged so that a
    /// stack stays short. `base` must be leased, or may turn out to be [`StoreError::Gone`].
    pub fn put_cache_delta(
        &self,
        new: NewEntry<'_>,
        base: &Entry,
        changes: StagedTree<'_>,
        deleted: &[PathBuf],
    ) -> Result<Entry> {
        self.put_delta(EntryKind::Cache, new, base, changes, deleted)
    }

    /// What the cache key points at. Costs the same for any size; nothing is marked as used.
    ///
    /// Lease it before relying on it. An error of kind [`StoreError::Damaged`] says that someone
    /// removed a layer from the data directory; the entry can be removed.
    pub fn find_cache(&self, project: &str, key: &str) -> Result<Option<Entry>> {
        self.find_entry(EntryKind::Cache, project, key)
    }

    /// Whether each cache key points at anything, in the order asked.
    pub fn cache_states(&self, project: &str, keys: &[&str]) -> Result<Vec<KeyState>> {
        let boot = self.boot();
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT 1 FROM entries e
                 WHERE e.kind = 'cache' AND e.project = ?2 AND e.key = ?3 AND {USABLE} LIMIT 1"
            ))?;
            keys.iter()
                .map(|key| {
                    Ok(match statement.exists(params![boot, project, key])? {
                        true => KeyState::Present,
                        false => KeyState::Missing,
                    })
                })
                .collect()
        })
    }

    /// Saves the tree a run starts from, under a key that names its content.
    pub fn put_snapshot(&self, new: NewEntry<'_>, tree: StagedTree<'_>) -> Result<Entry> {
        self.put_entry(EntryKind::Snapshot, new, tree)
    }

    /// Saves a snapshot as the changes to another one; see [`Store::put_cache_delta`].
    pub fn put_snapshot_delta(
        &self,
        new: NewEntry<'_>,
        base: &Entry,
        changes: StagedTree<'_>,
        deleted: &[PathBuf],
    ) -> Result<Entry> {
        self.put_delta(EntryKind::Snapshot, new, base, changes, deleted)
    }

    /// The snapshot of that key; see [`Store::find_cache`].
    pub fn find_snapshot(&self, project: &str, key: &str) -> Result<Option<Entry>> {
        self.find_entry(EntryKind::Snapshot, project, key)
    }

    /// What the keys of a kind point at, the most recently used first; of one project or all.
    pub fn entries(&self, kind: EntryKind, project: Option<&str>) -> Result<Vec<Entry>> {
        let boot = self.boot();
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM entries e
                 WHERE e.kind = ?2 AND (?3 IS NULL OR e.project = ?3) AND {USABLE}
                   AND NOT EXISTS (
                     SELECT 1 FROM entries n WHERE n.kind = e.kind AND n.project = e.project
                       AND n.key = e.key AND n.id > e.id AND {newer})
                 ORDER BY e.used DESC, e.id DESC",
                newer = USABLE.replace("e.id", "n.id"),
            ))?;
            let rows = statement
                .query_map(params![boot, kind.text(), project], entry_from_row)?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            rows.into_iter()
                .map(|entry| self.with_layers(connection, entry))
                .collect()
        })
    }

    /// Existing cache keys of a project that resemble a missing one, the likeliest first.
    ///
    /// For explanations: keys sharing a longer prefix come first, then those with fewer edits.
    pub fn nearest_cache_keys(
        &self,
        project: &str,
        key: &str,
        limit: usize,
    ) -> Result<Vec<String>> {
        let mut keys: Vec<String> = self
            .entries(EntryKind::Cache, Some(project))?
            .into_iter()
            .map(|entry| entry.key)
            .collect();
        keys.sort_by_cached_key(|other| {
            (
                std::cmp::Reverse(common_prefix(key, other)),
                edits(key, other),
                other.clone(),
            )
        });
        keys.truncate(limit);
        Ok(keys)
    }

    /// Removes an entry, and older ones of its key that would show again.
    ///
    /// Trees that nothing else shares go too, except those of a leased entry: its directories
    /// stay until the lease ends and a sweep comes by. Returns whether that is so.
    pub fn remove_entry(&self, id: EntryId) -> Result<Removed> {
        let (leased, freed) = self.write(|transaction| {
            let leased = is_leased(transaction, id)?;
            Ok((leased, remove_with_older(transaction, id)?))
        })?;
        self.throw_away_trees(&freed.names)?;
        Ok(match leased {
            true => Removed::StillLeased,
            false => Removed::Gone,
        })
    }

    fn put_entry(
        &self,
        kind: EntryKind,
        new: NewEntry<'_>,
        staged: StagedTree<'_>,
    ) -> Result<Entry> {
        let tree = self.adopt(staged, Role::Base)?;
        let totals = tree.scanned.own;
        self.commit_entry(kind, new, None, tree, totals)
    }

    fn put_delta(
        &self,
        kind: EntryKind,
        new: NewEntry<'_>,
        base: &Entry,
        changes: StagedTree<'_>,
        deleted: &[PathBuf],
    ) -> Result<Entry> {
        let view = View::new(&base.layers);
        mark_deleted(view, changes.path(), deleted)?;
        let top = self.adopt(changes, Role::Delta(view))?;
        let base_totals = Totals {
            bytes: base.bytes,
            files: base.files,
        };
        let totals = base_totals.minus(top.scanned.hidden).plus(top.scanned.own);
        let entry = self.commit_entry(kind, new, Some((base, base.layers.len())), top, totals)?;
        self.compact_if_long(entry)
    }

    /// Makes the key point at a new entry: the base's lowest layers, so many, with `top` above.
    pub(crate) fn commit_entry(
        &self,
        kind: EntryKind,
        new: NewEntry<'_>,
        base: Option<(&Entry, usize)>,
        top: NewTree,
        totals: Totals,
    ) -> Result<Entry> {
        let now = clock::now();
        let id = self.write_unsettled(|transaction| {
            let mut trees = match base {
                Some((base, lowest)) => base_trees(self, transaction, base, lowest)?,
                None => Vec::new(),
            };
            trees.push(top.insert(transaction)?);
            let id = insert_entry(transaction, kind, new, totals, now)?;
            insert_layers(transaction, id, &trees)?;
            reach(Point::RowsWritten)?;
            Ok(id)
        })?;
        let mut layers = vec![self.layout().tree(&top.name)];
        top.keep();
        if let Some((base, lowest)) = base {
            layers.extend(base.layers.iter().skip(base.layers.len() - lowest).cloned());
        }
        reach(Point::Committed)?;
        Ok(Entry {
            id,
            kind,
            project: new.project.to_owned(),
            key: new.key.to_owned(),
            layers,
            bytes: totals.bytes,
            files: totals.files,
            created: clock::from_micros(now),
            last_used: clock::from_micros(now),
            note: new.note.to_owned(),
        })
    }

    fn find_entry(&self, kind: EntryKind, project: &str, key: &str) -> Result<Option<Entry>> {
        let mut entry = self.look_up_entry(kind, project, key)?;
        while let Some(found) = &entry {
            let Err(damage) = check_layers_exist(found) else {
                break;
            };
            // Another process may have replaced or evicted it just now.
            let again = self.look_up_entry(kind, project, key)?;
            if again == entry {
                return Err(damage);
            }
            entry = again;
        }
        Ok(entry)
    }

    fn look_up_entry(&self, kind: EntryKind, project: &str, key: &str) -> Result<Option<Entry>> {
        let boot = self.boot();
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM entries e
                 WHERE e.kind = ?2 AND e.project = ?3 AND e.key = ?4 AND {USABLE}
                 ORDER BY e.id DESC LIMIT 1"
            ))?;
            let parameters = params![boot, kind.text(), project, key];
            let entry = statement.query_row(parameters, entry_from_row).optional()?;
            entry
                .map(|entry| self.with_layers(connection, entry))
                .transpose()
        })
    }

    pub(crate) fn with_layers(&self, connection: &Connection, mut entry: Entry) -> Result<Entry> {
        let layers = tree::layers_of(self.layout(), connection, entry.id.0)?;
        entry.layers = layers.into_iter().map(|(_, path)| path).collect();
        Ok(entry)
    }
}

impl Entry {
    pub(crate) fn describe(&self) -> String {
        format!(
            "{} entry {:?} of project {:?}",
            self.kind.text(),
            self.key,
            self.project
        )
    }
}

/// Takes an entry and the older ones of its key from their key, and deletes what is not leased.
pub(crate) fn remove_with_older(transaction: &Transaction<'_>, id: EntryId) -> Result<Freed> {
    let ids = transaction
        .prepare_cached(
            "SELECT o.id FROM entries e JOIN entries o
               ON o.kind = e.kind AND o.project = e.project AND o.key = e.key AND o.id <= e.id
             WHERE e.id = ?",
        )?
        .query_map([id.0], |row| row.get(0).map(EntryId))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut freed = Freed::default();
    for id in ids {
        if is_leased(transaction, id)? {
            // Nobody finds this kind; a sweep takes it when the lease has ended.
            transaction.execute("UPDATE entries SET kind = 'removed' WHERE id = ?", [id.0])?;
        } else {
            freed.add(delete_entry(transaction, id)?);
        }
    }
    Ok(freed)
}

/// Deletes the rows of one entry; returns the trees to throw away after the commit.
pub(crate) fn delete_entry(transaction: &Transaction<'_>, id: EntryId) -> Result<Freed> {
    let trees = transaction
        .prepare_cached("DELETE FROM layers WHERE entry = ? RETURNING tree")?
        .query_map([id.0], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    transaction
        .prepare_cached("DELETE FROM entries WHERE id = ?")?
        .execute([id.0])?;
    tree::delete_unreferenced(transaction, &trees)
}

pub(crate) fn is_leased(connection: &Connection, id: EntryId) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM leases WHERE entry = ?")?;
    Ok(statement.exists([id.0])?)
}

/// The trees of a base, lowest first; fails if one has gone since it was found.
pub(crate) fn base_trees(
    store: &Store,
    transaction: &Transaction<'_>,
    base: &Entry,
    lowest: usize,
) -> Result<Vec<i64>> {
    let found = tree::layers_of(store.layout(), transaction, base.id.0)?;
    if !found.iter().map(|(_, path)| path).eq(&base.layers) {
        return Err(StoreError::Gone {
            what: base.describe(),
        });
    }
    Ok(found
        .into_iter()
        .rev()
        .map(|(id, _)| id)
        .take(lowest)
        .collect())
}

pub(crate) fn insert_entry(
    transaction: &Transaction<'_>,
    kind: EntryKind,
    new: NewEntry<'_>,
    totals: Totals,
    now: i64,
) -> Result<EntryId> {
    transaction
        .prepare_cached(
            "INSERT INTO entries (kind, project, key, bytes, files, created, used, note)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
        )?
        .execute(params![
            kind.text(),
            new.project,
            new.key,
            totals.bytes as i64,
            totals.files as i64,
            now,
            new.note,
        ])?;
    Ok(EntryId(transaction.last_insert_rowid()))
}

pub(crate) fn insert_layers(
    transaction: &Transaction<'_>,
    entry: EntryId,
    trees: &[i64],
) -> Result<()> {
    let mut statement = transaction
        .prepare_cached("INSERT INTO layers (entry, position, tree) VALUES (?, ?, ?)")?;
    for (position, tree) in trees.iter().enumerate() {
        statement.execute(params![entry.0, position as i64, tree])?;
    }
    Ok(())
}

pub(crate) fn entry_from_row(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: EntryId(row.get(0)?),
        kind: EntryKind::from_text(row.get_ref(1)?.as_str()?)?,
        project: row.get(2)?,
        key: row.get(3)?,
        layers: Vec::new(),
        bytes: row.get::<_, i64>(4)?.unsigned_abs(),
        files: row.get::<_, i64>(5)?.unsigned_abs(),
        created: clock::from_micros(row.get(6)?),
        last_used: clock::from_micros(row.get(7)?),
        note: row.get(8)?,
    })
}

fn check_layers_exist(entry: &Entry) -> Result<()> {
    for layer in &entry.layers {
        if !fs::symlink_metadata(layer).is_ok_and(|meta| meta.is_dir()) {
            return Err(StoreError::Damaged {
                what: entry.describe(),
                why: format!("its layer {} is missing", layer.display()),
            });
        }
    }
    Ok(())
}

/// Marks paths as deleted in a delta, for a caller without overlayfs.
fn mark_deleted(view: View<'_>, changes: &Path, deleted: &[PathBuf]) -> Result<()> {
    // A directory comes before what it holds, which then needs no mark.
    let sorted: BTreeSet<&Path> = deleted.iter().map(PathBuf::as_path).collect();
    for path in sorted {
        if let Err(fault) = safe_path(path) {
            return Err(StoreError::Path {
                path: path.to_owned(),
                fault,
            });
        }
        if view.at(path)?.is_some() && !hidden_by_parent(changes, path)? {
            mark_one_deleted(view, changes, path)?;
        }
    }
    Ok(())
}

fn mark_one_deleted(view: View<'_>, changes: &Path, path: &Path) -> Result<()> {
    let full = changes.join(path);
    match fs::symlink_metadata(&full) {
        // Deleted and made anew: the old content must not show through.
        Ok(meta) if meta.is_dir() => overlay::make_opaque(&full),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_parents(view, changes, path)?;
            overlay::make_whiteout(&full)
        }
        Err(error) => Err(StoreError::io("inspect", &full, error)),
    }
}

/// Whether something that is no directory stands in the delta above the path.
fn hidden_by_parent(changes: &Path, path: &Path) -> Result<bool> {
    for parent in path
        .ancestors()
        .skip(1)
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        let full = changes.join(parent);
        match fs::symlink_metadata(&full) {
            Ok(meta) if !meta.is_dir() => return Ok(true),
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) => {}
            Err(error) => return Err(StoreError::io("inspect", &full, error)),
        }
    }
    Ok(false)
}

fn common_prefix(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

/// Levenshtein distance in characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut last = i + 1;
        if let Some(first) = row.first_mut() {
            *first = last;
        }
        for (cell, right) in row.iter_mut().skip(1).zip(&b) {
            let substituted = diagonal + usize::from(left != *right);
            diagonal = *cell;
            last = substituted.min(last + 1).min(*cell + 1);
            *cell = last;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("same", "same"), 0);
    }
}
