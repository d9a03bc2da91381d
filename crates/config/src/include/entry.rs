//! Entries of `include` as written: their forms, variables and which kind they are (reference `config.md` §4.1, §4.2).

use std::fmt::Write;

use tidegate_expr::Variables;
use tidegate_source::{Diagnostic, IncludeKind, Span};
use tidegate_yaml::{Key, Map, Node, Value};

use crate::merge::key_text;
use crate::nearest::nearest;
use crate::ruby::{self, Keys};
use crate::variables;

const SELECTORS: [(&str, IncludeKind); 6] = [
    ("local", IncludeKind::Local),
    ("project", IncludeKind::Project),
    ("remote", IncludeKind::Remote),
    ("template", IncludeKind::Template),
    ("artifact", IncludeKind::Artifact),
    ("component", IncludeKind::Component),
];

/// Keys that mean something beside the selector.
const OPTIONS: [&str; 7] = [
    "file",
    "ref",
    "job",
    "inputs",
    "rules",
    "integrity",
    "cache",
];

/// An entry as a map, whatever form it was written in.
#[derive(Clone, Debug)]
pub(super) struct Location {
    pub(super) params: Map,
    pub(super) span: Span,
}

/// An entry whose kind is known and whose variables are replaced.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(super) kind: IncludeKind,
    /// The value that names the file.
    pub(super) named: Value,
    /// The same as text: path, URL, name or address.
    pub(super) location: String,
    /// The same with masked values hidden, as messages show it.
    pub(super) shown: String,
    pub(super) params: Map,
    pub(super) span: Span,
}

/// The entries of an `include`: a text, a map, or a list of those.
pub(super) fn written(include: &Node, variables: &Variables) -> Result<Vec<Location>, Diagnostic> {
    let items = match &include.value {
        Value::Seq(items) => &**items,
        _ => std::slice::from_ref(include),
    };
    let given = items.iter().filter(|item| !item.is_null());
    given.map(|item| location(item, variables)).collect()
}

/// One entry a file: `project` with a list of files is taken apart; without any file nothing is left of it.
pub(super) fn single_files(locations: Vec<Location>) -> Vec<Location> {
    let mut single = Vec::with_capacity(locations.len());
    for location in locations {
        if !location.is_of_project() {
            single.push(location);
            continue;
        }
        match location.params.get("file").map(|file| &file.value) {
            None | Some(Value::Null) => {}
            Some(Value::Seq(files)) => {
                for file in files.iter() {
                    single.push(location.with_node("file", file.clone()));
                }
            }
            Some(_) => single.push(location),
        }
    }
    single
}

fn location(item: &Node, variables: &Variables) -> Result<Location, Diagnostic> {
    match &item.value {
        Value::Map(map) => Ok(Location {
            params: Map::clone(map),
            span: item.span,
        }),
        Value::Str(text) => {
            let text = variables::expanded(text, variables);
            let selector = if is_url(&text) { "remote" } else { "local" };
            let mut params = Map::default();
            params.insert(Key::text(selector, item.span), Node::text(text, item.span));
            Ok(Location {
                params,
                span: item.span,
            })
        }
        _ => {
            let message = "Each include must be a hash or a string";
            let problem = Diagnostic::error("include-form", message).at(item.span);
            Err(match item.value {
                Value::Reference(_) => problem
                    .note("`!reference` is resolved after `include`, so it cannot be used here"),
                _ => problem,
            })
        }
    }
}

/// Whether GitLab takes the text for a URL.
pub(super) fn is_url(text: &str) -> bool {
    let schemes = ["http", "https", "ssh", "git"];
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    schemes.contains(&scheme.to_ascii_lowercase().as_str()) && !host.is_empty() && plain
}

impl Location {
    /// Whether `project` says anything, be it nonsense.
    pub(super) fn is_of_project(&self) -> bool {
        let project = self.params.get("project");
        project.is_some_and(|project| !matches!(project.value, Value::Null | Value::Bool(false)))
    }

    /// The same entry with another text under `key`.
    pub(super) fn with(&self, key: &str, text: &str) -> Location {
        self.with_node(key, Node::text(text, self.span))
    }

    fn with_node(&self, key: &str, node: Node) -> Location {
        let mut params = self.params.clone();
        let span = params.entry(key).map_or(self.span, |(key, _)| key.span);
        params.insert(Key::text(key, span), node);
        Location {
            params,
            span: self.span,
        }
    }

