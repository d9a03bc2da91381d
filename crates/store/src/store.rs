//! The handle: opens lazily, is shared by cloning.

use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::{IoContext, Result, StoreError};
use crate::index;
use crate::layout::Layout;
use crate::owner::{self, Owner};

/// Everything on disk under one data directory. Clones share one handle; all methods block.
///
/// Any number of processes may have the same directory open.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    layout: Layout,
    /// The data directory, open from the beginning: what a disk could not write is told once to each who had opened something before.
    root: File,
    /// `None` until the first use: `tidegate list` may open a store it never asks.
    connection: Mutex<Option<Connection>>,
    owner: Mutex<Option<Arc<Owner>>>,
    boot: OnceLock<String>,
    /// A large tree was saved by this handle.
    much: AtomicBool,
    /// Of settling beside a caller; told to the next who settles.
    settle_error: Mutex<Option<StoreError>>,
}

impl Store {
    /// Opens the store in `directory`, or makes one there if it is empty or missing.
    ///
    /// Reads one small file; the index is opened when it is first asked.
    pub fn open(directory: &Path) -> Result<Self> {
        let layout = Layout::open(directory)?;
        let inner = Inner {
            root: File::open(layout.root()).at("open", layout.root())?,
            layout,
            connection: Mutex::new(None),
            owner: Mutex::new(None),
            boot: OnceLock::new(),
            much: AtomicBool::new(false),
            settle_error: Mutex::new(None),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The data directory, absolute.
    pub fn directory(&self) -> &Path {
        self.inner.layout.root()
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.inner.layout
    }

    /// The data directory, open.
    pub(crate) fn root(&self) -> &File {
        &self.inner.root
    }

    /// A tree is saved that is large enough to tidy up for.
    pub(crate) fn note_much(&self) {
        self.inner.much.store(true, Ordering::Relaxed);
    }

    /// Whether there was such a tree.
    pub(crate) fn saved_much(&self) -> bool {
        self.inner.much.load(Ordering::Relaxed)
    }

    pub(crate) fn settle_error(&self) -> MutexGuard<'_, Option<StoreError>> {
        let slot = self.inner.settle_error.lock();
        slot.unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the index.
    pub(crate) fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.with_connection(|connection| query(connection))
    }

    /// Changes the index in one transaction that is durable when this returns.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.transaction("FULL", change)
    }

    /// Changes the index in one transaction that a power cut may undo, but not tear.
    ///
    /// For rows that describe files not yet synced: see [`Store::settle`].
    pub(crate) fn write_unsettled<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        self.transaction("NORMAL", change)
    }

    /// This handle's owner. The first call also sweeps what dead owners left in staging.
    pub(crate) fn owner(&self) -> Result<Arc<Owner>> {
        let mut slot = self
            .inner
            .owner
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = &*slot {
            return Ok(owner.clone());
        }
        owner::sweep_staging(self.layout())?;
        let owner = Arc::new(Owner::new(self.layout())?);
        *slot = Some(owner.clone());
        Ok(owner)
    }

    /// Names this boot of the machine; empty where the system does not say.
    pub(crate) fn boot(&self) -> &str {
        self.inner.boot.get_or_init(|| {
            let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
            text.trim().to_owned()
        })
    }

    /// Pretends the machine was started anew.
    #[cfg(test)]
    pub(crate) fn with_boot(directory: &Path, boot: &str) -> Self {
        let store = Self::open(directory).expect("the store opens");
        store
            .inner
            .boot
            .set(boot.to_owned())
            .expect("the boot was not asked yet");
        store
    }

    /// Renames a directory to the trash; a sweep deletes it later.
    pub(crate) fn throw_away(&self, path: &Path) -> Result<()> {
        let name = format!("{}-{}", std::process::id(), owner::random_word());
        let away = self.layout().trash().join(name);
        owner::ignore_missing(fs::rename(path, &away)).at("move to the trash", path)
    }

    fn transaction<T>(
        &self,
        synchronous: &str,
        change: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        self.with_connection(|connection| {
            connection.pragma_update(None, "synchronous", synchronous)?;
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = change(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
    }

    fn with_connection<T>(&self, use_it: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let mut slot = self
            .inner
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let connection = match &mut *slot {
            Some(connection) => connection,
            empty => empty.insert(index::open(self.layout())?),
        };
        use_it(connection)
    }
}
