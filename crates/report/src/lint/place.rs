//! Where a diagnostic points, in the repository that is checked.

use tidegate_source::{Diagnostic, IncludeKind, Origin, SourceMap, Span};

/// A place with lines and columns from 1; the end is exclusive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place<'s> {
    pub(super) path: &'s str,
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) end_line: u32,
    pub(super) end_column: u32,
    /// The file is one of the repository that is checked.
    pub(super) is_own: bool,
}

/// The culprit's place, wherever its file came from.
pub(super) fn place<'s>(item: &Diagnostic, sources: &'s SourceMap) -> Option<Place<'s>> {
    place_of(item.primary()?, sources)
}

/// The culprit's place, or for a file of elsewhere the include that leads there: tools can only show files of the repository.
pub(super) fn own_place<'s>(item: &Diagnostic, sources: &'s SourceMap) -> Option<Place<'s>> {
    let span = item.primary()?;
    let chain = sources.include_chain(span.file());
    let spans = std::iter::once(span).chain(chain);
    let mut places = spans.filter_map(|span| place_of(span, sources));
    places.find(|place| place.is_own)
}

/// The place of a span.
pub(super) fn place_of(span: Span, sources: &SourceMap) -> Option<Place<'_>> {
    let file = sources.file(span.file())?;
    let start = sources.position(span);
    let end = sources.position(Span::new(
        span.file(),
        span.end().max(span.start()),
        span.end(),
    ));
    Some(Place {
        path: &file.name,
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
        is_own: is_own(span, sources),
    })
}

/// Whether the file is the root, or was reached by local includes only.
fn is_own(span: Span, sources: &SourceMap) -> bool {
    let chain = sources.include_chain(span.file());
    let files = std::iter::once(span.file()).chain(chain.iter().map(|by| by.file()));
    files
        .filter_map(|file| sources.file(file))
        .all(|file| match &file.origin {
            Origin::Root => true,
            Origin::Included { kind, .. } => *kind == IncludeKind::Local,
            Origin::Given | Origin::Made => false,
        })
}
