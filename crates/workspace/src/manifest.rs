//! What a base snapshot was taken of, so that the next one can tell what is still the same.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::Stat;

use crate::union::{Kind, Time};

/// The files of a snapshot with the stamps they had in the user's tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// Invariant: in order of path, each once.
    entries: Vec<ManifestEntry>,
}

/// One file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    /// Relative to the root of the tree.
    pub path: PathBuf,
    /// [`Kind::File`] or [`Kind::Symlink`].
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Bytes of the file, length of a link's target.
    pub size: u64,
    /// The inode number in the user's tree.
    pub inode: u64,
    /// When the content last changed in the user's tree.
    pub mtime: Time,
    /// When anything about the inode last changed there. Programs cannot set it.
    pub ctime: Time,
    /// Whether equal stamps mean equal content. Not so when the file changed so shortly before it
    /// was read that a later change could bear the same time stamp (git calls such files racy).
    pub settled: bool,
}

impl Manifest {
    pub(crate) fn new(mut entries: Vec<ManifestEntry>) -> Self {
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        entries.dedup_by(|a, b| a.path == b.path);
        Manifest { entries }
    }

    /// In order of path.
    pub fn entries(&self) -> &[ManifestEntry] {
        &self.entries
    }

    /// The file at `path`.
    pub fn get(&self, path: &Path) -> Option<&ManifestEntry> {
        let place = self
            .entries
            .binary_search_by(|entry| entry.path.as_path().cmp(path))
            .ok()?;
        self.entries.get(place)
    }

    /// The manifest as bytes, to be kept beside the snapshot: a line with the format's version,
    /// then an entry each, ended by NUL.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::from(HEADER);
        for entry in &self.entries {
            let kind = if entry.kind == Kind::Symlink {
                'l'
            } else {
                'f'
            };
            let settled = if entry.settled { 's' } else { 'r' };
            let ManifestEntry {
                mode,
                size,
                inode,
                mtime,
                ctime,
                ..
            } = entry;
            // Writing to a `Vec` does not fail.
            let _ = write!(
                bytes,
                "{kind} {settled} {mode} {size} {inode} {} {} {} {} ",
                mtime.seconds, mtime.nanos, ctime.seconds, ctime.nanos
            );
            bytes.extend_from_slice(entry.path.as_os_str().as_bytes());
            bytes.push(0);
        }
        bytes
    }

    /// Reads what [`Manifest::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// Anything else: truncated, damaged or of another version. Taking the snapshot anew is safe.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadManifest> {
        let rest = bytes.strip_prefix(HEADER).ok_or(BadManifest)?;
        if rest.is_empty() {
            return Ok(Manifest::default());
        }
        let rest = rest.strip_suffix(&[0]).ok_or(BadManifest)?;
        let entries = rest.split(|byte| *byte == 0).map(entry_from_bytes);
        let entries: Vec<ManifestEntry> = entries.collect::<Option<_>>().ok_or(BadManifest)?;
        if entries.is_sorted_by(|a, b| a.path < b.path) {
            Ok(Manifest { entries })
        } else {
            Err(BadManifest)
        }
    }
}

impl ManifestEntry {
    /// The entry of a file that was looked at when the clock said `now`.
    pub(crate) fn new(path: PathBuf, stat: &Stat, now: Time) -> Self {
        let ctime = Time::changed(stat);
        ManifestEntry {
            path,
            kind: Kind::of(stat),
            mode: stat.st_mode & 0o7777,
            size: stat.st_size.try_into().unwrap_or(0),
            inode: stat.st_ino,
            mtime: Time::modified(stat),
            ctime,
            settled: is_settled(ctime, now),
        }
    }

    /// Whether the file is surely the one it was when `earlier` was made.
    pub(crate) fn is_still(&self, earlier: &ManifestEntry) -> bool {
        earlier.settled
            && ManifestEntry {
                settled: true,
                ..self.clone()
            } == *earlier
    }
}

