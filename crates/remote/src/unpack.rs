//! Bringing a zip into an empty directory, whoever made it.
//!
//! Names are checked before anything is done, and every directory on the way is opened one by one without following links, so that
//! neither a climbing name nor a link in the archive leads out. Links are made last. What a cache cannot hold (devices, pipes,
//! sockets) is refused; bits that lend a user's rights are dropped.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, fchmod, futimens, mkdirat, openat, symlinkat,
    unlinkat, utimensat,
};
use rustix::io::Errno;
use zip::ZipArchive;

/// How much an archive may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files, unpacked.
    pub bytes: u64,
    /// Entries.
    pub entries: usize,
}

/// What came out of an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Files and links.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
}

/// An archive was not unpacked to its end; what was unpacked so far is in the directory.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is no zip, damaged, or packed in a way nobody reads.
    #[error("read the archive: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// A name that leads out of the directory, or through something that is no directory.
    #[error("unpack `{name}`: {why}")]
    Hostile {
        /// The entry.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It holds more than is allowed.
    #[error("unpack the archive: it holds more than {what}")]
    TooMuch {
        /// The limit.
        what: String,
    },
    /// A file could not be written.
    #[error("unpack `{name}`: {source}")]
    Io {
        /// The entry.
        name: String,
        /// The reason.
        source: io::Error,
    },
}

const KIND: u32 = 0o170_000;
const FILE: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const LINK: u32 = 0o120_000;
/// Targets of links are paths.
const LONGEST_TARGET: u64 = 4096;

