//! The submodules of the work tree, as they are checked out.

use std::path::{Path, PathBuf};

use crate::checkout::Checkout;
use crate::git::{GitError, fields, git};

/// One submodule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submodule {
    /// Where it is, relative to the project root.
    pub path: PathBuf,
    /// How many submodules it is in: 0 for one of the project itself.
    pub depth: u32,
    /// Its files, relative to the project root: tracked ones and new ones that are not ignored. `None`: it is not checked out.
    pub files: Option<Vec<PathBuf>>,
}

/// All submodules, those of submodules after the ones they are in.
///
/// # Errors
/// Git refused.
pub fn submodules(checkout: &Checkout) -> Result<Vec<Submodule>, GitError> {
    let mut found = Vec::new();
    if checkout.top.is_some() {
        collect(&checkout.root, Path::new(""), 0, &mut found)?;
    }
    Ok(found)
}

fn collect(
    root: &Path,
    below: &Path,
    depth: u32,
    found: &mut Vec<Submodule>,
) -> Result<(), GitError> {
    let here = root.join(below);
    if !here.join(".gitmodules").exists() {
        return Ok(());
    }
    for path in links(&here)? {
        let path = below.join(path);
        let inside = root.join(&path);
        let is_checked_out = inside.join(".git").exists();
        let files = is_checked_out.then(|| files(&inside)).transpose()?;
        let within = |files: Vec<PathBuf>| files.iter().map(|file| path.join(file)).collect();
        found.push(Submodule {
            path: path.clone(),
            depth,
            files: files.map(within),
        });
        if is_checked_out {
            collect(root, &path, depth + 1, found)?;
        }
    }
    Ok(())
}

/// Where a repository has submodules.
fn links(repository: &Path) -> Result<Vec<PathBuf>, GitError> {
    let listed = git(repository, &["ls-files", "-z", "--stage"])?;
    let link = |entry: &String| {
        let (what, path) = entry.split_once('\t')?;
        what.starts_with("160000 ").then(|| PathBuf::from(path))
    };
    Ok(fields(&listed).iter().filter_map(link).collect())
}

fn files(repository: &Path) -> Result<Vec<PathBuf>, GitError> {
    let asked = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let listed = fields(&git(repository, &asked)?);
    let links = links(repository)?;
    let files = listed.into_iter().map(PathBuf::from);
    Ok(files
        .filter(|path| !links.contains(path))
        .filter(|path| repository.join(path).symlink_metadata().is_ok())
        .collect())
}
