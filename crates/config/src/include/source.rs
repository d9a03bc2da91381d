//! Gets included files through the world (reference `config.md` §4.5, §4.7).

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tidegate_scenario::{Fact, PipelineSource, Place, Remote, Why};
use tidegate_source::{Diagnostic, IncludeKind, Span};
use tidegate_yaml::Value;

use super::address::Address;
use super::entry::{Entry, is_url, project_name};
use super::{ComponentFacts, Context, IncludeRecord, Includer, Stop};
use crate::json::to_json;
use crate::nearest::nearest;

/// A file with the context of what it includes.
pub(super) struct Found {
    pub(super) content: Arc<[u8]>,
    pub(super) name: String,
    pub(super) context: Context,
}

/// An error that is told once the whole list was read, or what was found.
type Attempt = Result<Found, Box<Diagnostic>>;

/// The file of an entry.
pub(super) fn found(
    includer: &Includer<'_>,
    entry: &Entry,
    context: &Context,
) -> Result<Attempt, Stop> {
    if let Some(problem) = location_problem(entry) {
        return Ok(Err(Box::new(problem)));
    }
    let source = Source {
        includer,
        entry,
        context,
    };
    let result = match entry.kind {
        IncludeKind::Local | IncludeKind::Header => source.local(),
        IncludeKind::Project => source.project(),
        IncludeKind::Remote => source.remote(),
        IncludeKind::Template => source.template(),
        IncludeKind::Component => source.component(),
        IncludeKind::Artifact => source.artifact(),
    };
    match result {
        Ok(found) => Ok(Ok(found)),
        Err(Stop::Wrong(problem)) => Ok(Err(problem)),
        Err(stop) => Err(stop),
    }
}

/// What the lint API tells about an entry, before it is read.
pub(super) fn record(includer: &Includer<'_>, entry: &Entry, context: &Context) -> IncludeRecord {
    let scenario = includer.scenario;
    let (context_project, context_sha) = match &context.place {
        Some(Place::Here) => {
            let project = scenario.project.path.clone();
            (Some(project), Some(scenario.commit.sha.clone()))
        }
        Some(Place::Project { path, sha }) => (Some(path.clone()), Some(sha.clone())),
        None => (None, None),
    };
    let server = &scenario.server;
    let (blob, raw) = match entry.kind {
        IncludeKind::Local | IncludeKind::Header => {
            let page = |view: &str| {
                let project = context_project.as_deref()?;
                let sha = context_sha.as_deref()?;
                Some(format!(
                    "{}/{project}/-/{view}/{sha}/{}",
                    server.url(),
                    entry.shown
                ))
            };
            (page("blob"), page("raw"))
        }
        IncludeKind::Remote => (None, Some(entry.shown.clone())),
        IncludeKind::Template => {
            const ROOT: &str = "https://gitlab.com/gitlab-org/gitlab/-/raw/master";
            let raw = format!("{ROOT}/lib/gitlab/ci/templates/{}", entry.shown);
            (None, Some(raw))
        }
        IncludeKind::Project | IncludeKind::Component | IncludeKind::Artifact => (None, None),
    };
    IncludeRecord {
        kind: entry.kind,
        location: entry.shown.clone(),
        blob,
        raw,
        extra: extra(entry),
        context_project,
        context_sha,
        by: entry.span,
        file: None,
    }
}

fn extra(entry: &Entry) -> serde_json::Map<String, serde_json::Value> {
    let keys: &[(&str, &str)] = match entry.kind {
        IncludeKind::Local => {
            let others = entry
                .params
                .iter()
                .filter(|(key, _)| key.as_str() != Some("local"));
            return others
                .filter_map(|(key, node)| Some((key.as_str()?.to_owned(), to_json(&node.value))))
                .collect();
        }
        IncludeKind::Project => &[("project", "project"), ("ref", "ref")],
        IncludeKind::Artifact => &[("job", "job_name")],
        _ => &[],
    };
    let value = |key: &str| {
        let node = entry.params.get(key);
        node.map_or(serde_json::Value::Null, |node| to_json(&node.value))
    };
    keys.iter()
        .map(|(key, name)| ((*name).to_owned(), value(key)))
        .collect()
}

