//! Reads small stored trees whole.

use std::path::{Path, PathBuf};

/// The contents of all files of a small tree, by path.
pub(crate) fn tree_files(tree: &Path) -> Vec<Vec<u8>> {
    let mut open = vec![tree.to_owned()];
    let mut found: Vec<PathBuf> = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .flatten()
        {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    let contents = found.into_iter().map(std::fs::read);
    contents.filter_map(Result::ok).collect()
}
