//! The listing with origins: each key with the file and line it was written at, how it got here and what it replaced.

use std::sync::Arc;

use tidegate_config::{Layer, Loaded};
use tidegate_source::{Origin, SourceMap, Span};
use tidegate_yaml::{Map, Node, Value, dump, ruby};

use super::{below, selected};

/// Comments stand in one column, but never further right than this.
const WIDEST: usize = 56;

/// The merged configuration, or one entry of it, line by line with the origin of every key.
///
/// The form is that of YAML with a comment on each line. Needs a load with `Settings::record_origins`; without it only places are
/// shown. `None` where the configuration could not be loaded or has no such entry.
pub fn show_origin(loaded: &Loaded, job: Option<&str>) -> Option<String> {
    let map = selected(loaded, job)?;
    let mut listing = Listing {
        loaded,
        lines: Vec::new(),
    };
    for (key, node) in &map {
        let name = ruby::to_s(&key.value);
        listing.entry(&[], &name, key.span, node, 0);
        listing.defaults(&name);
    }
    Some(listing.text())
}

struct Listing<'a> {
    loaded: &'a Loaded,
    /// Lines with their comments.
    lines: Vec<(String, String)>,
}

impl Listing<'_> {
    fn entry(&mut self, path: &[Arc<str>], name: &str, key: Span, node: &Node, depth: usize) {
        let path = below(path, name);
        let comment = self.comment(&path, key, node);
        let indent = "  ".repeat(depth);
        let head = format!("{indent}{}:", scalar(&Value::Str(name.into())).join("\n"));
        match &node.value {
            Value::Map(map) if !map.is_empty() => {
                self.lines.push((head, comment));
                self.map(&path, map, depth + 1);
            }
            Value::Seq(items) if !items.is_empty() => {
                self.lines.push((head, comment));
                for item in items.iter() {
                    self.item(item, node.span, depth);
                }
            }
            other => self.scalar_lines(&format!("{head} "), other, comment, depth),
        }
    }

    fn map(&mut self, path: &[Arc<str>], map: &Map, depth: usize) {
        for (key, node) in map {
            self.entry(path, &ruby::to_s(&key.value), key.span, node, depth);
        }
    }

    /// An item of a list; its place is told only where it stands outside of its list, as items of a `!reference` do.
    fn item(&mut self, item: &Node, list: Span, depth: usize) {
        let inside = item.span.file() == list.file()
            && item.span.start() >= list.start()
            && item.span.end() <= list.end();
        let comment = match inside {
            true => String::new(),
            false => self.place(item.span),
        };
        let indent = "  ".repeat(depth);
        match &item.value {
            Value::Map(map) if !map.is_empty() => {
                let first = self.lines.len();
                // Lists are never steps of recorded paths, so nothing is recorded below them.
                self.map(&[], map, depth + 1);
                self.begin_item(first, &indent, comment);
            }
            Value::Seq(items) if !items.is_empty() => {
                let first = self.lines.len();
                for inner in items.iter() {
                    self.item(inner, item.span, depth + 1);
                }
                self.begin_item(first, &indent, comment);
            }
            other => self.scalar_lines(&format!("{indent}- "), other, comment, depth),
        }
    }

    /// Makes the line at `first` begin with `- `, as an item's first line does.
    fn begin_item(&mut self, first: usize, indent: &str, comment: String) {
        let Some((line, own)) = self.lines.get_mut(first) else {
            return;
        };
        *line = format!("{indent}- {}", line.trim_start());
        if !comment.is_empty() {
            *own = comment;
        }
    }

    fn scalar_lines(&mut self, head: &str, value: &Value, comment: String, depth: usize) {
        let mut lines = scalar(value).into_iter();
        let first = lines.next().unwrap_or_default();
        let line = format!("{head}{first}");
        self.lines.push((line.trim_end().to_owned(), comment));
        let indent = "  ".repeat(depth);
        for line in lines {
            let line = format!("{indent}{line}");
            self.lines.push((line.trim_end().to_owned(), String::new()));
        }
    }

    /// What a visible job takes from `default` without writing it.
    fn defaults(&mut self, name: &str) {
        let loaded = self.loaded;
        let Some(config) = &loaded.config else {
            return;
        };
        let Some(job) = config.jobs.values().find(|job| *job.base == *name) else {
            return;
        };
        let merged = loaded.merged.as_ref();
        let default = merged.and_then(|merged| merged.get("default"));
        let default = default.and_then(Node::as_map);
        let written = job.body.written.iter();
        for (keyword, value) in written.flat_map(|written| &written.inherited) {
            let from = default.and_then(|default| default.entry(keyword));
            // Top-level keywords of old are defaults too.
            let from = from.or_else(|| merged.and_then(|merged| merged.entry(keyword)));
            if let Some((key, _)) = from {
                let first = self.lines.len();
                self.entry(&[], keyword, key.span, value, 1);
                if let Some((_, comment)) = self.lines.get_mut(first) {
                    comment.push_str(" (default)");
                }
            }
        }
    }

    fn comment(&self, path: &[Arc<str>], key: Span, node: &Node) -> String {
        let written = if key.is_some() { key } else { node.span };
        let layers = self.loaded.overridden.as_ref();
        let layers = layers.map_or(&[][..], |overridden| overridden.at(path));
        let mut notes = Vec::new();
        if let Some(by) = self.included_by(written) {
            notes.push(format!("included by {by}"));
        }
        for layer in layers {
            notes.extend(self.layer(layer, layers, node));
        }
        notes.extend(self.replaced_default(path));
        let place = self.place(written);
        match notes.is_empty() {
            true => place,
            false => format!("{place} ({})", notes.join(", "))
                .trim_start()
                .to_owned(),
        }
    }

    fn layer(&self, layer: &Layer, all: &[Layer], node: &Node) -> Option<String> {
        Some(match layer {
            Layer::Inherited { base, written } if *written == node.span => {
                format!("extends {base}")
            }
            Layer::Inherited { .. } => return None,
            Layer::ReplacedByInclude(lost) => format!("overrides {}", self.place(*lost)),
            Layer::ReplacedByExtends(lost) => {
                let base = all.iter().find_map(|other| match other {
                    Layer::Inherited { base, written } if written == lost => Some(base),
                    _ => None,
                });
                let place = self.place(*lost);
                match base {
                    Some(base) => format!("overrides {place} of {base}"),
                    None => format!("overrides {place}"),
                }
            }
            Layer::Reference(tag) => format!("!reference at {}", self.place(*tag)),
        })
    }

    /// The default that a keyword of a job stands in front of.
    fn replaced_default(&self, path: &[Arc<str>]) -> Option<String> {
        let [job, keyword] = path else {
            return None;
        };
        let config = self.loaded.config.as_ref()?;
        if !config.jobs.values().any(|known| known.base == *job) {
            return None;
        }
        let default = self.loaded.merged.as_ref()?.get("default")?.as_map()?;
        let (key, _) = default.entry(keyword)?;
        Some(format!("overrides {} of default", self.place(key.span)))
    }

    /// The include that brought the file of `span`.
    fn included_by(&self, span: Span) -> Option<String> {
        let file = self.loaded.sources.file(span.file())?;
        match file.origin {
            Origin::Included { by, .. } => Some(self.place(by)),
            Origin::Root | Origin::Given | Origin::Made => None,
        }
    }

    fn place(&self, span: Span) -> String {
        place(&self.loaded.sources, span)
    }

    fn text(&self) -> String {
        let commented = self.lines.iter().filter(|(_, comment)| !comment.is_empty());
        let widths = commented.map(|(line, _)| line.chars().count());
        let column = widths.max().unwrap_or_default().min(WIDEST);
        let mut text = String::new();
        for (line, comment) in &self.lines {
            text.push_str(line);
            if !comment.is_empty() {
                let space = column.saturating_sub(line.chars().count());
                text.push_str(&" ".repeat(space));
                text.push_str("  # ");
                text.push_str(comment);
            }
            text.push('\n');
        }
        text
    }
}

/// `file:line`; nothing for what was written nowhere.
fn place(sources: &SourceMap, span: Span) -> String {
    match sources.file(span.file()) {
        Some(file) => format!("{}:{}", file.name, sources.position(span).line),
        None => String::new(),
    }
}

/// The lines of a scalar or an empty collection, as YAML.
fn scalar(value: &Value) -> Vec<String> {
    let text = dump(&Node::new(value.clone(), Span::NONE)).unwrap_or_default();
    let text = text.strip_prefix("---").unwrap_or(&text);
    let text = text.trim_start_matches([' ', '\n']);
    let text = text.strip_suffix('\n').unwrap_or(text);
    // A plain scalar at the top ends its document.
    let text = text.strip_suffix("\n...").unwrap_or(text);
    text.split('\n').map(str::to_owned).collect()
}
