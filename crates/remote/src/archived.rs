//! The format of GitLab's runner: one zip under the name a runner gives it.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use tidegate_store::Entry;

use crate::chunked::Sent;
use crate::error::{At, RemoteError, Result};
use crate::name::Naming;
use crate::objects::{Objects, Stop};
use crate::pack::pack_source;
use crate::place::{Limits, Unpacked};
use crate::source::Source;
use crate::unpack::unpack;

/// Caches of a project as its runners keep them.
pub(crate) struct Archived<'a> {
    pub(crate) objects: &'a dyn Objects,
    pub(crate) naming: &'a Naming,
}

impl Archived<'_> {
    /// Packs an entry of the store in the directory `scratch` and sends it. With what travelled, the version of the archive.
    pub(crate) fn keep(
        &self,
        entry: &Entry,
        scratch: &Path,
        stop: Stop<'_>,
    ) -> Result<(Sent, Option<String>)> {
        let name = self.naming.runner_object(&entry.key)?;
        let mut file = scratch_file(scratch, "packed")?;
        let mut buffered = BufWriter::new(&mut file);
        pack_source(&Source::of_entry(entry)?, &mut buffered)?;
        buffered.flush().at("write", scratch)?;
        drop(buffered);
        let written = self.objects.upload(&name, &mut file, &entry.key, stop)?;
        let sent = Sent {
            objects: 1,
            known: 0,
            bytes: written.bytes,
        };
        Ok((sent, written.version))
    }

    /// Unpacks the cache of a key into the empty directory `into`, by way of the directory `scratch`; with it, how many bytes
    /// travelled.
    pub(crate) fn fetch(
        &self,
        key: &str,
        into: &Path,
        scratch: &Path,
        limits: Limits,
    ) -> Result<Option<(Unpacked, u64)>> {
        let name = self.naming.runner_object(key)?;
        let mut file = scratch_file(scratch, "fetched")?;
        let Some(bytes) = self.objects.download(&name, &mut file, limits.bytes)? else {
            return Ok(None);
        };
        refuse_other_formats(key, &mut file)?;
        let unpacked = unpack(BufReader::new(file), into, limits)?;
        Ok(Some((unpacked, bytes)))
    }
}

/// Tells the runner's other formats by how they begin (reference `runner.md` §4.2).
fn refuse_other_formats(key: &str, file: &mut File) -> Result<()> {
    let mut magic = [0; 4];
    file.rewind().at("read", Path::new("the fetched cache"))?;
    // What is shorter is no zip either, which is told when it is unpacked.
    let _ = file.read(&mut magic);
    file.rewind().at("read", Path::new("the fetched cache"))?;
    let other = match magic {
        [0x28, 0xb5, 0x2f, 0xfd] => "tar and zstd (CACHE_COMPRESSION_FORMAT: tarzstd)",
        [0x1f, 0x8b, ..] => "gzip",
        _ => return Ok(()),
    };
    Err(RemoteError::Failed(format!(
        "the cache `{key}` is packed with {other}; only zip is read here"
    )))
}

fn scratch_file(scratch: &Path, name: &str) -> Result<File> {
    let path = scratch.join(name);
    File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(&path)
        .at("create", &path)
}
