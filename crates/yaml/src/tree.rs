//! Events to the tree of nodes: anchors, merging, tags and limits.
//!
//! libyaml's events are worked off in one loop without recursion. The first thing that cannot be loaded is remembered and the
//! rest of the document only read on: a syntax error further down comes first, since GitLab parses before it loads.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use tidegate_source::{FileId, Span};

use crate::error::{YamlError, YamlErrorKind};
use crate::libyaml::{Event, EventKind, Parser, Start, SyntaxError};
use crate::limits::Limits;
use crate::node::{Key, Map, Node, Value};
use crate::remark::{Remark, RemarkKind};
use crate::scalar::{self, Notation, Refused, Typed};
use crate::size;
use crate::tag::{self, MappingForm, SequenceForm};

/// How often the allowed depth nesting is followed to look for a syntax error behind it. libyaml takes quadratic time in depth.
const DEPTH_FACTOR: usize = 2;
/// Bytes of [`Limits::value_bytes`] that a merged entry takes at least, in a mapping large enough to matter.
const MERGED_ENTRY_BYTES: u64 = 16;
/// Longer texts hardly ever come a second time, so they are not looked for.
const REPEATED_BYTES: usize = 48;

/// What one piece of text holds.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The root of its first document; null where there is none.
    pub root: Node,
    /// What GitLab passes over in silence, in the order noticed.
    pub remarks: Vec<Remark>,
}

/// A piece that could be parsed, although perhaps into something too large.
pub(crate) struct Attempt {
    pub(crate) parsed: Parsed,
    /// Whether the value exceeds a limit; the root then is null.
    pub(crate) too_big: bool,
}

/// Parses the first document of one piece of a file, as GitLab's `safe_load` does.
///
/// `text` is the piece and begins at byte `offset` of `file`. The text is checked as it is, not split at `---` (see
/// [`crate::load`] for whole files). Takes time and memory in proportion to the text.
pub fn parse(text: &[u8], file: FileId, offset: u32, limits: &Limits) -> Result<Parsed, YamlError> {
    let attempt = attempt(text, file, offset, limits)?;
    if attempt.too_big {
        let span = attempt.parsed.root.span;
        return Err(YamlError::new(YamlErrorKind::ValueTooBig, span));
    }
    Ok(attempt.parsed)
}

/// Like [`parse`], but leaves a value that is too large for the caller to reject, since GitLab does that later.
pub(crate) fn attempt(
    text: &[u8],
    file: FileId,
    offset: u32,
    limits: &Limits,
) -> Result<Attempt, YamlError> {
    let mut builder = Builder::new(file, offset, *limits);
    let end = text.len().saturating_add(offset as usize);
    if text.len() > limits.text_bytes || end > Span::MOST_BYTES {
        let span = builder.span(0, text.len() as u64);
        return Err(YamlError::new(YamlErrorKind::TextTooBig, span));
    }
    let mut parser = Parser::new(text);
    loop {
        let event = parser.next().map_err(|error| builder.syntax_error(error))?;
        match event.kind {
            EventKind::DocumentEnd => {
                let rest = usize::try_from(event.end).unwrap_or(text.len());
                builder.remark_on_rest(text, rest);
                break;
            }
            EventKind::StreamEnd => break,
            _ => {}
        }
        builder.accept(event);
        if builder.stack.len() > (limits.depth as usize).saturating_mul(DEPTH_FACTOR) {
            builder.too_big = true;
            break;
        }
    }
    builder.finish(text.len() as u64)
}

/// What has been built so far.
struct Builder {
    file: FileId,
    offset: u32,
    limits: Limits,
    stack: Vec<Frame>,
    anchors: FxHashMap<Box<str>, Anchored>,
    /// Keys, names of jobs and stages, words: what a file says again and again.
    texts: FxHashSet<Arc<str>>,
    root: Option<Node>,
    remarks: Vec<Remark>,
    failure: Option<YamlError>,
    too_big: bool,
    /// Entries that may still be merged before the value is too large for certain.
    mergeable: u64,
    /// Estimated bytes that lists and mappings may still have as keys.
    container_keys: u64,
}

