//! What a user states about the event: by flags, or in a scenario file.
//!
//! A scenario file is a YAML mapping with the keys of [`KEYS`]; everything not stated is derived from the repository. Both sources become a
//! [`Statement`], so that they mean the same.

use std::path::Path;

use tidegate_config::nearest;
use tidegate_scenario::{CacheState, InputValue, PipelineSource, Role};
use tidegate_source::{Origin, SourceMap, Span};
use tidegate_yaml::{Limits, Map, Node, Value, ruby};

use crate::cli::ScenarioArgs;
use crate::exit::Failure;

/// Keys of a scenario file.
const KEYS: [&str; 16] = [
    "event",
    "ref",
    "tag",
    "merge_request",
    "protected",
    "role",
    "base",
    "changed",
    "commit_message",
    "push_options",
    "variables",
    "project_variables",
    "inputs",
    "caches",
    "schedule",
    "kubernetes_active",
];

/// Keys of a merge request.
const MERGE_REQUEST_KEYS: [&str; 9] = [
    "target",
    "source",
    "source_project",
    "iid",
    "kind",
    "title",
    "draft",
    "labels",
    "approved",
];

/// What is stated; what is not, is derived.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Statement {
    pub(crate) source: Option<PipelineSource>,
    pub(crate) branch: Option<String>,
    pub(crate) tag: Option<String>,
    pub(crate) merge_request: Option<StatedMergeRequest>,
    pub(crate) protected: Option<bool>,
    pub(crate) role: Option<Role>,
    pub(crate) base: Option<String>,
    /// `Some(None)`: stated to be unknown.
    pub(crate) changed: Option<Option<Vec<String>>>,
    pub(crate) commit_message: Option<String>,
    pub(crate) push_options: Vec<(String, String)>,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) project_variables: Vec<(String, String)>,
    pub(crate) inputs: Vec<(String, InputValue)>,
    pub(crate) caches: Vec<(String, CacheState)>,
    pub(crate) schedule: Option<String>,
    pub(crate) kubernetes_active: Option<bool>,
}

/// What is stated about a merge request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StatedMergeRequest {
    pub(crate) target: String,
    pub(crate) source: Option<String>,
    pub(crate) source_project: Option<String>,
    pub(crate) iid: Option<u64>,
    pub(crate) kind: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) draft: bool,
    pub(crate) labels: Vec<String>,
    pub(crate) approved: bool,
}

impl Statement {
    /// What the arguments state, over what their scenario file states.
    pub(crate) fn of(args: &ScenarioArgs) -> Result<Statement, Failure> {
        let mut stated = match &args.scenario {
            Some(path) => from_file(path)?,
            None => Statement::default(),
        };
        if let Some(path) = &args.inputs_file {
            let (file, root) = read(path)?;
            stated.inputs.extend(file.inputs(&root)?);
        }
        if let Some(path) = &args.env_file {
            stated.project_variables.extend(env_file(path)?);
        }
        stated.take(args)?;
        Ok(stated)
    }

    fn take(&mut self, args: &ScenarioArgs) -> Result<(), Failure> {
        if let Some(name) = &args.event {
            self.source = Some(source(name).ok_or_else(|| unknown_event("--event", name))?);
        }
        let names_ref =
            args.git_ref.is_some() || args.tag.is_some() || args.merge_request.is_some();
        if names_ref {
            self.branch.clone_from(&args.git_ref);
            self.tag.clone_from(&args.tag);
            self.merge_request = args
                .merge_request
                .as_deref()
                .map(merge_request)
                .transpose()?;
        }
        if args.protected {
            self.protected = Some(true);
        }
        if let Some(name) = &args.role {
            self.role = Some(role(name).ok_or_else(|| unknown_role("--role", name))?);
        }
        if args.base.is_some() {
            self.base.clone_from(&args.base);
        }
        if args.changed_unknown {
            self.changed = Some(None);
        } else if !args.changed.is_empty() {
            self.changed = Some(Some(args.changed.clone()));
        }
        if args.commit_message.is_some() {
            self.commit_message.clone_from(&args.commit_message);
        }
        for option in &args.push_options {
            let option = option.strip_prefix("ci.").unwrap_or(option);
            let (key, value) = option.split_once('=').unwrap_or((option, "true"));
            self.push_options.push((key.to_owned(), value.to_owned()));
        }
        for given in &args.variables {
            self.variables.push(pair(given, "--variable")?);
        }
        for given in &args.inputs {
            let (key, value) = pair(given, "--input")?;
            self.inputs.push((key, InputValue::Text(value)));
        }
        for given in &args.caches {
            let split = given.rsplit_once('=');
            let stated = split.and_then(|(key, state)| Some((key.to_owned(), cache_state(state)?)));
            let problem = || {
                Failure::unusable(format!(
                    "--cache {given}: expected KEY=present or KEY=missing"
                ))
            };
            self.caches.push(stated.ok_or_else(problem)?);
        }
        Ok(())
    }
}

