//! The one door to the outside.

use std::sync::Arc;

use thiserror::Error;

use crate::fact::Fact;

/// The outside is broken in a way no plan can go on from: a damaged repository or store.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum WorldError {
    /// The repository cannot be read.
    #[error("read the repository: {0}")]
    Repository(String),
    /// The store cannot be read.
    #[error("read the store: {0}")]
    Store(String),
}

/// A fact, or a broken outside.
pub type Answer<T> = Result<Fact<T>, WorldError>;

/// Paths relative to the project root, sorted by bytes, without duplicates.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PathList(Arc<[Arc<str>]>);

impl PathList {
    /// The paths in order.
    pub fn as_slice(&self) -> &[Arc<str>] {
        &self.0
    }

    /// Whether `path` is one of them.
    pub fn contains(&self, path: &str) -> bool {
        self.0.binary_search_by(|known| (**known).cmp(path)).is_ok()
    }

    /// Whether any path lies below the directory `prefix`, which ends in `/`.
    pub fn any_below(&self, prefix: &str) -> bool {
        let at = self.0.partition_point(|known| **known < *prefix);
        self.0
            .get(at)
            .is_some_and(|known| known.starts_with(prefix))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Into<Arc<str>>> FromIterator<T> for PathList {
    fn from_iter<I: IntoIterator<Item = T>>(paths: I) -> PathList {
        let mut paths: Vec<Arc<str>> = paths.into_iter().map(Into::into).collect();
        paths.sort_unstable();
        paths.dedup();
        PathList(paths.into())
    }
}

/// Whose files are meant: the context of an include or of `exists:project`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Place {
    /// The project of the pipeline, at the commit (locally: the tree) the jobs see.
    Here,
    /// Another project at a commit that [`World::revision`] returned.
    Project {
        /// Full path, in lower case.
        path: String,
        /// The commit.
        sha: String,
    },
}

/// What is known of another project.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProjectFacts {
    /// Its default branch.
    pub default_branch: String,
}

/// The answer to fetching a URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Remote {
    /// The content.
    Body(Arc<[u8]>),
    /// The server answered with this code, after so many attempts.
    Status {
        /// HTTP status code.
        code: u16,
        /// How many attempts were made.
        attempts: u32,
    },
    /// The connection failed.
    SocketError,
    /// The server took too long.
    TimedOut,
    /// The answer was no HTTP.
    HttpError,
}

/// A component found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Component {
    /// The commit its version resolved to.
    pub sha: String,
    /// The catalog version it resolved to, if it is a released one.
    pub version: Option<String>,
    /// Path of its file inside its project.
    pub path: String,
    /// The file.
    pub content: Arc<[u8]>,
}

/// Which two commits are compared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct ChangedPaths {
    /// The older side: a commit id or a name that [`World::revision`] resolved.
    pub base: String,
    /// How the sides are compared; the newer side is always what the jobs see.
    pub comparison: Comparison,
}

/// How two commits are compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Comparison {
    /// Base against head directly (two-dot).
    Direct,
    /// The merge base of both against head (three-dot).
    MergeBase,
}

/// A cache asked for by its final key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct CacheQuery {
    /// The key with suffixes, as the runner would use it.
    pub key: String,
}

/// Whether a cache exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum CacheState {
    /// An entry with exactly this key exists.
    Present,
    /// No entry has this key.
    Missing,
}

/// Answers every question a plan may ask about the outside.
///
/// Synchronous. `Err` only for a broken outside; what cannot be found out is [`Fact::Unknown`]. Answers do not change during
/// the life of one world: asking twice gives the same.
pub trait World {
    /// The paths that differ.
    fn changed_paths(&self, query: &ChangedPaths) -> Answer<PathList>;

    /// All files of a tree.
    fn tree(&self, place: &Place) -> Answer<PathList>;

    /// A file's content, or `None` where it does not exist.
    fn file(&self, place: &Place, path: &str) -> Answer<Option<Arc<[u8]>>>;

    /// Git blob ids of files of [`Place::Here`], `None` for those that do not exist.
    fn blob_ids(&self, paths: &[String]) -> Answer<Vec<Option<String>>>;

    /// Ids of the last commits that touched paths of [`Place::Here`], `None` for those never touched.
    fn last_commits(&self, paths: &[String]) -> Answer<Vec<Option<String>>>;

    /// Another project, or `None` where it does not exist or is not readable.
    fn project(&self, path: &str) -> Answer<Option<ProjectFacts>>;

    /// The commit a branch, tag or id names in a project (`None`: the pipeline's own), or `None` where there is no such.
    fn revision(&self, project: Option<&str>, name: &str) -> Answer<Option<String>>;

    /// Fetches a URL.
    fn remote(&self, url: &str) -> Answer<Remote>;

    /// One of GitLab's templates by name without its folder's root, or `None` where it does not exist.
    fn template(&self, name: &str) -> Answer<Option<Arc<[u8]>>>;

    /// A component of a project at a version reference, or `None` where its file does not exist.
    fn component(&self, project: &str, name: &str, version: &str) -> Answer<Option<Component>>;

    /// A file out of the artifacts of a job of the parent pipeline, or `None` where there is no such.
    fn artifact(&self, job: &str, path: &str) -> Answer<Option<Arc<[u8]>>>;

    /// Whether a cache exists.
    fn cache_state(&self, query: &CacheQuery) -> Answer<CacheState>;
}