enum Anchored {
    Done(Node),
    /// The collection at this depth, which is not complete.
    Open(usize),
}

/// A collection that is not complete.
struct Frame {
    start: u64,
    anchor: Option<Box<str>>,
    flow: bool,
    /// End of the last child, which is where a block collection ends.
    last_end: u64,
    content: Content,
}

enum Content {
    List(SequenceForm, Vec<Node>),
    Mapping(MappingForm, OpenMap),
}

#[derive(Default)]
struct OpenMap {
    map: Map,
    /// For each entry, whether it is merged rather than written here; shorter than the map where the rest is written.
    merged: Vec<bool>,
    pending: Option<Pending>,
}

/// A key that waits for its value.
struct Pending {
    key: Key,
    merges: bool,
}

/// How a finished value was written, which decides what `<<` makes of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Scalar { text_tag: bool },
    Sequence,
    MappingOrAlias,
}

impl Builder {
    fn new(file: FileId, offset: u32, limits: Limits) -> Builder {
        Builder {
            file,
            offset,
            limits,
            stack: Vec::new(),
            anchors: FxHashMap::default(),
            texts: FxHashSet::default(),
            root: None,
            remarks: Vec::new(),
            failure: None,
            too_big: false,
            mergeable: limits.value_bytes / MERGED_ENTRY_BYTES,
            container_keys: limits.value_bytes,
        }
    }

    fn accept(&mut self, event: Event<'_>) {
        let (start, end) = (event.start, event.end);
        let gave_up = self.failure.is_some() || self.too_big;
        match event.kind {
            // Only the depth still matters.
            EventKind::SequenceStart(_) | EventKind::MappingStart(_) if gave_up => {
                self.stack.push(Frame::discarded());
            }
            EventKind::SequenceEnd | EventKind::MappingEnd if gave_up => {
                self.stack.pop();
            }
            _ if gave_up => {}
            EventKind::Scalar {
                anchor,
                tag,
                value,
                quoted,
            } => {
                let span = self.span(start, end);
                let text_tag = tag.as_deref() == Some(tag::TEXT);
                match self.scalar(tag.as_deref(), value, quoted, span) {
                    Ok(value) => {
                        let node = Node::new(value, span);
                        self.define(anchor.as_deref(), || Anchored::Done(node.clone()));
                        self.place(node, Written::Scalar { text_tag }, end);
                    }
                    Err(refused) => self.refuse(refused, span),
                }
            }
            EventKind::Alias(name) => self.alias(&name, start, end),
            EventKind::SequenceStart(opening) => {
                let form = tag::sequence(opening.tag.as_deref());
                let open = form.map(|form| Content::List(form, Vec::new()));
                self.open(opening, open, start, end);
            }
            EventKind::MappingStart(opening) => {
                let form = tag::mapping(opening.tag.as_deref());
                let open = form.map(|form| Content::Mapping(form, OpenMap::default()));
                self.open(opening, open, start, end);
            }
            EventKind::SequenceEnd | EventKind::MappingEnd => self.close(end),
            EventKind::Other | EventKind::DocumentEnd | EventKind::StreamEnd => {}
        }
    }

    fn scalar(
        &mut self,
        tag: Option<&str>,
        text: std::borrow::Cow<'_, str>,
        quoted: bool,
        span: Span,
    ) -> Result<Value, Refused> {
        if tag == Some(tag::REFERENCE) {
            let inner = Node::new(Value::Str(self.text(&text)), span);
            return Ok(Value::Reference(Arc::new(inner)));
        }
        if !quoted && let Some(notation) = scalar::notation(&text) {
            let kind = match notation {
                Notation::Octal => RemarkKind::Octal,
                Notation::Sexagesimal => RemarkKind::Sexagesimal,
            };
            self.remarks.push(Remark { kind, span });
        }
        Ok(match tag::scalar(tag, text, quoted)? {
            Typed::Null => Value::Null,
            Typed::Bool(value) => Value::Bool(value),
            Typed::Int(value) => Value::Int(value),
            Typed::BigInt(digits) => Value::BigInt(digits.into()),
            Typed::Float(value) => Value::Float(value),
            Typed::Text(text) => Value::Str(self.text(&text)),
            Typed::Symbol(name) => Value::Symbol(self.text(&name)),
        })
    }

