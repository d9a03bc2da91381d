//! The event log of a run: records appended to one file, `runs/ID/events`.
//!
//! A record is its length (u32), the first eight bytes of the BLAKE3 of its offset and content,
//! and the content; numbers are little-endian. The offset in the sum makes old bytes that happen
//! to lie behind a cut no record. A crash can tear only the tail: the next writer cuts it off and
//! keeps the bytes in `events.torn` beside it.

mod syncer;

use std::fs::{File, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::Store;
use crate::error::{IoContext, Result, StoreError};
use crate::run::RunId;
use syncer::Syncer;

const HEAD: u64 = 12;
/// A longer record is damage; events are small.
const LONGEST: u32 = 1 << 26;
/// Appended bytes beyond this are handed to the kernel without waiting for a commit.
const BUFFER: usize = 1 << 16;

/// [`Store::is_run_live`] holds the lock for an instant; a writer tries for longer than that.
const PROBES: u32 = 5;
const PROBE: Duration = Duration::from_millis(4);

/// The only writer of a run. Its lock says that the run is live.
#[derive(Debug)]
pub struct RunLog {
    file: File,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Where the buffer will be written.
    offset: u64,
    /// From the first [`RunLog::commit_soon`] on.
    syncer: Option<Syncer>,
}

/// Reads a run's events, also while another process writes them.
#[derive(Debug)]
pub struct EventReader {
    input: BufReader<File>,
    path: PathBuf,
    offset: u64,
}

/// What a reader finds next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextEvent {
    /// A whole record.
    Event(Vec<u8>),
    /// No more yet: ask again to follow a live run.
    End,
    /// What follows is no record: a crash tore it. The next writer cuts it off.
    Torn,
}

impl Store {
    /// Opens the event log of a run to append, cutting off a torn tail.
    ///
    /// Fails with [`StoreError::RunBusy`] while another one has it open.
    pub fn open_run_log(&self, run: RunId) -> Result<RunLog> {
        let path = self.layout().run(run.0).join("events");
        let mut file = self.lock_run(run)?;
        let offset = cut_torn_tail(&mut file, &path)?;
        Ok(RunLog {
            file,
            path,
            buffer: Vec::new(),
            offset,
            syncer: None,
        })
    }

