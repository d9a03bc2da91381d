//! A job's log, made fit for a line of a terminal.

use crate::Style;

/// Lines longer than this are cut in two, so that a job without line breaks cannot use up memory.
const LONGEST: usize = 16 * 1024;

/// How much of an unfinished line is looked at.
const LOOKED_AT: usize = 1024;

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

    /// What a terminal would show of the line that no line break has ended yet; empty where there is none.
    pub fn unfinished(&self) -> String {
        // Few columns are of interest, and the line may be long.
        let from = self.pending.len().saturating_sub(LOOKED_AT);
        let text = String::from_utf8_lossy(&self.pending[from..]);
        match text.contains("section_") {
            // A marker may not be whole yet.
            true => String::new(),
            false => visible(&text, Style::Plain),
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
        pieces(&String::from_utf8_lossy(&raw), self.style, show);
        self.pending = raw;
        self.pending.clear();
    }
}

/// Hands out what a line of a log shows: a marker ends what was printed before it, as on GitLab's pages; a line of nothing but markers
/// shows nothing.
fn pieces(line: &str, style: Style, show: &mut impl FnMut(Shown<'_>)) {
    let mut rest = line;
    let mut marked = false;
    while let Some((at, marker)) = next_marker(rest) {
        marked = true;
        let text = visible(&rest[..at], style);
        if !text.is_empty() {
            show(Shown::Line(&text));
        }
        if let Some(name) = marker.begins {
            show(Shown::Section(name));
        }
        rest = &rest[at + marker.length..];
    }
    let text = visible(rest, style);
    if !marked || !text.is_empty() {
        show(Shown::Line(&text));
    }
}

/// `section_start:<seconds>:<name>` or its counterpart, with options and all up to the carriage return.
struct Marker<'a> {
    /// The section that begins.
    begins: Option<&'a str>,
    /// In bytes.
    length: usize,
}

/// The first marker of a text, and where it stands.
fn next_marker(text: &str) -> Option<(usize, Marker<'_>)> {
    let mut from = 0;
    while let Some(found) = text[from..].find("section_") {
        let at = from + found;
        if let Some(marker) = marker(&text[at..]) {
            return Some((at, marker));
        }
        from = at + "section_".len();
    }
    None
}

/// The marker a text begins with.
fn marker(text: &str) -> Option<Marker<'_>> {
    let begins = text.strip_prefix("section_start:");
    let rest = begins.or_else(|| text.strip_prefix("section_end:"))?;
    let (seconds, rest) = rest.split_once(':')?;
    let is_time = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    let whole = rest.split('\r').next()?;
    let name = whole.split('[').next()?;
    let end = text.len() - rest.len() + whole.len();
    is_time.then_some(Marker {
        begins: begins.map(|_| name),
        length: (end + 1).min(text.len()),
    })
}

/// What a terminal shows of a line: a carriage return begins it anew.
fn visible(line: &str, style: Style) -> String {
    let mut shown = "";
    for part in line.trim_end_matches('\r').split('\r') {
        if !without_escapes(part, Style::Plain).is_empty() {
            shown = part;
        }
    }
    without_escapes(shown, style)
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
    fn what_a_section_printed_last_stays_without_a_line_break() {
        let log = "one\ntwosection_end:1:a\r\u{1b}[0Ksection_start:2:b\r\u{1b}[0K\u{1b}[36;1mNext\u{1b}[0;m\n\
                   section_x section_end:x:y\n";
        let expected = ["one", "two", "Next", "section_x section_end:x:y"];
        assert_eq!(lines(Style::Plain, &[log]), expected);
        assert_eq!(
            lines(Style::Coloured, &["done\rsection_end:1:a\r\u{1b}[0K\n"]),
            ["done"]
        );
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
    fn an_unfinished_line_can_be_asked_for() {
        let mut lines = LogLines::new(Style::Coloured);
        let mut unfinished = |bytes: &str| {
            lines.push(bytes.as_bytes(), |_| {});
            lines.unfinished()
        };
        assert_eq!(unfinished("one\n"), "");
        assert_eq!(unfinished("10%\r\u{1b}[32m20"), "20");
        assert_eq!(unfinished("%\r"), "20%");
        assert_eq!(unfinished("\nsection_start:1:a"), "");
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
