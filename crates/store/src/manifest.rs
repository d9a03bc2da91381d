//! What a tree consists of: path, kind, mode, size, mtime, link target, digest.
//!
//! A manifest is written while the tree is walked and read back as a stream, so that memory does
//! not grow with the tree. The format (`docs/store-format.md`) is a zstd frame of records in
//! walk order: directories before what they hold, names sorted bytewise within a directory.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::digest::Digest;
use crate::error::{IoContext, Result, StoreError};

const MAGIC: &[u8] = b"tidegate-manifest 1\n";
const END: u8 = b'e';
const OPAQUE: u8 = 1;
const HASHED: u8 = 2;
/// Longer strings than a kernel path can be are damage.
const LONGEST: u32 = 1 << 16;

/// One path of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestEntry {
    /// Relative, without `.` and `..`; [`safe_path`] holds.
    pub path: PathBuf,
    /// What is there.
    pub node: Node,
    /// Permission bits with set-user-id, set-group-id and sticky (`st_mode & 0o7777`).
    pub mode: u32,
    /// Seconds and nanoseconds since 1970.
    pub mtime: (i64, u32),
}

/// What a path is. Device nodes, sockets and pipes have no variant: no tree may hold them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory {
        /// In a delta: hides the directory of the same path in the layers below.
        opaque: bool,
    },
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// BLAKE3 of the contents, once they have been read.
        digest: Option<Digest>,
    },
    /// A symbolic link; the target may be anything.
    Symlink {
        /// The text of the link.
        target: PathBuf,
    },
    /// In a delta: the path is deleted in the layers below.
    Whiteout,
}

impl Node {
    /// The bytes counted for this path: those of files only.
    pub fn size(&self) -> u64 {
        match self {
            Self::File { size, .. } => *size,
            Self::Directory { .. } | Self::Symlink { .. } | Self::Whiteout => 0,
        }
    }
}

/// Why a path may not be in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFault {
    /// Starts with `/`.
    Absolute,
    /// Is empty or has a component `.` or `..`.
    Climbs,
    /// Holds a NUL byte.
    Nul,
    /// Is a character or block device.
    Device,
    /// An overlay attribute says that the content is elsewhere (`redirect_dir`, `metacopy`).
    Redirected,
}

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absolute => "the path is absolute",
            Self::Climbs => "the path is empty or has a component `.` or `..`",
            Self::Nul => "the path holds a NUL byte",
            Self::Device => "it is a device node",
            Self::Redirected => "overlayfs keeps its content elsewhere (redirect_dir or metacopy)",
        })
    }
}

/// Checks that a path stays inside the tree it is joined to.
pub fn safe_path(path: &Path) -> std::result::Result<(), PathFault> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.contains(&0) {
        return Err(PathFault::Nul);
    }
    if path.is_absolute() {
        return Err(PathFault::Absolute);
    }
    // `components` drops inner `.` and doubled slashes: the text itself must be canonical.
    let canonical = bytes
        .split(|byte| *byte == b'/')
        .all(|name| !matches!(name, b"" | b"."));
    if !canonical
        || path
            .components()
            .any(|part| !matches!(part, Component::Normal(_)))
    {
        return Err(PathFault::Climbs);
    }
    Ok(())
}

/// Writes records; the digest of [`ManifestWriter::finish`] covers them all.
pub(crate) struct ManifestWriter {
    packed: zstd::Encoder<'static, File>,
    path: PathBuf,
    hasher: blake3::Hasher,
    record: Vec<u8>,
    records: u64,
}

impl ManifestWriter {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).at("create", path)?;
        let packed = zstd::Encoder::new(file, 1).at("write", path)?;
        let mut writer = Self {
            packed,
            path: path.to_owned(),
            hasher: blake3::Hasher::new(),
            record: MAGIC.to_vec(),
            records: 0,
        };
        writer.write_record()?;
        Ok(writer)
    }

    pub(crate) fn push(&mut self, entry: &ManifestEntry) -> Result<()> {
        encode(&mut self.record, entry);
        self.records += 1;
        if self.record.len() >= 1 << 15 {
            self.write_record()
        } else {
            Ok(())
        }
    }

    /// Ends the manifest; it is complete but not synced.
    pub(crate) fn finish(mut self) -> Result<Digest> {
        self.record.push(END);
        self.record.extend_from_slice(&self.records.to_le_bytes());
        self.write_record()?;
        self.packed.finish().at("write", &self.path)?;
        Ok(self.hasher.finalize().into())
    }

    fn write_record(&mut self) -> Result<()> {
        self.hasher.update(&self.record);
        self.packed
            .write_all(&self.record)
            .at("write", &self.path)?;
        self.record.clear();
        Ok(())
    }
}

