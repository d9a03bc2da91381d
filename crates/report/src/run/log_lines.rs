//! A job's log, made fit for a line of a terminal.

use crate::Style;

/// Lines longer than this are cut in two, so that a job without line breaks cannot use up memory.
const LONGEST: usize = 16 * 1024;

/// Something a stretch of log shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown<'a> {
    /// A section begins.
    Section(&'a str),
    /// A line.
    Line(&'a str),
}

/// Cuts a stream of log bytes into lines to show: no section markers, no cursor movements, colours only where wanted.
///
/// A carriage return begins the line anew, as a terminal would show it.
#[derive(Debug)]
pub struct LogLines {
    style: Style,
    pending: Vec<u8>,
}

impl LogLines {
    /// Shows lines in `style`.
    pub fn new(style: Style) -> LogLines {
        LogLines {
            style,
            pending: Vec::new(),
        }
    }

    /// Takes bytes and hands every line they complete to `show`.
    pub fn push(&mut self, bytes: &[u8], mut show: impl FnMut(Shown<'_>)) {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            self.pending.extend_from_slice(&rest[..at]);
            self.show_pending(&mut show);
            rest = &rest[at + 1..];
        }
        self.pending.extend_from_slice(rest);
        if self.pending.len() > LONGEST {
            self.show_pending(&mut show);
        }
    }

    /// Shows what no line break has ended.
    pub fn finish(&mut self, mut show: impl FnMut(Shown<'_>)) {
        if !self.pending.is_empty() {
            self.show_pending(&mut show);
        }
    }

    fn show_pending(&mut self, show: &mut impl FnMut(Shown<'_>)) {
        let raw = std::mem::take(&mut self.pending);
        let text = String::from_utf8_lossy(&raw);
        for name in sections(&text) {
            show(Shown::Section(name));
        }
        if let Some(line) = visible(&text, self.style) {
            show(Shown::Line(&line));
        }
        self.pending = raw;
        self.pending.clear();
    }
}

/// Names of the sections that begin in a line.
fn sections(line: &str) -> impl Iterator<Item = &str> {
    line.split("section_start:").skip(1).filter_map(|rest| {
        let (seconds, rest) = rest.split_once(':')?;
        let name = rest.split(['\r', '[']).next()?;
        seconds
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(name)
    })
}

/// What a terminal shows of a line; `None` for a line that held nothing but section markers.
fn visible(line: &str, style: Style) -> Option<String> {
    let mut shown = "";
    let mut marked = false;
    for part in line.trim_end_matches('\r').split('\r') {
        let part = match part
            .find("section_start:")
            .or_else(|| part.find("section_end:"))
        {
            Some(at) if is_marker(&part[at..]) => {
                marked = true;
                &part[..at]
            }
            _ => part,
        };
        if !without_escapes(part, Style::Plain).is_empty() {
            shown = part;
        }
    }
    let text = without_escapes(shown, style);
    (!marked || !text.is_empty()).then_some(text)
}

/// Whether the text is `section_start:<seconds>:<name>` or its counterpart.
fn is_marker(text: &str) -> bool {
    let mut parts = text.splitn(3, ':').skip(1);
    parts.next().is_some_and(|seconds| {
        !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit())
    }) && parts.next().is_some()
}

/// Drops escape sequences, all but colours where colours are wanted, and control characters.
fn without_escapes(text: &str, style: Style) -> String {
    let mut out = String::with_capacity(text.len());
    let mut coloured = false;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\u{1b}' {
            if !c.is_control() || c == '\t' {
                out.push(c);
            }
            continue;
        }
        let mut end = at + 1;
        let mut last = ' ';
        if chars.next_if(|(_, c)| *c == '[').is_some() {
            for (at, c) in chars.by_ref() {
                end = at + c.len_utf8();
                last = c;
                if ('\u{40}'..='\u{7e}').contains(&c) {
                    break;
                }
            }
        }
        if last == 'm' && style == Style::Coloured {
            coloured = true;
            out.push_str(&text[at..end]);
        }
    }
    if coloured {
        out.push_str("\u{1b}[0m");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(what: Shown<'_>) -> Option<String> {
        match what {
            Shown::Line(line) => Some(line.to_owned()),
            Shown::Section(_) => None,
        }
    }

    fn lines(style: Style, chunks: &[&str]) -> Vec<String> {
        let mut lines = LogLines::new(style);
        let mut shown = Vec::new();
        for chunk in chunks {
            lines.push(chunk.as_bytes(), |what| shown.extend(line(what)));
        }
        lines.finish(|what| shown.extend(line(what)));
        shown
    }

    #[test]
    fn section_markers_and_colours_are_not_shown_plainly() {
        let log = "section_start:1700000000:step_script\r\u{1b}[0K\u{1b}[0K\u{1b}[36;1mExecuting\u{1b}[0;m\n\
                   \u{1b}[32;1m$ echo\u{1b}[0;m\n\nsection_end:1700000001:step_script\r\u{1b}[0K\n";
        assert_eq!(lines(Style::Plain, &[log]), ["Executing", "$ echo", ""]);
    }

    #[test]
    fn the_beginning_of_a_section_is_told() {
        let mut names = Vec::new();
        let log =
            "section_end:1:a\r\u{1b}[0Ksection_start:2:step_script[collapsed=true]\r\u{1b}[0Kx\n";
        LogLines::new(Style::Plain).push(log.as_bytes(), |what| {
            if let Shown::Section(name) = what {
                names.push(name.to_owned());
            }
        });
        assert_eq!(names, ["step_script"]);
    }

    #[test]
    fn colours_stay_where_wanted_and_end_with_the_line() {
        let shown = lines(Style::Coloured, &["\u{1b}[31mred\u{1b}[2J\n"]);
        assert_eq!(shown, ["\u{1b}[31mred\u{1b}[0m"]);
    }

    #[test]
    fn a_line_may_arrive_in_pieces_and_may_lack_its_end() {
        assert_eq!(lines(Style::Plain, &["a", "b\nc", "d"]), ["ab", "cd"]);
    }

    #[test]
    fn a_carriage_return_begins_the_line_anew() {
        assert_eq!(lines(Style::Plain, &["10%\r50%\r100%\r\n"]), ["100%"]);
    }

    #[test]
    fn a_log_without_line_breaks_is_cut() {
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(lines(Style::Plain, &[&long, "y\n"]), [long.as_str(), "y"]);
    }
}
