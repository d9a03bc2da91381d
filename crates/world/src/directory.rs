//! A project in a directory of this machine.

use std::path::{Path, PathBuf};

use tidegate_scenario::{PathList, WorldError};

use crate::git::{fields, try_foreign};
use crate::plain::{is_inside, plain_file, plain_files};
use crate::version::Tag;

/// The commit of what has none, as GitLab writes it.
pub(crate) const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// A directory that answers for a project.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Its files are the project at every ref.
    Files,
    /// A work tree, or a folder inside one.
    WorkTree,
    /// A repository without one.
    Bare,
}

impl Directory {
    /// Opens a directory: a repository only if it is one itself, not because it lies inside one.
    ///
    /// With `work_tree` its files are taken as they lie. `None` where there is no directory.
    pub(crate) fn open(path: &Path, work_tree: bool) -> Option<Directory> {
        let root = path.canonicalize().ok().filter(|root| root.is_dir())?;
        let kind = if work_tree {
            Kind::Files
        } else if root.join(".git").exists() {
            Kind::WorkTree
        } else if root.join("HEAD").is_file() && root.join("objects").is_dir() {
            Kind::Bare
        } else {
            Kind::Files
        };
        Some(Directory { root, kind })
    }

    /// The present project, which may be a folder of its repository.
    pub(crate) fn present(root: &Path) -> Directory {
        Directory {
            root: root.to_owned(),
            kind: Kind::WorkTree,
        }
    }

    /// The branch it stands on, `HEAD` without one.
    pub(crate) fn branch(&self) -> String {
        let asked = ["symbolic-ref", "--quiet", "--short", "HEAD"];
        self.line(&asked).unwrap_or_else(|| "HEAD".to_owned())
    }

    /// The commit a name stands for, also where only the remote `origin` has a branch of that name.
    pub(crate) fn revision(&self, name: &str) -> Option<String> {
        if self.kind == Kind::Files {
            return Some(NO_COMMIT.to_owned());
        }
        let resolved = |name: &str| {
            let object = format!("{name}^{{commit}}");
            self.line(&[
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                &object,
            ])
        };
        resolved(name).or_else(|| resolved(&format!("refs/remotes/origin/{name}")))
    }

    /// All tags.
    pub(crate) fn tags(&self) -> Vec<Tag> {
        let format = "--format=%(objectname)%00%(*objectname)%00%(refname:strip=2)";
        let listed = match self.kind {
            Kind::Files => None,
            _ => try_foreign(&self.root, &["for-each-ref", format, "refs/tags"]),
        };
        let listed = listed.unwrap_or_default();
        let listed = String::from_utf8_lossy(&listed);
        let tag = |line: &str| {
            let mut parts = line.split('\0');
            let (own, target, name) = (parts.next()?, parts.next()?, parts.next()?);
            let sha = if target.is_empty() { own } else { target };
            Some(Tag {
                name: name.to_owned(),
                sha: sha.to_owned(),
            })
        };
        listed.lines().filter_map(tag).collect()
    }

    /// Whether its files are the same at every ref.
    pub(crate) fn is_plain(&self) -> bool {
        self.kind == Kind::Files
    }

    /// Content of a file at a commit.
    pub(crate) fn file(&self, sha: &str, path: &str) -> Result<Option<Vec<u8>>, WorldError> {
        let object = match self.kind {
            _ if !is_inside(path) => return Ok(None),
            Kind::Files => return plain_file(&self.root, path),
            Kind::WorkTree => format!("{sha}:./{path}"),
            Kind::Bare => format!("{sha}:{path}"),
        };
        Ok(try_foreign(&self.root, &["cat-file", "blob", &object]))
    }

    /// All files at a commit.
    pub(crate) fn tree(&self, sha: &str) -> Result<PathList, WorldError> {
        if self.kind == Kind::Files {
            return plain_files(&self.root);
        }
        let listed = try_foreign(&self.root, &["ls-tree", "-r", "-z", "--name-only", sha]);
        let listed = listed.ok_or_else(|| {
            let dir = self.root.display();
            WorldError::Repository(format!("{dir}: there is no commit {sha}"))
        })?;
        Ok(fields(&listed).into_iter().collect())
    }

    fn line(&self, asked: &[&str]) -> Option<String> {
        let answer = match self.kind {
            Kind::Files => None,
            _ => try_foreign(&self.root, asked),
        }?;
        let text = String::from_utf8_lossy(&answer).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }
}
