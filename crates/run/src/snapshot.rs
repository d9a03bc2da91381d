//! The tree all jobs of a run start from: a picture of the user's work tree, kept in the store and reused while nothing changed.

use std::path::{Path, PathBuf};

use thiserror::Error;
use tidegate_store::{Entry, Lease, NewEntry, RunId, Store, StoreError};
use tidegate_workspace::snapshot::{Previous, Skipped, snapshot};
use tidegate_workspace::{Layer, Manifest, TreeError};

/// The tree could not be taken.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// A picture of the work tree in the store.
pub struct BaseTree {
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
    /// The entry they are of.
    pub entry: Entry,
    /// Keeps them.
    pub lease: Lease,
    /// Files that could not be taken.
    pub skipped: Vec<Skipped>,
    /// Nothing had changed since the last one.
    pub reused: bool,
}

/// Name space of the manifests among the things the store remembers.
const MANIFESTS: &str = "snapshot manifest";

/// Takes a picture of `files` below `root` for the project `key`, or finds that the last one still holds.
///
/// `run` is who needs it; the lease ends with it.
pub fn base_tree(
    store: &Store,
    key: &str,
    root: &Path,
    files: &[PathBuf],
    run: RunId,
) -> Result<BaseTree, SnapshotError> {
    let place = root.to_string_lossy();
    let previous = match (
        store.find_snapshot(key, &place),
        store.recall(MANIFESTS, &place),
    ) {
        (Ok(Some(entry)), Ok(Some(remembered))) if entry.layers.len() == 1 => {
            // A manifest that belongs to another picture must not be trusted with this one.
            let matches = entry.note == remembered.digest.to_string();
            let manifest = Manifest::from_bytes(&remembered.bytes)
                .ok()
                .filter(|_| matches);
            manifest.map(|manifest| (entry, manifest))
        }
        _ => None,
    };
    // A lease first, so that the previous picture cannot vanish while files are linked from it.
    let previous = previous.and_then(|(entry, manifest)| {
        let lease = store.lease(&entry, run).ok()?;
        Some((entry, manifest, lease))
    });
    let staging = store.staging()?;
    let tree = staging.tree("snapshot")?;
    let into = tree.path().join("tree");
    let known = previous.as_ref().map(|(entry, manifest, _)| Previous {
        dir: &entry.layers[0],
        manifest,
    });
    let taken = snapshot(root, files, &into, known)?;
    if taken.reused
        && let Some((entry, _, lease)) = previous
    {
        let layers = layers(&entry.layers);
        return Ok(BaseTree {
            layers,
            entry,
            lease,
            skipped: taken.skipped,
            reused: true,
        });
    }
    drop(tree);
    std::fs::rename(&into, staging.path().join("adopted")).map_err(|source| TreeError {
        action: "move",
        path: into,
        source,
    })?;
    let digest = store.remember(MANIFESTS, &place, &taken.manifest.to_bytes())?;
    let new = NewEntry {
        project: key,
        key: &place,
        note: &digest.to_string(),
    };
    let entry = store.put_snapshot(new, staging.tree("adopted")?)?;
    let lease = store.lease(&entry, run)?;
    Ok(BaseTree {
        layers: layers(&entry.layers),
        entry,
        lease,
        skipped: taken.skipped,
        reused: false,
    })
}

/// The store names the topmost layer first, a workspace the lowest.
pub(crate) fn layers(topmost_first: &[PathBuf]) -> Vec<Layer> {
    topmost_first.iter().rev().map(Layer::stored).collect()
}