fn pair(given: &str, flag: &str) -> Result<(String, String), Failure> {
    let parts = given.split_once('=').filter(|(key, _)| !key.is_empty());
    let parts = parts.map(|(key, value)| (key.to_owned(), value.to_owned()));
    parts.ok_or_else(|| Failure::unusable(format!("{flag} {given}: expected KEY=VALUE")))
}

/// The events that can be stated by name alone, and those a merge request brings.
fn source(name: &str) -> Option<PipelineSource> {
    PipelineSource::from_name(name)
}

fn unknown_event(place: &str, name: &str) -> Failure {
    let known: Vec<&str> = PipelineSource::ALL
        .iter()
        .map(|source| source.name())
        .collect();
    Failure::unusable(format!("{place} {name}: no such event"))
        .hint(format!("known events: {}", known.join(", ")))
}

fn role(name: &str) -> Option<Role> {
    let all = [
        ("guest", Role::Guest),
        ("reporter", Role::Reporter),
        ("developer", Role::Developer),
        ("maintainer", Role::Maintainer),
        ("owner", Role::Owner),
    ];
    all.into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, role)| role)
}

fn unknown_role(place: &str, name: &str) -> Failure {
    Failure::unusable(format!("{place} {name}: no such role"))
        .hint("known roles: guest, reporter, developer, maintainer, owner")
}

fn cache_state(name: &str) -> Option<CacheState> {
    match name {
        "present" => Some(CacheState::Present),
        "missing" => Some(CacheState::Missing),
        _ => None,
    }
}

/// Reads `target=main,source=topic,draft=true,labels=a;b`.
fn merge_request(text: &str) -> Result<StatedMergeRequest, Failure> {
    let mut stated = StatedMergeRequest::default();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (key, value) = pair(part, "--merge-request")?;
        let wrong =
            || Failure::unusable(format!("--merge-request {part}: the value cannot be read"));
        let truth = || value.parse().map_err(|_| wrong());
        match &*key {
            "target" => stated.target = value,
            "source" => stated.source = Some(value),
            "source_project" => stated.source_project = Some(value),
            "iid" => stated.iid = Some(value.parse().map_err(|_| wrong())?),
            "kind" => stated.kind = Some(value),
            "title" => stated.title = Some(value),
            "draft" => stated.draft = truth()?,
            "labels" => stated.labels = value.split(';').map(str::to_owned).collect(),
            "approved" => stated.approved = truth()?,
            key => {
                let failure = Failure::unusable(format!("--merge-request {part}: no such key"));
                return Err(suggested(failure, key, &MERGE_REQUEST_KEYS));
            }
        }
    }
    if stated.target.is_empty() {
        return Err(Failure::unusable(
            "--merge-request: expected target=BRANCH among the keys",
        ));
    }
    Ok(stated)
}

fn suggested(failure: Failure, key: &str, known: &[&str]) -> Failure {
    match nearest(key, known.iter().copied()) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint(format!("known keys: {}", known.join(", "))),
    }
}

/// `KEY=VALUE` a line; empty lines and those that begin with `#` are passed over.
fn env_file(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::unusable(format!("failed to read {}: {error}", path.display()))
    })?;
    let mut variables = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let parts = line
            .split_once('=')
            .filter(|(key, _)| !key.trim().is_empty());
        let Some((key, value)) = parts else {
            let place = format!("{}:{}", path.display(), at + 1);
            return Err(Failure::unusable(format!("{place}: expected KEY=VALUE")));
        };
        variables.push((key.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(variables)
}

/// A file that is read, with what is needed to name a place in it.
struct File {
    sources: SourceMap,
}

fn read(path: &Path) -> Result<(File, Map), Failure> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::unusable(format!("failed to read {name}: {error}")))?;
    let mut sources = SourceMap::default();
    let id = sources.add(&name, &String::from_utf8_lossy(&bytes), Origin::Given);
    let file = File { sources };
    let parsed = tidegate_yaml::parse(&bytes, id, 0, &Limits::default())
        .map_err(|error| file.wrong(error.span, &error.to_string()))?;
    match parsed.root.value {
        Value::Map(map) => Ok((file, (*map).clone())),
        _ => Err(file.wrong(parsed.root.span, "expected a mapping")),
    }
}

