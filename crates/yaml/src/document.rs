//! A whole file: GitLab's textual split into documents, the header and the content (reference `config.md` §1.2).

use std::sync::Arc;

use tidegate_source::{FileId, Span};

use crate::error::{YamlError, YamlErrorKind};
use crate::limits::Limits;
use crate::node::{Map, Node, Value};
use crate::remark::{Remark, RemarkKind};
use crate::tree::{self, Attempt};

/// GitLab splits off two pieces at most; all dividers further down stay inside the third.
const MOST_PIECES: usize = 3;

/// A file as GitLab takes it apart.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The document with `spec` that stands before another one.
    pub header: Option<Node>,
    /// The configuration, always a mapping; empty when the file holds nothing but comments.
    pub content: Node,
    /// What GitLab passes over in silence.
    pub remarks: Vec<Remark>,
}

/// A part of a file between dividers, as a byte range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Offset of its first byte.
    pub start: usize,
    /// Offset just past its last byte.
    pub end: usize,
}

/// Loads a whole file: splits it, parses each piece and finds header and content.
///
/// A text of nothing but white space is [`YamlErrorKind::Blank`]; one of comments is an empty mapping. When several pieces are
/// wrong, the error is GitLab's: syntax and loading errors of all pieces come before sizes and types.
pub fn load(text: &[u8], file: FileId, limits: &Limits) -> Result<Loaded, YamlError> {
    if is_blank(text) {
        let span = span_of(file, 0, text.len());
        return Err(YamlError::new(YamlErrorKind::Blank, span));
    }
    let mut remarks = Vec::new();
    let mut documents = Vec::with_capacity(MOST_PIECES);
    for piece in split(text) {
        let bytes = text.get(piece.start..piece.end).unwrap_or_default();
        let offset = u32::try_from(piece.start).unwrap_or(u32::MAX);
        let attempt = tree::attempt(bytes, file, offset, limits)?;
        remarks.extend_from_slice(&attempt.parsed.remarks);
        if attempt.too_big || !is_blank_value(&attempt.parsed.root.value) {
            documents.push(attempt);
        }
    }
    let mut roots = Vec::with_capacity(documents.len());
    for attempt in documents {
        roots.push(mapping(attempt)?);
    }
    let (header, content) = choose(roots, &mut remarks);
    let content = content.unwrap_or_else(|| {
        let span = span_of(file, 0, 0);
        Node::new(Value::Map(Arc::new(Map::default())), span)
    });
    Ok(Loaded {
        header,
        content,
        remarks,
    })
}

/// Splits a text where GitLab splits it: at `^---\s+`, which takes following blank lines and indentation with it.
pub fn split(text: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(MOST_PIECES);
    let mut start = 0;
    let mut line = 0;
    while pieces.len() + 1 < MOST_PIECES
        && let Some(rest) = text.get(line..)
    {
        if let Some(length) = divider(rest) {
            pieces.push(Piece { start, end: line });
            start = line + length;
            line = start;
            if text
                .get(..line)
                .is_some_and(|before| before.ends_with(b"\n"))
            {
                continue;
            }
        }
        match text
            .get(line..)
            .and_then(|rest| rest.iter().position(|b| *b == b'\n'))
        {
            Some(at) => line += at + 1,
            None => break,
        }
    }
    pieces.push(Piece {
        start,
        end: text.len(),
    });
    pieces
}

/// How many bytes a divider at the start of `text` takes.
fn divider(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(b"---")?;
    let space = |b: &&u8| matches!(**b, b' ' | b'\t'..=b'\r');
    let spaces = rest.iter().take_while(space).count();
    (spaces > 0).then_some(spaces + 3)
}

fn mapping(attempt: Attempt) -> Result<Node, YamlError> {
    let root = attempt.parsed.root;
    let kind = match root.value {
        _ if attempt.too_big => YamlErrorKind::ValueTooBig,
        Value::Map(_) => return Ok(root),
        _ => YamlErrorKind::NotAMap,
    };
    Err(YamlError::new(kind, root.span))
}

/// Header and content: with a header the last document, otherwise the first.
fn choose(roots: Vec<Node>, remarks: &mut Vec<Remark>) -> (Option<Node>, Option<Node>) {
    let has_spec = |node: &Node| node.as_map().is_some_and(|map| map.contains("spec"));
    let has_header = roots.len() > 1 && roots.first().is_some_and(has_spec);
    let last = roots.len().saturating_sub(1);
    let (mut header, mut content) = (None, None);
    for (at, root) in roots.into_iter().enumerate() {
        match at {
            0 if has_header => header = Some(root),
            _ if at == if has_header { last } else { 0 } => content = Some(root),
            _ => remarks.push(Remark {
                kind: RemarkKind::IgnoredDocument,
                span: root.span,
            }),
        }
    }
    (header, content)
}