    /// The text as shared text; equal short ones share one.
    fn text(&mut self, text: &str) -> Arc<str> {
        if text.len() > REPEATED_BYTES {
            return Arc::from(text);
        }
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let new: Arc<str> = Arc::from(text);
        self.texts.insert(new.clone());
        new
    }

    fn alias(&mut self, name: &str, start: u64, end: u64) {
        match self.anchors.get(name) {
            Some(Anchored::Done(node)) => {
                let node = node.clone();
                self.place(node, Written::MappingOrAlias, end);
            }
            Some(Anchored::Open(depth)) => {
                let depth = *depth;
                self.alias_of_open(depth, end);
            }
            None => {
                let kind = YamlErrorKind::UnknownAnchor(name.to_owned());
                self.failure = Some(YamlError::new(kind, self.span(start, end)));
            }
        }
    }

    /// A value inside itself. Merging it copies what is there so far; anything else makes an endless value.
    fn alias_of_open(&mut self, depth: usize, end: u64) {
        let merges = matches!(
            self.stack.last().map(|frame| &frame.content),
            Some(Content::Mapping(
                _,
                OpenMap {
                    pending: Some(Pending { merges: true, .. }),
                    ..
                }
            ))
        );
        let so_far = match self.stack.get(depth).map(|frame| &frame.content) {
            Some(Content::Mapping(MappingForm::Map, open)) if merges => Some(open.map.clone()),
            _ => None,
        };
        match so_far {
            Some(map) => {
                let node = Node::new(Value::Map(Arc::new(map)), self.span(end, end));
                self.place(node, Written::MappingOrAlias, end);
            }
            None => self.too_big = true,
        }
    }

    fn open(
        &mut self,
        opening: Start<'_>,
        content: Result<Content, Refused>,
        start: u64,
        end: u64,
    ) {
        let content = match content {
            Ok(content) => content,
            Err(refused) => {
                self.refuse(refused, self.span(start, end));
                self.stack.push(Frame::discarded());
                return;
            }
        };
        // Psych forgets the anchor of a tagged list.
        let forgotten = matches!(content, Content::List(SequenceForm::Reference, _));
        let anchor = opening.anchor.filter(|_| !forgotten);
        let depth = self.stack.len();
        self.define(anchor.as_deref(), || Anchored::Open(depth));
        self.stack.push(Frame {
            start,
            anchor: anchor.map(|name| Box::from(&*name)),
            flow: opening.flow,
            last_end: end,
            content,
        });
    }

    fn close(&mut self, end: u64) {
        let Some(frame) = self.stack.pop() else {
            return;
        };
        let end = if frame.flow { end } else { frame.last_end };
        let span = self.span(frame.start, end);
        let (value, written) = match frame.content {
            Content::List(form, items) => {
                let value = self.list(form, items, span);
                // Psych judges `<<` by the kind of node, and a tagged list still is a list.
                (value, Written::Sequence)
            }
            Content::Mapping(form, open) => (mapping(form, open, span), Written::MappingOrAlias),
        };
        match value {
            Ok(value) => {
                let node = Node::new(value, span);
                self.define(frame.anchor.as_deref(), || Anchored::Done(node.clone()));
                self.place(node, written, end);
            }
            Err(refused) => self.refuse(refused, span),
        }
    }

    fn list(&self, form: SequenceForm, items: Vec<Node>, span: Span) -> Result<Value, Refused> {
        match form {
            SequenceForm::List => Ok(Value::Seq(items.into())),
            SequenceForm::Reference => {
                let inner = Node::new(Value::Seq(items.into()), span);
                Ok(Value::Reference(Arc::new(inner)))
            }
            SequenceForm::OrderedMap => {
                let mut map = Map::with_capacity(items.len());
                for item in items {
                    let (key, value) = pair(&item).ok_or(Refused::Unsuitable)?;
                    map.set(key, value);
                }
                Ok(Value::Map(Arc::new(map)))
            }
        }
    }

