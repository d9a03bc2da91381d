//! The index of a cache in our own format: what the tree consists of, and which chunks its contents are.
//!
//! ```text
//! "tidegate-remote 1\n"
//! BLAKE3 of all that follows, 32 bytes
//! key, note (each u32 length, bytes); files, bytes (u64 each)
//! zstd frame: chunks (u32 count; digest, u32 length each), paths (u32 count; see `write_item`)
//! ```
//!
//! Numbers are little-endian. The contents of all files, in the order of the paths, are one stream; the chunks are its pieces.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use tidegate_store::safe_path;

use crate::source::{Item, ItemKind};

const MAGIC: &[u8] = b"tidegate-remote 1\n";
/// No path, key or note is longer.
const LONGEST_TEXT: u32 = 1 << 20;
/// No index is longer, unpacked: two million paths of a hundred bytes.
const LONGEST_BODY: u64 = 256 << 20;
/// No index has more paths.
const MOST_PATHS: u32 = 5_000_000;
/// No packed index is longer.
pub(crate) const LONGEST_INDEX: u64 = 128 << 20;
/// No chunk is longer.
pub(crate) const LONGEST_CHUNK: u32 = 4 << 20;

/// A piece of the contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// BLAKE3 of its bytes, which is its name.
    pub(crate) digest: blake3::Hash,
    /// Its bytes, unpacked.
    pub(crate) length: u32,
}

/// What a cache consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    /// The final key it was saved under.
    pub(crate) key: String,
    /// What the store noted with it.
    pub(crate) note: String,
    /// Files and links.
    pub(crate) files: u64,
    /// Bytes of the files.
    pub(crate) bytes: u64,
    /// The contents, in order.
    pub(crate) chunks: Vec<Chunk>,
    /// The paths, in order.
    pub(crate) items: Vec<Item>,
}

impl Index {
    pub(crate) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        body.extend((self.chunks.len() as u32).to_le_bytes());
        for chunk in &self.chunks {
            body.extend(chunk.digest.as_bytes());
            body.extend(chunk.length.to_le_bytes());
        }
        body.extend((self.items.len() as u32).to_le_bytes());
        for item in &self.items {
            write_item(&mut body, item);
        }
        let mut rest = Vec::new();
        write_text(&mut rest, self.key.as_bytes());
        write_text(&mut rest, self.note.as_bytes());
        rest.extend(self.files.to_le_bytes());
        rest.extend(self.bytes.to_le_bytes());
        rest.extend(zstd::encode_all(body.as_slice(), 3)?);
        let mut bytes = MAGIC.to_vec();
        bytes.extend(blake3::hash(&rest).as_bytes());
        bytes.extend(rest);
        Ok(bytes)
    }

    /// Reads an index, whoever wrote it; what is wrong with it is told.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Index, String> {
        let rest = bytes.strip_prefix(MAGIC);
        let rest = rest.ok_or("it does not begin as an index of format 1")?;
        let (digest, rest) = rest.split_at_checked(32).ok_or("it is cut")?;
        if blake3::hash(rest).as_bytes() != digest {
            return Err("its digest is another".to_owned());
        }
        let mut head = Input(rest);
        let key = head.string()?;
        let note = head.string()?;
        let (files, bytes) = (head.u64()?, head.u64()?);
        let packed = zstd::Decoder::new(head.0).map_err(|error| error.to_string())?;
        let mut body = Input(packed.take(LONGEST_BODY));
        let count = body.u32()?;
        let chunks = (0..count)
            .map(|_| body.chunk())
            .collect::<Result<Vec<_>, _>>()?;
        let count = body.u32()?;
        if count > MOST_PATHS {
            return Err("it has more paths than any".to_owned());
        }
        let items = (0..count)
            .map(|_| body.item())
            .collect::<Result<Vec<_>, _>>()?;
        let index = Index {
            key,
            note,
            files,
            bytes,
            chunks,
            items,
        };
        index.check()?;
        Ok(index)
    }

    /// The chunks must be exactly the contents.
    fn check(&self) -> Result<(), String> {
        let of_chunks: u64 = self
            .chunks
            .iter()
            .map(|chunk| u64::from(chunk.length))
            .sum();
        let of_items = self
            .items
            .iter()
            .try_fold(0_u64, |sum, item| match item.kind {
                ItemKind::File(size) => sum.checked_add(size),
                ItemKind::Directory | ItemKind::Link(_) => Some(sum),
            });
        match of_items == Some(of_chunks) {
            true => Ok(()),
            false => Err("its files are longer or shorter than its chunks".to_owned()),
        }
    }
}