/// Bytes that are no manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read the snapshot's manifest: it is damaged or of another version")]
pub struct BadManifest;

const HEADER: &[u8] = b"tidegate snapshot 1\n";

/// Whether nothing can be touched any more without a new time. Time stamps advance with the kernel's tick (at most 10 ms), some file
/// systems round them to 10 ms, old ones to whole seconds or two.
pub(crate) fn is_settled(ctime: Time, now: Time) -> bool {
    let nanos = |time: Time| i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    let age = nanos(now) - nanos(ctime);
    age > if ctime.nanos == 0 {
        2_500_000_000
    } else {
        25_000_000
    }
}

fn entry_from_bytes(bytes: &[u8]) -> Option<ManifestEntry> {
    let mut fields = bytes.splitn(10, |byte| *byte == b' ');
    let kind = match fields.next()? {
        b"f" => Kind::File,
        b"l" => Kind::Symlink,
        _ => return None,
    };
    let settled = match fields.next()? {
        b"s" => true,
        b"r" => false,
        _ => return None,
    };
    let (mode, size, inode) = (
        number(fields.next()?)?,
        number(fields.next()?)?,
        number(fields.next()?)?,
    );
    let mtime = Time {
        seconds: number(fields.next()?)?,
        nanos: number(fields.next()?)?,
    };
    let ctime = Time {
        seconds: number(fields.next()?)?,
        nanos: number(fields.next()?)?,
    };
    let path = PathBuf::from(OsStr::from_bytes(
        fields.next().filter(|path| !path.is_empty())?,
    ));
    Some(ManifestEntry {
        path,
        kind,
        mode,
        size,
        inode,
        mtime,
        ctime,
        settled,
    })
}

fn number<N: FromStr>(bytes: &[u8]) -> Option<N> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &[u8], seconds: i64, settled: bool) -> ManifestEntry {
        ManifestEntry {
            path: OsStr::from_bytes(path).into(),
            kind: Kind::File,
            mode: 0o755,
            size: 3,
            inode: 12,
            mtime: Time {
                seconds,
                nanos: 999_999_999,
            },
            ctime: Time { seconds, nanos: 1 },
            settled,
        }
    }

    #[test]
    fn a_manifest_survives_bytes_with_any_path_and_time() {
        let odd = entry(b"a b\n\xff", -1, false);
        let manifest = Manifest::new(vec![entry(b"z", 5, true), odd.clone()]);
        assert_eq!(manifest.entries()[0], odd);
        assert_eq!(Manifest::from_bytes(&manifest.to_bytes()), Ok(manifest));
        let none = Manifest::default();
        assert_eq!(Manifest::from_bytes(&none.to_bytes()), Ok(none));
    }

    #[test]
    fn damaged_manifests_are_refused() {
        let bytes = Manifest::new(vec![entry(b"a", 5, true), entry(b"b", 5, true)]).to_bytes();
        for cut in 0..bytes.len() {
            let read = Manifest::from_bytes(&bytes[..cut]);
            let whole_entries = read.as_ref().map_or(0, |manifest| manifest.entries.len());
            assert!(read.is_err() || whole_entries < 2, "cut at {cut}");
        }
        assert!(Manifest::from_bytes(b"tidegate snapshot 2\n").is_err());
    }

    #[test]
    fn a_file_changed_just_before_it_was_read_is_not_trusted() {
        let at = |seconds, nanos| Time { seconds, nanos };
        assert!(!is_settled(at(100, 500), at(100, 1_000_500)));
        assert!(is_settled(at(100, 500), at(100, 100_000_500)));
        assert!(!is_settled(at(100, 0), at(102, 0)));
        assert!(!is_settled(at(200, 5), at(100, 0)), "a time in the future");
        let (racy, settled) = (entry(b"a", 5, false), entry(b"a", 5, true));
        assert!(!settled.is_still(&racy));
        assert!(racy.is_still(&settled));
    }
}
