//! Bare copies of repositories that are only reachable by URL: single commits of them, never more than was asked for.
//!
//! A commit that is here stays valid for ever, so a mirror needs no renewal; which commit a name stands for is asked of the
//! server ([`Mirror::refs`]) and remembered elsewhere.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidegate_scenario::{PathList, Why, WorldError};

use crate::address::identity;
use crate::credentials::Credentials;
use crate::git::{fields, foreign, try_foreign};
use crate::lock::digest;
use crate::plain::is_inside;
use crate::transport::{TransportError, remote_command, run};
use crate::version::Tag;

const EVERYTHING: [&str; 2] = [
    "+refs/heads/*:refs/tidegate/heads/*",
    "+refs/tags/*:refs/tidegate/tags/*",
];

/// Branches and tags of a repository as its server tells them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Refs {
    /// The branch `HEAD` stands for.
    pub(crate) head: Option<String>,
    /// Full names with commits, tags resolved to theirs.
    pub(crate) named: Vec<(String, String)>,
}

/// One repository.
#[derive(Clone, Debug)]
pub(crate) struct Mirror {
    dir: PathBuf,
    url: String,
}

impl Mirror {
    /// The mirror of `url` among `mirrors`; nothing is read or written yet.
    pub(crate) fn new(mirrors: &Path, url: &str) -> Mirror {
        let name = digest(identity(url).as_bytes());
        let name = name
            .trim_start_matches("sha256:")
            .get(..32)
            .unwrap_or(&name)
            .to_owned();
        Mirror {
            dir: mirrors.join(format!("{name}.git")),
            url: url.to_owned(),
        }
    }

    /// Whether the commit is here.
    pub(crate) fn has(&self, sha: &str) -> bool {
        let object = format!("{sha}^{{commit}}");
        self.dir.is_dir() && try_foreign(&self.dir, &["cat-file", "-e", &object]).is_some()
    }

    /// Asks the server for its branches and tags.
    pub(crate) fn refs(
        &self,
        credentials: &Credentials,
        within: Duration,
    ) -> Result<Refs, TransportError> {
        self.prepare()?;
        let mut git = remote_command(&self.dir, &self.url, credentials);
        git.args([
            "ls-remote",
            "--symref",
            "--",
            &self.url,
            "HEAD",
            "refs/heads/*",
            "refs/tags/*",
        ]);
        let answer = run(git, within, credentials)?;
        Ok(Refs::parse(&String::from_utf8_lossy(&answer)))
    }

    /// Brings the commit here: by its id, and where the server does not give it so, by the `name` it was found under.
    pub(crate) fn fetch(
        &self,
        sha: &str,
        name: Option<&str>,
        credentials: &Credentials,
        within: Duration,
    ) -> Result<(), TransportError> {
        self.prepare()?;
        let _guard = self.locked()?;
        if self.has(sha) {
            return Ok(());
        }
        let kept = format!("refs/tidegate/{sha}");
        let by_id = self.fetch_spec(&[&format!("+{sha}:{kept}")], true, credentials, within);
        let Err(TransportError::NoObject(why)) = &by_id else {
            return by_id;
        };
        if let Some(name) = name {
            self.fetch_spec(&[&format!("+{name}:{kept}")], true, credentials, within)?;
        } else if why.contains("unadvertised") {
            // Old servers give away by id only what a name stands for now; it may lie behind one.
            self.fetch_spec(&EVERYTHING, false, credentials, within)?;
        }
        match self.has(sha) {
            true => Ok(()),
            false => by_id,
        }
    }

    /// Finds the commit an abbreviated id stands for, for which all history is needed.
    pub(crate) fn find_abbreviated(
        &self,
        abbreviated: &str,
        credentials: &Credentials,
        within: Duration,
    ) -> Result<Option<String>, TransportError> {
        self.prepare()?;
        let _guard = self.locked()?;
        self.fetch_spec(&EVERYTHING, false, credentials, within)?;
        let object = format!("{abbreviated}^{{commit}}");
        let found = try_foreign(&self.dir, &["rev-parse", "--verify", "--quiet", &object]);
        Ok(found.map(|sha| String::from_utf8_lossy(&sha).trim().to_owned()))
    }

    fn fetch_spec(
        &self,
        specs: &[&str],
        shallow: bool,
        credentials: &Credentials,
        within: Duration,
    ) -> Result<(), TransportError> {
        let mut git = remote_command(&self.dir, &self.url, credentials);
        git.args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"]);
        if shallow {
            git.arg("--depth=1");
        } else if self.dir.join("shallow").exists() {
            git.arg("--unshallow");
        }
        git.args(["--", &self.url]).args(specs);
        run(git, within, credentials).map(drop)
    }