fn is_blank(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.chars().all(char::is_whitespace))
}

/// What Rails calls blank.
fn is_blank_value(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Str(text) => text.chars().all(char::is_whitespace),
        Value::Symbol(name) => name.is_empty(),
        Value::Seq(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
        _ => false,
    }
}

fn span_of(file: FileId, start: usize, end: usize) -> Span {
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span::new(file, place(start), place(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruby::{HashKeys, inspect};

    fn pieces(text: &str) -> Vec<&str> {
        let cut = |piece: Piece| &text[piece.start..piece.end];
        split(text.as_bytes()).into_iter().map(cut).collect()
    }

    /// Ruby's view of header and content.
    fn parts(text: &str) -> Result<(Option<String>, String), String> {
        let view = |node: &Node| inspect(&node.value, HashKeys::Texts);
        let loaded = load(text.as_bytes(), FileId(0), &Limits::default());
        let loaded = loaded.map_err(|error| error.to_string())?;
        Ok((loaded.header.as_ref().map(view), view(&loaded.content)))
    }

    fn content(text: &str) -> (Option<String>, String) {
        (None, text.to_owned())
    }

    #[test]
    fn dividers_take_following_white_space_with_them() {
        assert_eq!(pieces("a\n---\n\n  b\n"), ["a\n", "b\n"]);
        assert_eq!(pieces("---\na"), ["", "a"]);
        assert_eq!(pieces("--- # c\na"), ["", "# c\na"]);
        assert_eq!(pieces("---\n---\n---\na"), ["", "", "---\na"]);
        assert_eq!(pieces("--- ---\na"), ["", "---\na"]);
        assert_eq!(pieces("a\n  ---\nb"), ["a\n  ---\nb"]);
        assert_eq!(pieces("a\n---"), ["a\n---"]);
        assert_eq!(pieces("----\n"), ["----\n"]);
        assert_eq!(pieces(""), [""]);
    }

    #[test]
    fn a_header_takes_the_last_document_and_none_the_first() {
        let header = Some(r#"{"spec"=>nil}"#.to_owned());
        assert_eq!(
            parts("spec:\n---\na: 1\n"),
            Ok((header.clone(), r#"{"a"=>1}"#.into()))
        );
        assert_eq!(
            parts("spec:\n---\na: 1\n---\nb: 2\n"),
            Ok((header.clone(), r#"{"b"=>2}"#.into()))
        );
        assert_eq!(
            parts(":spec:\n---\na: 1\n"),
            Ok((header, r#"{"a"=>1}"#.into()))
        );
        assert_eq!(parts("a: 1\n---\nb: 2\n"), Ok(content(r#"{"a"=>1}"#)));
        assert_eq!(parts("---\na: 1\n"), Ok(content(r#"{"a"=>1}"#)));
        assert_eq!(parts("spec: 1\n---\n{}\n"), Ok(content(r#"{"spec"=>1}"#)));
        assert_eq!(parts("# only a comment\n"), Ok(content("{}")));
        assert_eq!(parts("~"), Ok(content("{}")));
    }

    #[test]
    fn errors_are_gitlabs() {
        for (text, error) in [
            ("", "Please provide content of .gitlab-ci.yml"),
            (" \n\t", "Please provide content of .gitlab-ci.yml"),
            ("hello", "Invalid configuration format"),
            ("[a]", "Invalid configuration format"),
            ("a: 1\n---\nhello", "Invalid configuration format"),
            (
                "spec:\n---\n[",
                "(<unknown>): did not find expected node content while parsing a flow node at line 2 column 1",
            ),
            (
                "%YAML 1.2\n---\na: 1",
                "(<unknown>): did not find expected <document start> at line 1 column 1",
            ),
            (
                "[]\n---\na: 2020-01-01",
                "Tried to load unspecified class: Date",
            ),
        ] {
            assert_eq!(parts(text), Err(error.to_owned()), "{text:?}");
        }
        let invalid = load(b"a: \xFF", FileId(0), &Limits::default()).map_err(|e| e.to_string());
        let text = "(<unknown>): invalid leading UTF-8 octet at line 1 column 1";
        assert_eq!(invalid.err().as_deref(), Some(text));
    }

    #[test]
    fn ignored_documents_are_remarked_on() {
        let text = "a: 1\n---\nb: 2\n---\nc: 3\n";
        let loaded = load(text.as_bytes(), FileId(0), &Limits::default()).expect("it loads");
        let ignored: Vec<_> = loaded
            .remarks
            .iter()
            .map(|r| (r.span.start(), r.span.end()))
            .collect();
        assert_eq!(ignored, [(9, 13), (18, 22)]);
    }
}
