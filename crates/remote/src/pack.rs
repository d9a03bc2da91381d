//! Writing a directory as a zip.

use std::fs::{self, File, Metadata};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zip::write::{FullFileOptions, SimpleFileOptions};
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The extra field with an exact modification time (Info-ZIP, "UT").
const EXTENDED_TIMESTAMP: u16 = 0x5455;

/// What went into an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Files and links.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
}

/// An archive could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file could not be read, or the archive not written.
    #[error("pack {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The archive could not be written.
    #[error("write the archive: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// A name is not UTF-8, which the format demands.
    #[error("pack {}: its name is not UTF-8", .0.display())]
    Name(PathBuf),
}

/// Packs everything in `tree` in order of path: directories as entries of their own, links as links, modes and times kept
/// (reference `runner.md` §4.3). What is neither file, directory nor link is left out.
///
/// # Errors
/// See [`PackError`]; what was written so far is no archive.
pub fn pack(tree: &Path, into: impl Write + Seek) -> Result<Packed, PackError> {
    let mut packer = Packer {
        tree,
        writer: ZipWriter::new(into),
        packed: Packed::default(),
    };
    packer.directory(Path::new(""))?;
    packer.writer.finish()?;
    Ok(packer.packed)
}

struct Packer<'t, W: Write + Seek> {
    tree: &'t Path,
    writer: ZipWriter<W>,
    packed: Packed,
}

impl<W: Write + Seek> Packer<'_, W> {
    fn directory(&mut self, relative: &Path) -> Result<(), PackError> {
        let full = self.tree.join(relative);
        let at = |source| PackError::Io {
            path: full.clone(),
            source,
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&full).map_err(at)? {
            names.push(entry.map_err(at)?.file_name());
        }
        names.sort_unstable();
        names
            .iter()
            .try_for_each(|name| self.entry(&relative.join(name)))
    }

    fn entry(&mut self, relative: &Path) -> Result<(), PackError> {
        let full = self.tree.join(relative);
        let at = |source| PackError::Io {
            path: full.clone(),
            source,
        };
        let meta = fs::symlink_metadata(&full).map_err(at)?;
        let name = relative.to_str();
        let name = name.ok_or_else(|| PackError::Name(relative.to_owned()))?;
        let kind = meta.file_type();
        if kind.is_dir() {
            self.writer.add_directory(name, options(&meta)?)?;
            return self.directory(relative);
        }
        if kind.is_symlink() {
            let target = fs::read_link(&full).map_err(at)?;
            let target = target
                .to_str()
                .ok_or_else(|| PackError::Name(target.clone()))?;
            let plain = SimpleFileOptions::default().last_modified_time(dos_time(meta.mtime()));
            self.writer.add_symlink(name, target, plain)?;
            self.packed.files += 1;
        } else if kind.is_file() {
            let mut file = File::open(&full).map_err(at)?;
            let large = meta.len() >= u64::from(u32::MAX);
            self.writer
                .start_file(name, options(&meta)?.large_file(large))?;
            self.packed.bytes += io::copy(&mut file, &mut self.writer).map_err(at)?;
            self.packed.files += 1;
        }
        Ok(())
    }
}

fn options(meta: &Metadata) -> Result<FullFileOptions<'static, 'static>, PackError> {
    let mut options = FullFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(meta.permissions().mode() & 0o7777)
        .last_modified_time(dos_time(meta.mtime()));
    if let Ok(seconds) = u32::try_from(meta.mtime()) {
        let mut field = vec![1];
        field.extend(seconds.to_le_bytes());
        options.add_extra_field(EXTENDED_TIMESTAMP, field, false)?;
    }
    Ok(options)
}

/// The time in the format's own field: from 1980 on, even seconds, taken as UTC.
fn dos_time(seconds: i64) -> DateTime {
    let days = seconds.div_euclid(86_400);
    let second = seconds.rem_euclid(86_400);
    // Days to a date of the Gregorian calendar, eras of 400 years counted from 1 March.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let narrow = |value: i64| u8::try_from(value).unwrap_or_default();
    u16::try_from(year)
        .ok()
        .and_then(|year| {
            let (hour, minute) = (second / 3600, second / 60 % 60);
            let time = (narrow(hour), narrow(minute), narrow(second % 60));
            DateTime::from_date_and_time(year, narrow(month), narrow(day), time.0, time.1, time.2)
                .ok()
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let shown = |seconds| {
            let time = dos_time(seconds);
            let date = (time.year(), time.month(), time.day());
            (date, time.hour(), time.minute(), time.second())
        };
        assert_eq!(shown(1_767_323_045), ((2026, 1, 2), 3, 4, 4));
        assert_eq!(shown(951_782_400), ((2000, 2, 29), 0, 0, 0));
        assert_eq!(shown(0).0, (1980, 1, 1), "before the format begins");
    }
}
