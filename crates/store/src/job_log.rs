//! Job logs of a run. What each begins with goes to one file for all, `logs/short`; a log that gets longer goes on in a file of its
//! own, packed by zstd when its run is over.
//!
//! Most logs are short, and making a file can cost a short job as much as its script: ext4 without a journal seeks each new one
//! among all that were deleted in the last minutes.
//!
//! A record of `logs/short` is the place of the job (u64) and the attempt (u32), little-endian, and the next bytes of that log.

mod read;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use read::{JobLogReader, JobLogsReader};

use crate::Store;
use crate::error::{IoContext, Result, StoreError};
use crate::records::RecordWriter;
use crate::run::RunId;

/// So many bytes of a log lie among the short ones; what a writer would add beyond them begins a file.
const SHORT: usize = 8 << 10;
const SHORT_FILE: &str = "short";

/// The job logs of a run, for its only writer.
#[derive(Clone, Debug)]
pub struct JobLogs {
    of_run: Arc<LogsOfRun>,
}

#[derive(Debug)]
struct LogsOfRun {
    directory: PathBuf,
    /// Opened when the first job says something.
    short: Mutex<Option<RecordWriter>>,
}

/// Appends to the log of one attempt of a job.
#[derive(Debug)]
pub struct JobLogWriter {
    of_run: Arc<LogsOfRun>,
    log: LogName,
    /// What this writer put among the short logs, bytes.
    short: usize,
    own: Option<(File, PathBuf)>,
}

/// The attempt of a job, both as numbers the caller gives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct LogName {
    job: u64,
    attempt: u32,
}

impl Store {
    /// The logs of a run to append to; only who holds its event log does.
    pub fn job_logs(&self, run: RunId) -> JobLogs {
        JobLogs {
            of_run: Arc::new(LogsOfRun {
                directory: self.logs_of(run),
                short: Mutex::default(),
            }),
        }
    }

    /// Packs the long logs of a run that is over; returns how many.
    ///
    /// Refused with [`StoreError::RunBusy`] while a process writes the run.
    pub fn pack_job_logs(&self, run: RunId) -> Result<usize> {
        let _lock = self.lock_run(run)?;
        let directory = self.logs_of(run);
        let listed = match fs::read_dir(&directory) {
            // No job of it began.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            listed => listed.at("list", &directory)?,
        };
        let mut packed = 0;
        for entry in listed {
            let path = entry.at("list", &directory)?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                pack(&path)?;
                packed += 1;
            }
        }
        Ok(packed)
    }

    /// Packs the long logs of all runs that are over, for at most `patience`; returns how many.
    pub fn pack_logs_of_ended_runs(&self, patience: Duration) -> Result<usize> {
        let until = Instant::now() + patience;
        let ended: Vec<i64> = self.read(|connection| {
            let mut query = connection
                .prepare_cached("SELECT id FROM runs WHERE finished IS NOT NULL ORDER BY id")?;
            let ids = query.query_map([], |row| row.get(0))?;
            Ok(ids.collect::<rusqlite::Result<_>>()?)
        })?;
        let mut packed = 0;
        for id in ended {
            if Instant::now() >= until {
                break;
            }
            match self.pack_job_logs(RunId(id.unsigned_abs())) {
                // Somebody has just gone on with it, or removed it.
                Err(StoreError::RunBusy { .. } | StoreError::Gone { .. }) => {}
                done => packed += done?,
            }
        }
        Ok(packed)
    }

    fn logs_of(&self, run: RunId) -> PathBuf {
        self.layout().run(run.0).join("logs")
    }
}

impl JobLogs {
    /// The log of an attempt (from 1) of a job, by its place in the pipeline, to append to.
    pub fn append_to(&self, job: u64, attempt: u32) -> Result<JobLogWriter> {
        let log = LogName { job, attempt };
        let of_run = Arc::clone(&self.of_run);
        let own = log.own(&of_run.directory);
        // Somebody goes on with a log that is long already.
        let is_long = own.exists() || packed_path(&own).exists();
        let own = is_long.then(|| open_own(own)).transpose()?;
        Ok(JobLogWriter {
            of_run,
            log,
            short: 0,
            own,
        })
    }
}

