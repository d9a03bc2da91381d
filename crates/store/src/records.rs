//! Records appended to one file: the events of a run, and its short job logs.
//!
//! A record is its length (u32), the first eight bytes of the BLAKE3 of its offset and content,
//! and the content; numbers are little-endian. The offset in the sum makes old bytes that happen
//! to lie behind a cut no record. A crash can tear only the tail: the next writer cuts it off and
//! keeps the bytes in `NAME.torn` beside it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{IoContext, Result, StoreError};

const HEAD: u64 = 12;
/// A longer record is damage; events are small.
const LONGEST: u32 = 1 << 26;
/// Appended bytes beyond this are handed to the kernel by themselves.
const BUFFER: usize = 1 << 16;

/// The only writer of a file of records.
#[derive(Debug)]
pub(crate) struct RecordWriter {
    file: File,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Where the buffer will be written.
    offset: u64,
}

/// Reads records, also while another process writes them.
#[derive(Debug)]
pub struct RecordReader {
    input: BufReader<File>,
    path: PathBuf,
    offset: u64,
}

/// What a reader finds next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextRecord {
    /// A whole record.
    Record(Vec<u8>),
    /// No more yet: ask again to follow a live run.
    End,
    /// What follows is no record: a crash tore it. The next writer cuts it off.
    Torn,
}

impl RecordWriter {
    /// Goes on with a file that is open to read and write, cutting off a torn tail.
    pub(crate) fn go_on(mut file: File, path: PathBuf) -> Result<Self> {
        let offset = cut_torn_tail(&mut file, &path)?;
        Ok(Self {
            file,
            path,
            buffer: Vec::new(),
            offset,
        })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a record, given in parts; readers see it after the next [`RecordWriter::flush`].
    pub(crate) fn append(&mut self, parts: &[&[u8]]) -> Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(length)
            .ok()
            .filter(|length| *length <= LONGEST);
        let Some(length) = length else {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "the record is too long");
            return Err(StoreError::io("append to", &self.path, error));
        };
        let offset = self.offset + self.buffer.len() as u64;
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.extend_from_slice(&checksum(offset, parts));
        for part in parts {
            self.buffer.extend_from_slice(part);
        }
        if self.buffer.len() >= BUFFER {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Shows what was appended to readers, without waiting for the disk.
    pub(crate) fn flush(&mut self) -> Result<()> {
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
}

impl RecordReader {
    pub(crate) fn new(file: File, path: PathBuf) -> Self {
        Self {
            input: BufReader::new(file),
            path,
            offset: 0,
        }
    }

    /// The next record, or why there is none.
    pub fn next_record(&mut self) -> Result<NextRecord> {
        let end = self
            .input
            .get_ref()
            .metadata()
            .at("inspect", &self.path)?
            .len();
        let Some((length, sum)) = self.head(end)? else {
            return Ok(NextRecord::End);
        };
        if length > LONGEST {
            return self.back(NextRecord::Torn);
        }
        if self.offset + HEAD + u64::from(length) > end {
            return self.back(NextRecord::End);
        }
        let mut record = vec![0; length as usize];
        self.input.read_exact(&mut record).at("read", &self.path)?;
        if checksum(self.offset, &[&record]) != sum {
            return self.back(NextRecord::Torn);
        }
        self.offset += HEAD + u64::from(length);
        Ok(NextRecord::Record(record))
    }

    /// All whole records from here to the present end.
    pub fn drain(&mut self) -> Result<Vec<Vec<u8>>> {
        let mut records = Vec::new();
        while let NextRecord::Record(record) = self.next_record()? {
            records.push(record);
        }
        Ok(records)
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
    fn back(&mut self, answer: NextRecord) -> Result<NextRecord> {
        self.input
            .seek(SeekFrom::Start(self.offset))
            .at("seek in", &self.path)?;
        Ok(answer)
    }
}

fn checksum(offset: u64, parts: &[&[u8]]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&offset.to_le_bytes());
    for part in parts {
        hasher.update(part);
    }
    let mut sum = [0; 8];
    hasher.finalize_xof().fill(&mut sum);
    sum
}

/// Positions the file at the end of its last whole record, with nothing behind.
fn cut_torn_tail(file: &mut File, path: &Path) -> Result<u64> {
    let input = file.try_clone().at("duplicate", path)?;
    let mut reader = RecordReader::new(input, path.to_owned());
    while let NextRecord::Record(_) = reader.next_record()? {}
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