    fn define(&mut self, anchor: Option<&str>, what: impl FnOnce() -> Anchored) {
        if let Some(name) = anchor {
            self.anchors.insert(Box::from(name), what());
        }
    }

    /// Puts a finished value where it belongs: into the collection around it, or at the root.
    fn place(&mut self, node: Node, written: Written, end: u64) {
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return;
        };
        frame.last_end = end;
        let open = match &mut frame.content {
            Content::List(_, items) => {
                items.push(node);
                return;
            }
            Content::Mapping(_, open) => open,
        };
        let Some(pending) = open.pending.take() else {
            if matches!(node.value, Value::Seq(_) | Value::Map(_)) {
                match self.container_keys.checked_sub(size::bytes(&node)) {
                    Some(rest) => self.container_keys = rest,
                    None => {
                        self.too_big = true;
                        return;
                    }
                }
            }
            open.pending = Some(Pending::new(node, written));
            return;
        };
        if pending.merges {
            match mergeable(&node, written) {
                Some(map) => self.merge(&map, pending.key.span),
                None => {
                    let span = pending.key.span;
                    let kind = RemarkKind::MergeOfNoMap;
                    self.remarks.push(Remark { kind, span });
                    open.set(pending.key, node, &mut self.remarks);
                }
            }
        } else {
            open.set(pending.key, node, &mut self.remarks);
        }
    }

    /// Merges `from` into the innermost mapping. Ruby's `merge!`: later wins, whether merged or written.
    fn merge(&mut self, from: &Map, at: Span) {
        let Some(rest) = self.mergeable.checked_sub(from.len() as u64) else {
            self.too_big = true;
            return;
        };
        self.mergeable = rest;
        let Some(Frame {
            content: Content::Mapping(_, open),
            ..
        }) = self.stack.last_mut()
        else {
            return;
        };
        for (key, node) in from {
            open.merge_entry(key, node, at, &mut self.remarks);
        }
    }

    fn refuse(&mut self, refused: Refused, span: Span) {
        let kind = match refused {
            Refused::Class(name) => YamlErrorKind::DisallowedClass(name.into_owned()),
            Refused::Unsuitable => YamlErrorKind::Unsuitable,
        };
        self.failure = Some(YamlError::new(kind, span));
    }

    fn syntax_error(&self, error: SyntaxError) -> YamlError {
        let kind = YamlErrorKind::Syntax {
            problem: error.problem,
            context: error.context,
            line: error.line,
            column: error.column,
        };
        YamlError::new(kind, self.span(error.offset, error.offset))
    }

    /// Notes text after the first document.
    fn remark_on_rest(&mut self, text: &[u8], from: usize) {
        let mut at = from;
        let rest = text.get(from..).unwrap_or_default();
        for line in rest.split_inclusive(|b| *b == b'\n') {
            let content = line.trim_ascii();
            if !matches!(content, b"" | b"---" | b"...") && !content.starts_with(b"#") {
                let span = self.span(at as u64, text.trim_ascii_end().len() as u64);
                let kind = RemarkKind::IgnoredDocument;
                self.remarks.push(Remark { kind, span });
                return;
            }
            at += line.len();
        }
    }

    fn finish(self, length: u64) -> Result<Attempt, YamlError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let whole = self.span(0, length);
        let root = self.root.unwrap_or_else(|| {
            let nothing = Span::new(self.file, whole.start(), whole.start());
            Node::new(Value::Null, nothing)
        });
        let too_big = self.too_big || !size::fits(&root, &self.limits);
        let root = if too_big {
            Node::new(Value::Null, whole)
        } else {
            root
        };
        Ok(Attempt {
            parsed: Parsed {
                root,
                remarks: self.remarks,
            },
            too_big,
        })
    }

    /// The bytes `start..end` of the piece. Neither exceeds the text's length, which was checked to fit.
    fn span(&self, start: u64, end: u64) -> Span {
        let place = |at: u64| {
            u32::try_from(at)
                .unwrap_or(u32::MAX)
                .saturating_add(self.offset)
        };
        Span::new(self.file, place(start), place(end.max(start)))
    }
}

