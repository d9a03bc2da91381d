//! Projects and components: from a directory or a mirror.

use std::sync::Arc;

use tidegate_scenario::{Answer, Component, PathList, ProjectFacts, Why};

use super::{Content, Fetcher, Network, Stop, answer};
use crate::address::{has_password, identity, redacted};
use crate::directory::{Directory, NO_COMMIT};
use crate::lock::{LockKey, LockKind, Pin, is_full_id};
use crate::mirror::{Mirror, Refs};
use crate::plain::is_inside;
use crate::sources::Location;
use crate::transport::TransportError;
use crate::version::{Tag, Wanted, highest, is_release};

/// Where a project's files come from.
pub(super) enum Home {
    Directory(Directory),
    Url {
        mirror: Mirror,
        url: String,
        /// The same for all ways to write the URL.
        origin: String,
    },
}

/// A version that was resolved.
pub(crate) struct Resolved {
    pub(crate) sha: String,
    pub(crate) version: Option<String>,
}

impl Fetcher<'_> {
    /// A project by its path, or `None` where its server has none such or does not show it.
    pub fn project(&self, path: &str) -> Answer<Option<ProjectFacts>> {
        answer(self.find_project(path))
    }

    /// The commit a name stands for in a project.
    pub fn revision(&self, path: &str, name: &str) -> Answer<Option<String>> {
        answer(self.find_revision(path, name))
    }

    /// A file of a project at a commit that [`Fetcher::revision`] or [`Fetcher::component`] gave.
    pub fn file(&self, path: &str, sha: &str, file: &str) -> Answer<Content> {
        answer(self.find_file(path, sha, file))
    }

    /// All files of a project at such a commit.
    pub fn tree(&self, path: &str, sha: &str) -> Answer<PathList> {
        answer(self.find_tree(path, sha))
    }

    /// A component at a version, resolved with its project's tags.
    pub fn component(&self, path: &str, name: &str, version: &str) -> Answer<Option<Component>> {
        answer(self.find_component(path, name, version))
    }

    fn home(&self, path: &str) -> Result<(Home, Option<String>), Stop> {
        let Some(source) = self.setup.sources.project(path) else {
            let text = format!("no directory or URL is configured for the project `{path}`");
            return Err(Why::NotConfigured(text).into());
        };
        // What stands for `*` comes from the configuration that includes.
        if !is_inside(path) {
            let text = format!("`{path}` is no path of a project");
            return Err(Why::Failed(text).into());
        }
        let home = match source.location {
            Location::Directory {
                path: dir,
                work_tree,
            } => match Directory::open(&dir, work_tree) {
                Some(directory) => Home::Directory(directory),
                None => {
                    let dir = dir.display();
                    let text = format!("the directory {dir} configured for `{path}` is missing");
                    return Err(Why::NotConfigured(text).into());
                }
            },
            Location::Url(url) if has_password(&url) || url.starts_with('-') => {
                let url = redacted(&url);
                let text = format!(
                    "the URL configured for `{path}` ({url}) is not used: credentials belong in \
                     git's credential helper or GITLAB_TOKEN"
                );
                return Err(Why::NotConfigured(text).into());
            }
            Location::Url(url) => Home::Url {
                mirror: Mirror::new(&self.setup.mirrors, &url),
                origin: identity(&url),
                url,
            },
        };
        Ok((home, source.default_ref))
    }

    fn find_project(&self, path: &str) -> Result<Option<ProjectFacts>, Stop> {
        let (home, default_ref) = self.home(path)?;
        let branch = match &home {
            Home::Directory(directory) => directory.branch(),
            Home::Url { origin, .. } => {
                let key = key(LockKind::Project, path, "HEAD");
                match self.pin(&key, Some(origin))?.and_then(|pin| pin.branch) {
                    Some(branch) => branch,
                    None => {
                        let Some(refs) = self.refs(&home)? else {
                            return Ok(None);
                        };
                        let branch = refs.head.clone().unwrap_or_else(|| "HEAD".to_owned());
                        let pin = Pin {
                            origin: Some(origin.clone()),
                            branch: Some(branch.clone()),
                            ..Pin::default()
                        };
                        self.set_pin(key, pin)?;
                        branch
                    }
                }
            }
        };
        Ok(Some(ProjectFacts {
            default_branch: default_ref.unwrap_or(branch),
        }))
    }

    fn find_revision(&self, path: &str, name: &str) -> Result<Option<String>, Stop> {
        let (home, _) = self.home(path)?;
        let key = key(LockKind::Project, path, name);
        let resolved = self.pinned_commit(&home, key, || self.named_commit(&home, name))?;
        Ok(resolved.map(|resolved| resolved.sha))
    }

    fn find_file(&self, path: &str, sha: &str, file: &str) -> Result<Content, Stop> {
        let (home, _) = self.home(path)?;
        self.file_at(&home, sha, file)
    }

    fn file_at(&self, home: &Home, sha: &str, file: &str) -> Result<Content, Stop> {
        let content = match home {
            Home::Directory(directory) => directory.file(sha, file)?,
            Home::Url { mirror, .. } => {
                self.require(home, sha)?;
                mirror.file(sha, file)
            }
        };
        Ok(content.map(Into::into))
    }

    fn find_tree(&self, path: &str, sha: &str) -> Result<PathList, Stop> {
        let (home, _) = self.home(path)?;
        match &home {
            Home::Directory(directory) => Ok(directory.tree(sha)?),
            Home::Url { mirror, .. } => {
                self.require(&home, sha)?;
                Ok(mirror.tree(sha)?)
            }
        }
    }

    fn find_component(
        &self,
        path: &str,
        name: &str,
        version: &str,
    ) -> Result<Option<Component>, Stop> {
        let (home, _) = self.home(path)?;
        let key = key(LockKind::Component, path, version);
        let resolved = self.pinned_commit(&home, key, || self.version(&home, version))?;
        let Some(resolved) = resolved else {
            return Ok(None);
        };
        component_at(name, resolved, |sha, file| self.file_at(&home, sha, file))
    }

    fn version(&self, home: &Home, version: &str) -> Result<Option<Resolved>, Stop> {
        if let Home::Directory(directory) = home {
            return Ok(version_in(directory, version));
        }
        let Some(refs) = self.refs(home)? else {
            return Ok(None);
        };
        match by_tags(&refs.tags(), version) {
            Some(found) => Ok(found),
            None => self.named_commit(home, version),
        }
    }

    /// A commit by its pin, else resolved and pinned. Directories are not pinned.
    fn pinned_commit(
        &self,
        home: &Home,
        key: LockKey,
        resolve: impl FnOnce() -> Result<Option<Resolved>, Stop>,
    ) -> Result<Option<Resolved>, Stop> {
        let Home::Url { origin, .. } = home else {
            return resolve();
        };
        if let Some(pin) = self.pin(&key, Some(origin))?
            && let Some(sha) = pin.sha
        {
            let version = pin.version;
            return Ok(Some(Resolved { sha, version }));
        }
        let Some(resolved) = resolve()? else {
            return Ok(None);
        };
        let pin = Pin {
            origin: Some(origin.clone()),
            sha: Some(resolved.sha.clone()),
            version: resolved.version.clone(),
            ..Pin::default()
        };
        self.set_pin(key, pin)?;
        Ok(Some(resolved))
    }

    fn named_commit(&self, home: &Home, name: &str) -> Result<Option<Resolved>, Stop> {
        let sha = match home {
            Home::Directory(directory) => directory.revision(name),
            Home::Url { .. } if is_full_id(name) => {
                self.commit(home, name, None)?.then(|| name.to_lowercase())
            }
            Home::Url { mirror, .. } => {
                let Some(refs) = self.refs(home)? else {
                    return Ok(None);
                };
                match refs.find(name) {
                    Some((full, sha)) => {
                        self.commit(home, sha, Some(full))?;
                        Some(sha.to_owned())
                    }
                    None if is_abbreviated_id(name) => {
                        let within = self.budget.next().ok_or(Why::TimedOut)?;
                        let credentials = &self.setup.credentials;
                        let found = mirror.find_abbreviated(name, credentials, within);
                        found.map_err(unreachable)?
                    }
                    None if name.contains(['~', '^', ':']) || name.contains("@{") => {
                        let text = format!(
                            "`{name}` is no name of a branch, tag or commit, which is all that \
                             can be fetched"
                        );
                        return Err(Why::Failed(text).into());
                    }
                    None => None,
                }
            }
        };
        Ok(sha.map(|sha| Resolved { sha, version: None }))
    }

    /// Branches and tags of the server, asked once; `None` where there is no such repository.
    fn refs(&self, home: &Home) -> Result<Option<Arc<Refs>>, Stop> {
        let Home::Url { mirror, url, .. } = home else {
            return Ok(None);
        };
        if let Some(known) = self.refs.borrow().get(url) {
            return known.clone().map_err(Stop::Unknown);
        }
        self.may_ask()?;
        let within = self.budget.next().ok_or(Why::TimedOut)?;
        let found = match mirror.refs(&self.setup.credentials, within) {
            Ok(refs) => Ok(Some(Arc::new(refs))),
            Err(TransportError::NoRepository) => Ok(None),
            Err(error) => Err(unreachable(error)),
        };
        self.refs.borrow_mut().insert(url.clone(), found.clone());
        found.map_err(Stop::Unknown)
    }

    /// Brings a commit into the mirror; `false` where the server has none such.
    fn commit(&self, home: &Home, sha: &str, name: Option<&str>) -> Result<bool, Stop> {
        let Home::Url { mirror, url, .. } = home else {
            return Ok(true);
        };
        let memo = (url.clone(), sha.to_owned());
        if let Some(known) = self.commits.borrow().get(&memo) {
            return known.clone().map_err(Stop::Unknown);
        }
        let found = if mirror.has(sha) {
            Ok(true)
        } else {
            self.may_ask()?;
            let within = self.budget.next().ok_or(Why::TimedOut)?;
            match mirror.fetch(sha, name, &self.setup.credentials, within) {
                Ok(()) => Ok(true),
                Err(TransportError::NoObject(_)) => Ok(false),
                Err(error) => Err(unreachable(error)),
            }
        };
        self.commits.borrow_mut().insert(memo, found.clone());
        found.map_err(Stop::Unknown)
    }

    /// A commit that was resolved before must be there.
    fn require(&self, home: &Home, sha: &str) -> Result<(), Stop> {
        if self.commit(home, sha, None)? {
            return Ok(());
        }
        let Home::Url { url, .. } = home else {
            return Ok(());
        };
        let url = redacted(url);
        let advice = match self.setup.network {
            Network::Refresh => "",
            Network::WhenNeeded | Network::Forbidden => "; `--update` looks for a new one",
        };
        let text = format!("{url} no longer has the commit {sha} of the lock file{advice}");
        Err(Why::Failed(text).into())
    }
}

