//! Finds the project root and reads git's facts about it.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::git::{fields, git, try_git};

/// There is no project here.
#[derive(Debug, Error)]
pub enum CheckoutError {
    /// No directory upwards holds the configuration file.
    #[error("find `{file}` in {} or any directory above it", start.display())]
    NoConfiguration {
        /// The file looked for.
        file: String,
        /// Where the search began.
        start: PathBuf,
    },
    /// The directory cannot be read.
    #[error("read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// The commit and branch a repository stands on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// Branch; `None` for a detached head.
    pub branch: Option<String>,
    /// Commit; `None` in a repository without commits.
    pub sha: Option<String>,
    /// Whole commit message.
    pub message: String,
    /// `Name <email>` of the author.
    pub author: String,
    /// Author date, ISO 8601.
    pub timestamp: String,
    /// Full name of the upstream ref of the branch.
    pub upstream: Option<String>,
    /// Tag that points at the commit, for a detached head.
    pub tag: Option<String>,
}

/// A project's directory with what git says about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkout {
    /// The project root: the nearest directory upwards that holds the configuration file.
    pub root: PathBuf,
    /// Path of the configuration file, relative to the root.
    pub config_path: String,
    /// Top of the enclosing work tree; `None` where there is no repository.
    pub top: Option<PathBuf>,
    /// What the repository stands on; `None` where there is no repository.
    pub head: Option<Head>,
    /// URL of the remote `origin`.
    pub remote: Option<String>,
    /// Branch the remote's HEAD points at.
    pub remote_default: Option<String>,
    /// `user.name` and `user.email` of git.
    pub user: (Option<String>, Option<String>),
}

impl Checkout {
    /// Finds the project around `start`: the nearest directory upwards that holds `file`.
    ///
    /// An absolute `file` names the project root itself: its directory. The search stops at the top of the repository.
    pub fn find(start: &Path, file: &str) -> Result<Checkout, CheckoutError> {
        let unreadable = |source| CheckoutError::Unreadable {
            path: start.to_owned(),
            source,
        };
        let start = start.canonicalize().map_err(unreadable)?;
        let root = if Path::new(file).is_absolute() {
            Path::new(file).parent().map(Path::to_owned)
        } else {
            start
                .ancestors()
                .find(|dir| dir.join(file).is_file())
                .map(Path::to_owned)
        };
        let missing = || CheckoutError::NoConfiguration {
            file: file.to_owned(),
            start,
        };
        let root = root.ok_or_else(missing)?;
        let config_path = Path::new(file)
            .file_name()
            .filter(|_| Path::new(file).is_absolute());
        let config_path = config_path.map_or(file.to_owned(), |name| name.to_string_lossy().into());
        Ok(Checkout::at(root, config_path))
    }

    /// Reads git's facts about the project in `root`.
    pub fn at(root: PathBuf, config_path: String) -> Checkout {
        let mut checkout = Checkout {
            root,
            config_path,
            top: None,
            head: None,
            remote: None,
            remote_default: None,
            user: (None, None),
        };
        checkout.read_git();
        checkout
    }

    fn read_git(&mut self) {
        let asked = [
            "rev-parse",
            "--show-toplevel",
            "--symbolic-full-name",
            "HEAD",
        ];
        let (top, head_ref) = match try_git(&self.root, &asked) {
            Some(answer) => {
                let text = String::from_utf8_lossy(&answer).into_owned();
                let mut lines = text.lines().map(str::to_owned);
                (lines.next(), lines.next())
            }
            // A repository without commits has no HEAD to resolve.
            None => {
                let top = try_git(&self.root, &["rev-parse", "--show-toplevel"]);
                let branch = try_git(&self.root, &["symbolic-ref", "HEAD"]);
                (top.map(line), branch.map(line))
            }
        };
        let Some(top) = top else { return };
        self.top = Some(PathBuf::from(top));
        self.read_configuration();
        let branch = head_ref
            .as_deref()
            .and_then(|full| full.strip_prefix("refs/heads/"));
        self.head = Some(match branch {
            Some(branch) => self.read_branch(branch),
            None => self.read_detached(),
        });
    }

