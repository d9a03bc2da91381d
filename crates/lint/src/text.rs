//! Finds places inside written scalars and mappings.

use std::ops::Range;

use tidegate_source::{SourceMap, Span};

/// The place of the bytes `part` of the value `value` that is written at `span`; all of `span` where escapes or folding hide it.
pub(crate) fn part_of(sources: &SourceMap, span: Span, value: &str, part: Range<usize>) -> Span {
    let Some(at) = sources.text_of(span).find(value) else {
        return span;
    };
    let offset = |inside: usize| span.start() + u32::try_from(at + inside).unwrap_or_default();
    Span::new(span.file(), offset(part.start), offset(part.end))
}

/// What to write behind the value at `span` to give its mapping one more entry, whichever style the mapping has.
///
/// `in_mapping` is the place of the mapping. `None` where the key of the value does not stand on the same line.
pub(crate) fn entry_behind(
    sources: &SourceMap,
    in_mapping: Span,
    span: Span,
    entry: &str,
) -> Option<String> {
    let value = sources.text_of(span);
    if sources.text_of(in_mapping).starts_with('{') {
        return Some(format!("{value}, {entry}"));
    }
    let file = sources.file(span.file())?;
    let start = file.line_start(file.line_of(span.start())) as usize;
    let before = file.text.get(start..span.start() as usize)?;
    let indent = before.len() - before.trim_start_matches([' ', '-']).len();
    before.trim_end().ends_with(':').then(|| {
        let indent = " ".repeat(indent);
        format!("{value}\n{indent}{entry}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_source::Origin;

    #[test]
    fn parts_of_quoted_values_are_found() {
        let mut sources = SourceMap::default();
        let file = sources.add("f", "if: '$A == $B'", Origin::Root);
        let span = Span::new(file, 4, 14);
        let part = part_of(&sources, span, "$A == $B", 6..8);
        assert_eq!(sources.text_of(part), "$B");
        assert_eq!(part_of(&sources, span, "$A == 'x'", 0..2), span);
    }

    #[test]
    fn entries_follow_the_style_of_their_mapping() {
        let mut sources = SourceMap::default();
        let text = "- {when: manual}\n- when: manual\n";
        let file = sources.add("f", text, Origin::Root);
        let flow = Span::new(file, 9, 15);
        let block = Span::new(file, 25, 31);
        let behind = |span, map| entry_behind(&sources, map, span, "x: 1");
        assert_eq!(
            behind(flow, Span::new(file, 2, 16)).as_deref(),
            Some("manual, x: 1")
        );
        assert_eq!(
            behind(block, Span::new(file, 19, 31)).as_deref(),
            Some("manual\n  x: 1")
        );
    }
}
