//! Codes that are switched off: by settings, for a line, for a file.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_source::{Diagnostic, FileId, SourceFile, SourceMap, Span};

use crate::{Settings, is_known};

/// How a comment of ours begins.
const MARK: &str = "# tidegate:";

/// What settings and comments switch off.
#[derive(Clone, Debug, Default)]
pub struct Switches {
    everywhere: BTreeSet<String>,
    files: BTreeSet<(FileId, String)>,
    lines: BTreeMap<(FileId, usize), BTreeSet<String>>,
}

impl Switches {
    /// Reads the comments of all files.
    ///
    /// The text is read line by line; a comment inside a block scalar, such as a script, counts as well.
    pub fn new(sources: &SourceMap, settings: &Settings) -> Switches {
        let mut switches = Switches {
            everywhere: settings.disabled.clone(),
            ..Switches::default()
        };
        for comment in comments(sources) {
            let codes = comment.codes.iter().map(|(code, _)| code.clone());
            if comment.of_file {
                switches
                    .files
                    .extend(codes.map(|code| (comment.file, code)));
            } else {
                let place = (comment.file, comment.line);
                switches.lines.entry(place).or_default().extend(codes);
            }
        }
        switches
    }

    /// Whether a finding is switched off. Findings of loading may be asked about too.
    pub fn silences(&self, sources: &SourceMap, finding: &Diagnostic) -> bool {
        let code = finding.code.0;
        if self.everywhere.contains(code) {
            return true;
        }
        let Some(span) = finding.primary() else {
            return false;
        };
        self.files.contains(&(span.file(), code.to_owned())) || self.on_lines(sources, span, code)
    }

    fn on_lines(&self, sources: &SourceMap, span: Span, code: &str) -> bool {
        if self.lines.is_empty() {
            return false;
        }
        let Some(file) = sources.file(span.file()) else {
            return false;
        };
        let named = |line| {
            let codes = self.lines.get(&(span.file(), line));
            codes.is_some_and(|codes| codes.contains(code))
        };
        lines_for(file, file.line_of(span.start()))
            .into_iter()
            .any(named)
    }
}

/// Lines on which a comment speaks about `line`: itself, comments right above it, and the same of the line that holds its key.
fn lines_for(file: &SourceFile, line: usize) -> Vec<usize> {
    let mut lines = vec![line];
    let mut may_have_key = true;
    for above in (0..line).rev() {
        let text = file.line_text(above).trim();
        let code = text.split(" #").next().unwrap_or_default().trim_end();
        if text.starts_with('#') {
            lines.push(above);
        } else if may_have_key && code.ends_with(':') {
            may_have_key = false;
            lines.push(above);
        } else {
            break;
        }
    }
    lines
}

/// Codes in comments that no rule has, and comments that name none.
pub(crate) fn unknown_codes(sources: &SourceMap) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for comment in comments(sources) {
        if comment.codes.is_empty() {
            let text = "this comment switches nothing off: it names no code";
            let example = "write `# tidegate: allow L005` or `# tidegate: allow-file L005`";
            found.push(
                Diagnostic::finding("L100", text)
                    .at(comment.span)
                    .help(example),
            );
        }
        for (code, span) in &comment.codes {
            if !is_known(code) {
                let text = format!("there is no finding with the code `{code}`");
                found.push(Diagnostic::finding("L100", text).at(*span));
            }
        }
    }
    found
}

/// One comment of ours.
struct Comment {
    file: FileId,
    line: usize,
    of_file: bool,
    codes: Vec<(String, Span)>,
    span: Span,
}

fn comments(sources: &SourceMap) -> Vec<Comment> {
    let mut all = Vec::new();
    for (id, file) in sources.files() {
        for (at, _) in file.text.match_indices(MARK) {
            all.extend(comment(id, file, at));
        }
    }
    all
}

fn comment(id: FileId, file: &SourceFile, at: usize) -> Option<Comment> {
    let before = file.text.get(..at)?;
    if !before.is_empty() && !before.ends_with([' ', '\t', '\n']) {
        return None;
    }
    let rest = file.text.get(at..)?;
    let all = rest.lines().next()?;
    let words = all.get(MARK.len()..)?;
    let span = |start: usize, text: &str| {
        let start = u32::try_from(at + start).unwrap_or_default();
        let length = u32::try_from(text.len()).unwrap_or_default();
        Span::new(id, start, start + length)
    };
    let mut position = MARK.len();
    let mut codes = Vec::new();
    let mut order = None;
    for word in words.split([' ', ',', '\t']) {
        let here = position;
        position += word.len() + 1;
        match order {
            _ if word.is_empty() => {}
            None => order = Some(word),
            Some(_) if is_known(word) || looks_like_code(word) => {
                codes.push((word.to_owned(), span(here, word)));
            }
            // What follows the codes is the reason.
            Some(_) => break,
        }
    }
    let start = u32::try_from(at).unwrap_or_default();
    Some(Comment {
        file: id,
        line: file.line_of(start),
        of_file: match order? {
            "allow" => false,
            "allow-file" => true,
            _ => {
                codes.clear();
                false
            }
        },
        codes,
        span: span(0, all.trim_end()),
    })
}

fn looks_like_code(word: &str) -> bool {
    let digits = word.strip_prefix(['L', 'l']);
    digits.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_source::Origin;

    fn silenced(text: &str, needle: &str) -> bool {
        let mut sources = SourceMap::default();
        let file = sources.add("f", text, Origin::Root);
        let at = text.find(needle).map_or(0, |at| at as u32);
        let finding = Diagnostic::finding("L005", "x").at(Span::new(file, at, at + 1));
        Switches::new(&sources, &Settings::default()).silences(&sources, &finding)
    }

    #[test]
    fn a_comment_counts_on_the_line_above_it_and_above_the_key() {
        for text in [
            "changes: [X] # tidegate: allow L005",
            "changes: [X] # tidegate: allow L006, L005 because it is nightly",
            "# tidegate: allow L005\nchanges: [X]",
            "# tidegate: allow L005\n# more\nchanges:\n  - X",
            "changes: # tidegate: allow L005\n  - X",
            "changes: [X]\n\n# tidegate: allow-file L005",
        ] {
            assert!(silenced(text, "X"), "{text}");
        }
        for text in [
            "changes: [X] # tidegate: allow L006",
            "changes: [X]\n# tidegate: allow L005",
            "# tidegate: allow L005\na: b\nchanges: [X]",
            "changes: [X#tidegate: allow L005]",
            "changes: [X] # tidegate: forbid L005",
        ] {
            assert!(!silenced(text, "X"), "{text}");
        }
    }

    #[test]
    fn codes_nobody_has_are_found_with_their_place() {
        let mut sources = SourceMap::default();
        let text = "a: 1 # tidegate: allow L005 L99\n# tidegate: allow\n";
        sources.add("f", text, Origin::Root);
        let found = unknown_codes(&sources);
        let shown: Vec<_> = found
            .iter()
            .map(|f| sources.text_of(f.primary().unwrap()))
            .collect();
        assert_eq!(shown, ["L99", "# tidegate: allow"]);
    }
}
