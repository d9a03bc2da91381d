//! Recording every answer a plan relied on, and replaying it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fact::{Fact, Why};
use crate::world::{
    Answer, CacheQuery, CacheState, ChangedPaths, Component, PathList, Place, ProjectFacts, Remote,
    World, WorldError,
};

type Bytes = Arc<[u8]>;

/// Every question asked with its answer. A world of its own: it replays what it holds and knows nothing else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Answers of [`World::changed_paths`].
    pub changed_paths: BTreeMap<ChangedPaths, Fact<PathList>>,
    /// Answers of [`World::tree`].
    pub trees: BTreeMap<Place, Fact<PathList>>,
    /// Answers of [`World::file`].
    pub files: BTreeMap<(Place, String), Fact<Option<Bytes>>>,
    /// Answers of [`World::blob_ids`].
    pub blob_ids: BTreeMap<Vec<String>, Fact<Vec<Option<String>>>>,
    /// Answers of [`World::last_commits`].
    pub last_commits: BTreeMap<Vec<String>, Fact<Vec<Option<String>>>>,
    /// Answers of [`World::project`].
    pub projects: BTreeMap<String, Fact<Option<ProjectFacts>>>,
    /// Answers of [`World::revision`].
    pub revisions: BTreeMap<(Option<String>, String), Fact<Option<String>>>,
    /// Answers of [`World::remote`].
    pub remotes: BTreeMap<String, Fact<Remote>>,
    /// Answers of [`World::template`].
    pub templates: BTreeMap<String, Fact<Option<Bytes>>>,
    /// Answers of [`World::component`].
    pub components: BTreeMap<(String, String, String), Fact<Option<Component>>>,
    /// Answers of [`World::artifact`].
    pub artifacts: BTreeMap<(String, String), Fact<Option<Bytes>>>,
    /// Answers of [`World::cache_state`].
    pub caches: BTreeMap<CacheQuery, Fact<CacheState>>,
}

impl Facts {
    /// Adds the answers of `other`. Where both know one they agree, having been asked of the same world.
    pub fn absorb(&mut self, other: Facts) {
        self.changed_paths.extend(other.changed_paths);
        self.trees.extend(other.trees);
        self.files.extend(other.files);
        self.blob_ids.extend(other.blob_ids);
        self.last_commits.extend(other.last_commits);
        self.projects.extend(other.projects);
        self.revisions.extend(other.revisions);
        self.remotes.extend(other.remotes);
        self.templates.extend(other.templates);
        self.components.extend(other.components);
        self.artifacts.extend(other.artifacts);
        self.caches.extend(other.caches);
    }
}

fn replay<K: Ord, T: Clone>(answers: &BTreeMap<K, Fact<T>>, key: &K) -> Answer<T> {
    Ok(answers
        .get(key)
        .cloned()
        .unwrap_or(Fact::Unknown(Why::NotRecorded)))
}

impl World for Facts {
    fn changed_paths(&self, query: &ChangedPaths) -> Answer<PathList> {
        replay(&self.changed_paths, query)
    }

    fn tree(&self, place: &Place) -> Answer<PathList> {
        replay(&self.trees, place)
    }

    fn file(&self, place: &Place, path: &str) -> Answer<Option<Bytes>> {
        replay(&self.files, &(place.clone(), path.to_owned()))
    }

    fn blob_ids(&self, paths: &[String]) -> Answer<Vec<Option<String>>> {
        replay(&self.blob_ids, &paths.to_vec())
    }

    fn last_commits(&self, paths: &[String]) -> Answer<Vec<Option<String>>> {
        replay(&self.last_commits, &paths.to_vec())
    }

    fn project(&self, path: &str) -> Answer<Option<ProjectFacts>> {
        replay(&self.projects, &path.to_owned())
    }

    fn revision(&self, project: Option<&str>, name: &str) -> Answer<Option<String>> {
        replay(
            &self.revisions,
            &(project.map(str::to_owned), name.to_owned()),
        )
    }

    fn remote(&self, url: &str) -> Answer<Remote> {
        replay(&self.remotes, &url.to_owned())
    }

    fn template(&self, name: &str) -> Answer<Option<Bytes>> {
        replay(&self.templates, &name.to_owned())
    }

    fn component(&self, project: &str, name: &str, version: &str) -> Answer<Option<Component>> {
        replay(
            &self.components,
            &(project.to_owned(), name.to_owned(), version.to_owned()),
        )
    }