/// Unpacks an archive into the directory `into`, which is empty and belongs to nobody else.
///
/// # Errors
/// See [`UnpackError`].
pub fn unpack(
    archive: impl Read + Seek,
    into: &Path,
    limits: Limits,
) -> Result<Unpacked, UnpackError> {
    let mut archive = ZipArchive::new(archive)?;
    if archive.len() > limits.entries {
        let what = format!("{} entries", limits.entries);
        return Err(UnpackError::TooMuch { what });
    }
    let root = openat(
        CWD,
        into,
        OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let root = root.map_err(|errno| UnpackError::Io {
        name: into.display().to_string(),
        source: errno.into(),
    })?;
    let mut unpacker = Unpacker {
        root,
        limits,
        unpacked: Unpacked::default(),
        links: Vec::new(),
        directories: BTreeMap::new(),
    };
    for at in 0..archive.len() {
        unpacker.entry(&mut archive, at)?;
    }
    unpacker.finish()
}

struct Unpacker {
    root: OwnedFd,
    limits: Limits,
    unpacked: Unpacked,
    /// Name, target, mtime; made last.
    links: Vec<(PathBuf, String, i64)>,
    /// Modes and times, set last.
    directories: BTreeMap<PathBuf, (u32, i64)>,
}

impl Unpacker {
    fn entry<R: Read + Seek>(
        &mut self,
        archive: &mut ZipArchive<R>,
        at: usize,
    ) -> Result<(), UnpackError> {
        let mut entry = archive.by_index(at)?;
        let name = entry.name()?.into_owned();
        let path = safe(&name)?;
        let mode = entry
            .unix_mode()
            .unwrap_or(if entry.is_dir() { 0o755 } else { 0o644 });
        let seconds = modified(&entry);
        let kind = match mode & KIND {
            0 if entry.is_dir() => DIRECTORY,
            0 => FILE,
            kind => kind,
        };
        match kind {
            DIRECTORY => {
                self.open_directory(&path, &name)?;
                self.directories.insert(path, (mode & 0o777, seconds));
                Ok(())
            }
            LINK => {
                let mut target = String::new();
                let read = (&mut entry)
                    .take(LONGEST_TARGET)
                    .read_to_string(&mut target);
                read.map_err(|source| failed(&name, source))?;
                if target.is_empty() || target.contains('\0') {
                    return Err(hostile(&name, "the link leads nowhere"));
                }
                self.links.push((path, target, seconds));
                Ok(())
            }
            FILE => self.file(&mut entry, &path, &name, mode & 0o777, seconds),
            _ => Err(hostile(&name, "it is neither file, directory nor link")),
        }
    }

    fn file(
        &mut self,
        content: &mut impl Read,
        path: &Path,
        name: &str,
        mode: u32,
        seconds: i64,
    ) -> Result<(), UnpackError> {
        let (parent, last) = self.parent(path, name)?;
        match unlinkat(&parent, last, AtFlags::empty()) {
            // Of entries with one name the last counts, as it does for GitLab's runner.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(name, errno.into())),
        }
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&parent, last, flags, Mode::RUSR | Mode::WUSR);
        let mut file = File::from(file.map_err(|errno| failed(name, errno.into()))?);
        let left = self.limits.bytes - self.unpacked.bytes;
        // What the archive says of its sizes is not believed.
        let written = io::copy(&mut content.take(left.saturating_add(1)), &mut file);
        let written = written.map_err(|source| failed(name, source))?;
        if written > left {
            let what = format!("{} bytes", self.limits.bytes);
            return Err(UnpackError::TooMuch { what });
        }
        self.unpacked.bytes += written;
        self.unpacked.files += 1;
        fchmod(&file, Mode::from_raw_mode(mode)).map_err(|errno| failed(name, errno.into()))?;
        futimens(&file, &times(seconds)).map_err(|errno| failed(name, errno.into()))
    }

    /// The directory an entry is in, and the entry's own name.
    fn parent<'p>(
        &self,
        path: &'p Path,
        name: &str,
    ) -> Result<(OwnedFd, &'p std::ffi::OsStr), UnpackError> {
        let last = path.file_name();
        let last = last.ok_or_else(|| hostile(name, "it has no name"))?;
        let parent = self.open_directory(path.parent().unwrap_or(Path::new("")), name)?;
        Ok((parent, last))
    }

    /// Opens a directory, made where it is missing, without following a link anywhere.
    fn open_directory(&self, path: &Path, name: &str) -> Result<OwnedFd, UnpackError> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open =
            |parent: &OwnedFd, part: &std::ffi::OsStr| openat(parent, part, flags, Mode::empty());
        let mut at = openat(&self.root, ".", flags, Mode::empty())
            .map_err(|errno| failed(name, errno.into()))?;
        for part in path {
            match mkdirat(&at, part, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(name, errno.into())),
            }
            at = match open(&at, part) {
                Ok(next) => next,
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    return Err(hostile(
                        name,
                        "it lies below something that is no directory",
                    ));
                }
                Err(errno) => return Err(failed(name, errno.into())),
            };
        }
        Ok(at)
    }

    fn finish(mut self) -> Result<Unpacked, UnpackError> {
        for (path, target, seconds) in std::mem::take(&mut self.links) {
            let name = path.display().to_string();
            let (parent, last) = self.parent(&path, &name)?;
            match unlinkat(&parent, last, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(&name, errno.into())),
            }
            symlinkat(&*target, &parent, last).map_err(|errno| failed(&name, errno.into()))?;
            let set = utimensat(&parent, last, &times(seconds), AtFlags::SYMLINK_NOFOLLOW);
            set.map_err(|errno| failed(&name, errno.into()))?;
            self.unpacked.files += 1;
        }
        // Deepest first: a directory may be closed to those who look for what is in it.
        for (path, (mode, seconds)) in self.directories.iter().rev() {
            let name = path.display().to_string();
            let directory = self.open_directory(path, &name)?;
            // Its owner can always look into it and tidy up.
            let mode = Mode::from_raw_mode(mode | 0o700);
            fchmod(&directory, mode).map_err(|errno| failed(&name, errno.into()))?;
            futimens(&directory, &times(*seconds)).map_err(|errno| failed(&name, errno.into()))?;
        }
        Ok(self.unpacked)
    }
}

/// The name as a path that stays below the root.
fn safe(name: &str) -> Result<PathBuf, UnpackError> {
    if name.contains('\0') || name.contains('\\') {
        return Err(hostile(name, "a name holds NUL or a backslash"));
    }
    let path = Path::new(name);
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => {
                return Err(hostile(name, "the path is absolute"));
            }
            Component::ParentDir => return Err(hostile(name, "the path climbs")),
        }
    }
    Ok(clean)
}