    /// Opens the event log of a run to read from its beginning.
    pub fn read_run_log(&self, run: RunId) -> Result<EventReader> {
        let path = self.layout().run(run.0).join("events");
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Gone {
                    what: format!("run {run}"),
                });
            }
            other => other.at("open", &path)?,
        };
        Ok(EventReader {
            input: BufReader::new(file),
            path,
            offset: 0,
        })
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
        let length = u32::try_from(event.len())
            .ok()
            .filter(|length| *length <= LONGEST);
        let Some(length) = length else {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "the event is too long");
            return Err(StoreError::io("append to", &self.path, error));
        };
        let offset = self.offset + self.buffer.len() as u64;
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.extend_from_slice(&checksum(offset, event));
        self.buffer.extend_from_slice(event);
        if self.buffer.len() >= BUFFER {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Shows what was appended to readers, without waiting for the disk.
    pub fn flush(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(&self.buffer) {
            // Half a record must not stay in front of the next one. If even this fails, the
            // position is wrong and every further write says so.
            self.file.set_len(self.offset).at("cut", &self.path)?;
            self.file
                .seek(SeekFrom::Start(self.offset))
                .at("seek in", &self.path)?;
            return Err(StoreError::io("append to", &self.path, error));
        }
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Makes everything appended durable: one sync for all records since the last.
    pub fn commit(&mut self) -> Result<()> {
        self.flush()?;
        self.file.sync_data().at("sync", &self.path)?;
        let earlier = self.syncer.as_ref().map_or(Ok(()), Syncer::outcome);
        earlier.at("sync", &self.path)
    }

    /// Makes everything appended durable within moments, without waiting for it; a crash of this process loses nothing of it.
    ///
    /// Records that come close behind each other share a sync. Fails when an earlier one did.
    pub fn commit_soon(&mut self) -> Result<()> {
        self.flush()?;
        let syncer = match self.syncer.take() {
            Some(syncer) => syncer,
            None => Syncer::start(&self.file).at("sync", &self.path)?,
        };
        self.syncer.insert(syncer).ask().at("sync", &self.path)
    }
}

impl Drop for RunLog {
    fn drop(&mut self) {
        // Who needs to know whether it arrived calls `commit`.
        let _ = self.flush();
    }
}

impl EventReader {
    /// The next record, or why there is none.
    pub fn next_event(&mut self) -> Result<NextEvent> {
        let end = self
            .input
            .get_ref()
            .metadata()
            .at("inspect", &self.path)?
            .len();
        let Some((length, sum)) = self.head(end)? else {
            return Ok(NextEvent::End);
        };
        if length > LONGEST {
            return self.back(NextEvent::Torn);
        }
        if self.offset + HEAD + u64::from(length) > end {
            return self.back(NextEvent::End);
        }
        let mut event = vec![0; length as usize];
        self.input.read_exact(&mut event).at("read", &self.path)?;
        if checksum(self.offset, &event) != sum {
            return self.back(NextEvent::Torn);
        }
        self.offset += HEAD + u64::from(length);
        Ok(NextEvent::Event(event))
    }

    /// All whole records from here to the present end.
    pub fn drain(&mut self) -> Result<Vec<Vec<u8>>> {
        let mut events = Vec::new();
        while let NextEvent::Event(event) = self.next_event()? {
            events.push(event);
        }
        Ok(events)
    }

    /// Bytes of whole records read so far.
    pub fn position(&self) -> u64 {
        self.offset
    }

    fn head(&mut self, end: u64) -> Result<Option<(u32, [u8; 8])>> {
        if self.offset + HEAD > end {
            return Ok(None);
        }
        let mut length = [0; 4];
        let mut sum = [0; 8];
        self.input.read_exact(&mut length).at("read", &self.path)?;
        self.input.read_exact(&mut sum).at("read", &self.path)?;
        Ok(Some((u32::from_le_bytes(length), sum)))
    }

    /// Returns to the record's beginning: a live writer may yet finish, or cut and rewrite, it.
    fn back(&mut self, answer: NextEvent) -> Result<NextEvent> {
        self.input
            .seek(SeekFrom::Start(self.offset))
            .at("seek in", &self.path)?;
        Ok(answer)
    }
}

fn checksum(offset: u64, event: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&offset.to_le_bytes());
    hasher.update(event);
    let mut sum = [0; 8];
    hasher.finalize_xof().fill(&mut sum);
    sum
}

/// Positions the file at the end of its last whole record, with nothing behind.
fn cut_torn_tail(file: &mut File, path: &std::path::Path) -> Result<u64> {
    let input = file.try_clone().at("duplicate", path)?;
    let mut reader = EventReader {
        input: BufReader::new(input),
        path: path.to_owned(),
        offset: 0,
    };
    while let NextEvent::Event(_) = reader.next_event()? {}
    let good = reader.offset;
    file.seek(SeekFrom::Start(good)).at("seek in", path)?;
    let mut torn = Vec::new();
    file.read_to_end(&mut torn).at("read", path)?;
    if !torn.is_empty() {
        let beside = path.with_extension("torn");
        let mut keep = File::options()
            .create(true)
            .append(true)
            .open(&beside)
            .at("open", &beside)?;
        keep.write_all(&torn)
            .and_then(|()| keep.sync_data())
            .at("write", &beside)?;
        file.set_len(good).at("cut", path)?;
        file.sync_data().at("sync", path)?;
        file.seek(SeekFrom::Start(good)).at("seek in", path)?;
    }
    Ok(good)
}
