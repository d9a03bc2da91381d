//! Keeps stacks of layers short.
//!
//! A stack of more than [`LONGEST`] layers is replaced, under the same key, by one of two: the
//! base and all deltas merged, by hard links, in proportion to the deltas. When the deltas
//! together hold more than half as many files as the base, everything becomes one new base.

use std::path::PathBuf;

use crate::Store;
use crate::entry::{Entry, NewEntry};
use crate::error::{IoContext, Result};
use crate::materialise::{Means, Product, materialise};
use crate::scan::Role;
use crate::view::{Totals, View};

/// With store paths of about 100 bytes, eight layers of this and a few other entries still fit the
/// page that mount options may fill.
pub(crate) const LONGEST: usize = 8;

impl Store {
    pub(crate) fn compact_if_long(&self, entry: Entry) -> Result<Entry> {
        if entry.layers.len() <= LONGEST {
            return Ok(entry);
        }
        let staging = self.staging()?;
        let merged = staging.path().join("merged");
        std::fs::create_dir(&merged).at("create", &merged)?;
        let new = NewEntry {
            project: &entry.project,
            key: &entry.key,
            note: &entry.note,
        };
        let totals = Totals {
            bytes: entry.bytes,
            files: entry.files,
        };
        let deltas = self.delta_files(&entry)?;
        let Some((base, above)) = entry.layers.split_last() else {
            return Ok(entry);
        };
        if deltas.saturating_mul(2) > entry.files {
            materialise(&entry.layers, &merged, Means::Link, Product::Whole)?;
            let tree = self.adopt_directory(&merged, Role::Base)?;
            return self.commit_entry(entry.kind, new, None, tree, totals);
        }
        materialise(above, &merged, Means::Link, Product::Delta)?;
        let below: [PathBuf; 1] = [base.clone()];
        let tree = self.adopt_directory(&merged, Role::Delta(View::new(&below)))?;
        self.commit_entry(entry.kind, new, Some((&entry, 1)), tree, totals)
    }

    /// How many files the layers above the base hold.
    fn delta_files(&self, entry: &Entry) -> Result<u64> {
        self.read(|connection| {
            let files: i64 = connection
                .prepare_cached(
                    "SELECT COALESCE(SUM(trees.files), 0)
                     FROM layers JOIN trees ON trees.id = layers.tree
                     WHERE layers.entry = ? AND layers.position > 0",
                )?
                .query_row([entry.id.0], |row| row.get(0))?;
            Ok(files.unsigned_abs())
        })
    }
}
