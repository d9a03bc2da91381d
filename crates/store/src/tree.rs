//! Adopted trees: how a staged directory becomes an immutable object, and how one goes away.
//!
//! Adoption is two renames, a walk by `lstat` and one transaction. It neither reads contents nor
//! waits for the disk: until [`Store::settle`] has synced them, rows carry the id of the running
//! boot and are believed only during it. A killed process loses nothing (the page cache is the
//! kernel's); after a power cut the rows of the old boot are not believed, and a key points at
//! its last settled entry again.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::Store;
use crate::digest::Digest;
use crate::error::{IoContext, Result};
use crate::failpoint::{Point, reach};
use crate::layout::Layout;
use crate::manifest::{ManifestEntry, ManifestWriter};
use crate::scan::{Role, Scanned, scan};
use crate::staging::StagedTree;

/// A tree under its final name which the index does not know yet.
///
/// Dropping it without [`NewTree::keep`] moves it to the trash.
#[derive(Debug)]
pub(crate) struct NewTree {
    store: Store,
    pub(crate) name: String,
    pub(crate) scanned: Scanned,
    manifest: Digest,
    kept: bool,
}

impl NewTree {
    /// Adds the row of the tree; the caller commits, then calls [`NewTree::keep`].
    pub(crate) fn insert(&self, transaction: &Transaction<'_>) -> Result<i64> {
        let boot = Some(self.store.boot()).filter(|boot| !boot.is_empty());
        transaction
            .prepare_cached(
                "INSERT INTO trees (name, bytes, files, manifest, boot) VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![
                self.name,
                self.scanned.own.bytes as i64,
                self.scanned.own.files as i64,
                self.manifest.as_bytes(),
                boot,
            ])?;
        Ok(transaction.last_insert_rowid())
    }

    /// The index knows the tree now.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewTree {
    fn drop(&mut self) {
        if !self.kept {
            // If even this fails, the sweep of orphans finds it once we are dead.
            let _ = self
                .store
                .throw_away(&self.store.layout().object(&self.name));
        }
    }
}

impl Store {
    /// Moves a staged tree to its final place. Nothing points at it until a transaction does.
    pub(crate) fn adopt(&self, staged: StagedTree<'_>, role: Role<'_>) -> Result<NewTree> {
        let (path, known) = staged.into_parts();
        self.adopt_known(&path, role, known)
    }

    /// As [`Store::adopt`], for a directory on the file system of the store that is ours.
    pub(crate) fn adopt_directory(&self, tree: &Path, role: Role<'_>) -> Result<NewTree> {
        self.adopt_known(tree, role, Vec::new())
    }

    fn adopt_known(
        &self,
        tree: &Path,
        role: Role<'_>,
        known: Vec<ManifestEntry>,
    ) -> Result<NewTree> {
        let owner = self.owner()?;
        let object = ScrapOnDrop {
            store: self,
            path: owner.private_directory()?,
        };
        reach(Point::ObjectMade)?;
        let inside = object.path.join("tree");
        fs::rename(tree, &inside).at("move into the store", tree)?;
        reach(Point::TreeMoved)?;
        let written = object.path.join("manifest");
        let mut writer = ManifestWriter::create(&written)?;
        let scanned = scan(&inside, role, known, &mut |entry| writer.push(&entry))?;
        let manifest = writer.finish()?;
        let named = object.path.join(format!("manifest-{manifest}"));
        fs::rename(&written, &named).at("rename", &named)?;
        reach(Point::ManifestWritten)?;
        let name = owner.object_name();
        let target = self.layout().object(&name);
        fs::rename(&object.path, &target).at("move into the store", &target)?;
        let tree = NewTree {
            store: self.clone(),
            name,
            scanned,
            manifest,
            kept: false,
        };
        if self.boot().is_empty() {
            // Without a boot id an unsettled row could not be told from a lost one.
            self.sync_file_system()?;
        }
        reach(Point::Adopted)?;
        Ok(tree)
    }

    /// Waits until everything written to the file system of the store is on the disk.
    pub(crate) fn sync_file_system(&self) -> Result<()> {
        let synced = rustix::fs::syncfs(self.root());
        synced.at("sync the file system of", self.layout().root())
    }

    /// Moves objects whose rows are gone to the trash.
    pub(crate) fn throw_away_trees(&self, names: &[String]) -> Result<()> {
        reach(Point::RowsDeleted)?;
        names
            .iter()
            .try_for_each(|name| self.throw_away(&self.layout().object(name)))
    }
}

/// Objects whose rows have been deleted.
#[derive(Debug, Default)]
pub(crate) struct Freed {
    pub(crate) names: Vec<String>,
    pub(crate) bytes: u64,
}

impl Freed {
    pub(crate) fn add(&mut self, other: Self) {
        self.names.extend(other.names);
        self.bytes += other.bytes;
    }
}

/// Deletes the rows of trees that nothing refers to any more, of those given; returns their names.
pub(crate) fn delete_unreferenced(transaction: &Transaction<'_>, trees: &[i64]) -> Result<Freed> {
    let mut statement = transaction.prepare_cached(
        "DELETE FROM trees WHERE id = ?1
           AND NOT EXISTS (SELECT 1 FROM layers WHERE tree = ?1)
           AND NOT EXISTS (SELECT 1 FROM artifacts WHERE tree = ?1)
         RETURNING name, bytes",
    )?;
    let mut freed = Freed::default();
    for tree in trees {
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()));
        if let Some((name, bytes)) = statement.query_row([tree], row).optional()? {
            freed.names.push(name);
            freed.bytes += bytes;
        }
    }
    Ok(freed)
}

/// The layers of an entry, topmost first, with their tree ids.
pub(crate) fn layers_of(
    layout: &Layout,
    connection: &Connection,
    entry: i64,
) -> Result<Vec<(i64, PathBuf)>> {
    let mut statement = connection.prepare_cached(
        "SELECT trees.id, trees.name FROM layers JOIN trees ON trees.id = layers.tree
         WHERE layers.entry = ? ORDER BY layers.position DESC",
    )?;
    let rows = statement.query_map([entry], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| {
        row.map(|(id, name)| (id, layout.tree(&name)))
            .map_err(Into::into)
    })
    .collect()
}

/// A directory that goes to the trash unless it was renamed away.
struct ScrapOnDrop<'a> {
    store: &'a Store,
    path: PathBuf,
}

impl Drop for ScrapOnDrop<'_> {
    fn drop(&mut self) {
        let _ = self.store.throw_away(&self.path);
    }
}
