//! A world held in memory: what tests state and recordings contain.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fact::{Fact, Why};
use crate::world::{
    Answer, CacheQuery, CacheState, ChangedPaths, Component, PathList, Place, ProjectFacts, Remote,
    World,
};

/// Another project of a [`FixtureWorld`].
#[derive(Clone, Debug, Default)]
pub struct FixtureProject {
    /// Its default branch.
    pub default_branch: String,
    /// Branches and tags with their files.
    pub refs: BTreeMap<String, BTreeMap<String, String>>,
}

/// A world whose every answer is stated; what is not stated does not exist.
#[derive(Clone, Debug, Default)]
pub struct FixtureWorld {
    /// Files of the project with their content.
    pub files: BTreeMap<String, String>,
    /// Further files of the project whose content does not matter.
    pub tree: Vec<String>,
    /// Paths that differ from a ref, by ref; a ref not listed does not exist.
    pub compare: BTreeMap<String, Vec<String>>,
    /// Other projects by lower-case full path.
    pub projects: BTreeMap<String, FixtureProject>,
    /// Answers of URLs.
    pub remotes: BTreeMap<String, Remote>,
    /// Templates by name.
    pub templates: BTreeMap<String, String>,
    /// Present caches by final key; others are missing.
    pub caches: BTreeMap<String, CacheState>,
    /// Files in artifacts of the parent's jobs.
    pub artifacts: BTreeMap<(String, String), Vec<u8>>,
}

impl FixtureWorld {
    /// A world that holds the given files and nothing else.
    pub fn with_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> FixtureWorld {
        let files = files
            .into_iter()
            .map(|(path, text)| (path.to_owned(), text.to_owned()));
        FixtureWorld {
            files: files.collect(),
            ..FixtureWorld::default()
        }
    }

    fn files_of(&self, place: &Place) -> Option<&BTreeMap<String, String>> {
        match place {
            Place::Here => Some(&self.files),
            // The stated commit id of a fixture's ref is the ref's own name.
            Place::Project { path, sha } => self.projects.get(path)?.refs.get(sha),
        }
    }
}

/// The git blob id of `content`, as a stand-in that is unique per content.
///
/// Fixtures state texts, not git objects; equal contents give equal ids, which is all that key derivation relies on.
fn stand_in_id(content: &str) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in content.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:040x}")
}

impl World for FixtureWorld {
    fn changed_paths(&self, query: &ChangedPaths) -> Answer<PathList> {
        let none = || Why::NotApplicable(format!("nothing is stated about {}", query.base));
        Ok(match self.compare.get(&query.base) {
            Some(paths) => Fact::Known(paths.iter().map(String::as_str).collect()),
            None => Fact::Unknown(none()),
        })
    }

    fn tree(&self, place: &Place) -> Answer<PathList> {
        let files = self
            .files_of(place)
            .into_iter()
            .flat_map(|files| files.keys());
        let further = self.tree.iter().filter(|_| *place == Place::Here);
        Ok(Fact::Known(
            files.chain(further).map(String::as_str).collect(),
        ))
    }

    fn file(&self, place: &Place, path: &str) -> Answer<Option<Arc<[u8]>>> {
        let content = self.files_of(place).and_then(|files| files.get(path));
        Ok(Fact::Known(content.map(|text| text.as_bytes().into())))
    }

    fn blob_ids(&self, paths: &[String]) -> Answer<Vec<Option<String>>> {
        let id = |path: &String| {
            let stated = self.files.get(path).map(|text| stand_in_id(text));
            stated.or_else(|| self.tree.contains(path).then(|| stand_in_id(path)))
        };
        Ok(Fact::Known(paths.iter().map(id).collect()))
    }

    fn last_commits(&self, paths: &[String]) -> Answer<Vec<Option<String>>> {
        self.blob_ids(paths)
    }

    fn project(&self, path: &str) -> Answer<Option<ProjectFacts>> {
        Ok(Fact::Known(self.projects.get(path).map(|known| {
            ProjectFacts {
                default_branch: known.default_branch.clone(),
            }
        })))
    }

    fn revision(&self, project: Option<&str>, name: &str) -> Answer<Option<String>> {
        let exists = match project {
            None => self.compare.contains_key(name),
            Some(path) => self
                .projects
                .get(path)
                .is_some_and(|p| p.refs.contains_key(name)),
        };
        Ok(Fact::Known(exists.then(|| name.to_owned())))
    }

    fn remote(&self, url: &str) -> Answer<Remote> {
        Ok(match self.remotes.get(url) {
            Some(answer) => Fact::Known(answer.clone()),
            None => Fact::Unknown(Why::NotRecorded),
        })
    }

    fn template(&self, name: &str) -> Answer<Option<Arc<[u8]>>> {
        Ok(Fact::Known(
            self.templates.get(name).map(|text| text.as_bytes().into()),
        ))
    }

    fn component(&self, project: &str, name: &str, version: &str) -> Answer<Option<Component>> {
        let files = self
            .projects
            .get(project)
            .and_then(|known| known.refs.get(version));
        let candidates = [
            format!("templates/{name}.yml"),
            format!("templates/{name}/template.yml"),
        ];
        let found = candidates.into_iter().find_map(|path| {
            let content = files?.get(&path)?.as_bytes().into();
            Some(Component {
                sha: version.to_owned(),
                version: None,
                path,
                content,
            })
        });
        Ok(Fact::Known(found))
    }

    fn artifact(&self, job: &str, path: &str) -> Answer<Option<Arc<[u8]>>> {
        let content = self.artifacts.get(&(job.to_owned(), path.to_owned()));
        Ok(Fact::Known(content.map(|bytes| bytes.as_slice().into())))
    }

    fn cache_state(&self, query: &CacheQuery) -> Answer<CacheState> {
        Ok(Fact::Known(
            self.caches
                .get(&query.key)
                .copied()
                .unwrap_or(CacheState::Missing),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_holds_files_and_further_paths_sorted() {
        let mut world = FixtureWorld::with_files([("b", "1"), ("a/x", "2")]);
        world.tree.push("a/b".to_owned());
        let Ok(Fact::Known(tree)) = world.tree(&Place::Here) else {
            panic!("stated")
        };
        let paths: Vec<_> = tree.as_slice().iter().map(|path| &**path).collect();
        assert_eq!(paths, ["a/b", "a/x", "b"]);
        assert!(tree.any_below("a/") && !tree.any_below("b/") && tree.contains("b"));
    }

    #[test]
    fn equal_contents_have_equal_blob_ids() {
        let world = FixtureWorld::with_files([("a", "x"), ("b", "x"), ("c", "y")]);
        let asked = ["a", "b", "c", "d"].map(str::to_owned);
        let Ok(Fact::Known(ids)) = world.blob_ids(&asked) else {
            panic!("stated")
        };
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[0], ids[2]);
        assert_eq!(ids[3], None);
    }
}