impl LogsOfRun {
    fn append_short(&self, log: LogName, bytes: &[u8]) -> Result<()> {
        let mut short = self.short.lock().unwrap_or_else(PoisonError::into_inner);
        let records = match short.take() {
            Some(records) => records,
            None => open_short(&self.directory)?,
        };
        let records = short.insert(records);
        records.append(&[&log.job.to_le_bytes(), &log.attempt.to_le_bytes(), bytes])?;
        records.flush()
    }
}

impl LogName {
    /// The log a record of `logs/short` belongs to, and what it adds to it.
    fn parsed(record: &[u8]) -> Option<(Self, &[u8])> {
        let (job, rest) = record.split_first_chunk()?;
        let (attempt, bytes) = rest.split_first_chunk()?;
        let (job, attempt) = (u64::from_le_bytes(*job), u32::from_le_bytes(*attempt));
        Some((Self { job, attempt }, bytes))
    }

    fn own(self, directory: &Path) -> PathBuf {
        directory.join(format!("{}.{}.log", self.job, self.attempt))
    }
}

impl JobLogWriter {
    /// Appends bytes; readers see them when this returns.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        if self.own.is_none() && self.short + bytes.len() <= SHORT {
            self.short += bytes.len();
            return self.of_run.append_short(self.log, bytes);
        }
        let own = match self.own.take() {
            Some(own) => own,
            None => open_own(self.log.own(&self.of_run.directory))?,
        };
        let (file, path) = self.own.insert(own);
        file.write_all(bytes).at("append to", path)
    }
}

fn open_short(directory: &Path) -> Result<RecordWriter> {
    let path = directory.join(SHORT_FILE);
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(&path).at("open", &path)?;
    RecordWriter::go_on(file, path)
}

fn open_own(path: PathBuf) -> Result<(File, PathBuf)> {
    unpack(&path)?;
    let mut options = File::options();
    let file = options
        .create(true)
        .append(true)
        .open(&path)
        .at("open", &path)?;
    Ok((file, path))
}

fn pack(plain: &Path) -> Result<()> {
    let target = packed_path(plain);
    let temporary = target.with_extension("tmp");
    let mut input = File::open(plain).at("open", plain)?;
    let output = File::create(&temporary).at("create", &temporary)?;
    let mut encoder = zstd::Encoder::new(output, 3).at("write", &temporary)?;
    io::copy(&mut input, &mut encoder).at("write", &temporary)?;
    let output = encoder.finish().at("write", &temporary)?;
    replace(output, &temporary, &target)?;
    fs::remove_file(plain).at("remove", plain)
}

/// Makes a packed log one that can be appended to.
fn unpack(plain: &Path) -> Result<()> {
    let packed = packed_path(plain);
    let input = match (plain.exists(), open_if_there(&packed)?) {
        (false, Some(input)) => input,
        // Packing puts the packed one in place before it removes the plain one: that is whole.
        _ => return Ok(()),
    };
    let temporary = plain.with_extension("log.tmp");
    let mut input = zstd::Decoder::new(input).at("read", &packed)?;
    let mut output = File::create(&temporary).at("create", &temporary)?;
    io::copy(&mut input, &mut output).at("write", &temporary)?;
    replace(output, &temporary, plain)
}

fn replace(written: File, temporary: &Path, target: &Path) -> Result<()> {
    written.sync_all().at("sync", temporary)?;
    fs::rename(temporary, target).at("rename", target)
}

fn packed_path(plain: &Path) -> PathBuf {
    plain.with_extension("log.zst")
}

fn open_if_there(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io("open", path, error)),
    }
}
