//! Answers the planner's questions from a checkout.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use sha1::{Digest, Sha1};
use tidegate_glob::Fnmatch;
use tidegate_scenario::{
    Answer, CacheQuery, CacheState, ChangedPaths, Comparison, Component, Fact, PathList, Place,
    ProjectFacts, Remote, Why, World, WorldError,
};

use crate::address::redacted;
use crate::checkout::Checkout;
use crate::directory::Directory;
use crate::fetcher::{Fetcher, component_in};
use crate::git::{GitError, fields, git, try_git};
use crate::plain::{is_inside, plain_file, plain_files};

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
    fetcher: Option<&'a Fetcher<'a>>,
    own: Option<ProjectName>,
    tree: KnownTree,
}

/// The files of the tree the jobs see, once somebody asked for them: several worlds of one command share it, since listing
/// a large repository takes longer than anything else they do.
#[derive(Clone, Default)]
pub struct KnownTree(Rc<OnceCell<PathList>>);

/// How others call the project of the checkout.
struct ProjectName {
    path: String,
    default_branch: String,
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
            fetcher: None,
            own: None,
            tree: KnownTree::default(),
        }
    }

    /// The same world, which lists the files only where `tree` does not hold them yet.
    pub fn with_tree(mut self, tree: &KnownTree) -> GitWorld<'a> {
        self.tree = tree.clone();
        self
    }

    /// The same world, with somebody to ask about everything outside the repository.
    pub fn with_fetcher(mut self, fetcher: Option<&'a Fetcher<'a>>) -> GitWorld<'a> {
        self.fetcher = fetcher;
        self
    }

    /// The same world, in which the project `path` is the checkout itself: includes and components that name it are found here
    /// and, at the commit `HEAD` points at, as the jobs see them.
    pub fn with_own_project(mut self, path: &str, default_branch: &str) -> GitWorld<'a> {
        self.own = Some(ProjectName {
            path: path.to_lowercase(),
            default_branch: default_branch.to_owned(),
        });
        self
    }

    fn own(&self, path: &str) -> Option<&ProjectName> {
        let own = self.own.as_ref().filter(|_| self.has_git());
        own.filter(|own| own.path == path)
    }

    fn fetcher(&self, project: &str) -> Result<&'a Fetcher<'a>, Why> {
        self.fetcher.ok_or_else(|| not_mapped(project))
    }

    /// Whether a commit of the own project is what the jobs see.
    fn is_here(&self, sha: &str) -> bool {
        let head = self
            .checkout
            .head
            .as_ref()
            .and_then(|head| head.sha.as_deref());
        head == Some(sha)
    }

    fn own_file(&self, sha: &str, path: &str) -> Answer<Option<Arc<[u8]>>> {
        let content = match self.is_here(sha) {
            true => self.content(path)?,
            false => Directory::present(&self.checkout.root).file(sha, path)?,
        };
        Ok(Fact::Known(content.map(Into::into)))
    }

    fn has_git(&self) -> bool {
        self.checkout.top.is_some()
    }

    fn git(&self, args: &[&str]) -> Result<Vec<u8>, WorldError> {
        git(&self.checkout.root, args).map_err(broken)
    }

    fn paths(&self) -> Result<PathList, WorldError> {
        let KnownTree(tree) = &self.tree;
        if let Some(known) = tree.get() {
            return Ok(known.clone());
        }
        let paths = self.read_paths()?;
        Ok(tree.get_or_init(|| paths).clone())
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
            "-t",
            "--cached",
            "--others",
            "--deleted",
            "--exclude-standard",
        ];
        Ok(present(&fields(&self.git(&asked)?)))
    }

    fn content(&self, path: &str) -> Result<Option<Vec<u8>>, WorldError> {
        if !is_inside(path) {
            return Ok(None);
        }
        if self.subject == Subject::Commit && self.has_git() {
            let object = format!("HEAD:./{path}");
            return Ok(try_git(&self.checkout.root, &["cat-file", "blob", &object]));
        }
        plain_file(&self.checkout.root, path)
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
            Place::Project { path, sha } if self.own(path).is_some() => {
                Ok(Fact::Known(match self.is_here(sha) {
                    true => self.paths()?,
                    false => Directory::present(&self.checkout.root).tree(sha)?,
                }))
            }
            Place::Project { path, sha } => match self.fetcher(path) {
                Ok(fetcher) => fetcher.tree(path, sha),
                Err(why) => unknown(why),
            },
        }
    }

    fn file(&self, place: &Place, path: &str) -> Answer<Option<Arc<[u8]>>> {
        match place {
            Place::Here => Ok(Fact::Known(self.content(path)?.map(Into::into))),
            Place::Project { path: project, sha } if self.own(project).is_some() => {
                self.own_file(sha, path)
            }
            Place::Project { path: project, sha } => match self.fetcher(project) {
                Ok(fetcher) => fetcher.file(project, sha, path),
                Err(why) => unknown(why),
            },
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
        if let Some(own) = self.own(path) {
            return Ok(Fact::Known(Some(ProjectFacts {
                default_branch: own.default_branch.clone(),
            })));
        }
        match self.fetcher(path) {
            Ok(fetcher) => fetcher.project(path),
            Err(why) => unknown(why),
        }
    }

    fn revision(&self, project: Option<&str>, name: &str) -> Answer<Option<String>> {
        match project.filter(|path| self.own(path).is_none()) {
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
            Some(path) => match self.fetcher(path) {
                Ok(fetcher) => fetcher.revision(path, name),
                Err(why) => unknown(why),
            },
        }
    }

    fn remote(&self, url: &str) -> Answer<Remote> {
        match self.fetcher {
            Some(fetcher) => fetcher.remote(url),
            None => unknown(Why::NotConfigured(format!(
                "fetching `{}` is not configured",
                redacted(url)
            ))),
        }
    }

    fn template(&self, name: &str) -> Answer<Option<Arc<[u8]>>> {
        match self.fetcher {
            Some(fetcher) => fetcher.template(name),
            None => unknown(Why::NotConfigured(format!(
                "no source of templates is configured for `{name}`"
            ))),
        }
    }

    fn component(&self, project: &str, name: &str, version: &str) -> Answer<Option<Component>> {
        if self.own(project).is_some() {
            let directory = Directory::present(&self.checkout.root);
            return component_in(&directory, name, version, |sha, path| {
                self.own_file(sha, path)
            });
        }
        match self.fetcher(project) {
            Ok(fetcher) => fetcher.component(project, name, version),
            Err(why) => unknown(why),
        }
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

/// The id git gives to a file of this content.
fn blob_id(content: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", content.len()));
    hash.update(content);
    let digest = hash.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The paths of a listing with tags. A tracked file deleted in the work tree is listed twice: as tracked, and as removed.
fn present(listed: &[String]) -> PathList {
    let tagged = || listed.iter().filter_map(|line| line.split_once(' '));
    let removed: PathList = tagged()
        .filter(|(tag, _)| *tag == "R")
        .map(|(_, path)| path)
        .collect();
    tagged()
        .map(|(_, path)| path)
        .filter(|path| !removed.contains(path))
        .collect()
}

#[cfg(test)]
mod tests;