    fn artifact(&self, job: &str, path: &str) -> Answer<Option<Bytes>> {
        replay(&self.artifacts, &(job.to_owned(), path.to_owned()))
    }

    fn cache_state(&self, query: &CacheQuery) -> Answer<CacheState> {
        replay(&self.caches, query)
    }
}

/// A world that passes questions on, remembers the answers, and asks nothing twice.
pub struct Recorder<'a> {
    inner: &'a dyn World,
    facts: RefCell<Facts>,
}

impl<'a> Recorder<'a> {
    /// Records what `inner` answers.
    pub fn new(inner: &'a dyn World) -> Recorder<'a> {
        Recorder {
            inner,
            facts: RefCell::default(),
        }
    }

    /// What was asked and answered.
    pub fn into_facts(self) -> Facts {
        self.facts.into_inner()
    }

    fn remember<K: Ord, T: Clone>(
        &self,
        key: K,
        answers: impl Fn(&mut Facts) -> &mut BTreeMap<K, Fact<T>>,
        ask: impl FnOnce(&dyn World) -> Answer<T>,
    ) -> Result<Fact<T>, WorldError> {
        if let Some(known) = answers(&mut self.facts.borrow_mut()).get(&key) {
            return Ok(known.clone());
        }
        let answer = ask(self.inner)?;
        answers(&mut self.facts.borrow_mut()).insert(key, answer.clone());
        Ok(answer)
    }
}

impl World for Recorder<'_> {
    fn changed_paths(&self, query: &ChangedPaths) -> Answer<PathList> {
        self.remember(
            query.clone(),
            |f| &mut f.changed_paths,
            |w| w.changed_paths(query),
        )
    }

    fn tree(&self, place: &Place) -> Answer<PathList> {
        self.remember(place.clone(), |f| &mut f.trees, |w| w.tree(place))
    }

    fn file(&self, place: &Place, path: &str) -> Answer<Option<Bytes>> {
        let key = (place.clone(), path.to_owned());
        self.remember(key, |f| &mut f.files, |w| w.file(place, path))
    }

    fn blob_ids(&self, paths: &[String]) -> Answer<Vec<Option<String>>> {
        self.remember(paths.to_vec(), |f| &mut f.blob_ids, |w| w.blob_ids(paths))
    }

    fn last_commits(&self, paths: &[String]) -> Answer<Vec<Option<String>>> {
        self.remember(
            paths.to_vec(),
            |f| &mut f.last_commits,
            |w| w.last_commits(paths),
        )
    }

    fn project(&self, path: &str) -> Answer<Option<ProjectFacts>> {
        self.remember(path.to_owned(), |f| &mut f.projects, |w| w.project(path))
    }

    fn revision(&self, project: Option<&str>, name: &str) -> Answer<Option<String>> {
        let key = (project.map(str::to_owned), name.to_owned());
        self.remember(key, |f| &mut f.revisions, |w| w.revision(project, name))
    }

    fn remote(&self, url: &str) -> Answer<Remote> {
        self.remember(url.to_owned(), |f| &mut f.remotes, |w| w.remote(url))
    }

    fn template(&self, name: &str) -> Answer<Option<Bytes>> {
        self.remember(name.to_owned(), |f| &mut f.templates, |w| w.template(name))
    }

    fn component(&self, project: &str, name: &str, version: &str) -> Answer<Option<Component>> {
        let key = (project.to_owned(), name.to_owned(), version.to_owned());
        self.remember(
            key,
            |f| &mut f.components,
            |w| w.component(project, name, version),
        )
    }

    fn artifact(&self, job: &str, path: &str) -> Answer<Option<Bytes>> {
        let key = (job.to_owned(), path.to_owned());
        self.remember(key, |f| &mut f.artifacts, |w| w.artifact(job, path))
    }

    fn cache_state(&self, query: &CacheQuery) -> Answer<CacheState> {
        self.remember(query.clone(), |f| &mut f.caches, |w| w.cache_state(query))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::FixtureWorld;

    #[test]
    fn a_recording_answers_what_was_asked_and_nothing_else() {
        let world = FixtureWorld::with_files([("a", "text")]);
        let recorder = Recorder::new(&world);
        let live = recorder.file(&Place::Here, "a");
        let facts = recorder.into_facts();
        assert_eq!(facts.file(&Place::Here, "a"), live);
        assert_eq!(
            facts.file(&Place::Here, "b"),
            Ok(Fact::Unknown(Why::NotRecorded))
        );
    }
}