fn write_item(out: &mut Vec<u8>, item: &Item) {
    out.push(match item.kind {
        ItemKind::Directory => b'd',
        ItemKind::File(_) => b'f',
        ItemKind::Link(_) => b'l',
    });
    out.extend(item.mode.to_le_bytes());
    out.extend(item.mtime.0.to_le_bytes());
    out.extend(item.mtime.1.to_le_bytes());
    write_text(out, item.path.as_os_str().as_bytes());
    match &item.kind {
        ItemKind::Directory => {}
        ItemKind::File(size) => out.extend(size.to_le_bytes()),
        ItemKind::Link(target) => write_text(out, target.as_os_str().as_bytes()),
    }
}

fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text);
}

struct Input<R>(R);

impl<R: Read> Input<R> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        let read = self.0.read_exact(&mut bytes);
        read.map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<Vec<u8>, String> {
        let length = self.u32()?;
        if length > LONGEST_TEXT {
            return Err("it has a text longer than any".to_owned());
        }
        let mut bytes = vec![0; length as usize];
        let read = self.0.read_exact(&mut bytes);
        read.map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    fn string(&mut self) -> Result<String, String> {
        String::from_utf8(self.text()?).map_err(|_| "a text is not UTF-8".to_owned())
    }

    fn path(&mut self) -> Result<PathBuf, String> {
        Ok(OsStr::from_bytes(&self.text()?).into())
    }

    fn chunk(&mut self) -> Result<Chunk, String> {
        let digest = blake3::Hash::from_bytes(self.array()?);
        let length = self.u32()?;
        match length <= LONGEST_CHUNK {
            true => Ok(Chunk { digest, length }),
            false => Err("it has a chunk longer than any".to_owned()),
        }
    }

    fn item(&mut self) -> Result<Item, String> {
        let [kind] = self.array()?;
        let mode = self.u32()?;
        let mtime = (self.array().map(i64::from_le_bytes)?, self.u32()?);
        let path = self.path()?;
        if let Err(fault) = safe_path(&path) {
            return Err(format!(
                "`{}`: {fault}",
                path.display().to_string().escape_debug()
            ));
        }
        let kind = match kind {
            b'd' => ItemKind::Directory,
            b'f' => ItemKind::File(self.u64()?),
            b'l' => ItemKind::Link(self.path()?),
            _ => return Err("it has a path of an unknown kind".to_owned()),
        };
        Ok(Item {
            path,
            kind,
            mode,
            mtime,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(path: &str, kind: ItemKind) -> Item {
        Item {
            path: path.into(),
            kind,
            mode: 0o644,
            mtime: (1_700_000_000, 5),
        }
    }

    fn index(items: Vec<Item>, lengths: &[u32]) -> Index {
        let chunk = |length: &u32| Chunk {
            digest: blake3::hash(b"x"),
            length: *length,
        };
        Index {
            key: "k-non_protected".to_owned(),
            note: "job build\n".to_owned(),
            files: 1,
            bytes: 3,
            chunks: lengths.iter().map(chunk).collect(),
            items,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let written = index(
            vec![
                item("a", ItemKind::Directory),
                item("a/f", ItemKind::File(3)),
                item("a/l", ItemKind::Link("../x".into())),
            ],
            &[1, 2],
        );
        let bytes = written.to_bytes().unwrap();
        assert_eq!(Index::from_bytes(&bytes).unwrap(), written);
    }

    #[test]
    fn a_changed_or_cut_byte_anywhere_is_noticed() {
        let bytes = index(vec![item("f", ItemKind::File(3))], &[3])
            .to_bytes()
            .unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(Index::from_bytes(&changed).is_err(), "byte {at}");
            assert!(Index::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn hostile_paths_and_lengths_are_refused_with_their_reason() {
        let told = |items, lengths: &[u32]| {
            let bytes = index(items, lengths).to_bytes().unwrap();
            Index::from_bytes(&bytes).unwrap_err()
        };
        let climbing = told(vec![item("../x", ItemKind::File(3))], &[3]);
        assert!(
            climbing.contains("`../x`: the path is empty or has"),
            "{climbing}"
        );
        let absolute = told(vec![item("/etc/x", ItemKind::File(3))], &[3]);
        assert!(absolute.contains("absolute"), "{absolute}");
        let longer = told(vec![item("f", ItemKind::File(4))], &[3]);
        assert!(longer.contains("longer or shorter"), "{longer}");
        let sum = vec![
            item("f", ItemKind::File(u64::MAX)),
            item("g", ItemKind::File(4)),
        ];
        assert!(told(sum, &[3]).contains("longer or shorter"));
        let chunk = told(vec![item("f", ItemKind::File(3))], &[u32::MAX]);
        assert!(chunk.contains("chunk longer"), "{chunk}");
    }
}
