//! Compares the disk with the manifests.
//!
//! [`Depth::Lstat`] looks at kind, mode, size and mtime of every path: about a tenth of a second
//! for 50 000 files. [`Depth::Contents`] also reads the files. Contents are not read when a tree
//! is saved; the first time they are, their digests are written into a new manifest
//! ([`Store::hash_pending`]), and from then on are what contents are held against.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rusqlite::params;

use crate::Store;
use crate::digest::Digest;
use crate::entry::Entry;
use crate::error::{IoContext, Result, StoreError};
use crate::failpoint::{Point, reach};
use crate::layout::sync_directory;
use crate::manifest::{ManifestEntry, ManifestReader, ManifestWriter, Node};
use crate::overlay;
use crate::owner::ignore_missing;
use crate::scan;

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// At metadata.
    Lstat,
    /// At contents too, where digests are known.
    Contents,
}

/// What [`Store::verify`] looked at and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Trees compared.
    pub trees: usize,
    /// Paths compared.
    pub paths: u64,
    /// Bytes read and held against a digest.
    pub bytes: u64,
    /// What is wrong; empty: nothing.
    pub problems: Vec<Problem>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// SQLite finds its own file damaged.
    Index(String),
    /// A tree, its manifest, or a path in it is not as it was saved.
    Tree {
        /// The directory of the tree and its manifest.
        object: PathBuf,
        /// The first difference.
        why: String,
    },
    /// A directory of a dead process that no row names; [`Store::maintain`] removes it.
    Orphan(PathBuf),
    /// An entry without layers: the index contradicts itself.
    NoLayers {
        /// Its project.
        project: String,
        /// Its key.
        key: String,
    },
}

struct TreeRow {
    id: i64,
    name: String,
    manifest: Digest,
}

/// A digest is read in parts of this size of a manifest, by all threads.
const BATCH: usize = 1024;

impl Store {
    /// Compares everything. Reads the trees that are there when it begins.
    pub fn verify(&self, depth: Depth) -> Result<Verified> {
        let mut verified = Verified::default();
        self.verify_index(&mut verified)?;
        for tree in self.tree_rows("1")? {
            self.verify_tree(&tree, depth, &mut verified)?;
            verified.trees += 1;
        }
        for name in self.orphans()? {
            verified
                .problems
                .push(Problem::Orphan(self.layout().object(&name)));
        }
        Ok(verified)
    }

    /// Compares the metadata of one entry with its manifests; [`StoreError::Damaged`] names the
    /// first difference.
    pub fn check_entry(&self, entry: &Entry) -> Result<()> {
        for tree in self.trees_of(entry)? {
            let mut verified = Verified::default();
            self.verify_tree(&tree, Depth::Lstat, &mut verified)?;
            if let Some(Problem::Tree { why, .. }) = verified.problems.pop() {
                return Err(StoreError::Damaged {
                    what: entry.describe(),
                    why,
                });
            }
        }
        Ok(())
    }

    /// The paths of an entry's layers with their digests as far as known, lowest layer first.
    pub fn manifest(&self, entry: &Entry) -> Result<Vec<ManifestEntry>> {
        let mut entries = Vec::new();
        for tree in self.trees_of(entry)? {
            let mut reader = self.open_manifest(&tree)?;
            while let Some(path) = reader.next_entry()? {
                entries.push(path);
            }
        }
        Ok(entries)
    }