    fn read_configuration(&mut self) {
        let pattern = r"^(remote\.origin\.url|user\.name|user\.email)$";
        let asked = ["config", "--null", "--get-regexp", pattern];
        for entry in fields(&try_git(&self.root, &asked).unwrap_or_default()) {
            let Some((key, value)) = entry.split_once('\n') else {
                continue;
            };
            match key {
                "remote.origin.url" => self.remote = Some(value.to_owned()),
                "user.name" => self.user.0 = Some(value.to_owned()),
                _ => self.user.1 = Some(value.to_owned()),
            }
        }
    }

    /// Branch, commit, upstream and the remote's default branch in one question.
    fn read_branch(&mut self, branch: &str) -> Head {
        let mut head = Head {
            branch: Some(branch.to_owned()),
            ..Head::default()
        };
        let format = "--format=%(refname)%00%(objectname)%00%(authorname) %(authoremail)%00\
                      %(authordate:iso-strict)%00%(upstream)%00%(symref)%00%(contents)%00%01";
        let full = format!("refs/heads/{branch}");
        let asked = ["for-each-ref", format, &full, "refs/remotes/origin/HEAD"];
        let answer = try_git(&self.root, &asked).unwrap_or_default();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        for record in answer.split("\0\u{1}\n") {
            let parts: Vec<&str> = record.splitn(7, '\0').collect();
            let [name, sha, author, date, upstream, symref, message] = parts[..] else {
                continue;
            };
            if name == full {
                head.sha = Some(sha.to_owned());
                head.author = author.to_owned();
                head.timestamp = date.to_owned();
                head.upstream = Some(upstream.to_owned()).filter(|upstream| !upstream.is_empty());
                head.message = message.to_owned();
            } else if let Some(default) = symref.strip_prefix("refs/remotes/origin/") {
                self.remote_default = Some(default.to_owned());
            }
        }
        head
    }

    fn read_detached(&self) -> Head {
        let format = "--format=%H%x00%an <%ae>%x00%aI%x00%B";
        let answer = try_git(&self.root, &["log", "-1", format]).unwrap_or_default();
        let parts = fields(&answer);
        let tag = try_git(&self.root, &["describe", "--exact-match", "--tags", "HEAD"]).map(line);
        let part = |at: usize| parts.get(at).cloned().unwrap_or_default();
        Head {
            branch: None,
            sha: Some(part(0)).filter(|sha| !sha.is_empty()),
            author: part(1),
            timestamp: part(2),
            message: part(3),
            upstream: None,
            tag,
        }
    }

    /// The commit a name stands for, or `None` where there is no such commit.
    pub fn commit_of(&self, name: &str) -> Option<String> {
        self.top.as_ref()?;
        let asked = format!("{name}^{{commit}}");
        let verify = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &asked,
        ];
        git(&self.root, &verify)
            .ok()
            .map(line)
            .filter(|sha| !sha.is_empty())
    }
}

impl Checkout {
    /// The message of an annotated tag; `None` for lightweight tags and where there is no such tag.
    pub fn tag_message(&self, tag: &str) -> Option<String> {
        self.top.as_ref()?;
        let name = format!("refs/tags/{tag}");
        let format = "--format=%(objecttype)%00%(contents)";
        let answer = try_git(&self.root, &["for-each-ref", format, &name])?;
        let text = String::from_utf8_lossy(&answer).into_owned();
        let message = text.strip_prefix("tag\0")?;
        Some(message.trim_end_matches('\n').to_owned())
    }

    /// The newest commit that the present one and `name` both stem from; a branch only the remote has counts too.
    pub fn merge_base(&self, name: &str) -> Option<String> {
        let theirs = [name.to_owned(), format!("refs/remotes/origin/{name}")];
        let theirs = theirs.iter().find_map(|name| self.commit_of(name))?;
        try_git(&self.root, &["merge-base", "HEAD", &theirs]).map(line)
    }
}

fn line(answer: Vec<u8>) -> String {
    String::from_utf8_lossy(&answer).trim_end().to_owned()
}
