//! Taking what was found of a job's tree into the staging of the store.

use std::io;
use std::path::Path;

use tidegate_exec::TraceWriter;
use tidegate_store::{ManifestEntry, Node, StagedTree};
use tidegate_workspace::{Entry, Kind, Mode, Refused, Union, collect_entries};

/// Brings entries of `union` into `tree`, which is told what was seen of them, and says in the log what cannot be kept.
pub(crate) fn gather<'a>(
    union: &Union,
    entries: Vec<Entry>,
    tree: StagedTree<'a>,
    mode: Mode,
    trace: &mut TraceWriter<'_>,
) -> Result<StagedTree<'a>, String> {
    let taken = collect_entries(union, entries, tree.path(), mode).map_err(|e| e.to_string())?;
    complain(&taken.refused, trace);
    let known = known(taken.whole, tree.path()).map_err(|error| error.to_string())?;
    Ok(tree.knowing(known))
}

/// Says in the log what cannot be kept.
pub(crate) fn complain(refused: &[Refused], trace: &mut TraceWriter<'_>) {
    for refused in refused {
        trace.warning(&refused.to_string());
    }
}

/// What the store is told of entries that are in `tree` now as a walk saw them before.
fn known(whole: Vec<Entry>, tree: &Path) -> io::Result<Vec<ManifestEntry>> {
    let in_store = |entry: Entry| {
        let node = match entry.kind {
            Kind::Dir => Node::Directory { opaque: false },
            Kind::Symlink => Node::Symlink {
                target: std::fs::read_link(tree.join(&entry.path))?,
            },
            // Others are refused, never moved.
            Kind::File | Kind::Fifo | Kind::Socket | Kind::Device => Node::File {
                size: entry.size,
                digest: None,
            },
        };
        Ok(ManifestEntry {
            path: entry.path,
            node,
            mode: entry.mode,
            mtime: (entry.mtime.seconds, entry.mtime.nanos),
        })
    };
    whole.into_iter().map(in_store).collect()
}
