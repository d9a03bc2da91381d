//! Caches that are shared with other machines, as a run sees them.

use tidegate_store::Entry;

/// Where jobs look for caches this machine does not have, and where they put what they save. The binary says what it is.
///
/// All methods block, for a bounded time, on the thread of the job that waits.
pub trait RemoteCaches: Send + Sync {
    /// Whether there is a cache of this final key; the reason where that cannot be told.
    fn is_present(&self, key: &str) -> Result<bool, String>;

    /// Brings the cache of this final key into the store, under the same key and the project of the run; what to tell of it in the
    /// log of the job, or `None` where there is no such cache.
    fn fetch(&self, key: &str) -> Result<Option<String>, String>;

    /// Brings what is there under the key of an entry of this machine into the store, if it was put there since; what to tell of it
    /// in the log of the job, or `None` where the entry is the newest that is known. A run asks once for each key; what it saves
    /// itself is not replaced any more.
    fn renew(&self, entry: &Entry) -> Result<Option<String>, String>;

    /// Whether jobs put there what they save.
    fn takes(&self) -> bool;

    /// Puts an entry of the store there, which is leased, unless `stop` says that nobody waits any more; what to tell of it in the
    /// log of the job.
    fn keep(&self, entry: &Entry, stop: &(dyn Fn() -> bool + Sync)) -> Result<String, String>;
}