/// A component's file at a commit: `templates/<name>.yml`, else `templates/<name>/template.yml`.
fn component_at<E>(
    name: &str,
    resolved: Resolved,
    file: impl Fn(&str, &str) -> Result<Content, E>,
) -> Result<Option<Component>, E> {
    let paths = [
        format!("templates/{name}.yml"),
        format!("templates/{name}/template.yml"),
    ];
    for path in paths {
        if let Some(content) = file(&resolved.sha, &path)? {
            return Ok(Some(Component {
                sha: resolved.sha,
                version: resolved.version,
                path,
                content,
            }));
        }
    }
    Ok(None)
}

/// A component of a directory, for the project that is being worked on.
pub(crate) fn component_in(
    directory: &Directory,
    name: &str,
    version: &str,
    file: impl Fn(&str, &str) -> Answer<Content>,
) -> Answer<Option<Component>> {
    let found = match version_in(directory, version) {
        None => Ok(None),
        Some(resolved) => component_at(name, resolved, |sha, path| {
            match file(sha, path).map_err(Stop::Broken)? {
                tidegate_scenario::Fact::Known(content) => Ok(content),
                tidegate_scenario::Fact::Unknown(why) => Err(Stop::Unknown(why)),
            }
        }),
    };
    answer(found)
}

