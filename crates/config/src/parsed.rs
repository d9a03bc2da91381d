//! Parsed files, kept by content: fifty scenarios of one configuration parse it once.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;
use tidegate_source::{FileId, Span};
use tidegate_yaml::{Key, Limits, Loaded, Map, Node, Remark, RemarkKind, Value, YamlError, load};

/// Every file that was parsed, by its content. Give the same to several loads.
///
/// Parsing depends on nothing but content and limits; use one cache for one set of limits.
#[derive(Debug)]
pub struct ParsedFiles {
    /// `None`: nothing is kept.
    known: Option<HashMap<Arc<[u8]>, Parsed, FxBuildHasher>>,
}

impl Default for ParsedFiles {
    fn default() -> ParsedFiles {
        ParsedFiles::new()
    }
}

#[derive(Debug)]
struct Parsed {
    file: FileId,
    result: Result<Loaded, YamlError>,
}

impl ParsedFiles {
    /// An empty cache.
    pub fn new() -> ParsedFiles {
        ParsedFiles {
            known: Some(HashMap::default()),
        }
    }

    /// One that keeps nothing: for a single load, whose parsed files would only take memory once they are merged.
    pub(crate) fn forgetful() -> ParsedFiles {
        ParsedFiles { known: None }
    }

    /// How many different contents were parsed.
    pub fn len(&self) -> usize {
        self.known.as_ref().map_or(0, HashMap::len)
    }

    /// Whether nothing was parsed yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The content as documents whose places are in `file`.
    pub(crate) fn parsed(
        &mut self,
        content: &Arc<[u8]>,
        file: FileId,
        limits: &Limits,
    ) -> Result<Loaded, YamlError> {
        let Some(known) = &mut self.known else {
            return load(content, file, limits);
        };
        let known = known.entry(content.clone()).or_insert_with(|| Parsed {
            file,
            result: load(content, file, limits),
        });
        if known.file == file {
            return known.result.clone();
        }
        // The same content under another name or in another order of includes: only the places differ.
        match &known.result {
            Ok(loaded) => Ok(moved(loaded, file)),
            Err(error) => Err(YamlError {
                kind: error.kind.clone(),
                span: moved_span(error.span, file),
            }),
        }
    }
}

fn moved(loaded: &Loaded, file: FileId) -> Loaded {
    Loaded {
        header: loaded.header.as_ref().map(|node| moved_node(node, file)),
        content: moved_node(&loaded.content, file),
        remarks: loaded
            .remarks
            .iter()
            .map(|remark| moved_remark(remark, file))
            .collect(),
    }
}

fn moved_remark(remark: &Remark, file: FileId) -> Remark {
    let kind = match remark.kind {
        RemarkKind::DuplicateKey { first } => RemarkKind::DuplicateKey {
            first: moved_span(first, file),
        },
        RemarkKind::MergeOverridesKey { key } => RemarkKind::MergeOverridesKey {
            key: moved_span(key, file),
        },
        other => other,
    };
    Remark {
        kind,
        span: moved_span(remark.span, file),
    }
}

fn moved_span(span: Span, file: FileId) -> Span {
    if span.is_some() {
        Span::new(file, span.start(), span.end())
    } else {
        span
    }
}

fn moved_node(node: &Node, file: FileId) -> Node {
    let value = match &node.value {
        Value::Seq(items) => {
            let items = items.iter().map(|item| moved_node(item, file));
            Value::Seq(items.collect())
        }
        Value::Map(map) => {
            let mut result = Map::with_capacity(map.len());
            for (key, value) in map.iter() {
                let key = Key {
                    value: key.value.clone(),
                    span: moved_span(key.span, file),
                };
                result.insert(key, moved_node(value, file));
            }
            Value::Map(Arc::new(result))
        }
        Value::Reference(data) => Value::Reference(Arc::new(moved_node(data, file))),
        other => other.clone(),
    };
    Node::new(value, moved_span(node.span, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_content_is_parsed_once_and_places_follow_the_file() {
        let mut files = ParsedFiles::new();
        let content: Arc<[u8]> = b"{a: [x, !reference [y]], a: 1}"[..].into();
        for id in [0, 7, 0] {
            let file = FileId(id);
            let loaded = files.parsed(&content, file, &Limits::default()).unwrap();
            let (key, node) = loaded
                .content
                .as_map()
                .and_then(|map| map.entry("a"))
                .unwrap();
            assert_eq!((key.span.file(), node.span.file()), (file, file));
            assert_eq!(
                loaded.remarks.first().map(|remark| remark.span.file()),
                Some(file)
            );
        }
        assert_eq!(files.len(), 1);
    }

    #[test]
    fn errors_are_kept_too() {
        let mut files = ParsedFiles::new();
        let content: Arc<[u8]> = b"a: ["[..].into();
        for id in [0, 3] {
            let error = files
                .parsed(&content, FileId(id), &Limits::default())
                .unwrap_err();
            assert_eq!(error.span.file(), FileId(id));
        }
    }
}
