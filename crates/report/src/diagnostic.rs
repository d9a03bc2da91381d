//! Diagnostics for people: the message, the lines involved, what to do.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};
use tidegate_source::{
    Diagnostic, Label, LabelKind, Origin, Severity, SourceFile, SourceMap, Span, Suggestion,
};

/// Whether escape sequences may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Style {
    /// Text only.
    #[default]
    Plain,
    /// With colours.
    Coloured,
}

/// Lines shown around a label.
const AROUND: usize = 1;
/// Labels further apart than this are shown as two excerpts, so that a large file is never copied whole.
const FAR: usize = 40;

/// Renders diagnostics one after the other, each followed by an empty line.
pub fn diagnostics<'d>(
    items: impl IntoIterator<Item = &'d Diagnostic>,
    sources: &SourceMap,
    style: Style,
) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for item in items {
        text.push_str(&render(item, sources, &renderer));
        text.push_str("\n\n");
    }
    text
}

fn render(item: &Diagnostic, sources: &SourceMap, renderer: &Renderer) -> String {
    let excerpts = excerpts(item, sources);
    let chain = include_chain(item, sources);
    let level = match item.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Finding => Level::INFO.with_name(Some("finding")),
    };
    let mut group = Group::with_title(level.primary_title(&*item.message).id(item.code.0));
    for excerpt in &excerpts {
        group = group.element(excerpt.snippet());
    }
    for note in &item.notes {
        group = group.element(Level::NOTE.message(&**note));
    }
    for link in &chain {
        group = group.element(Level::NOTE.message(&**link));
    }
    let mut report = vec![group];
    let patches: Vec<_> = item
        .suggestions
        .iter()
        .map(|s| (s, patch(s, sources)))
        .collect();
    for (suggestion, patch) in &patches {
        match patch {
            Some(patch) => {
                let title = Level::HELP.secondary_title(&*suggestion.text);
                report.push(Group::with_title(title).element(patch.snippet()));
            }
            None => {
                let last = report.pop().expect("the first group is always there");
                report.push(last.element(Level::HELP.message(&*suggestion.text)));
            }
        }
    }
    renderer.render(&report)
}

/// Some lines of a file with the labels on them; ranges are relative to the excerpt's text.
struct Excerpt<'a> {
    path: &'a str,
    first_line: usize,
    text: &'a str,
    labels: Vec<(AnnotationKind, std::ops::Range<usize>, &'a str)>,
}

impl<'a> Excerpt<'a> {
    fn snippet(&self) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let mut snippet = Snippet::source(self.text)
            .line_start(self.first_line + 1)
            .path(self.path);
        for (kind, range, text) in &self.labels {
            let annotation = kind.span(range.clone());
            let labelled = if text.is_empty() {
                annotation
            } else {
                annotation.label(*text)
            };
            snippet = snippet.annotation(labelled);
        }
        snippet
    }
}

fn excerpts<'a>(item: &'a Diagnostic, sources: &'a SourceMap) -> Vec<Excerpt<'a>> {
    let mut labels: Vec<&Label> = item.labels.iter().collect();
    // The culprit's file and place come first; files keep the order in which labels name them.
    labels.sort_by_key(|label| label.kind == LabelKind::Context);
    let mut clusters: Vec<(&SourceFile, usize, usize, Vec<&Label>)> = Vec::new();
    for label in labels {
        let file = sources.file(label.span.file());
        let Some(file) = file.filter(|file| file.origin != Origin::Made) else {
            continue;
        };
        let (first, last) = lines(file, label.span);
        let near = clusters.iter_mut().find(|(known, from, to, _)| {
            std::ptr::eq(*known, file) && first <= *to + FAR && last + FAR >= *from
        });
        match near {
            Some((_, from, to, labels)) => {
                *from = first.min(*from);
                *to = last.max(*to);
                labels.push(label);
            }
            None => clusters.push((file, first, last, vec![label])),
        }
    }
    clusters
        .into_iter()
        .map(|(file, first, last, labels)| cut(file, first, last, &labels))
        .collect()
}

fn lines(file: &SourceFile, span: Span) -> (usize, usize) {
    let last = span.end().max(span.start() + 1) - 1;
    (file.line_of(span.start()), file.line_of(last))
}

fn cut<'a>(file: &'a SourceFile, first: usize, last: usize, labels: &[&'a Label]) -> Excerpt<'a> {
    let first_line = first.saturating_sub(AROUND);
    let start = file.line_start(first_line) as usize;
    let end = file.line_start(last + 1 + AROUND) as usize;
    let text = file.text.get(start..end).unwrap_or_default();
    let labels = labels.iter().map(|label| {
        let kind = match label.kind {
            LabelKind::Primary => AnnotationKind::Primary,
            LabelKind::Context => AnnotationKind::Context,
        };
        (kind, within(text, start, label.span), &*label.text)
    });
    Excerpt {
        path: &file.name,
        first_line,
        text,
        labels: labels.collect(),
    }
}

/// The span relative to an excerpt: inside it, on character boundaries, and no longer than its first line where it covers many.
fn within(text: &str, start: usize, span: Span) -> std::ops::Range<usize> {
    let floor = |at: usize| {
        (0..=at.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at))
    };
    let from = floor((span.start() as usize).saturating_sub(start)).unwrap_or(0);
    let to = floor((span.end() as usize).saturating_sub(start))
        .unwrap_or(0)
        .max(from);
    let covered = &text[from..to];
    match covered.find('\n') {
        Some(line) if line > 0 => from..from + covered[..line].trim_end().len().max(1),
        _ => from..to,
    }
}