fn from_file(path: &Path) -> Result<Statement, Failure> {
    let (file, map) = read(path)?;
    let mut stated = Statement::default();
    for (key, node) in &map {
        let name = key.as_str().unwrap_or_default();
        match name {
            "event" => {
                let event = file.text(node)?;
                stated.source = Some(source(&event).ok_or_else(|| {
                    let problem = unknown_event("event", &event);
                    Failure {
                        message: file.wrong(node.span, &problem.message).message,
                        ..problem
                    }
                })?);
            }
            "ref" => stated.branch = Some(file.text(node)?),
            "tag" => stated.tag = Some(file.text(node)?),
            "merge_request" => stated.merge_request = Some(file.merge_request(node)?),
            "protected" => stated.protected = Some(file.truth(node)?),
            "role" => {
                let name = file.text(node)?;
                let known = role(&name);
                stated.role = Some(known.ok_or_else(|| file.wrong(node.span, "no such role"))?);
            }
            "base" => stated.base = Some(file.text(node)?),
            "changed" if node.is_null() => stated.changed = Some(None),
            "changed" => stated.changed = Some(Some(file.texts(node)?)),
            "commit_message" => stated.commit_message = Some(file.text(node)?),
            "push_options" => stated.push_options = file.pairs(node)?,
            "variables" => stated.variables = file.pairs(node)?,
            "project_variables" => stated.project_variables = file.pairs(node)?,
            "inputs" => match node.as_map() {
                Some(inputs) => stated.inputs = file.inputs(inputs)?,
                None => return Err(file.wrong(node.span, "expected a mapping")),
            },
            "caches" => {
                for (key, state) in file.pairs(node)? {
                    let state = cache_state(&state);
                    let state = state
                        .ok_or_else(|| file.wrong(node.span, "expected present or missing"))?;
                    stated.caches.push((key, state));
                }
            }
            "schedule" => stated.schedule = Some(file.text(node)?),
            "kubernetes_active" => stated.kubernetes_active = Some(file.truth(node)?),
            name => {
                let failure = file.wrong(key.span, &format!("unknown key `{name}`"));
                return Err(suggested(failure, name, &KEYS));
            }
        }
    }
    Ok(stated)
}

impl File {
    fn wrong(&self, span: Span, what: &str) -> Failure {
        let place = self.sources.locate(span).unwrap_or_default();
        Failure::unusable(format!("{place}: {what}"))
    }

    fn text(&self, node: &Node) -> Result<String, Failure> {
        match &node.value {
            Value::Map(_) | Value::Seq(_) | Value::Null | Value::Reference(_) => {
                Err(self.wrong(node.span, "expected a text"))
            }
            value => Ok(ruby::to_s(value)),
        }
    }

    fn truth(&self, node: &Node) -> Result<bool, Failure> {
        node.value
            .as_bool()
            .ok_or_else(|| self.wrong(node.span, "expected true or false"))
    }

    fn texts(&self, node: &Node) -> Result<Vec<String>, Failure> {
        let items = node
            .as_seq()
            .ok_or_else(|| self.wrong(node.span, "expected a list"))?;
        items.iter().map(|item| self.text(item)).collect()
    }

    fn pairs(&self, node: &Node) -> Result<Vec<(String, String)>, Failure> {
        let map = node
            .as_map()
            .ok_or_else(|| self.wrong(node.span, "expected a mapping"))?;
        let pair = |(key, node): &(tidegate_yaml::Key, Node)| {
            Ok((ruby::to_s(&key.value), self.text(node)?))
        };
        map.iter().map(pair).collect()
    }

    fn inputs(&self, map: &Map) -> Result<Vec<(String, InputValue)>, Failure> {
        let pair = |(key, node): &(tidegate_yaml::Key, Node)| {
            Ok((ruby::to_s(&key.value), self.input(node)?))
        };
        map.iter().map(pair).collect()
    }

