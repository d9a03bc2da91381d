//! Writing a directory as a zip.

use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use tidegate_workspace::TreeError;
use zip::write::{FullFileOptions, SimpleFileOptions};
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::source::{Item, ItemKind, Source};

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
    /// The tree could not be walked.
    #[error("pack: {0}")]
    Tree(#[from] TreeError),
    /// The archive could not be written.
    #[error("write the archive: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// A name is not UTF-8, which the format demands.
    #[error("pack {}: its name is not UTF-8", .0.display())]
    Name(PathBuf),
}

/// Packs everything in the directory `tree` in order of path: directories as entries of their own, links as links, modes and times
/// kept (reference `runner.md` §4.3). What is neither file, directory nor link is left out.
///
/// # Errors
/// See [`PackError`]; what was written so far is no archive.
pub fn pack(tree: &Path, into: impl Write + Seek) -> Result<Packed, PackError> {
    pack_source(&Source::of_directory(tree)?, into)
}

/// As [`pack`].
pub(crate) fn pack_source(source: &Source, into: impl Write + Seek) -> Result<Packed, PackError> {
    let mut writer = ZipWriter::new(into);
    for item in &source.items {
        entry(source, item, &mut writer)?;
    }
    writer.finish()?;
    let (files, bytes) = source.totals();
    Ok(Packed { files, bytes })
}

fn entry<W: Write + Seek>(
    source: &Source,
    item: &Item,
    writer: &mut ZipWriter<W>,
) -> Result<(), PackError> {
    let at = |source| PackError::Io {
        path: item.path.clone(),
        source,
    };
    let utf8 = |path: &Path| match path.to_str() {
        Some(name) => Ok(name.to_owned()),
        None => Err(PackError::Name(path.to_owned())),
    };
    let name = utf8(&item.path)?;
    match &item.kind {
        ItemKind::Directory => writer.add_directory(name, options(item)?)?,
        ItemKind::Link(target) => {
            let plain = SimpleFileOptions::default().last_modified_time(dos_time(item.mtime.0));
            writer.add_symlink(name, utf8(target)?, plain)?;
        }
        ItemKind::File(size) => {
            let large = *size >= u64::from(u32::MAX);
            writer.start_file(name, options(item)?.large_file(large))?;
            let mut file = source.open(&item.path).map_err(at)?;
            io::copy(&mut file, writer).map_err(at)?;
        }
    }
    Ok(())
}

fn options(item: &Item) -> Result<FullFileOptions<'static, 'static>, PackError> {
    let mut options = FullFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(item.mode)
        .last_modified_time(dos_time(item.mtime.0));
    if let Ok(seconds) = u32::try_from(item.mtime.0) {
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
