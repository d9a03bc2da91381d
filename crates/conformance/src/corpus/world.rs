//! A stated world whose blob ids are git's own.

use std::fmt::Write as _;
use std::sync::Arc;

use sha1::{Digest, Sha1};
use tidegate_scenario::{
    Answer, CacheQuery, CacheState, ChangedPaths, Component, Fact, FixtureWorld, PathList, Place,
    ProjectFacts, Remote, World,
};

/// Answers as the fixture does, but cases state the ids of known contents.
pub(super) struct CaseWorld(pub(super) FixtureWorld);

fn git_blob_id(content: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", content.len()));
    hash.update(content);
    hash.finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

impl World for CaseWorld {
    fn changed_paths(&self, query: &ChangedPaths) -> Answer<PathList> {
        self.0.changed_paths(query)
    }

    fn tree(&self, place: &Place) -> Answer<PathList> {
        self.0.tree(place)
    }

    fn file(&self, place: &Place, path: &str) -> Answer<Option<Arc<[u8]>>> {
        self.0.file(place, path)
    }

    fn blob_ids(&self, paths: &[String]) -> Answer<Vec<Option<String>>> {
        let id = |path: &String| {
            let stated = self.0.files.get(path).map(|text| git_blob_id(text));
            stated.or_else(|| self.0.tree.contains(path).then(|| git_blob_id(path)))
        };
        Ok(Fact::Known(paths.iter().map(id).collect()))
    }

    fn last_commits(&self, paths: &[String]) -> Answer<Vec<Option<String>>> {
        self.0.last_commits(paths)
    }

    fn project(&self, path: &str) -> Answer<Option<ProjectFacts>> {
        self.0.project(path)
    }

    fn revision(&self, project: Option<&str>, name: &str) -> Answer<Option<String>> {
        self.0.revision(project, name)
    }

    fn remote(&self, url: &str) -> Answer<Remote> {
        self.0.remote(url)
    }

    fn template(&self, name: &str) -> Answer<Option<Arc<[u8]>>> {
        self.0.template(name)
    }

    fn component(&self, project: &str, name: &str, version: &str) -> Answer<Option<Component>> {
        self.0.component(project, name, version)
    }

    fn artifact(&self, job: &str, path: &str) -> Answer<Option<Arc<[u8]>>> {
        self.0.artifact(job, path)
    }

    fn cache_state(&self, query: &CacheQuery) -> Answer<CacheState> {
        self.0.cache_state(query)
    }
}