/// When the entry was modified: the exact field where it has one, else the format's own, taken as UTC.
fn modified<R: Read>(entry: &zip::read::ZipFile<'_, R>) -> i64 {
    let exact = entry.extra_data_fields().find_map(|field| match field {
        zip::extra_fields::ExtraField::ExtendedTimestamp(times) => times.mod_time(),
        _ => None,
    });
    if let Some(seconds) = exact {
        return i64::from(seconds);
    }
    let Some(time) = entry.last_modified() else {
        return 0;
    };
    let (year, month) = (i64::from(time.year()), i64::from(time.month()));
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + i64::from(time.day()) - 1;
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    days * 86_400
        + i64::from(time.hour()) * 3600
        + i64::from(time.minute()) * 60
        + i64::from(time.second())
}

fn times(seconds: i64) -> Timestamps {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

fn hostile(name: &str, why: &'static str) -> UnpackError {
    UnpackError::Hostile {
        name: name.escape_debug().to_string(),
        why,
    }
}

fn failed(name: &str, source: io::Error) -> UnpackError {
    UnpackError::Io {
        name: name.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack;
    use std::io::{Cursor, Write};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    const PLENTY: Limits = Limits {
        bytes: 1 << 20,
        entries: 1000,
    };

    /// A directory to unpack into, with something beside it that must stay as it is.
    fn place() -> (tempfile::TempDir, PathBuf) {
        let outer = tempfile::tempdir().unwrap();
        let into = outer.path().join("into");
        std::fs::create_dir(&into).unwrap();
        std::fs::create_dir(outer.path().join("beside")).unwrap();
        std::fs::write(outer.path().join("beside/file"), "untouched").unwrap();
        (outer, into)
    }

    fn untouched(outer: &Path) {
        let mut names: Vec<_> = std::fs::read_dir(outer)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["beside", "into"]);
        assert_eq!(
            std::fs::read_to_string(outer.join("beside/file")).unwrap(),
            "untouched"
        );
        assert_eq!(std::fs::read_dir(outer.join("beside")).unwrap().count(), 1);
    }

    /// Entries of name, mode with kind, content.
    fn archive(entries: &[(&str, u32, &str)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, mode, content) in entries {
            if mode & KIND == LINK {
                writer
                    .add_symlink(*name, *content, SimpleFileOptions::default())
                    .unwrap();
                continue;
            }
            let options = SimpleFileOptions::default().unix_permissions(mode & 0o7777);
            if mode & KIND == DIRECTORY {
                writer.add_directory(*name, options).unwrap();
            } else {
                writer.start_file(*name, options).unwrap();
                writer.write_all(content.as_bytes()).unwrap();
            }
        }
        writer.finish().unwrap().into_inner()
    }

    /// Gives the entry called `name` another kind in the central directory, as only a hostile tool would.
    fn with_kind(mut bytes: Vec<u8>, name: &str, mode: u32) -> Vec<u8> {
        let name = name.as_bytes();
        let central = bytes
            .windows(4)
            .enumerate()
            .filter(|(_, four)| *four == [0x50, 0x4b, 1, 2])
            .map(|(at, _)| at)
            .find(|at| bytes[at + 46..].starts_with(name))
            .unwrap();
        bytes[central + 38..central + 42].copy_from_slice(&(mode << 16).to_le_bytes());
        bytes
    }

    /// Gives `twin-2` the name of `twin-1`.
    fn of_one_name(mut bytes: Vec<u8>) -> Vec<u8> {
        while let Some(at) = bytes.windows(6).position(|six| six == b"twin-2") {
            bytes[at + 5] = b'1';
        }
        bytes
    }

    #[test]
    fn what_was_packed_comes_out_as_it_was() {
        let from = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(from.path().join("a/empty")).unwrap();
        std::fs::write(from.path().join("a/script"), "#!/bin/sh\n").unwrap();
        let script = from.path().join("a/script");
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o750)).unwrap();
        std::os::unix::fs::symlink("a/script", from.path().join("link")).unwrap();
        let time = times(1_700_000_001);
        utimensat(CWD, &script, &time, AtFlags::empty()).unwrap();
        let mut bytes = Cursor::new(Vec::new());
        let packed = pack(from.path(), &mut bytes).unwrap();
        assert_eq!((packed.files, packed.bytes), (2, 10));
        let (outer, into) = place();
        let unpacked = unpack(bytes, &into, PLENTY).unwrap();
        assert_eq!((unpacked.files, unpacked.bytes), (2, 10));
        let meta = std::fs::metadata(into.join("a/script")).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.mtime()), (0o750, 1_700_000_001));
        assert!(into.join("a/empty").is_dir());
        assert_eq!(
            std::fs::read_link(into.join("link")).unwrap(),
            Path::new("a/script")
        );
        untouched(outer.path());
    }

    #[test]
    fn names_that_lead_out_are_refused() {
        for name in [
            "/etc/x",
            "../beside/file",
            "a/../../beside/file",
            "a\\..\\x",
            "//x",
        ] {
            let (outer, into) = place();
            let bytes = archive(&[(name, FILE | 0o644, "evil")]);
            let error = unpack(Cursor::new(bytes), &into, PLENTY).unwrap_err();
            assert!(
                matches!(error, UnpackError::Hostile { .. }),
                "{name}: {error}"
            );
            untouched(outer.path());
        }
    }

    #[test]
    fn a_link_in_the_archive_leads_nothing_out() {
        let (outer, into) = place();
        let bytes = archive(&[
            ("door", LINK | 0o777, "../beside"),
            ("door/file", FILE | 0o644, "evil"),
        ]);
        let error = unpack(Cursor::new(bytes), &into, PLENTY);
        assert!(error.is_err(), "the link cannot replace the directory");
        untouched(outer.path());
        let (outer, into) = place();
        let bytes = archive(&[
            ("twin-1", LINK | 0o777, "../beside/file"),
            ("twin-2", FILE | 0o644, "evil"),
        ]);
        let text = of_one_name(bytes);
        // Whichever of the two stands in the end, nothing was written through the link.
        let _ = unpack(Cursor::new(text), &into, PLENTY);
        untouched(outer.path());
    }

    #[test]
    fn devices_and_pipes_are_refused_and_lent_rights_dropped() {
        for kind in [0o020_000, 0o060_000, 0o010_000, 0o140_000] {
            let (_outer, into) = place();
            let bytes = archive(&[("node", FILE | 0o644, "")]);
            let bytes = with_kind(bytes, "node", kind | 0o666);
            let error = unpack(Cursor::new(bytes), &into, PLENTY).unwrap_err();
            assert!(
                matches!(error, UnpackError::Hostile { .. }),
                "{kind:o}: {error}"
            );
        }
        let (_outer, into) = place();
        let bytes = with_kind(archive(&[("su", FILE | 0o755, "x")]), "su", FILE | 0o6755);
        unpack(Cursor::new(bytes), &into, PLENTY).unwrap();
        assert_eq!(
            std::fs::metadata(into.join("su")).unwrap().mode() & 0o7777,
            0o755
        );
    }

    #[test]
    fn names_that_differ_in_case_only_are_two_files_where_they_can_be() {
        let (_outer, into) = place();
        let bytes = archive(&[("Readme", FILE | 0o644, "1"), ("README", FILE | 0o644, "2")]);
        unpack(Cursor::new(bytes), &into, PLENTY).unwrap();
        assert_eq!(std::fs::read_to_string(into.join("Readme")).unwrap(), "1");
        assert_eq!(std::fs::read_to_string(into.join("README")).unwrap(), "2");
    }

    #[test]
    fn an_archive_that_swells_is_stopped() {
        let (_outer, into) = place();
        let bytes = archive(&[("zeros", FILE | 0o644, &"0".repeat(2 << 20))]);
        assert!(bytes.len() < 10_000, "it packs well");
        let error = unpack(Cursor::new(bytes), &into, PLENTY).unwrap_err();
        assert!(matches!(error, UnpackError::TooMuch { .. }), "{error}");
        let written = std::fs::metadata(into.join("zeros")).unwrap().len();
        assert!(written <= PLENTY.bytes + 1, "{written}");
    }

    #[test]
    fn damage_is_an_error() {
        let (_outer, into) = place();
        let mut bytes = archive(&[("a", FILE | 0o644, &"content ".repeat(100))]);
        // Behind the local header and the name of one byte.
        bytes[33] ^= 0xff;
        assert!(unpack(Cursor::new(bytes.clone()), &into, PLENTY).is_err());
        bytes.truncate(60);
        assert!(unpack(Cursor::new(bytes), &into, PLENTY).is_err());
        assert!(unpack(Cursor::new(b"no zip".to_vec()), &into, PLENTY).is_err());
    }
}