    /// Content of a file at a commit that is here.
    pub(crate) fn file(&self, sha: &str, path: &str) -> Option<Vec<u8>> {
        let object = format!("{sha}:{path}");
        is_inside(path)
            .then(|| try_foreign(&self.dir, &["cat-file", "blob", &object]))
            .flatten()
    }

    /// All files at a commit that is here.
    pub(crate) fn tree(&self, sha: &str) -> Result<PathList, WorldError> {
        let listed = try_foreign(&self.dir, &["ls-tree", "-r", "-z", "--name-only", sha]);
        let listed = listed.ok_or_else(|| {
            let dir = self.dir.display();
            WorldError::Repository(format!("{dir}: the commit {sha} is damaged"))
        })?;
        Ok(fields(&listed).into_iter().collect())
    }

    fn prepare(&self) -> Result<(), TransportError> {
        if self.dir.join("HEAD").is_file() {
            return Ok(());
        }
        fs::create_dir_all(&self.dir).map_err(|error| self.unwritable(&error))?;
        let mut git = foreign(&self.dir);
        git.args(["init", "--quiet", "--bare", "--template=", "."]);
        run(git, Duration::from_secs(30), &Credentials::default()).map(drop)
    }

    /// Git's own locks refuse a second process; this one makes it wait.
    fn locked(&self) -> Result<File, TransportError> {
        let path = self.dir.join("tidegate.lock");
        let file = File::create(&path).map_err(|error| self.unwritable(&error))?;
        file.lock().map_err(|error| self.unwritable(&error))?;
        Ok(file)
    }

    fn unwritable(&self, error: &io::Error) -> TransportError {
        let text = format!("write {}: {error}", self.dir.display());
        TransportError::Unknown(Why::Failed(text))
    }
}

impl Refs {
    fn parse(listed: &str) -> Refs {
        let mut refs = Refs::default();
        for line in listed.lines() {
            let Some((first, name)) = line.split_once('\t') else {
                continue;
            };
            if let Some(target) = first.strip_prefix("ref: ") {
                if name == "HEAD" {
                    refs.head = target.strip_prefix("refs/heads/").map(str::to_owned);
                }
            } else if let Some(tag) = name.strip_suffix("^{}") {
                // Follows the line of the tag object itself.
                if let Some(known) = refs.named.iter_mut().find(|(name, _)| name == tag) {
                    known.1 = first.to_owned();
                }
            } else {
                refs.named.push((name.to_owned(), first.to_owned()));
            }
        }
        refs
    }

    /// The full ref and commit of a name, in git's order: as it is, a tag, a branch.
    pub(crate) fn find(&self, name: &str) -> Option<(&str, &str)> {
        let candidates = [
            name.to_owned(),
            format!("refs/{name}"),
            format!("refs/tags/{name}"),
            format!("refs/heads/{name}"),
        ];
        candidates.iter().find_map(|candidate| {
            let found = self.named.iter().find(|(known, _)| known == candidate)?;
            Some((&*found.0, &*found.1))
        })
    }

    /// All tags.
    pub(crate) fn tags(&self) -> Vec<Tag> {
        let tag = |(name, sha): &(String, String)| {
            let name = name.strip_prefix("refs/tags/")?.to_owned();
            let sha = sha.clone();
            Some(Tag { name, sha })
        };
        self.named.iter().filter_map(tag).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_stand_for_their_commits_and_come_before_branches() {
        let listed = "ref: refs/heads/trunk\tHEAD\n1\tHEAD\n2\trefs/heads/trunk\n3\trefs/heads/v1\n\
                      4\trefs/tags/v1\n5\trefs/tags/v1^{}\n6\trefs/tags/v2\n";
        let refs = Refs::parse(listed);
        assert_eq!(refs.head.as_deref(), Some("trunk"));
        assert_eq!(refs.find("HEAD"), Some(("HEAD", "1")));
        assert_eq!(refs.find("trunk"), Some(("refs/heads/trunk", "2")));
        assert_eq!(refs.find("v1"), Some(("refs/tags/v1", "5")));
        assert_eq!(refs.find("heads/v1"), Some(("refs/heads/v1", "3")));
        assert_eq!(refs.find("nope"), None);
        assert_eq!(refs.tags().len(), 2);
    }

    #[test]
    fn one_repository_has_one_mirror() {
        let dir = |url| Mirror::new(Path::new("/m"), url).dir;
        assert_eq!(dir("https://h.org/a/b.git"), dir("git@h.org:a/b.git"));
        assert_ne!(dir("https://h.org/a/b.git"), dir("https://h.org/a/c.git"));
    }
}
