//! Reading job logs, also while another process writes them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{LogName, SHORT_FILE, open_if_there, packed_path};
use crate::Store;
use crate::error::{IoContext, Result};
use crate::records::{NextRecord, RecordReader};
use crate::run::RunId;

/// The job logs of a run. Its readers share what is known of where the short ones lie.
#[derive(Clone, Debug)]
pub struct JobLogsReader {
    directory: Arc<Path>,
    short: Arc<Mutex<ShortLogs>>,
}

/// Reads a job log, packed or still growing. At the end of a growing one, read again later.
#[derive(Debug)]
pub struct JobLogReader {
    logs: JobLogsReader,
    log: LogName,
    place: InShort,
    /// The file the log goes on in, once all that lies among the short ones is read.
    own: Option<Own>,
}

/// How far a reader is among the short logs.
#[derive(Clone, Copy, Default, Debug)]
struct InShort {
    /// So many pieces are read,
    pieces: usize,
    /// and so many bytes of the next.
    bytes: u64,
}

enum Own {
    Plain(File),
    Packed(Box<zstd::Decoder<'static, io::BufReader<File>>>),
}

/// Where the pieces of each log lie in the file of the short ones.
#[derive(Debug, Default)]
struct ShortLogs {
    opened: Option<(RecordReader, File)>,
    pieces: HashMap<LogName, Vec<Piece>>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    offset: u64,
    length: u64,
}

impl Store {
    /// The logs of a run to read.
    pub fn read_job_logs(&self, run: RunId) -> JobLogsReader {
        JobLogsReader {
            directory: self.logs_of(run).into(),
            short: Arc::default(),
        }
    }
}

impl JobLogsReader {
    /// Opens a log; `None`: the attempt (from 1) of the job has written none.
    pub fn open(&self, job: u64, attempt: u32) -> Result<Option<JobLogReader>> {
        let log = LogName { job, attempt };
        let path = log.own(&self.directory);
        let is_long = path.exists() || packed_path(&path).exists();
        let is_there = is_long || {
            let mut short = self.short();
            short.refresh(&self.directory)?;
            short.count(log) > 0
        };
        Ok(is_there.then(|| JobLogReader {
            logs: self.clone(),
            log,
            place: InShort::default(),
            own: None,
        }))
    }

    fn short(&self) -> MutexGuard<'_, ShortLogs> {
        self.short.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ShortLogs {
    fn count(&self, log: LogName) -> usize {
        self.pieces.get(&log).map_or(0, Vec::len)
    }

    /// Learns of what was written since the last time.
    fn refresh(&mut self, directory: &Path) -> Result<()> {
        let path = directory.join(SHORT_FILE);
        if self.opened.is_none() {
            let Some(file) = open_if_there(&path)? else {
                return Ok(());
            };
            let pieces = file.try_clone().at("duplicate", &path)?;
            self.opened = Some((RecordReader::new(file, path), pieces));
        }
        let Some((reader, _)) = &mut self.opened else {
            return Ok(());
        };
        // What a crash tore is cut off by who goes on with the run.
        while let NextRecord::Record(record) = reader.next_record()? {
            if let Some((log, bytes)) = LogName::parsed(&record) {
                let length = bytes.len() as u64;
                let offset = reader.position() - length;
                let pieces = self.pieces.entry(log).or_default();
                pieces.push(Piece { offset, length });
            }
        }
        Ok(())
    }

    /// Reads on from `place` in the pieces known; nothing at the end of them.
    fn read(&self, log: LogName, place: &mut InShort, buffer: &mut [u8]) -> io::Result<usize> {
        let (Some(pieces), Some((_, file))) = (self.pieces.get(&log), &self.opened) else {
            return Ok(0);
        };
        while let Some(piece) = pieces.get(place.pieces) {
            let left = usize::try_from(piece.length - place.bytes).unwrap_or(usize::MAX);
            let room = left.min(buffer.len());
            let count = match buffer.get_mut(..room) {
                Some(buffer) => file.read_at(buffer, piece.offset + place.bytes)?,
                None => 0,
            };
            if count > 0 {
                place.bytes += count as u64;
                return Ok(count);
            }
            (place.pieces, place.bytes) = (place.pieces + 1, 0);
        }
        Ok(0)
    }
}

impl Read for JobLogReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if let Some(own) = &mut self.own {
            return own.read(buffer);
        }
        let (log, directory) = (self.log, &self.logs.directory);
        let mut short = self.logs.short();
        match short.read(log, &mut self.place, buffer)? {
            0 => {}
            count => return Ok(count),
        }
        // Asked before the file of the short ones is: a log gets a file of its own after its last piece there.
        let own = Own::open(&log.own(directory))?;
        short.refresh(directory).map_err(io::Error::other)?;
        match (short.read(log, &mut self.place, buffer)?, own) {
            (0, Some(own)) => self.own.insert(own).read(buffer),
            (count, _) => Ok(count),
        }
    }
}

impl Own {
    fn open(plain: &Path) -> io::Result<Option<Self>> {
        let packed = packed_path(plain);
        // Packing renames the packed one into place before it removes the plain one.
        if let Some(file) = open_if_there(plain).map_err(io::Error::other)? {
            return Ok(Some(Self::Plain(file)));
        }
        let Some(file) = open_if_there(&packed).map_err(io::Error::other)? else {
            return Ok(None);
        };
        Ok(Some(Self::Packed(Box::new(zstd::Decoder::new(file)?))))
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Packed(decoder) => decoder.read(buffer),
        }
    }
}

impl std::fmt::Debug for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Packed(_) => "Packed",
        })
    }
}
