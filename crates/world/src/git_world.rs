//! Answers the planner's questions from a checkout.

use std::cell::OnceCell;
use std::io::ErrorKind;
use std::path::{Component as PathPart, Path};
use std::sync::Arc;

use sha1::{Digest, Sha1};
use tidegate_glob::Fnmatch;
use tidegate_scenario::{
    Answer, CacheQuery, CacheState, ChangedPaths, Comparison, Component, Fact, PathList, Place,
    ProjectFacts, Remote, Why, World, WorldError,
};

use crate::checkout::Checkout;
use crate::git::{GitError, fields, git, try_git};

/// Which tree the jobs see.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Subject {
    /// The work tree: tracked files with their changes, and untracked files that are not ignored.
    #[default]
    WorkTree,
    /// The commit `HEAD` points at (`--committed`).
    Commit,
}

/// Tells whether a cache exists; the binary answers from the store.
pub trait CacheProbe {
    /// Whether an entry with exactly this key exists.
    fn state(&self, key: &str) -> Result<CacheState, String>;
}

/// A probe of nothing: no store is configured.
pub struct NoCaches;

impl CacheProbe for NoCaches {
    fn state(&self, _: &str) -> Result<CacheState, String> {
        Ok(CacheState::Missing)
    }
}

/// The repository (or plain directory) a pipeline is planned in.
pub struct GitWorld<'a> {
    checkout: &'a Checkout,
    subject: Subject,
    caches: &'a dyn CacheProbe,
    tree: OnceCell<PathList>,
}

