//! The files of a configuration and how each was reached.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::span::{FileId, Span};

/// The kinds of `include` through which a file can be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum IncludeKind {
    /// `include:local`, wildcards too.
    Local,
    /// `include:project`.
    Project,
    /// `include:remote`.
    Remote,
    /// `include:template`.
    Template,
    /// `include:component`.
    Component,
    /// `include:artifact`, in child pipelines.
    Artifact,
    /// `spec:include`, a header's shared inputs.
    Header,
}

/// How a file came to take part in the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The file the user asked for.
    Root,
    /// A file pulled in by an `include`.
    Included {
        /// Which kind of include.
        kind: IncludeKind,
        /// The include entry that asked for it; its file is the including file.
        by: Span,
    },
    /// Text that stands in no file: a command-line argument, a scenario, a setting.
    Given,
    /// Text that nobody wrote, such as the value of one keyword on its own: only its name means something to people, not a place in it.
    Made,
}

/// One file: its name as users know it, its text and its origin.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path relative to the project root, URL or address, as shown in messages.
    pub name: Arc<str>,
    /// The text; bytes that were not UTF-8 are replaced, so it is for display only.
    pub text: Arc<str>,
    /// How the file was reached.
    pub origin: Origin,
    /// Found when first asked for: most files never have anything to be told of.
    line_starts: OnceLock<Box<[u32]>>,
}

impl SourceFile {
    /// Line number (from 0) of the byte at `offset`.
    pub fn line_of(&self, offset: u32) -> usize {
        self.line_starts()
            .partition_point(|&start| start <= offset)
            .saturating_sub(1)
    }

    /// Offset of the first byte of line `line` (from 0); the end of the text past the last line.
    pub fn line_start(&self, line: usize) -> u32 {
        self.line_starts()
            .get(line)
            .copied()
            .unwrap_or(self.text.len() as u32)
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let breaks = self.text.match_indices('\n');
            let starts = breaks.map(|(at, _)| at as u32 + 1);
            std::iter::once(0).chain(starts).collect()
        })
    }

    /// The text of line `line` (from 0) without its line break; empty past the last line.
    pub fn line_text(&self, line: usize) -> &str {
        let start = self.line_start(line) as usize;
        let end = self.line_start(line + 1) as usize;
        self.text
            .get(start..end)
            .unwrap_or_default()
            .trim_end_matches(['\n', '\r'])
    }
}

/// A line and column, both from 1; the column counts characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// All files of one load, in the order they were read.
#[derive(Clone, Default, Debug)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// Adds a file and returns its id.
    pub fn add(&mut self, name: &str, text: &str, origin: Origin) -> FileId {
        let id = FileId(self.files.len() as u32);
        self.files.push(SourceFile {
            name: name.into(),
            text: text.into(),
            origin,
            line_starts: OnceLock::new(),
        });
        id
    }

    /// The file `id`, or `None` for [`FileId::NONE`] and ids of other maps.
    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    /// All files with their ids, in the order they were added.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files
            .iter()
            .enumerate()
            .map(|(at, file)| (FileId(at as u32), file))
    }

    /// The text a span covers; empty for spans that point nowhere or split a character.
    pub fn text_of(&self, span: Span) -> &str {
        let range = span.start() as usize..span.end() as usize;
        self.file(span.file())
            .and_then(|file| file.text.get(range))
            .unwrap_or_default()
    }

    /// Where a span begins; `1:1` for spans that point nowhere.
    pub fn position(&self, span: Span) -> Position {
        let Some(file) = self.file(span.file()) else {
            return Position { line: 1, column: 1 };
        };
        let line = file.line_of(span.start());
        let start = file.line_start(line) as usize;
        let before = file
            .text
            .get(start..span.start() as usize)
            .unwrap_or_default();
        Position {
            line: line as u32 + 1,
            column: before.chars().count() as u32 + 1,
        }
    }

    /// Says that the first file is text that nobody wrote.
    pub fn root_is_made(&mut self) {
        if let Some(root) = self.files.first_mut() {
            root.origin = Origin::Made;
        }
    }

    /// `name:line:column` of where a span begins, the name alone for text that nobody wrote, or `None` for spans that point nowhere.
    pub fn locate(&self, span: Span) -> Option<String> {
        let file = self.file(span.file())?;
        if file.origin == Origin::Made {
            return Some(file.name.to_string());
        }
        Some(format!("{}:{}", file.name, self.position(span)))
    }

    /// The includes that led to `id`, from the one that named the file up to the root's own.
    pub fn include_chain(&self, id: FileId) -> Vec<Span> {
        let mut chain = Vec::new();
        let mut at = id;
        while let Some(SourceFile {
            origin: Origin::Included { by, .. },
            ..
        }) = self.file(at)
        {
            // An include always stands in a file read earlier; anything else would loop for ever.
            if !by.is_some() || by.file() >= at {
                break;
            }
            chain.push(*by);
            at = by.file();
        }
        chain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> (SourceMap, FileId) {
        let mut sources = SourceMap::default();
        let id = sources.add("f.yml", text, Origin::Root);
        (sources, id)
    }

    #[test]
    fn positions_count_characters_not_bytes() {
        let (sources, id) = map("é: x\nb: ü!\n");
        assert_eq!(
            sources.position(Span::new(id, 2, 3)),
            Position { line: 1, column: 2 }
        );
        assert_eq!(
            sources.locate(Span::new(id, 11, 12)).as_deref(),
            Some("f.yml:2:5")
        );
    }

    #[test]
    fn spans_that_point_nowhere_are_harmless() {
        let (sources, id) = map("a");
        assert_eq!(sources.text_of(Span::NONE), "");
        assert_eq!(sources.locate(Span::NONE), None);
        assert_eq!(sources.text_of(Span::new(id, 5, 9)), "");
        assert_eq!(sources.position(Span::new(id, 5, 9)).line, 1);
    }

    #[test]
    fn lines_are_found_and_cut() {
        let (sources, id) = map("a\r\nbc\n");
        let file = sources.file(id).expect("just added");
        assert_eq!(file.line_text(0), "a");
        assert_eq!(file.line_text(1), "bc");
        assert_eq!(file.line_text(7), "");
        assert_eq!(file.line_of(3), 1);
    }

    #[test]
    fn the_include_chain_leads_to_the_root() {
        let (mut sources, root) = map("include: a.yml");
        let by = Span::new(root, 9, 14);
        let a = sources.add(
            "a.yml",
            "",
            Origin::Included {
                kind: IncludeKind::Local,
                by,
            },
        );
        let by_a = Span::new(a, 0, 0);
        let b = sources.add(
            "b.yml",
            "",
            Origin::Included {
                kind: IncludeKind::Local,
                by: by_a,
            },
        );
        assert_eq!(sources.include_chain(b), vec![by_a, by]);
        assert_eq!(sources.include_chain(root), vec![]);
    }
}