    /// Variables replaced in texts and lists of texts, not in deeper values such as `inputs`.
    pub(super) fn expanded(mut self, variables: &Variables) -> Location {
        let text = |text: &str| Value::Str(variables::expanded(text, variables).into());
        for node in self.params.values_mut() {
            let value = match &node.value {
                Value::Str(value) => text(value),
                Value::Seq(items) => {
                    let items = items.iter().map(|item| match &item.value {
                        Value::Str(value) => Node::new(text(value), item.span),
                        _ => item.clone(),
                    });
                    Value::Seq(items.collect())
                }
                _ => continue,
            };
            node.value = value;
        }
        self
    }
}

impl Entry {
    /// Finds the one kind an entry is of.
    pub(super) fn matched(location: Location, variables: &Variables) -> Result<Entry, Diagnostic> {
        let params = &location.params;
        let given = |key: &str| params.get(key).filter(|node| !is_blank(&node.value));
        let named = |kind: IncludeKind, selector: &str| match kind {
            // A project is only named by a file in it.
            IncludeKind::Project => params
                .get("file")
                .filter(|file| !path_text(file).trim().is_empty())
                .filter(|_| !project_name(params).trim().is_empty()),
            IncludeKind::Local => params
                .get("local")
                .filter(|local| !path_text(local).trim().is_empty()),
            _ => given(selector),
        };
        let mut kinds = SELECTORS
            .iter()
            .filter_map(|(selector, kind)| Some((*kind, named(*kind, selector)?)));
        let Some((kind, node)) = kinds.next() else {
            return Err(no_selector(&location, variables));
        };
        if kinds.next().is_some() {
            return Err(several_selectors(&location));
        }
        let text = match kind {
            IncludeKind::Local | IncludeKind::Project => path_text(node),
            _ => ruby::to_s(&node.value, Keys::Symbols),
        };
        let named = node.value.clone();
        Ok(Entry {
            kind,
            named,
            shown: super::shown(&text, variables),
            location: text,
            params: location.params,
            span: location.span,
        })
    }

    /// The text of a key, where it has one.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let text = self.params.get(key)?.as_str()?;
        (!text.trim().is_empty()).then_some(text)
    }

    /// A finding for keys GitLab passes over in silence.
    pub(super) fn ignored_keys(&self) -> Option<Diagnostic> {
        let selectors = SELECTORS.iter().map(|(selector, _)| *selector);
        let known: Vec<&str> = selectors.chain(OPTIONS).collect();
        let mut ignored = self
            .params
            .iter()
            .map(|(key, _)| key)
            .filter(|key| !key.as_str().is_some_and(|key| known.contains(&key)));
        let first = ignored.next()?;
        let name = key_text(first);
        let text = format!("`{name}` is no key of `include` and is ignored");
        let finding = Diagnostic::finding("include-ignored-key", text).at(first.span);
        let finding = ignored.fold(finding, |finding, key| finding.at(key.span));
        Some(match nearest(&name, known.iter().copied()) {
            Some(near) => finding.suggest(format!("did you mean `{near}`?"), first.span, near),
            None => finding,
        })
    }
}

fn selector_list() -> String {
    let names: Vec<_> = SELECTORS
        .iter()
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    names.join(", ")
}

fn no_selector(location: &Location, variables: &Variables) -> Diagnostic {
    let shown = super::shown(&json(&location.params), variables);
    let list = selector_list();
    let message =
        format!("`{shown}` does not have a valid subkey for include. Valid subkeys are: {list}");
    let problem = Diagnostic::error("include-selector", message).at(location.span);
    let near = location.params.iter().find_map(|(key, _)| {
        let near = nearest(key.as_str()?, SELECTORS.iter().map(|(name, _)| *name))?;
        Some((key.span, near))
    });
    match near {
        Some((span, near)) => problem.suggest(format!("did you mean `{near}`?"), span, near),
        None => problem,
    }
}

fn several_selectors(location: &Location) -> Diagnostic {
    let message = format!("Each include must use only one of: {}", selector_list());
    Diagnostic::error("include-selector", message).at(location.span)
}

/// A path in a repository, without its leading slashes. GitLab takes whatever stands there for its text.
fn path_text(node: &Node) -> String {
    let text = ruby::to_s(&node.value, Keys::Symbols);
    text.trim_start_matches('/').to_owned()
}