fn include_chain(item: &Diagnostic, sources: &SourceMap) -> Vec<String> {
    let Some(primary) = item.primary() else {
        return Vec::new();
    };
    let made = sources
        .file(primary.file())
        .filter(|file| file.origin == Origin::Made);
    let made = made.map(|file| format!("in {}", file.name));
    let chain = sources.include_chain(primary.file());
    let chain = chain
        .iter()
        .filter_map(|by| Some(format!("included from {}", sources.locate(*by)?)));
    made.into_iter().chain(chain).collect()
}

struct PatchExcerpt<'a> {
    path: &'a str,
    first_line: usize,
    text: &'a str,
    range: std::ops::Range<usize>,
    replacement: &'a str,
}

impl<'a> PatchExcerpt<'a> {
    fn snippet(&self) -> Snippet<'a, Patch<'a>> {
        Snippet::source(self.text)
            .line_start(self.first_line + 1)
            .path(self.path)
            .patch(Patch::new(self.range.clone(), self.replacement))
    }
}

fn patch<'a>(suggestion: &'a Suggestion, sources: &'a SourceMap) -> Option<PatchExcerpt<'a>> {
    let (span, replacement) = suggestion.replacement.as_ref()?;
    let file = sources.file(span.file())?;
    let (first_line, last) = lines(file, *span);
    let start = file.line_start(first_line) as usize;
    let text = file.text.get(start..file.line_start(last + 1) as usize)?;
    let range = span.start() as usize - start..span.end() as usize - start;
    text.get(range.clone())?;
    Some(PatchExcerpt {
        path: &file.name,
        first_line,
        text,
        range,
        replacement,
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use tidegate_source::{IncludeKind, Origin};

    use super::*;

    const TEXT: &str = "build:\n  stage: build\n  scrpt: make\n\ntest:\n  needs: [nope]\n";

    fn place(sources: &SourceMap, text: &str) -> Span {
        let (id, file) = sources.files().next().expect("there is a file");
        let start = file.text.find(text).expect("the text is there") as u32;
        Span::new(id, start, start + text.len() as u32)
    }

    fn sources() -> SourceMap {
        let mut sources = SourceMap::default();
        sources.add(".gitlab-ci.yml", TEXT, Origin::Root);
        sources
    }

    #[test]
    fn a_message_stands_above_the_line_it_speaks_of() {
        let sources = sources();
        let key = place(&sources, "scrpt");
        let item = Diagnostic::error(
            "unknown-keys",
            "jobs:build config contains unknown keys: scrpt",
        )
        .at_with(key, "no job keyword")
        .suggest("did you mean `script`?", key, "script");
        assert_snapshot!(diagnostics([&item], &sources, Style::Plain), @r"
        error[unknown-keys]: jobs:build config contains unknown keys: scrpt
         --> .gitlab-ci.yml:3:3
          |
        3 |   scrpt: make
          |   ^^^^^ no job keyword
          |
        help: did you mean `script`?
          |
        3 |   script: make
          |      +
        ");
    }

    #[test]
    fn text_that_nobody_wrote_is_named_and_not_shown() {
        let mut sources = SourceMap::default();
        let root = sources.add("include of `t`", "{\"include\": \"a.yml\"}", Origin::Root);
        let by = Span::new(root, 12, 19);
        let kind = IncludeKind::Local;
        let inner = sources.add("a.yml", "a: 1\n", Origin::Included { kind, by });
        sources.root_is_made();
        let items = [
            Diagnostic::error("x", "inside").at(Span::new(inner, 0, 1)),
            Diagnostic::error("y", "no such file").at(by),
        ];
        assert_snapshot!(diagnostics(&items, &sources, Style::Plain), @r#"
        error[x]: inside
         --> a.yml:1:1
          |
        1 | a: 1
          | ^
          |
          = note: included from include of `t`

        error[y]: no such file
         |
         = note: in include of `t`
        "#);
    }

    #[test]
    fn places_in_several_files_and_the_include_chain_are_shown() {
        let mut sources = sources();
        let by = place(&sources, "nope");
        let origin = Origin::Included {
            kind: IncludeKind::Local,
            by,
        };
        let inner = sources.add("ci/a.yml", "é: 1\nb: 2\n", origin);
        let item = Diagnostic::warning("x", "two places")
            .context(place(&sources, "build:"), "first here")
            .at_with(Span::new(inner, 6, 7), "then here")
            .note("a remark")
            .help("do something");
        assert_snapshot!(diagnostics([&item], &sources, Style::Plain), @r"
        warning[x]: two places
         --> ci/a.yml:2:1
          |
        2 | b: 2
          | ^ then here
          |
         ::: .gitlab-ci.yml:1:1
          |
        1 | build:
          | ------ first here
          |
          = note: a remark
          = note: included from .gitlab-ci.yml:6:11
          = help: do something
        ");
    }

    #[test]
    fn a_message_without_a_place_stands_alone() {
        let item = Diagnostic::error("x", "nothing to show");
        assert_snapshot!(diagnostics([&item], &SourceMap::default(), Style::Plain), @"error[x]: nothing to show");
    }

    #[test]
    fn spans_that_do_not_fit_their_file_do_no_harm() {
        let sources = sources();
        let (id, _) = sources.files().next().expect("there is a file");
        for span in [
            Span::new(id, 900, 901),
            Span::new(id, 0, 900),
            Span::new(id, 5, 5),
        ] {
            let item = Diagnostic::error("x", "odd")
                .at(span)
                .suggest("try", span, "y");
            assert!(diagnostics([&item], &sources, Style::Plain).contains("odd"));
        }
    }
}
