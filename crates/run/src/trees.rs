//! Where the trees of a job are.

use std::path::{Path, PathBuf};

use tidegate_store::Digest;
use tidegate_workspace::Backend;

use crate::setup::ProjectFacts;

/// The directories of one job.
pub(crate) struct Trees {
    /// The work tree as the job sees it.
    pub(crate) project_dir: PathBuf,
    /// Its parent.
    pub(crate) builds_dir: PathBuf,
    /// What the workspace needs for itself.
    pub(crate) scratch: PathBuf,
    /// The job's temporary directory.
    pub(crate) temp_dir: PathBuf,
}

impl Trees {
    /// Decides where the trees of a job are; `private` is a directory of its own.
    ///
    /// With an overlay every job of the project sees its tree at the same path, each in a mount namespace of its own: tools that
    /// write absolute paths into what gets cached (virtual environments, build directories) find them again. Written-out trees
    /// cannot share a path, so they are below `private`; so is the tree of a run inside a job of the same project, which sees
    /// that job's tree there.
    pub(crate) fn of(
        backend: Backend,
        data: &Path,
        private: &Path,
        project: &ProjectFacts,
    ) -> Trees {
        let name = directory(&project.directory);
        let digest = Digest::of(project.key.as_bytes()).to_string();
        let shared = data
            .join("builds")
            .join(digest.get(..12).unwrap_or(&digest));
        let builds_dir = match backend.is_overlay() && is_free(&shared.join(name)) {
            true => shared,
            false => private.join("builds"),
        };
        Trees {
            project_dir: builds_dir.join(name),
            builds_dir,
            scratch: private.join("scratch"),
            temp_dir: private.join("tmp"),
        }
    }
}

/// Whether nothing is at a path but perhaps an empty directory.
fn is_free(path: &Path) -> bool {
    match std::fs::read_dir(path) {
        Ok(mut inside) => inside.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// A name that is one path component.
fn directory(name: &str) -> &str {
    match name {
        "" | "." | ".." => "project",
        name if name.contains('/') => "project",
        name => name,
    }
}
