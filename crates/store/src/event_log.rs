//! The event log of a run: records appended to one file, `runs/ID/events`, whose lock says that the run is live.

mod syncer;

use std::fs::{File, TryLockError};
use std::io;
use std::time::Duration;

use crate::Store;
use crate::error::{IoContext, Result, StoreError};
use crate::records::{RecordReader, RecordWriter};
use crate::run::RunId;
use syncer::Syncer;

/// [`Store::is_run_live`] holds the lock for an instant; a writer tries for longer than that.
const PROBES: u32 = 5;
const PROBE: Duration = Duration::from_millis(4);

/// The only writer of a run. Its lock says that the run is live.
#[derive(Debug)]
pub struct RunLog {
    records: RecordWriter,
    /// From the first [`RunLog::commit_soon`] on.
    syncer: Option<Syncer>,
}

impl Store {
    /// Opens the event log of a run to append, cutting off a torn tail.
    ///
    /// Fails with [`StoreError::RunBusy`] while another one has it open.
    pub fn open_run_log(&self, run: RunId) -> Result<RunLog> {
        let path = self.layout().run(run.0).join("events");
        let file = self.lock_run(run)?;
        Ok(RunLog {
            records: RecordWriter::go_on(file, path)?,
            syncer: None,
        })
    }

    /// Opens the event log of a run to read from its beginning.
    pub fn read_run_log(&self, run: RunId) -> Result<RecordReader> {
        let path = self.layout().run(run.0).join("events");
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Gone {
                    what: format!("run {run}"),
                });
            }
            other => other.at("open", &path)?,
        };
        Ok(RecordReader::new(file, path))
    }

    /// Takes the lock of a run, waiting out those who only probe for it.
    pub(crate) fn lock_run(&self, run: RunId) -> Result<File> {
        for _ in 0..PROBES {
            match self.try_lock_run(run) {
                Err(StoreError::RunBusy { .. }) => std::thread::sleep(PROBE),
                other => return other,
            }
        }
        self.try_lock_run(run)
    }

    pub(crate) fn try_lock_run(&self, run: RunId) -> Result<File> {
        let path = self.layout().run(run.0).join("events");
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let file = match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Gone {
                    what: format!("run {run}"),
                });
            }
            other => other.at("open", &path)?,
        };
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(StoreError::RunBusy { run: run.0 }),
            Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &path, error)),
        }
    }
}

impl RunLog {
    /// Adds a record. It is durable after the next [`RunLog::commit`].
    pub fn append(&mut self, event: &[u8]) -> Result<()> {
        self.records.append(&[event])
    }

    /// Shows what was appended to readers, without waiting for the disk.
    pub fn flush(&mut self) -> Result<()> {
        self.records.flush()
    }

    /// Makes everything appended durable: one sync for all records since the last.
    pub fn commit(&mut self) -> Result<()> {
        self.flush()?;
        self.records
            .file()
            .sync_data()
            .at("sync", self.records.path())?;
        let earlier = self.syncer.as_ref().map_or(Ok(()), Syncer::outcome);
        earlier.at("sync", self.records.path())
    }

    /// Makes everything appended durable within moments, without waiting for it; a crash of this process loses nothing of it.
    ///
    /// Records that come close behind each other share a sync. Fails when an earlier one did.
    pub fn commit_soon(&mut self) -> Result<()> {
        self.flush()?;
        let syncer = match self.syncer.take() {
            Some(syncer) => syncer,
            None => Syncer::start(self.records.file()).at("sync", self.records.path())?,
        };
        self.syncer
            .insert(syncer)
            .ask()
            .at("sync", self.records.path())
    }
}

impl Drop for RunLog {
    fn drop(&mut self) {
        // Who needs to know whether it arrived calls `commit`.
        let _ = self.flush();
    }
}