/// What is wrong with how a file is named.
fn location_problem(entry: &Entry) -> Option<Diagnostic> {
    let shown = &entry.shown;
    let wrong = |code, message: String| Some(Diagnostic::error(code, message).at(entry.span));
    // A path in a repository was made a text before.
    let is_path = matches!(entry.kind, IncludeKind::Local | IncludeKind::Project);
    let is_text = is_path || matches!(entry.named, Value::Str(_) | Value::Symbol(_));
    if !is_text {
        return wrong(
            "include-location",
            format!("Included file `{shown}` needs to be a string"),
        );
    }
    if entry.kind != IncludeKind::Component && !has_yaml_extension(&entry.location) {
        let message = format!("Included file `{shown}` does not have YAML extension!");
        return wrong("include-extension", message);
    }
    match entry.kind {
        IncludeKind::Remote if !is_url(&entry.location) => wrong(
            "include-location",
            format!("Remote file `{shown}` does not have a valid address!"),
        ),
        IncludeKind::Template if !entry.location.ends_with(TEMPLATE_SUFFIX) => wrong(
            "include-location",
            format!("Template file `{shown}` is not a valid location!"),
        ),
        _ => None,
    }
}

const TEMPLATE_SUFFIX: &str = ".gitlab-ci.yml";

fn has_yaml_extension(path: &str) -> bool {
    let name = path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    [".yml", ".yaml"].iter().any(|extension| {
        name.strip_suffix(extension)
            .is_some_and(|stem| !stem.is_empty())
    })
}

/// A file of a remote or template includes a local one.
pub(super) fn no_project(shown: &str, span: Span) -> Diagnostic {
    let message = format!("Local file `{shown}` does not have project!");
    Diagnostic::error("include-no-project", message)
        .at(span)
        .note("a file fetched from a URL or a template belongs to no project, so it has no local files")
}

/// Something an include needs is not known here, although GitLab would know it.
pub(super) fn unresolved(what: &str, why: &Why, span: Span) -> Diagnostic {
    let message = format!("{what} could not be resolved: {why}");
    let problem = Diagnostic::error("include-unresolved", message).at(span);
    match why {
        Why::Offline => problem.help("run once without `--offline`; what was fetched is kept"),
        Why::NotConfigured(_) => {
            problem.help("say in `tidegate.toml` where it can be found, such as a local directory")
        }
        Why::Refused(_) => problem.help("give a token that may read it"),
        Why::TimedOut | Why::Failed(_) => problem.help("try again, or keep a local copy"),
        Why::NotRecorded => problem.help("record again: the recording is older than this include"),
        Why::NotApplicable(_) => problem,
    }
}

struct Source<'a> {
    includer: &'a Includer<'a>,
    entry: &'a Entry,
    context: &'a Context,
}

