//! Leases: while one is held, what it names stays on disk.
//!
//! A leased entry is never evicted. Somebody may still remove it by name: then its key points at nothing, but whoever holds the
//! lease goes on using it, and its files go when the last lease has ended.

use rusqlite::params;

use crate::Store;
use crate::artifact::Artifact;
use crate::clock;
use crate::entry::Entry;
use crate::error::{Result, StoreError};
use crate::run::RunId;
use crate::tree;

/// Pins an entry or an artifact until dropped, or until its process has ended.
///
/// A resumed run is another process: it has to lease again, and may find that things have gone.
#[derive(Debug)]
pub struct Lease {
    store: Store,
    id: i64,
}

impl Store {
    /// Finds what a cache key points at and pins it, so that nothing can happen to it in between; `None`: nothing.
    ///
    /// For what relies on the answer; [`Store::find_cache`] only looks.
    pub fn lease_cache(
        &self,
        project: &str,
        key: &str,
        run: RunId,
    ) -> Result<Option<(Entry, Lease)>> {
        while let Some(entry) = self.find_cache(project, key)? {
            match self.lease(&entry, run) {
                // Replaced, merged or removed since it was found: the next look finds something else.
                Err(StoreError::Gone { .. }) => {}
                leased => return leased.map(|lease| Some((entry, lease))),
            }
        }
        Ok(None)
    }

    /// Pins an entry for a run and marks it as used.
    ///
    /// Fails with [`StoreError::Gone`] when it was evicted, or its layers replaced, since found.
    pub fn lease(&self, entry: &Entry, run: RunId) -> Result<Lease> {
        let owner = self.owner()?;
        let id = self.write_unsettled(|transaction| {
            let layers = tree::layers_of(self.layout(), transaction, entry.id.0)?;
            if layers.is_empty() || !layers.iter().map(|(_, path)| path).eq(&entry.layers) {
                return Err(StoreError::Gone {
                    what: entry.describe(),
                });
            }
            transaction.execute(
                "UPDATE entries SET used = MAX(used, ?) WHERE id = ?",
                params![clock::now(), entry.id.0],
            )?;
            transaction.execute(
                "INSERT INTO leases (owner, run, entry) VALUES (?, ?, ?)",
                params![owner.name(), run.0 as i64, entry.id.0],
            )?;
            Ok(transaction.last_insert_rowid())
        })?;
        Ok(Lease {
            store: self.clone(),
            id,
        })
    }

    /// Pins an artifact for a run.
    pub fn lease_artifact(&self, artifact: &Artifact, run: RunId) -> Result<Lease> {
        let owner = self.owner()?;
        let id = self.write_unsettled(|transaction| {
            let mut statement = transaction.prepare("SELECT 1 FROM artifacts WHERE id = ?")?;
            if !statement.exists([artifact.id])? {
                return Err(StoreError::Gone {
                    what: artifact.describe(),
                });
            }
            transaction.execute(
                "INSERT INTO leases (owner, run, artifact) VALUES (?, ?, ?)",
                params![owner.name(), run.0 as i64, artifact.id],
            )?;
            Ok(transaction.last_insert_rowid())
        })?;
        Ok(Lease {
            store: self.clone(),
            id,
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // If this fails the lease lasts until the store is closed: late, never wrong.
        let _ = self.store.write_unsettled(|transaction| {
            Ok(transaction.execute("DELETE FROM leases WHERE id = ?", [self.id])?)
        });
    }
}
