//! Bringing a zip into an empty directory, whoever made it.
//!
//! Nothing is written outside of the directory (see [`crate::place`]). What a cache cannot hold (devices, pipes, sockets) is
//! refused.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use crate::place::{Limits, Placer, Time, UnpackError, Unpacked, failed, hostile, safe};

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
    let mut placer = Placer::new(into, limits)?;
    for at in 0..archive.len() {
        entry(&mut placer, &mut archive, at)?;
    }
    placer.finish()
}

fn entry<R: Read + Seek>(
    placer: &mut Placer,
    archive: &mut ZipArchive<R>,
    at: usize,
) -> Result<(), UnpackError> {
    let mut entry = archive.by_index(at)?;
    let name = entry.name()?.into_owned();
    let path = safe(&name)?;
    let mode = entry
        .unix_mode()
        .unwrap_or(if entry.is_dir() { 0o755 } else { 0o644 });
    let time: Time = (modified(&entry), 0);
    let kind = match mode & KIND {
        0 if entry.is_dir() => DIRECTORY,
        0 => FILE,
        kind => kind,
    };
    match kind {
        DIRECTORY => placer.directory(&path, mode, time),
        LINK => {
            let mut target = String::new();
            let read = (&mut entry)
                .take(LONGEST_TARGET)
                .read_to_string(&mut target);
            read.map_err(|source| failed(&name, source))?;
            placer.link(path, PathBuf::from(target), time)
        }
        FILE => placer.file(&mut entry, &path, mode, time).map(|_| ()),
        _ => Err(hostile(&name, "it is neither file, directory nor link")),
    }
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
        let time = rustix::fs::Timespec {
            tv_sec: 1_700_000_001,
            tv_nsec: 0,
        };
        let time = rustix::fs::Timestamps {
            last_access: time,
            last_modification: time,
        };
        rustix::fs::utimensat(
            rustix::fs::CWD,
            &script,
            &time,
            rustix::fs::AtFlags::empty(),
        )
        .unwrap();
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
