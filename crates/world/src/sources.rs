//! Which directories and URLs stand for what a configuration includes from elsewhere.

use std::path::PathBuf;
use std::time::Duration;

use crate::wildcard::wildcard_matches;

/// Everything that is configured about fetching. Plain data; the default knows no projects and no templates.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sources {
    /// Host of the server the pipeline pretends to run on, with its port if unusual. Patterns of `projects` may begin with it.
    pub host: Option<String>,
    /// Projects, by path or pattern.
    pub projects: Vec<ProjectSource>,
    /// URL pattern for projects none of `projects` names; see [`origin_pattern`](crate::origin_pattern).
    pub fallback: Option<String>,
    /// GitLab's templates: their root folder.
    pub templates: Option<TemplateSource>,
    /// Which URLs `include:remote` may name.
    pub remote: RemotePolicy,
    /// How long and how much.
    pub limits: FetchLimits,
}

/// One project, or with a `*` in its pattern many.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProjectSource {
    /// `group/project`, `group/*`, or either after the host. Compared without regard to case.
    pub pattern: String,
    /// Where it is. What `*` stood for in the pattern replaces a `*` here.
    pub location: Location,
    /// The ref of includes that name none, in place of the default branch.
    pub default_ref: Option<String>,
}

/// Where a project is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Location {
    /// A directory: a git repository of its own, or just files.
    Directory {
        /// Which.
        path: PathBuf,
        /// The files are taken as they lie there, whatever ref is asked for.
        work_tree: bool,
    },
    /// Whatever git can fetch from.
    Url(String),
}

/// Where GitLab's templates are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TemplateSource {
    /// A directory.
    Directory(PathBuf),
    /// A URL, to which `/` and the file's path are appended.
    Url(String),
}

/// Which URLs may be fetched. In patterns `*` stands for any text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RemotePolicy {
    /// Only these; all where there are none.
    pub allow: Vec<String>,
    /// Never these.
    pub deny: Vec<String>,
}

impl RemotePolicy {
    /// Whether `url` may be fetched.
    pub(crate) fn allows(&self, url: &str) -> bool {
        let named = |patterns: &[String]| {
            patterns
                .iter()
                .any(|pattern| wildcard_matches(pattern, url))
        };
        (self.allow.is_empty() || named(&self.allow)) && !named(&self.deny)
    }
}

/// How long fetching may take and how much it may bring. Attempts are GitLab's (reference `config.md` §4.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchLimits {
    /// One HTTP request, or one git command.
    pub request: Duration,
    /// Everything together, from the first request on.
    pub total: Duration,
    /// Bytes of one file.
    pub bytes: u64,
    /// How often a URL is tried.
    pub attempts: u32,
    /// Wait before the second attempt; twice that before the third.
    pub back_off: Duration,
}

impl Default for FetchLimits {
    fn default() -> FetchLimits {
        FetchLimits {
            request: Duration::from_secs(30),
            total: Duration::from_secs(90),
            bytes: 10 * 1024 * 1024,
            attempts: 3,
            back_off: Duration::from_secs(1),
        }
    }
}

impl Sources {
    /// The source of the project `path`: one named exactly, else the pattern with the longest beginning, else the fallback.
    pub fn project(&self, path: &str) -> Option<ProjectSource> {
        let full = self.host.as_ref().map(|host| format!("{host}/{path}"));
        let mut best: Option<(usize, &ProjectSource, String)> = None;
        for source in &self.projects {
            let names = [Some(path), full.as_deref()];
            let star = names
                .into_iter()
                .flatten()
                .find_map(|name| star(&source.pattern, name));
            let Some(star) = star else { continue };
            let weight = match source.pattern.find('*') {
                None => usize::MAX,
                Some(length) => length,
            };
            if best.as_ref().is_none_or(|(known, ..)| weight > *known) {
                best = Some((weight, source, star));
            }
        }
        if let Some((_, source, star)) = best {
            let mut source = source.clone();
            source.location = source.location.filled(&star);
            return Some(source);
        }
        self.fallback.as_ref().map(|url| ProjectSource {
            pattern: path.to_owned(),
            location: Location::Url(url.replace('*', path)),
            default_ref: None,
        })
    }
}

impl Location {
    fn filled(self, star: &str) -> Location {
        match self {
            Location::Directory { path, work_tree } => {
                let filled = path.iter().map(|part| match part.to_str() {
                    Some(part) if part.contains('*') => part.replace('*', star).into(),
                    _ => part.to_owned(),
                });
                Location::Directory {
                    path: filled.collect(),
                    work_tree,
                }
            }
            Location::Url(url) => Location::Url(url.replace('*', star)),
        }
    }
}

/// What the `*` of a pattern stands for in `name`, empty for patterns without; `None` where they do not match.
fn star(pattern: &str, name: &str) -> Option<String> {
    let (pattern, lower) = (pattern.to_lowercase(), name.to_lowercase());
    let Some((before, after)) = pattern.split_once('*') else {
        return (pattern == lower).then(String::new);
    };
    let inner = lower.strip_prefix(before)?.strip_suffix(after)?;
    (!inner.is_empty()).then(|| inner.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(rows: &[(&str, &str)]) -> Sources {
        let source = |(pattern, url): &(&str, &str)| ProjectSource {
            pattern: (*pattern).to_owned(),
            location: Location::Url((*url).to_owned()),
            default_ref: None,
        };
        Sources {
            host: Some("h.org".to_owned()),
            projects: rows.iter().map(source).collect(),
            ..Sources::default()
        }
    }

    fn url(sources: &Sources, path: &str) -> Option<String> {
        match sources.project(path)?.location {
            Location::Url(url) => Some(url),
            Location::Directory { .. } => None,
        }
    }

    #[test]
    fn the_most_exact_pattern_wins() {
        let sources = sources(&[
            ("*", "https://all/*.git"),
            ("a/*", "https://a/*.git"),
            ("A/b", "https://exact"),
            ("h.org/c/*", "https://c/*"),
        ]);
        let url = |path| url(&sources, path).expect("a pattern matches");
        assert_eq!(url("a/b"), "https://exact");
        assert_eq!(url("a/x/y"), "https://a/x/y.git");
        assert_eq!(url("c/d"), "https://c/d");
        assert_eq!(url("e/f"), "https://all/e/f.git");
    }

    #[test]
    fn the_fallback_comes_last() {
        let mut sources = sources(&[("a/b", "https://exact")]);
        assert_eq!(url(&sources, "c/d"), None);
        sources.fallback = Some("git@h.org:*.git".to_owned());
        assert_eq!(url(&sources, "c/d").as_deref(), Some("git@h.org:c/d.git"));
        assert_eq!(url(&sources, "a/b").as_deref(), Some("https://exact"));
    }

    #[test]
    fn what_is_denied_is_not_allowed() {
        let policy = RemotePolicy {
            allow: vec!["https://*.h.org/*".to_owned()],
            deny: vec!["*/secret/*.yml".to_owned()],
        };
        assert!(policy.allows("https://a.h.org/x.yml"));
        assert!(!policy.allows("https://a.h.org/secret/x.yml"));
        assert!(!policy.allows("http://a.h.org/x.yml"));
        assert!(RemotePolicy::default().allows("http://anything"));
    }
}
