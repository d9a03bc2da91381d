//! Job logs: plain files while they grow, zstd when their run is over.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::Store;
use crate::error::{IoContext, Result, StoreError};
use crate::run::RunId;

/// Appends to the log of one attempt of a job.
#[derive(Debug)]
pub struct JobLogWriter {
    file: File,
    path: PathBuf,
}

/// Reads a job log, packed or still growing. At the end of a growing one, read again later.
#[derive(Debug)]
pub struct JobLogReader {
    source: Source,
}

enum Source {
    Plain(File),
    Packed(Box<zstd::Decoder<'static, io::BufReader<File>>>),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Packed(_) => "Packed",
        })
    }
}

impl Store {
    /// Opens the log of an attempt (from 1) of a job, by its id, to append.
    pub fn append_job_log(&self, run: RunId, job: u64, attempt: u32) -> Result<JobLogWriter> {
        let path = self.job_log_path(run, job, attempt);
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .at("open", &path)?;
        Ok(JobLogWriter { file, path })
    }

    /// Opens a log to read; `None`: the attempt has written none.
    pub fn read_job_log(&self, run: RunId, job: u64, attempt: u32) -> Result<Option<JobLogReader>> {
        let plain = self.job_log_path(run, job, attempt);
        let packed = packed_path(&plain);
        // Packing renames the packed one into place before it removes the plain one.
        if let Some(file) = open_if_there(&plain)? {
            return Ok(Some(JobLogReader {
                source: Source::Plain(file),
            }));
        }
        let Some(file) = open_if_there(&packed)? else {
            return Ok(None);
        };
        let decoder = zstd::Decoder::new(file).at("read", &packed)?;
        Ok(Some(JobLogReader {
            source: Source::Packed(Box::new(decoder)),
        }))
    }

    /// Packs the logs of a run that is over; returns how many.
    ///
    /// Refused with [`StoreError::RunBusy`] while a process writes the run.
    pub fn pack_job_logs(&self, run: RunId) -> Result<usize> {
        let _lock = self.lock_run(run)?;
        let directory = self.layout().run(run.0).join("logs");
        let mut packed = 0;
        for entry in fs::read_dir(&directory).at("list", &directory)? {
            let path = entry.at("list", &directory)?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                pack(&path)?;
                packed += 1;
            }
        }
        Ok(packed)
    }

    fn job_log_path(&self, run: RunId, job: u64, attempt: u32) -> PathBuf {
        self.layout()
            .run(run.0)
            .join("logs")
            .join(format!("{job}.{attempt}.log"))
    }
}

impl JobLogWriter {
    /// Appends bytes; readers see them when this returns.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).at("append to", &self.path)
    }

    /// Waits until everything is on the disk.
    pub fn commit(&mut self) -> Result<()> {
        self.file.sync_data().at("sync", &self.path)
    }
}

impl JobLogReader {
    /// Goes on from this byte of the unpacked log.
    pub fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        match &mut self.source {
            Source::Plain(file) => file.seek(SeekFrom::Start(offset)).map(drop),
            Source::Packed(decoder) => {
                io::copy(&mut decoder.by_ref().take(offset), &mut io::sink()).map(drop)
            }
        }
    }
}

impl Read for JobLogReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.source {
            Source::Plain(file) => file.read(buffer),
            Source::Packed(decoder) => decoder.read(buffer),
        }
    }
}

fn pack(plain: &Path) -> Result<()> {
    let target = packed_path(plain);
    let temporary = target.with_extension("tmp");
    let mut input = File::open(plain).at("open", plain)?;
    let output = File::create(&temporary).at("create", &temporary)?;
    let mut encoder = zstd::Encoder::new(output, 3).at("write", &temporary)?;
    io::copy(&mut input, &mut encoder).at("write", &temporary)?;
    let output = encoder.finish().at("write", &temporary)?;
    output.sync_all().at("sync", &temporary)?;
    fs::rename(&temporary, &target).at("rename", &target)?;
    fs::remove_file(plain).at("remove", plain)
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