    fn input(&self, node: &Node) -> Result<InputValue, Failure> {
        Ok(match &node.value {
            Value::Null => InputValue::Null,
            Value::Bool(value) => InputValue::Bool(*value),
            Value::Int(value) => InputValue::Integer(*value),
            Value::Float(value) => InputValue::Float(*value),
            Value::BigInt(text) | Value::Str(text) | Value::Symbol(text) => {
                InputValue::Text(text.to_string())
            }
            Value::Seq(items) => InputValue::List(
                items
                    .iter()
                    .map(|item| self.input(item))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Map(map) => InputValue::Map(self.inputs(map)?),
            Value::Reference(_) => {
                return Err(self.wrong(node.span, "`!reference` means nothing here"));
            }
        })
    }

    fn merge_request(&self, node: &Node) -> Result<StatedMergeRequest, Failure> {
        let map = node
            .as_map()
            .ok_or_else(|| self.wrong(node.span, "expected a mapping"))?;
        let mut stated = StatedMergeRequest::default();
        for (key, node) in map {
            match key.as_str().unwrap_or_default() {
                "target" => stated.target = self.text(node)?,
                "source" => stated.source = Some(self.text(node)?),
                "source_project" => stated.source_project = Some(self.text(node)?),
                "iid" => {
                    let iid = self.text(node)?.parse().ok();
                    let iid = iid.ok_or_else(|| self.wrong(node.span, "expected a number"))?;
                    stated.iid = Some(iid);
                }
                "kind" => stated.kind = Some(self.text(node)?),
                "title" => stated.title = Some(self.text(node)?),
                "draft" => stated.draft = self.truth(node)?,
                "labels" => stated.labels = self.texts(node)?,
                "approved" => stated.approved = self.truth(node)?,
                name => {
                    let failure = self.wrong(key.span, &format!("unknown key `{name}`"));
                    return Err(suggested(failure, name, &MERGE_REQUEST_KEYS));
                }
            }
        }
        if stated.target.is_empty() {
            return Err(self.wrong(node.span, "expected a key `target`"));
        }
        Ok(stated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Statement, Failure> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("s.yml");
        std::fs::write(&path, text).expect("writable");
        let named = from_file(&path);
        named.map_err(|failure| Failure {
            message: failure.message.replace(&*path.to_string_lossy(), "s.yml"),
            ..failure
        })
    }

    #[test]
    fn a_file_states_what_flags_state() {
        let stated = file(
            "event: merge_request_event\nmerge_request: {target: main, source: topic, iid: 7, labels: [a]}\n\
             changed: [a/b]\nvariables: {A: 1}\ncaches: {k: missing}\nrole: maintainer\ninputs: {n: 2, l: [x]}\n",
        );
        let flags = ScenarioArgs {
            event: Some("merge_request_event".to_owned()),
            merge_request: Some("target=main,source=topic,iid=7,labels=a".to_owned()),
            changed: vec!["a/b".to_owned()],
            variables: vec!["A=1".to_owned()],
            caches: vec!["k=missing".to_owned()],
            role: Some("maintainer".to_owned()),
            ..ScenarioArgs::default()
        };
        let mut flags = Statement::of(&flags).expect("they are right");
        flags.inputs = vec![
            ("n".to_owned(), InputValue::Integer(2)),
            (
                "l".to_owned(),
                InputValue::List(vec![InputValue::Text("x".to_owned())]),
            ),
        ];
        assert_eq!(stated, Ok(flags));
    }

    #[test]
    fn faults_of_a_file_are_named_with_their_place() {
        let message = |text| file(text).expect_err("it is wrong").message;
        assert_eq!(message("evnt: push\n"), "s.yml:1:1: unknown key `evnt`");
        assert_eq!(
            message("event: pusch\n"),
            "s.yml:1:8: event pusch: no such event"
        );
        assert_eq!(message("changed: 1\n"), "s.yml:1:10: expected a list");
        assert_eq!(
            message("merge_request: {iid: 1}\n"),
            "s.yml:1:16: expected a key `target`"
        );
        assert_eq!(message("- x\n"), "s.yml:1:1: expected a mapping");
    }

    #[test]
    fn unknown_changes_can_be_stated() {
        assert_eq!(
            file("changed: ~\n").map(|stated| stated.changed),
            Ok(Some(None))
        );
    }

    #[test]
    fn faults_of_flags_are_named() {
        let wrong = |args: ScenarioArgs| Statement::of(&args).expect_err("it is wrong").message;
        let request = |text: &str| ScenarioArgs {
            merge_request: Some(text.to_owned()),
            ..ScenarioArgs::default()
        };
        assert!(wrong(request("source=x")).contains("expected target=BRANCH"));
        assert!(wrong(request("target=x,nope=1")).contains("no such key"));
        let caches = ScenarioArgs {
            caches: vec!["k=gone".to_owned()],
            ..ScenarioArgs::default()
        };
        assert!(wrong(caches).contains("expected KEY=present or KEY=missing"));
    }
}
