//! Settling: making durable what was saved.
//!
//! Saving moves a tree and writes rows; that its bytes are on the disk is waited for later, once for many trees. Where a tree is
//! large enough to make that due at once, a thread of its own begins with the bytes before the tree is even looked at: saving waits
//! for the processor, settling for the disk.

use std::fs::{self, File};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rusqlite::params;

use crate::Store;
use crate::error::Result;
use crate::failpoint::{Point, reach};

/// So many bytes may be lost in a power cut before it is worth a `syncfs`: they can be made again.
pub(crate) const UNSETTLED_MAX: u64 = 64 << 20;

/// Writes to the disk, beside the caller, what is about to be saved. Dropped without [`Settling::saved`], it leaves it at that.
#[derive(Debug)]
pub struct Settling {
    saved: SyncSender<()>,
}

impl Store {
    /// Begins with what is written and not on the disk yet, where that is so much that saving it would make settling due.
    pub fn settle_early(&self) -> Option<Settling> {
        let much = unwritten().is_some_and(|bytes| bytes >= UNSETTLED_MAX);
        much.then(|| self.settling()).flatten()
    }

    /// As much as is needed for a tree with so many new bytes that is about to be saved: goes on with what `early` began, or begins
    /// now; nothing for a small one, which can wait.
    pub fn settle_soon(&self, bytes: u64, early: Option<Settling>) -> Option<Settling> {
        if bytes < UNSETTLED_MAX {
            return None;
        }
        self.note_much();
        early.or_else(|| self.settling())
    }

    /// Makes every saved tree durable: one `syncfs` for all. Returns how many trees that were.
    ///
    /// Until then an entry survives the end of this process but not a power cut. If the disk
    /// reports an error, nobody can say which files it lost: all entries not yet settled are
    /// dropped, keys point at their last settled entries, and the error is returned; also one of an earlier [`Settling`].
    pub fn settle(&self) -> Result<usize> {
        let earlier = self.settle_error().take();
        earlier.map_or(Ok(()), Err)?;
        let boot = self.boot();
        let last: Option<i64> = self.read(|connection| {
            let query = "SELECT MAX(id) FROM trees WHERE boot = ?";
            Ok(connection.query_row(query, [boot], |row| row.get(0))?)
        })?;
        let Some(last) = last else { return Ok(0) };
        if let Err(error) = self.sync_file_system() {
            self.drop_unsettled(last)?;
            return Err(error);
        }
        reach(Point::Synced)?;
        self.write(|transaction| {
            let change = "UPDATE trees SET boot = NULL WHERE boot = ? AND id <= ?";
            Ok(transaction.execute(change, params![boot, last])?)
        })
    }

    fn settling(&self) -> Option<Settling> {
        let (saved, is_saved) = sync_channel(1);
        let store = self.clone();
        let thread = std::thread::Builder::new().name("settle".to_owned());
        // Without it settling takes longer: it is done when the run is over.
        let started = thread.spawn(move || store.settle_beside(&is_saved));
        started.ok().map(|_| Settling { saved })
    }

    fn settle_beside(&self, is_saved: &Receiver<()>) {
        // What the disk could not write is told again to the directory the store has open.
        let _ = File::open(self.directory()).map(|other| rustix::fs::syncfs(&other));
        if is_saved.recv().is_ok()
            && let Err(error) = self.settle()
        {
            *self.settle_error() = Some(error);
        }
    }
}

impl Settling {
    /// What was to be saved is: makes it durable soon. Who ends before that settles with the rest, some time.
    pub fn saved(self) {
        // The thread waits for this, or could not be.
        let _ = self.saved.send(());
    }
}

/// Bytes that wait to be written, on any file system; `None` where the system does not say.
fn unwritten() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Dirty:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