impl Frame {
    /// A collection nobody will see.
    fn discarded() -> Frame {
        Frame {
            start: 0,
            anchor: None,
            flow: true,
            last_end: 0,
            content: Content::List(SequenceForm::List, Vec::new()),
        }
    }
}

impl Pending {
    fn new(node: Node, written: Written) -> Pending {
        // A quoted `<<` merges too, and one that comes by an alias; only the text tag prevents it.
        let tagged = written == Written::Scalar { text_tag: true };
        let merges = !tagged && matches!(&node.value, Value::Str(text) if &**text == "<<");
        let value = match node.value {
            Value::Symbol(name) => Value::Str(name),
            other => other,
        };
        Pending {
            key: Key {
                value,
                span: node.span,
            },
            merges,
        }
    }
}

impl OpenMap {
    fn set(&mut self, key: Key, node: Node, remarks: &mut Vec<Remark>) {
        let span = key.span;
        let (at, before) = self.map.set(key, node);
        let Some((first, _)) = before else { return };
        if !self.is_merged(at) {
            let kind = RemarkKind::DuplicateKey { first: first.span };
            remarks.push(Remark { kind, span });
        }
        self.mark(at, false);
    }

    fn merge_entry(&mut self, key: &Key, node: &Node, span: Span, remarks: &mut Vec<Remark>) {
        let (at, before) = self.map.set(key.clone(), node.clone());
        if let Some((lost, _)) = before
            && !self.is_merged(at)
        {
            let kind = RemarkKind::MergeOverridesKey { key: lost.span };
            remarks.push(Remark { kind, span });
        }
        self.mark(at, true);
    }

    fn is_merged(&self, at: usize) -> bool {
        self.merged.get(at).copied().unwrap_or_default()
    }

    fn mark(&mut self, at: usize, merged: bool) {
        if merged && self.merged.len() <= at {
            self.merged.resize(at + 1, false);
        }
        if let Some(place) = self.merged.get_mut(at) {
            *place = merged;
        }
    }
}

/// What a value of `<<` merges, or `None` where it stays an ordinary value.
fn mergeable(node: &Node, written: Written) -> Option<Arc<Map>> {
    match (&node.value, written) {
        (Value::Map(map), Written::MappingOrAlias) => Some(map.clone()),
        // An alias of a list does not count as a list; Psych looks at the node.
        (Value::Seq(items), Written::Sequence) => {
            let mut union = Map::default();
            for item in items.iter().rev() {
                let Value::Map(map) = &item.value else {
                    return None;
                };
                for (key, node) in map.iter() {
                    union.set(key.clone(), node.clone());
                }
            }
            Some(Arc::new(union))
        }
        _ => None,
    }
}

fn mapping(form: MappingForm, open: OpenMap, span: Span) -> Result<Value, Refused> {
    let map = open.map;
    match form {
        MappingForm::Map => Ok(Node::map(map, span).value),
        MappingForm::Reference => Ok(Value::Reference(Arc::new(Node::map(map, span)))),
        MappingForm::Text => match (map.len(), map.get("str")) {
            (0, _) => Ok(Value::Null),
            (1, Some(text)) => Ok(text.value.clone()),
            _ => Err(Refused::Unsuitable),
        },
    }
}

/// The first key and last value of an item of an ordered map.
fn pair(item: &Node) -> Option<(Key, Node)> {
    match &item.value {
        Value::Map(map) => {
            let (key, _) = map.iter().next()?;
            let (_, value) = map.iter().next_back()?;
            Some((key.clone(), value.clone()))
        }
        Value::Seq(items) => {
            let (first, last) = (items.first()?, items.last()?);
            let written = Written::Scalar { text_tag: true };
            Some((Pending::new(first.clone(), written).key, last.clone()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