fn encode(out: &mut Vec<u8>, entry: &ManifestEntry) {
    let (kind, flags) = match &entry.node {
        Node::Directory { opaque } => (b'd', if *opaque { OPAQUE } else { 0 }),
        Node::File { digest, .. } => (b'f', if digest.is_some() { HASHED } else { 0 }),
        Node::Symlink { .. } => (b'l', 0),
        Node::Whiteout => (b'w', 0),
    };
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&entry.mode.to_le_bytes());
    out.extend_from_slice(&entry.mtime.0.to_le_bytes());
    out.extend_from_slice(&entry.mtime.1.to_le_bytes());
    encode_text(out, entry.path.as_os_str());
    match &entry.node {
        Node::File { size, digest } => {
            out.extend_from_slice(&size.to_le_bytes());
            if let Some(digest) = digest {
                out.extend_from_slice(digest.as_bytes());
            }
        }
        Node::Symlink { target } => encode_text(out, target.as_os_str()),
        Node::Directory { .. } | Node::Whiteout => {}
    }
}

fn encode_text(out: &mut Vec<u8>, text: &OsStr) {
    // Paths and link targets come from the kernel: shorter than PATH_MAX.
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Reads a manifest record by record; after the last one the digest is checked.
pub(crate) struct ManifestReader {
    input: Hashing<BufReader<zstd::Decoder<'static, BufReader<File>>>>,
    path: PathBuf,
    expected: Digest,
    records: u64,
    ended: bool,
}

impl ManifestReader {
    pub(crate) fn open(path: &Path, expected: Digest) -> Result<Self> {
        let file = File::open(path).at("open", path)?;
        let packed = zstd::Decoder::new(file).at("read", path)?;
        let input = Hashing {
            inner: BufReader::with_capacity(1 << 16, packed),
            hasher: blake3::Hasher::new(),
        };
        let mut reader = Self {
            input,
            path: path.to_owned(),
            expected,
            records: 0,
            ended: false,
        };
        let mut magic = [0; MAGIC.len()];
        reader.fill(&mut magic)?;
        if magic != MAGIC {
            return Err(reader.damaged("it does not begin as a manifest of format 1"));
        }
        Ok(reader)
    }

    /// The next record; `None` once the end has been read and the digest agrees.
    pub(crate) fn next_entry(&mut self) -> Result<Option<ManifestEntry>> {
        if self.ended {
            return Ok(None);
        }
        let kind = self.byte()?;
        if kind == END {
            self.ended = true;
            return self.check_end().map(|()| None);
        }
        let flags = self.byte()?;
        let mode = u32::from_le_bytes(self.array()?);
        let seconds = i64::from_le_bytes(self.array()?);
        let nanoseconds = u32::from_le_bytes(self.array()?);
        let path = self.text()?;
        if let Err(fault) = safe_path(&path) {
            return Err(StoreError::Path { path, fault });
        }
        let node = match kind {
            b'd' => Node::Directory {
                opaque: flags & OPAQUE != 0,
            },
            b'f' => Node::File {
                size: u64::from_le_bytes(self.array()?),
                digest: match flags & HASHED {
                    0 => None,
                    _ => Some(Digest::from_bytes(self.array()?)),
                },
            },
            b'l' => Node::Symlink {
                target: self.text()?,
            },
            b'w' => Node::Whiteout,
            _ => return Err(self.damaged("it has a record of an unknown kind")),
        };
        self.records += 1;
        Ok(Some(ManifestEntry {
            path,
            node,
            mode,
            mtime: (seconds, nanoseconds),
        }))
    }

    fn check_end(&mut self) -> Result<()> {
        let records = u64::from_le_bytes(self.array()?);
        if records != self.records {
            return Err(self.damaged("it has lost records"));
        }
        if Digest::from(self.input.hasher.finalize()) != self.expected {
            return Err(self.damaged("its digest is not the one in the index"));
        }
        Ok(())
    }

    fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<PathBuf> {
        let length = u32::from_le_bytes(self.array()?);
        if length > LONGEST {
            return Err(self.damaged("it has a path longer than any path"));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        Ok(PathBuf::from(OsStr::from_bytes(&bytes)))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        match self.input.read_exact(bytes) {
            Ok(()) => Ok(()),
            // zstd reports a broken frame as "other", a cut one as an unexpected end.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::Other
                ) =>
            {
                Err(self.damaged(&error.to_string()))
            }
            Err(error) => Err(StoreError::io("read", &self.path, error)),
        }
    }

    fn damaged(&self, why: &str) -> StoreError {
        let what = format!("manifest {}", self.path.display());
        StoreError::Damaged {
            what,
            why: why.to_owned(),
        }
    }
}

struct Hashing<R> {
    inner: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(path: &str, node: Node) -> ManifestEntry {
        ManifestEntry {
            path: path.into(),
            node,
            mode: 0o644,
            mtime: (1_700_000_000, 5),
        }
    }

    fn read_all(path: &Path, digest: Digest) -> Result<Vec<ManifestEntry>> {
        let mut reader = ManifestReader::open(path, digest)?;
        std::iter::from_fn(|| reader.next_entry().transpose()).collect()
    }

    fn write_all(path: &Path, entries: &[ManifestEntry]) -> Digest {
        let mut writer = ManifestWriter::create(path).unwrap();
        for entry in entries {
            writer.push(entry).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn unsafe_paths_are_named_for_what_is_wrong() {
        assert_eq!(safe_path(Path::new("a/b c/ü")), Ok(()));
        assert_eq!(safe_path(Path::new("...")), Ok(()));
        assert_eq!(
            safe_path(Path::new("/etc/passwd")),
            Err(PathFault::Absolute)
        );
        assert_eq!(safe_path(Path::new("a/../../b")), Err(PathFault::Climbs));
        assert_eq!(safe_path(Path::new("a/./b")), Err(PathFault::Climbs));
        assert_eq!(safe_path(Path::new("a//b")), Err(PathFault::Climbs));
        assert_eq!(safe_path(Path::new("a/")), Err(PathFault::Climbs));
        assert_eq!(safe_path(Path::new("")), Err(PathFault::Climbs));
        assert_eq!(safe_path(Path::new("a\0b")), Err(PathFault::Nul));
    }

    #[test]
    fn a_manifest_with_a_climbing_path_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("manifest");
        let digest = write_all(&path, &[entry("../escape", Node::Whiteout)]);
        let error = read_all(&path, digest).unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Path {
                    fault: PathFault::Climbs,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_changed_byte_anywhere_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("manifest");
        let digest = write_all(
            &path,
            &[
                entry(
                    "a",
                    Node::File {
                        size: 7,
                        digest: Some(Digest::of(b"x")),
                    },
                ),
                entry(
                    "b",
                    Node::Symlink {
                        target: "../anything".into(),
                    },
                ),
            ],
        );
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(read_all(&path, digest).unwrap().len(), 2);
        for index in 0..whole.len() {
            let mut changed = whole.clone();
            changed[index] ^= 0x10;
            std::fs::write(&path, &changed).unwrap();
            // A bit of the frame header may carry no meaning; then the records must be the same.
            if let Ok(entries) = read_all(&path, digest) {
                assert_eq!(entries.len(), 2, "byte {index}");
            }
        }
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        assert!(read_all(&path, digest).is_err(), "a cut manifest");
        std::fs::write(&path, &whole).unwrap();
        assert!(
            read_all(&path, Digest::of(b"other")).is_err(),
            "another manifest"
        );
    }

    fn any_node() -> impl Strategy<Value = Node> {
        prop_oneof![
            any::<bool>().prop_map(|opaque| Node::Directory { opaque }),
            (any::<u64>(), any::<Option<[u8; 32]>>()).prop_map(|(size, digest)| Node::File {
                size,
                digest: digest.map(Digest::from_bytes)
            }),
            "[^\0]{0,40}".prop_map(|target| Node::Symlink {
                target: target.into()
            }),
            Just(Node::Whiteout),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_written_is_read(
            rows in prop::collection::vec(
                ("[^\0/.]{1,9}(/[^\0/.]{1,9}){0,3}", any_node(), any::<u32>(), any::<i64>()),
                0..40,
            )
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("manifest");
            let entries: Vec<_> = rows
                .into_iter()
                .map(|(path, node, mode, seconds)| ManifestEntry {
                    path: path.into(), node, mode, mtime: (seconds, 1),
                })
                .collect();
            let digest = write_all(&path, &entries);
            prop_assert_eq!(read_all(&path, digest).unwrap(), entries);
        }
    }
}
