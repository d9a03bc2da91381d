//! Files as they lie in a directory, without git.

use std::io::{Error, ErrorKind};
use std::path::{Component as PathPart, Path};

use tidegate_scenario::{PathList, WorldError};

/// Whether a path from a configuration stays inside the project by its words alone.
pub(crate) fn is_inside(path: &str) -> bool {
    let parts = Path::new(path).components();
    !path.contains('\0')
        && parts
            .into_iter()
            .all(|part| matches!(part, PathPart::Normal(_)))
}

/// Content of a file below `root`, which is canonical; `None` where there is none, or it is not inside.
///
/// # Errors
/// It cannot be read.
pub fn plain_file(root: &Path, path: &str) -> Result<Option<Vec<u8>>, WorldError> {
    let full = root.join(path);
    // A symbolic link must not lead out of the project: git would show its text, never what it points at.
    if !is_inside(path) || escapes(root, &full) {
        return Ok(None);
    }
    match std::fs::read(&full) {
        Ok(content) => Ok(Some(content)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(WorldError::Repository(format!(
            "{}: {error}",
            full.display()
        ))),
    }
}

/// All files below a directory; links are listed, not followed. Git's own folder is none of them.
///
/// # Errors
/// A directory cannot be read.
pub fn plain_files(root: &Path) -> Result<PathList, WorldError> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        let failed = |error: Error| WorldError::Repository(format!("{}: {error}", dir.display()));
        for entry in std::fs::read_dir(&dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            if entry.file_name() == ".git" {
                continue;
            }
            if kind.is_dir() {
                open.push(entry.path());
            } else if let Some(path) = relative(root, &entry.path()) {
                found.push(path);
            }
        }
    }
    Ok(found.into_iter().collect())
}

fn is_absent(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
    )
}

/// Whether links lead the path out of `root`.
fn escapes(root: &Path, full: &Path) -> bool {
    full.canonicalize()
        .is_ok_and(|real| !real.starts_with(root))
}

fn relative(root: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(root)
        .ok()
        .map(|path| path.to_string_lossy().into_owned())
}
