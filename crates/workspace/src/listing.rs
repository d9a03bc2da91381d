//! Reading the names in a directory.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, RawDir, statat};

use crate::error::{At, TreeError};

/// The names in `dir` with what they are, in no particular order, without `.` and `..`. `path` is
/// for messages.
///
/// A function of its own so that its buffer is not on the stack of a recursion.
pub(crate) fn list(dir: &OwnedFd, path: &Path) -> Result<Vec<(CString, FileType)>, TreeError> {
    let mut buffer = [MaybeUninit::uninit(); 32 * 1024];
    let mut listing = RawDir::new(dir, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = listing.next() {
        let entry = entry.at("read directory", path)?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).at("look at", path)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        names.push((name.to_owned(), kind));
    }
    Ok(names)
}