/// The project an entry names, lower-cased; the first of a list.
pub(super) fn project_name(params: &Map) -> String {
    let node = params.get("project");
    let first = match node.map(|node| &node.value) {
        Some(Value::Seq(items)) => items.first(),
        _ => node,
    };
    first.map_or_else(String::new, |node| {
        ruby::to_s(&node.value, Keys::Symbols).to_lowercase()
    })
}

/// What Rails calls blank.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Str(text) | Value::Symbol(text) => text.chars().all(char::is_whitespace),
        Value::Seq(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
        _ => false,
    }
}

/// The map as Rails writes it in JSON.
fn json(map: &Map) -> String {
    let mut out = String::new();
    write_map(&mut out, map);
    out
}

fn write_map(out: &mut String, map: &Map) {
    out.push('{');
    for (at, (key, node)) in map.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_text(out, &key_text(key));
        out.push(':');
        write_value(out, &node.value);
    }
    out.push('}');
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Float(number) if !number.is_finite() => out.push_str("null"),
        Value::Bool(_) | Value::Int(_) | Value::BigInt(_) | Value::Float(_) => {
            out.push_str(&ruby::to_s(value, Keys::Symbols));
        }
        Value::Str(text) | Value::Symbol(text) => write_text(out, text),
        Value::Seq(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_value(out, &item.value);
            }
            out.push(']');
        }
        Value::Map(map) => write_map(out, map),
        Value::Reference(data) => write_value(out, &data.value),
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            // Rails escapes what could end a script element.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                // Writing to a text cannot fail.
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::map;

    fn matched(include: &str) -> Result<Entry, String> {
        let root = map(&format!("{{include: {include}}}"));
        let include = root.get("include").unwrap();
        let variables = Variables::default();
        let locations = written(include, &variables).map_err(|problem| problem.message)?;
        let location = single_files(locations).remove(0);
        Entry::matched(location.expanded(&variables), &variables).map_err(|it| it.message)
    }

    #[test]
    fn texts_are_urls_or_local_files() {
        for (text, kind) in [
            ("a.yml", IncludeKind::Local),
            ("https://h/a.yml", IncludeKind::Remote),
            ("ftp://h/a.yml", IncludeKind::Local),
            ("https:/a.yml", IncludeKind::Local),
        ] {
            assert_eq!(matched(text).unwrap().kind, kind, "{text}");
        }
        assert_eq!(matched("/ci/a.yml").unwrap().location, "ci/a.yml");
        assert_eq!(matched("//ci/a.yml").unwrap().location, "ci/a.yml");
        assert!(
            matched("/")
                .unwrap_err()
                .starts_with("`{\"local\":\"/\"}` does not have")
        );
    }

    #[test]
    fn exactly_one_selector_must_be_there() {
        let message = |include: &str| matched(include).unwrap_err();
        assert!(message("{foo: a}").starts_with("`{\"foo\":\"a\"}` does not have a valid subkey"));
        assert!(message("{local: }").starts_with("`{\"local\":null}` does not have"));
        assert_eq!(
            message("{local: a.yml, template: x}"),
            "Each include must use only one of: `local`, `project`, `remote`, `template`, \
             `artifact`, `component`"
        );
        assert_eq!(message("1"), "Each include must be a hash or a string");
        assert_eq!(message("[1]"), "Each include must be a hash or a string");
    }

    #[test]
    fn a_list_of_files_becomes_one_entry_each() {
        let root = map("{include: [{project: g/p, file: [a.yml, b.yml]}, {project: g/p}]}");
        let locations = written(root.get("include").unwrap(), &Variables::default()).unwrap();
        let files: Vec<_> = single_files(locations)
            .iter()
            .map(|location| {
                location
                    .params
                    .get("file")
                    .and_then(Node::as_str)
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert_eq!(files, ["a.yml", "b.yml"]);
    }

    #[test]
    fn ignored_keys_are_told_with_what_was_meant() {
        let entry = matched("{local: a.yml, rule: x}").unwrap();
        let finding = entry.ignored_keys().unwrap();
        assert_eq!(
            finding.message,
            "`rule` is no key of `include` and is ignored"
        );
        assert_eq!(finding.suggestions[0].text, "did you mean `rules`?");
    }
}