impl Source<'_> {
    fn wrong(&self, code: &'static str, message: String) -> Stop {
        Diagnostic::error(code, message).at(self.entry.span).into()
    }

    fn known<T>(&self, fact: Fact<T>, what: &str) -> Result<T, Stop> {
        match fact {
            Fact::Known(value) => Ok(value),
            Fact::Unknown(why) => Err(unresolved(what, &why, self.entry.span).into()),
        }
    }

    fn local(&self) -> Result<Found, Stop> {
        let Entry {
            location,
            shown,
            span,
            ..
        } = self.entry;
        let Some(place) = &self.context.place else {
            return Err(no_project(shown, *span).into());
        };
        let fact = self.includer.world.file(place, location)?;
        let Some(content) = self.known(fact, &format!("`include:local` {shown}"))? else {
            return Err(self.missing_local(place)?);
        };
        if is_blank(&content) {
            let message = format!("Local file `{shown}` is empty!");
            return Err(self.wrong("include-empty", message));
        }
        let name = match place {
            Place::Here => location.clone(),
            Place::Project { path, .. } => format!("{path}: {location}"),
        };
        Ok(Found {
            content,
            name,
            context: Context {
                is_component: false,
                ..self.context.clone()
            },
        })
    }

    fn missing_local(&self, place: &Place) -> Result<Stop, Stop> {
        let Entry {
            location,
            shown,
            span,
            ..
        } = self.entry;
        let message = format!("Local file `{shown}` does not exist!");
        let problem = Diagnostic::error("include-missing", message).at(*span);
        let Fact::Known(tree) = self.includer.world.tree(place)? else {
            return Ok(problem.into());
        };
        let paths = tree.as_slice().iter().map(|path| &**path);
        let files = paths.filter(|path| has_yaml_extension(path));
        Ok(match nearest(location, files) {
            Some(near) => problem.help(format!("did you mean `{near}`?")).into(),
            None => problem.into(),
        })
    }

    fn project(&self) -> Result<Found, Stop> {
        let shown = &self.entry.shown;
        let path = project_name(&self.entry.params);
        let known = super::shown(&path, self.includer.variables_of(self.context));
        let place = self.project_place(&path, &known)?;
        let fact = self.includer.world.file(&place, &self.entry.location)?;
        let Some(content) = self.known(fact, &format!("`include:project` {known} file {shown}"))?
        else {
            let message = format!("Project `{known}` file `{shown}` does not exist!");
            return Err(self.wrong("include-missing", message));
        };
        if is_blank(&content) {
            let message = format!("Project `{known}` file `{shown}` is empty!");
            return Err(self.wrong("include-empty", message));
        }
        Ok(Found {
            content,
            name: format!("{path}: {}", self.entry.location),
            context: Context {
                place: Some(place),
                component: None,
                is_component: false,
                ..self.context.clone()
            },
        })
    }

    fn project_place(&self, path: &str, shown: &str) -> Result<Place, Stop> {
        let own = &self.includer.scenario.project;
        let fact = self.includer.world.project(path)?;
        let known = self.known(fact, &format!("`include:project` {shown}"))?;
        let (project, default_branch) = match known {
            Some(facts) => (Some(path), facts.default_branch),
            // The pipeline's own project is known even where the world knows no others.
            None if own.path.to_lowercase() == path => (None, own.default_branch.clone()),
            None => {
                let message = format!(
                    "Project `{shown}` not found or access denied! Make sure any includes in the \
                     pipeline configuration are correctly defined."
                );
                return Err(self.wrong("include-project", message));
            }
        };
        let reference = self.entry.text("ref");
        let name = reference.unwrap_or(&default_branch);
        let fact = self.includer.world.revision(project, name)?;
        let what = format!("`include:project` {shown} at {name}");
        match self.known(fact, &what)? {
            Some(sha) => Ok(Place::Project {
                path: path.to_owned(),
                sha,
            }),
            None => {
                let name = reference.unwrap_or("HEAD");
                let name = super::shown(name, self.includer.variables_of(self.context));
                let message = format!("Project `{shown}` reference `{name}` does not exist!");
                Err(self.wrong("include-ref", message))
            }
        }
    }

    fn remote(&self) -> Result<Found, Stop> {
        let Entry {
            location, shown, ..
        } = self.entry;
        let fact = self.includer.world.remote(location)?;
        let answer = self.known(fact, &format!("`include:remote` {shown}"))?;
        let failed = |why: String| {
            let message = format!("Remote file `{shown}` could not be fetched after {why}");
            self.wrong("include-remote", message)
        };
        let content = match answer {
            Remote::Body(content) => content,
            Remote::Status { code, attempts } => {
                let times = if attempts == 1 { "attempt" } else { "attempts" };
                let why = format!("{attempts} {times} because of HTTP code `{code}` error!");
                return Err(failed(why));
            }
            Remote::SocketError => return Err(failed(after_all("a socket error"))),
            Remote::TimedOut => return Err(failed(after_all("a timeout error"))),
            Remote::HttpError => return Err(failed(after_all("HTTP error"))),
        };
        if is_blank(&content) {
            let message = format!("Included file `{shown}` is empty or does not exist!");
            return Err(self.wrong("include-empty", message));
        }
        if let Some(integrity) = self.entry.text("integrity")
            && integrity != format!("sha256-{}", base64(&Sha256::digest(&content)))
        {
            let message = format!("Remote file `{shown}` failed integrity check!");
            let actual = format!("its hash is sha256-{}", base64(&Sha256::digest(&content)));
            let problem = Diagnostic::error("include-integrity", message).at(self.entry.span);
            return Err(problem.note(actual).into());
        }
        Ok(Found {
            content,
            name: location.clone(),
            context: Context::detached(),
        })
    }

    fn template(&self) -> Result<Found, Stop> {
        let Entry {
            location, shown, ..
        } = self.entry;
        let fact = self.includer.world.template(location)?;
        let content = self.known(fact, &format!("`include:template` {shown}"))?;
        let Some(content) = content.filter(|content| !is_blank(content)) else {
            let message = format!("Included file `{shown}` is empty or does not exist!");
            return Err(self.wrong("include-missing", message));
        };
        Ok(Found {
            content,
            name: location.clone(),
            context: Context::detached(),
        })
    }

    fn component(&self) -> Result<Found, Stop> {
        let Entry {
            location, shown, ..
        } = self.entry;
        let wrong = |text: &str| {
            let message = format!("Component '{shown}' - {text}");
            Err(self.wrong("include-component", message))
        };
        if self.context.place.is_none() {
            let message = "Unable to use components outside of a project context";
            return Err(self.wrong("include-component", message.to_owned()));
        }
        let host = self.includer.scenario.server.fqdn();
        let Some(address) = Address::parse(location, &host) else {
            return wrong("the component path is not supported");
        };
        let project = address.project.to_lowercase();
        let what = format!("`include:component` {shown}");
        let world = self.includer.world;
        if self.known(world.project(&project)?, &what)?.is_none() {
            return wrong("project does not exist or you don't have sufficient permissions");
        }
        let fact = world.component(&project, address.name, address.version)?;
        let Some(component) = self.known(fact, &what)? else {
            return match address.version {
                "~latest" => wrong(
                    "The ~latest version reference is not supported for non-catalog resources. \
                     Use a tag, branch, or commit SHA instead.",
                ),
                _ if address.is_partial() => wrong(
                    "The partial semantic version reference is not supported for non-catalog \
                     resources. Use a tag, branch, or commit SHA instead.",
                ),
                _ => wrong("content not found"),
            };
        };
        if is_blank(&component.content) {
            return wrong("content not found");
        }
        let facts = ComponentFacts {
            name: address.name.to_owned(),
            sha: component.sha.clone(),
            version: component.version.clone(),
            reference: address.version.to_owned(),
        };
        Ok(Found {
            content: component.content,
            name: format!("{project}: {}", component.path),
            context: Context {
                place: Some(Place::Project {
                    path: project,
                    sha: component.sha,
                }),
                component: Some(Arc::new(facts)),
                is_component: true,
                ..self.context.clone()
            },
        })
    }

    fn artifact(&self) -> Result<Found, Stop> {
        let Entry {
            location, shown, ..
        } = self.entry;
        let scenario = self.includer.scenario;
        let is_child = scenario.source == PipelineSource::ParentPipeline;
        if !is_child || !self.context.knows_variables {
            let message =
                "Including configs from artifacts is only allowed when triggering child pipelines";
            return Err(self.wrong("include-artifact", message.to_owned()));
        }
        let Some(job) = self.entry.text("job") else {
            let message = "Job must be provided when including configs from artifacts";
            return Err(self.wrong("include-artifact", message.to_owned()));
        };
        let fact = self.includer.world.artifact(job, location)?;
        let what = format!("`include:artifact` {shown} of {job}");
        let Some(content) = self.known(fact, &what)? else {
            let message =
                format!("Path `{shown}` does not exist inside the `{job}` artifacts archive!");
            return Err(self.wrong("include-artifact", message));
        };
        if is_blank(&content) {
            let message = format!("File `{shown}` is empty!");
            return Err(self.wrong("include-empty", message));
        }
        Ok(Found {
            content,
            name: format!("{location} (artifact of `{job}`)"),
            context: self.context.clone(),
        })
    }
}

/// GitLab tries three times where nothing came back at all.
fn after_all(what: &str) -> String {
    format!("3 attempts because of {what}!")
}

fn is_blank(content: &[u8]) -> bool {
    std::str::from_utf8(content).is_ok_and(|text| text.chars().all(char::is_whitespace))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place) & 63) as usize;
            match LETTERS.get(index) {
                Some(letter) if place <= chunk.len() => text.push(char::from(*letter)),
                _ => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_judged_by_the_last_part_of_the_path() {
        for (path, good) in [
            ("a.yml", true),
            ("d/a.YAML", true),
            ("ci/.yml", false),
            ("a.yml/b", false),
            ("https://h/x.yml", true),
            ("https://h/x.yml?a=b", false),
        ] {
            assert_eq!(has_yaml_extension(path), good, "{path}");
        }
    }

    #[test]
    fn base64_pads_to_full_groups() {
        for (text, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }
}