    /// Reads the contents of trees that have no digests yet, for about `time`; returns how many
    /// trees were completed.
    ///
    /// For idle moments: uses all processors, and stops between trees. Files that this user may
    /// not read stay without digest. The first failure is returned after the other trees are done.
    pub fn hash_pending(&self, time: Duration) -> Result<usize> {
        let deadline = Instant::now() + time;
        let mut done = 0;
        let mut failed = None;
        for tree in self.tree_rows("hashed = 0")? {
            if Instant::now() >= deadline {
                break;
            }
            match self.hash_tree(&tree) {
                Ok(()) => done += 1,
                // Evicted, or hashed by another process, meanwhile.
                Err(_) if !self.still_has(&tree)? => {}
                // One damaged tree must not keep the others waiting.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(done), Err)
    }

    fn verify_index(&self, verified: &mut Verified) -> Result<()> {
        let (answers, empty) = self.read(|connection| {
            let mut statement = connection.prepare("PRAGMA quick_check")?;
            let answers: Vec<String> = statement
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let mut statement = connection.prepare(
                "SELECT project, key FROM entries
                 WHERE NOT EXISTS (SELECT 1 FROM layers JOIN trees ON trees.id = layers.tree
                                   WHERE layers.entry = entries.id)",
            )?;
            let empty: Vec<(String, String)> = statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            Ok((answers, empty))
        })?;
        let bad = answers.into_iter().filter(|answer| answer != "ok");
        verified.problems.extend(bad.map(Problem::Index));
        let empty = empty
            .into_iter()
            .map(|(project, key)| Problem::NoLayers { project, key });
        verified.problems.extend(empty);
        Ok(())
    }

    fn verify_tree(&self, tree: &TreeRow, depth: Depth, verified: &mut Verified) -> Result<()> {
        match self.compare(tree, depth, verified) {
            Ok(()) => {}
            // Evicted, or hashed, since the rows were read: no problem of the store.
            Err(_) if !self.still_has(tree)? => {}
            Err(error) => {
                let object = self.layout().object(&tree.name);
                verified.problems.push(Problem::Tree {
                    object,
                    why: with_causes(&error),
                });
            }
        }
        Ok(())
    }

    /// Walks the manifest and the tree side by side: they have the same order.
    fn compare(&self, tree: &TreeRow, depth: Depth, verified: &mut Verified) -> Result<()> {
        let root = self.layout().tree(&tree.name);
        let mut manifest = self.open_manifest(tree)?;
        let mut batch: Vec<(PathBuf, Digest)> = Vec::new();
        let mut bytes = 0;
        walk(&root, Path::new(""), &mut |found| {
            let Some(recorded) = manifest.next_entry()? else {
                return Err(differs(&found.path, "it is not in the manifest"));
            };
            compare_path(&recorded, &found)?;
            verified.paths += 1;
            if let (
                Depth::Contents,
                Node::File {
                    size,
                    digest: Some(digest),
                },
            ) = (depth, &recorded.node)
            {
                bytes += size;
                batch.push((root.join(&recorded.path), *digest));
                if batch.len() >= BATCH {
                    compare_contents(&mut batch)?;
                }
            }
            Ok(())
        })?;
        if let Some(missing) = manifest.next_entry()? {
            return Err(differs(&missing.path, "it is missing"));
        }
        compare_contents(&mut batch)?;
        verified.bytes += bytes;
        Ok(())
    }

    /// Writes a manifest with digests, makes the index name it, and removes the one without.
    ///
    /// Two processes may do this at once: they write the same bytes under the same name.
    fn hash_tree(&self, tree: &TreeRow) -> Result<()> {
        let root = self.layout().tree(&tree.name);
        let beside = self
            .layout()
            .object(&tree.name)
            .join(self.owner()?.object_name());
        let mut reader = self.open_manifest(tree)?;
        let mut writer = ManifestWriter::create(&beside)?;
        loop {
            let mut batch = Vec::new();
            while batch.len() < BATCH {
                match reader.next_entry()? {
                    Some(entry) => batch.push(entry),
                    None => break,
                }
            }
            if batch.is_empty() {
                break;
            }
            add_digests(&root, &mut batch)?;
            for entry in &batch {
                compare_path(entry, &lstat(&root, &entry.path)?)?;
                writer.push(entry)?;
            }
        }
        let digest = writer.finish()?;
        fs::File::open(&beside)
            .and_then(|file| file.sync_all())
            .at("sync", &beside)?;
        let named = self.layout().manifest(&tree.name, digest);
        fs::rename(&beside, &named).at("rename", &named)?;
        sync_directory(&self.layout().object(&tree.name))?;
        reach(Point::DigestsWritten)?;
        self.write(|transaction| {
            let change = "UPDATE trees SET manifest = ?, hashed = 1 WHERE id = ?";
            Ok(transaction.execute(change, params![digest.as_bytes(), tree.id])?)
        })?;
        if digest == tree.manifest {
            return Ok(());
        }
        let before = self.layout().manifest(&tree.name, tree.manifest);
        ignore_missing(fs::remove_file(&before)).at("remove", &before)
    }

    fn open_manifest(&self, tree: &TreeRow) -> Result<ManifestReader> {
        ManifestReader::open(
            &self.layout().manifest(&tree.name, tree.manifest),
            tree.manifest,
        )
    }

    fn still_has(&self, tree: &TreeRow) -> Result<bool> {
        self.read(|connection| {
            let query = "SELECT 1 FROM trees WHERE id = ? AND manifest = ?";
            let mut statement = connection.prepare_cached(query)?;
            Ok(statement.exists(params![tree.id, tree.manifest.as_bytes()])?)
        })
    }

    /// The trees that count in this boot and meet a condition.
    fn tree_rows(&self, condition: &'static str) -> Result<Vec<TreeRow>> {
        self.read(|connection| {
            let mut statement = connection.prepare(&format!(
                "SELECT id, name, manifest FROM trees
                 WHERE (boot IS NULL OR boot = ?) AND {condition} ORDER BY id"
            ))?;
            let rows = statement.query_map([self.boot()], tree_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn trees_of(&self, entry: &Entry) -> Result<Vec<TreeRow>> {
        let trees: Vec<TreeRow> = self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT trees.id, trees.name, trees.manifest
                 FROM layers JOIN trees ON trees.id = layers.tree
                 WHERE layers.entry = ? ORDER BY layers.position",
            )?;
            let rows = statement.query_map([entry.id.0], tree_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })?;
        match trees.is_empty() {
            true => Err(StoreError::Gone {
                what: entry.describe(),
            }),
            false => Ok(trees),
        }
    }
}

fn tree_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<TreeRow> {
    let manifest = Digest::from_bytes(row.get(2)?);
    Ok(TreeRow {
        id: row.get(0)?,
        name: row.get(1)?,
        manifest,
    })
}

/// Visits a tree in manifest order, changing nothing.
fn walk(
    root: &Path,
    relative: &Path,
    visit: &mut dyn FnMut(ManifestEntry) -> Result<()>,
) -> Result<()> {
    for (name, _) in scan::sorted_entries(&root.join(relative))? {
        let path = relative.join(&name);
        let found = lstat(root, &path)?;
        let is_directory = matches!(found.node, Node::Directory { .. });
        visit(found)?;
        if is_directory {
            walk(root, &path, visit)?;
        }
    }
    Ok(())
}

fn lstat(root: &Path, path: &Path) -> Result<ManifestEntry> {
    let full = root.join(path);
    let meta = fs::symlink_metadata(&full).at("inspect", &full)?;
    let node = if meta.is_dir() {
        Node::Directory {
            opaque: overlay::is_opaque(&full)?,
        }
    } else if meta.is_symlink() {
        Node::Symlink {
            target: fs::read_link(&full).at("read the link", &full)?,
        }
    } else if meta.is_file() {
        Node::File {
            size: meta.len(),
            digest: None,
        }
    } else if overlay::is_whiteout(&meta) {
        Node::Whiteout
    } else {
        return Err(differs(path, "it is neither file, link nor directory"));
    };
    Ok(scan::record(path.to_owned(), node, &meta))
}

fn compare_path(recorded: &ManifestEntry, found: &ManifestEntry) -> Result<()> {
    if recorded.path != found.path {
        let (path, why) = match recorded.path < found.path {
            true => (&recorded.path, "it is missing"),
            false => (&found.path, "it is not in the manifest"),
        };
        return Err(differs(path, why));
    }
    let same_node = match (&recorded.node, &found.node) {
        (Node::File { size: a, .. }, Node::File { size: b, .. }) => a == b,
        (a, b) => a == b,
    };
    if !same_node {
        return Err(differs(&found.path, "its kind, size or target differs"));
    }
    if recorded.mode != found.mode {
        return Err(differs(&found.path, "its mode differs"));
    }
    // A directory's time changes with its entries, which are compared themselves.
    let timeless = matches!(found.node, Node::Directory { .. });
    if recorded.mtime != found.mtime && !timeless {
        return Err(differs(&found.path, "its time of modification differs"));
    }
    Ok(())
}

fn differs(path: &Path, why: &str) -> StoreError {
    StoreError::Damaged {
        what: path.display().to_string(),
        why: why.to_owned(),
    }
}

fn compare_contents(batch: &mut Vec<(PathBuf, Digest)>) -> Result<()> {
    let digests = digests(batch.iter().map(|(path, _)| path.clone()).collect());
    for ((path, expected), found) in batch.drain(..).zip(digests) {
        match found? {
            Some(found) if found == expected => {}
            Some(_) => return Err(differs(&path, "its content differs")),
            None => return Err(differs(&path, "it can no longer be read")),
        }
    }
    Ok(())
}

fn add_digests(root: &Path, batch: &mut [ManifestEntry]) -> Result<()> {
    let files = |entry: &&mut ManifestEntry| matches!(entry.node, Node::File { .. });
    let paths = batch
        .iter_mut()
        .filter(files)
        .map(|entry| root.join(&entry.path))
        .collect();
    for (entry, found) in batch.iter_mut().filter(files).zip(digests(paths)) {
        if let Node::File { digest, .. } = &mut entry.node {
            *digest = found?;
        }
    }
    Ok(())
}

/// `None`: this user may not read the file.
fn readable_digest(path: &Path) -> Result<Option<Digest>> {
    match Digest::of_file(path) {
        Ok(digest) => Ok(Some(digest)),
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The digests of files, in order, read by all processors.
fn digests(paths: Vec<PathBuf>) -> Vec<Result<Option<Digest>>> {
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((index, path)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            paths.get(index).map(|path| (index, path))
        } {
            done.push((index, readable_digest(path)));
        }
        done
    };
    let mut all: Vec<(usize, Result<Option<Digest>>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for worker in workers {
            match worker.join() {
                Ok(part) => all.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_unstable_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, digest)| digest).collect()
}

/// An error with its causes, on one line.
fn with_causes(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