fn version_in(directory: &Directory, version: &str) -> Option<Resolved> {
    if directory.is_plain() {
        let sha = NO_COMMIT.to_owned();
        return Some(Resolved { sha, version: None });
    }
    by_tags(&directory.tags(), version).unwrap_or_else(|| {
        let sha = directory.revision(version)?;
        Some(Resolved { sha, version: None })
    })
}

/// A version the tags decide about; `None` where it may still be a branch or commit.
fn by_tags(tags: &[Tag], version: &str) -> Option<Option<Resolved>> {
    let released = |tag: &Tag| Resolved {
        sha: tag.sha.clone(),
        version: is_release(&tag.name).then(|| tag.name.clone()),
    };
    match Wanted::of(version) {
        Wanted::Release(partial) => Some(highest(tags, partial).map(released)),
        Wanted::Name(name) => tags
            .iter()
            .find(|tag| tag.name == name)
            .map(|tag| Some(released(tag))),
    }
}

fn key(kind: LockKind, path: &str, name: &str) -> LockKey {
    LockKey {
        kind,
        address: path.to_owned(),
        name: name.to_owned(),
    }
}

fn unreachable(error: TransportError) -> Why {
    match error {
        TransportError::Unknown(why) => why,
        TransportError::NoObject(text) => Why::Failed(text),
        TransportError::NoRepository => Why::Failed("there is no such repository".to_owned()),
    }
}

fn is_abbreviated_id(name: &str) -> bool {
    (4..40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
