//! The outside as a child pipeline sees it: the files its parent's jobs start from, and what those have left.

use std::path::PathBuf;
use std::sync::Arc;

use tidegate_config::OVERLAY_FILE;
use tidegate_scenario::{
    Answer, CacheQuery, CacheState, ChangedPaths, Component, Fact, PathList, Place, ProjectFacts,
    Remote, World, WorldError,
};
use tidegate_store::{ArtifactFilter, RunId, Store};
use tidegate_world::{plain_file, plain_files};

/// A world in which artifacts of a pipeline can be included.
pub(super) struct ChildWorld<'a> {
    /// The project as it is.
    pub(super) inner: &'a dyn World,
    pub(super) store: &'a Store,
    /// The pipeline whose trigger job asks.
    pub(super) parent: RunId,
    /// The files its jobs start from: the user's may have changed since.
    pub(super) tree: Option<PathBuf>,
}

/// Bytes a file included from artifacts may have.
const MOST_BYTES: usize = 5 * 1024 * 1024;

impl ChildWorld<'_> {
    /// The tree of files, where the place is this project's.
    fn here(&self, place: &Place) -> Option<&PathBuf> {
        self.tree.as_ref().filter(|_| *place == Place::Here)
    }
}

impl World for ChildWorld<'_> {
    fn tree(&self, place: &Place) -> Answer<PathList> {
        match self.here(place) {
            Some(tree) => Ok(Fact::Known(plain_files(tree)?)),
            None => self.inner.tree(place),
        }
    }

    fn file(&self, place: &Place, path: &str) -> Answer<Option<Arc<[u8]>>> {
        if path.ends_with(OVERLAY_FILE) {
            // It is laid over the jobs of the project's own configuration.
            return Ok(Fact::Known(None));
        }
        match self.here(place) {
            Some(tree) => Ok(Fact::Known(plain_file(tree, path)?.map(Into::into))),
            None => self.inner.file(place, path),
        }
    }

    fn artifact(&self, job: &str, path: &str) -> Answer<Option<Arc<[u8]>>> {
        let broken = |error: &dyn std::fmt::Display| WorldError::Store(error.to_string());
        let filter = ArtifactFilter {
            run: Some(self.parent),
            job: Some(job),
            attempt: None,
            r#type: Some("archive"),
        };
        let found = self.store.find_artifacts(filter);
        let found = found.map_err(|error| broken(&error))?;
        let Some(last) = found.iter().max_by_key(|artifact| artifact.attempt) else {
            return Ok(Fact::Known(None));
        };
        let tree = last.tree.canonicalize().map_err(|error| broken(&error))?;
        let path = path.trim_start_matches('/');
        let content = plain_file(&tree, path)?;
        let content = content.filter(|content| content.len() <= MOST_BYTES);
        Ok(Fact::Known(content.map(Into::into)))
    }

    fn changed_paths(&self, query: &ChangedPaths) -> Answer<PathList> {
        self.inner.changed_paths(query)
    }

    fn blob_ids(&self, paths: &[String]) -> Answer<Vec<Option<String>>> {
        self.inner.blob_ids(paths)
    }

    fn last_commits(&self, paths: &[String]) -> Answer<Vec<Option<String>>> {
        self.inner.last_commits(paths)
    }

    fn project(&self, path: &str) -> Answer<Option<ProjectFacts>> {
        self.inner.project(path)
    }

    fn revision(&self, project: Option<&str>, name: &str) -> Answer<Option<String>> {
        self.inner.revision(project, name)
    }

    fn remote(&self, url: &str) -> Answer<Remote> {
        self.inner.remote(url)
    }

    fn template(&self, name: &str) -> Answer<Option<Arc<[u8]>>> {
        self.inner.template(name)
    }

    fn component(&self, project: &str, name: &str, version: &str) -> Answer<Option<Component>> {
        self.inner.component(project, name, version)
    }

    fn cache_state(&self, query: &CacheQuery) -> Answer<CacheState> {
        self.inner.cache_state(query)
    }
}
