//! Every question asked of the world with its answer.
//!
//! Each kind of question is a list of objects that name what was asked and hold the `answer`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::content::ContentRecord;
use super::fact::FactRecord;
use super::{UnreadableRecord, words};
use crate::recorder::Facts;
use crate::world::{
    CacheQuery, CacheState, ChangedPaths, Comparison, Component, PathList, Place, ProjectFacts,
    Remote,
};

type Read<T> = Result<T, UnreadableRecord>;

/// All answers of a world that a plan relied on. A list that is left out is empty.
#[derive(Serialize, Deserialize, Debug, Clone, Default)]
#[serde(default)]
pub struct FactsRecord {
    changed_paths: Vec<Changed>,
    trees: Vec<Tree>,
    files: Vec<File>,
    blob_ids: Vec<Ids>,
    last_commits: Vec<Ids>,
    projects: Vec<Project>,
    revisions: Vec<Revision>,
    remotes: Vec<Fetched>,
    templates: Vec<Template>,
    components: Vec<ComponentAsked>,
    artifacts: Vec<Artifact>,
    caches: Vec<Cache>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct Changed {
    base: String,
    comparison: ComparisonRecord,
    answer: FactRecord<Vec<String>>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct Tree {
    place: PlaceRecord,
    answer: FactRecord<Vec<String>>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct File {
    place: PlaceRecord,
    path: String,
    answer: FactRecord<Option<ContentRecord>>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct Ids {
    paths: Vec<String>,
    answer: FactRecord<Vec<Option<String>>>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct Project {
    path: String,
    answer: FactRecord<Option<ProjectRecord>>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct ProjectRecord {
    default_branch: String,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct Revision {
    /// None: the pipeline's own.
    project: Option<String>,
    name: String,
    answer: FactRecord<Option<String>>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct Fetched {
    url: String,
    answer: FactRecord<RemoteRecord>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(rename_all = "snake_case")]
enum RemoteRecord {
    Body(ContentRecord),
    Status { code: u16, attempts: u32 },
    SocketError,
    TimedOut,
    HttpError,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct Template {
    name: String,
    answer: FactRecord<Option<ContentRecord>>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct ComponentAsked {
    project: String,
    name: String,
    version: String,
    answer: FactRecord<Option<ComponentRecord>>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct ComponentRecord {
    sha: String,
    version: Option<String>,
    path: String,
    content: ContentRecord,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct Artifact {
    job: String,
    path: String,
    answer: FactRecord<Option<ContentRecord>>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct Cache {
    key: String,
    answer: FactRecord<CacheStateRecord>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(rename_all = "snake_case")]
enum PlaceRecord {
    Here,
    Project { path: String, sha: String },
}

words! { ComparisonRecord of Comparison { Direct, MergeBase } }
words! { CacheStateRecord of CacheState { Present, Missing } }

impl FactsRecord {
    /// The record of some facts.
    pub fn of(facts: &Facts) -> FactsRecord {
        FactsRecord {
            changed_paths: facts.changed_paths.iter().map(changed_of).collect(),
            trees: facts.trees.iter().map(tree_of).collect(),
            files: facts.files.iter().map(file_of).collect(),
            blob_ids: facts.blob_ids.iter().map(ids_of).collect(),
            last_commits: facts.last_commits.iter().map(ids_of).collect(),
            projects: facts.projects.iter().map(project_of).collect(),
            revisions: facts.revisions.iter().map(revision_of).collect(),
            remotes: facts.remotes.iter().map(fetched_of).collect(),
            templates: facts.templates.iter().map(template_of).collect(),
            components: facts.components.iter().map(component_of).collect(),
            artifacts: facts.artifacts.iter().map(artifact_of).collect(),
            caches: facts.caches.iter().map(cache_of).collect(),
        }
    }

    /// The facts.
    ///
    /// # Errors
    /// A content is no base64.
    pub fn facts(self) -> Read<Facts> {
        Ok(Facts {
            changed_paths: all(self.changed_paths, changed)?,
            trees: all(self.trees, tree)?,
            files: all(self.files, file)?,
            blob_ids: all(self.blob_ids, ids)?,
            last_commits: all(self.last_commits, ids)?,
            projects: all(self.projects, project)?,
            revisions: all(self.revisions, revision)?,
            remotes: all(self.remotes, fetched)?,
            templates: all(self.templates, template)?,
            components: all(self.components, component)?,
            artifacts: all(self.artifacts, artifact)?,
            caches: all(self.caches, cache)?,
        })
    }
}

fn all<R, P, C: FromIterator<P>>(records: Vec<R>, read: impl Fn(R) -> Read<P>) -> Read<C> {
    records.into_iter().map(read).collect()
}

type Answered<'a, K, T> = (&'a K, &'a crate::fact::Fact<T>);
type Question<K, T> = Read<(K, crate::fact::Fact<T>)>;
type Bytes = Arc<[u8]>;

fn changed_of((query, answer): Answered<'_, ChangedPaths, PathList>) -> Changed {
    Changed {
        base: query.base.clone(),
        comparison: ComparisonRecord::of(query.comparison),
        answer: FactRecord::of(answer, paths_of),
    }
}

fn changed(record: Changed) -> Question<ChangedPaths, PathList> {
    let query = ChangedPaths {
        base: record.base,
        comparison: record.comparison.model(),
    };
    Ok((query, record.answer.fact(paths)?))
}

fn tree_of((place, answer): Answered<'_, Place, PathList>) -> Tree {
    Tree {
        place: PlaceRecord::of(place),
        answer: FactRecord::of(answer, paths_of),
    }
}

fn tree(record: Tree) -> Question<Place, PathList> {
    Ok((record.place.place(), record.answer.fact(paths)?))
}

fn file_of(((place, path), answer): Answered<'_, (Place, String), Option<Bytes>>) -> File {
    File {
        place: PlaceRecord::of(place),
        path: path.clone(),
        answer: FactRecord::of(answer, content_of),
    }
}

fn file(record: File) -> Question<(Place, String), Option<Bytes>> {
    let key = (record.place.place(), record.path);
    Ok((key, record.answer.fact(content)?))
}

fn ids_of((paths, answer): Answered<'_, Vec<String>, Vec<Option<String>>>) -> Ids {
    Ids {
        paths: paths.clone(),
        answer: FactRecord::of(answer, Clone::clone),
    }
}

fn ids(record: Ids) -> Question<Vec<String>, Vec<Option<String>>> {
    Ok((record.paths, record.answer.fact(Ok)?))
}

fn project_of((path, answer): Answered<'_, String, Option<ProjectFacts>>) -> Project {
    Project {
        path: path.clone(),
        answer: FactRecord::of(answer, |known| {
            known.as_ref().map(|known| ProjectRecord {
                default_branch: known.default_branch.clone(),
            })
        }),
    }
}

fn project(record: Project) -> Question<String, Option<ProjectFacts>> {
    let answer = record.answer.fact(|known| {
        Ok(known.map(|known| ProjectFacts {
            default_branch: known.default_branch,
        }))
    })?;
    Ok((record.path, answer))
}

fn revision_of(
    ((project, name), answer): Answered<'_, (Option<String>, String), Option<String>>,
) -> Revision {
    Revision {
        project: project.clone(),
        name: name.clone(),
        answer: FactRecord::of(answer, Clone::clone),
    }
}

fn revision(record: Revision) -> Question<(Option<String>, String), Option<String>> {
    Ok(((record.project, record.name), record.answer.fact(Ok)?))
}

fn fetched_of((url, answer): Answered<'_, String, Remote>) -> Fetched {
    Fetched {
        url: url.clone(),
        answer: FactRecord::of(answer, RemoteRecord::of),
    }
}

fn fetched(record: Fetched) -> Question<String, Remote> {
    Ok((record.url, record.answer.fact(RemoteRecord::remote)?))
}

fn template_of((name, answer): Answered<'_, String, Option<Bytes>>) -> Template {
    Template {
        name: name.clone(),
        answer: FactRecord::of(answer, content_of),
    }
}

fn template(record: Template) -> Question<String, Option<Bytes>> {
    Ok((record.name, record.answer.fact(content)?))
}

fn component_of(
    ((project, name, version), answer): Answered<'_, (String, String, String), Option<Component>>,
) -> ComponentAsked {
    ComponentAsked {
        project: project.clone(),
        name: name.clone(),
        version: version.clone(),
        answer: FactRecord::of(answer, |found| {
            found.as_ref().map(|found| ComponentRecord {
                sha: found.sha.clone(),
                version: found.version.clone(),
                path: found.path.clone(),
                content: ContentRecord::of(&found.content),
            })
        }),
    }
}

fn component(record: ComponentAsked) -> Question<(String, String, String), Option<Component>> {
    let model = |found: ComponentRecord| {
        Ok(Component {
            content: found.content.bytes()?,
            sha: found.sha,
            version: found.version,
            path: found.path,
        })
    };
    let answer = record.answer.fact(|found| found.map(model).transpose())?;
    Ok(((record.project, record.name, record.version), answer))
}

fn artifact_of(((job, path), answer): Answered<'_, (String, String), Option<Bytes>>) -> Artifact {
    Artifact {
        job: job.clone(),
        path: path.clone(),
        answer: FactRecord::of(answer, content_of),
    }
}

fn artifact(record: Artifact) -> Question<(String, String), Option<Bytes>> {
    Ok(((record.job, record.path), record.answer.fact(content)?))
}

fn cache_of((query, answer): Answered<'_, CacheQuery, CacheState>) -> Cache {
    Cache {
        key: query.key.clone(),
        answer: FactRecord::of(answer, |state| CacheStateRecord::of(*state)),
    }
}

fn cache(record: Cache) -> Question<CacheQuery, CacheState> {
    let query = CacheQuery { key: record.key };
    Ok((query, record.answer.fact(|state| Ok(state.model()))?))
}

fn paths_of(paths: &PathList) -> Vec<String> {
    paths
        .as_slice()
        .iter()
        .map(|path| (**path).into())
        .collect()
}

fn paths(paths: Vec<String>) -> Read<PathList> {
    Ok(paths.into_iter().collect())
}

fn content_of(content: &Option<Bytes>) -> Option<ContentRecord> {
    content.as_deref().map(ContentRecord::of)
}

fn content(content: Option<ContentRecord>) -> Read<Option<Bytes>> {
    content.map(|content| content.bytes()).transpose()
}

impl RemoteRecord {
    fn of(remote: &Remote) -> RemoteRecord {
        match remote {
            Remote::Body(bytes) => RemoteRecord::Body(ContentRecord::of(bytes)),
            Remote::Status { code, attempts } => RemoteRecord::Status {
                code: *code,
                attempts: *attempts,
            },
            Remote::SocketError => RemoteRecord::SocketError,
            Remote::TimedOut => RemoteRecord::TimedOut,
            Remote::HttpError => RemoteRecord::HttpError,
        }
    }

    fn remote(self) -> Read<Remote> {
        Ok(match self {
            RemoteRecord::Body(content) => Remote::Body(content.bytes()?),
            RemoteRecord::Status { code, attempts } => Remote::Status { code, attempts },
            RemoteRecord::SocketError => Remote::SocketError,
            RemoteRecord::TimedOut => Remote::TimedOut,
            RemoteRecord::HttpError => Remote::HttpError,
        })
    }
}

impl PlaceRecord {
    fn of(place: &Place) -> PlaceRecord {
        match place {
            Place::Here => PlaceRecord::Here,
            Place::Project { path, sha } => PlaceRecord::Project {
                path: path.clone(),
                sha: sha.clone(),
            },
        }
    }

    fn place(self) -> Place {
        match self {
            PlaceRecord::Here => Place::Here,
            PlaceRecord::Project { path, sha } => Place::Project { path, sha },
        }
    }
}