impl<'a> GitWorld<'a> {
    /// A world that asks nothing until it is asked.
    pub fn new(
        checkout: &'a Checkout,
        subject: Subject,
        caches: &'a dyn CacheProbe,
    ) -> GitWorld<'a> {
        GitWorld {
            checkout,
            subject,
            caches,
            tree: OnceCell::new(),
        }
    }

    fn has_git(&self) -> bool {
        self.checkout.top.is_some()
    }

    fn git(&self, args: &[&str]) -> Result<Vec<u8>, WorldError> {
        git(&self.checkout.root, args).map_err(broken)
    }

    fn paths(&self) -> Result<PathList, WorldError> {
        if let Some(known) = self.tree.get() {
            return Ok(known.clone());
        }
        let paths = self.read_paths()?;
        Ok(self.tree.get_or_init(|| paths).clone())
    }

    fn read_paths(&self) -> Result<PathList, WorldError> {
        if !self.has_git() {
            return plain_files(&self.checkout.root);
        }
        if self.subject == Subject::Commit {
            let listed = self.git(&["ls-tree", "-r", "-z", "--name-only", "HEAD"])?;
            return Ok(fields(&listed).into_iter().collect());
        }
        let asked = [
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ];
        let listed = fields(&self.git(&asked)?);
        // A tracked file deleted in the work tree is still listed.
        let deleted = fields(&self.git(&["ls-files", "-z", "--deleted"])?);
        let deleted: PathList = deleted.into_iter().collect();
        Ok(listed
            .into_iter()
            .filter(|path| !deleted.contains(path))
            .collect())
    }

    fn content(&self, path: &str) -> Result<Option<Vec<u8>>, WorldError> {
        if !is_inside(path) {
            return Ok(None);
        }
        if self.subject == Subject::Commit && self.has_git() {
            let object = format!("HEAD:./{path}");
            return Ok(try_git(&self.checkout.root, &["cat-file", "blob", &object]));
        }
        let full = self.checkout.root.join(path);
        // A symbolic link must not lead out of the project: git would show its text, never what it points at.
        if escapes(&self.checkout.root, &full) {
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

    /// Paths a `cache:key:files` entry names: itself, or with `*` all that match.
    fn named(&self, pattern: &str) -> Result<Vec<String>, WorldError> {
        if !pattern.contains('*') {
            return Ok(vec![pattern.to_owned()]);
        }
        let Ok(glob) = Fnmatch::new(pattern) else {
            return Ok(Vec::new());
        };
        let paths = self.paths()?;
        let matching = paths.as_slice().iter().filter(|path| glob.matches(path));
        Ok(matching.map(|path| path.to_string()).collect())
    }
}

impl World for GitWorld<'_> {
    fn changed_paths(&self, query: &ChangedPaths) -> Answer<PathList> {
        if !self.has_git() {
            return unknown(Why::NotApplicable(
                "this directory is no git repository".to_owned(),
            ));
        }
        let Some(base) = self.checkout.commit_of(&query.base) else {
            return unknown(Why::Failed(format!(
                "there is no commit `{}` here",
                query.base
            )));
        };
        let base = match query.comparison {
            Comparison::Direct => base,
            Comparison::MergeBase => {
                let found = try_git(&self.checkout.root, &["merge-base", &base, "HEAD"]);
                let Some(found) = found else {
                    let text = format!("`{}` and HEAD have no common ancestor", query.base);
                    return unknown(Why::Failed(text));
                };
                String::from_utf8_lossy(&found).trim().to_owned()
            }
        };
        let mut asked = vec![
            "diff",
            "--name-only",
            "-z",
            "--no-renames",
            "--relative",
            "--no-ext-diff",
            &base,
        ];
        if self.subject == Subject::Commit {
            asked.push("HEAD");
        }
        let mut changed = fields(&self.git(&asked)?);
        if self.subject == Subject::WorkTree {
            let asked = ["ls-files", "-z", "--others", "--exclude-standard"];
            changed.extend(fields(&self.git(&asked)?));
        }
        Ok(Fact::Known(changed.into_iter().collect()))
    }

    fn tree(&self, place: &Place) -> Answer<PathList> {
        match place {
            Place::Here => Ok(Fact::Known(self.paths()?)),
            Place::Project { path, .. } => unknown(not_mapped(path)),
        }
    }

    fn file(&self, place: &Place, path: &str) -> Answer<Option<Arc<[u8]>>> {
        match place {
            Place::Here => Ok(Fact::Known(self.content(path)?.map(Into::into))),
            Place::Project { path, .. } => unknown(not_mapped(path)),
        }
    }

    fn blob_ids(&self, paths: &[String]) -> Answer<Vec<Option<String>>> {
        let mut ids = Vec::new();
        for pattern in paths {
            for path in self.named(pattern)? {
                ids.push(self.content(&path)?.map(|content| blob_id(&content)));
            }
        }
        Ok(Fact::Known(ids))
    }

    fn last_commits(&self, paths: &[String]) -> Answer<Vec<Option<String>>> {
        if !self.has_git() {
            return unknown(Why::NotApplicable(
                "this directory is no git repository".to_owned(),
            ));
        }
        let mut commits = Vec::new();
        for pattern in paths {
            for path in self.named(pattern)? {
                let asked = ["log", "-1", "--format=%H", "HEAD", "--", &path];
                let found = try_git(&self.checkout.root, &asked).unwrap_or_default();
                let found = String::from_utf8_lossy(&found).trim().to_owned();
                commits.push(Some(found).filter(|commit| !commit.is_empty()));
            }
        }
        Ok(Fact::Known(commits))
    }

    fn project(&self, path: &str) -> Answer<Option<ProjectFacts>> {
        unknown(not_mapped(path))
    }

    fn revision(&self, project: Option<&str>, name: &str) -> Answer<Option<String>> {
        match project {
            None if !self.has_git() => unknown(Why::NotApplicable(
                "this directory is no git repository".to_owned(),
            )),
            None => {
                // A branch GitLab knows is often only known here as the remote's.
                let remote = format!("refs/remotes/origin/{name}");
                let found = self.checkout.commit_of(name);
                Ok(Fact::Known(
                    found.or_else(|| self.checkout.commit_of(&remote)),
                ))
            }
            Some(path) => unknown(not_mapped(path)),
        }
    }

    fn remote(&self, url: &str) -> Answer<Remote> {
        unknown(Why::NotConfigured(format!(
            "fetching `{url}` is not configured"
        )))
    }

    fn template(&self, name: &str) -> Answer<Option<Arc<[u8]>>> {
        unknown(Why::NotConfigured(format!(
            "no source of templates is configured for `{name}`"
        )))
    }

    fn component(&self, project: &str, _: &str, _: &str) -> Answer<Option<Component>> {
        unknown(not_mapped(project))
    }

    fn artifact(&self, job: &str, _: &str) -> Answer<Option<Arc<[u8]>>> {
        unknown(Why::NotApplicable(format!(
            "there is no parent pipeline with a job `{job}`"
        )))
    }

    fn cache_state(&self, query: &CacheQuery) -> Answer<CacheState> {
        match self.caches.state(&query.key) {
            Ok(state) => Ok(Fact::Known(state)),
            Err(message) => unknown(Why::Failed(message)),
        }
    }
}

fn unknown<T>(why: Why) -> Answer<T> {
    Ok(Fact::Unknown(why))
}

fn not_mapped(project: &str) -> Why {
    Why::NotConfigured(format!(
        "no directory or URL is configured for the project `{project}`"
    ))
}

fn broken(error: GitError) -> WorldError {
    WorldError::Repository(error.to_string())
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
    )
}

/// Whether a path from a configuration stays inside the project by its words alone.
fn is_inside(path: &str) -> bool {
    let parts = Path::new(path).components();
    !path.contains('\0')
        && parts
            .into_iter()
            .all(|part| matches!(part, PathPart::Normal(_)))
}

/// Whether links lead the path out of `root`.
fn escapes(root: &Path, full: &Path) -> bool {
    full.canonicalize()
        .is_ok_and(|real| !real.starts_with(root))
}

/// The id git gives to a file of this content.
fn blob_id(content: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", content.len()));
    hash.update(content);
    let digest = hash.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All files below a directory that is no repository; links are listed, not followed.
fn plain_files(root: &Path) -> Result<PathList, WorldError> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        let failed =
            |error: std::io::Error| WorldError::Repository(format!("{}: {error}", dir.display()));
        for entry in std::fs::read_dir(&dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if let Some(path) = relative(root, &entry.path()) {
                found.push(path);
            }
        }
    }
    Ok(found.into_iter().collect())
}

fn relative(root: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(root)
        .ok()
        .map(|path| path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests;
