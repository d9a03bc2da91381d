//! Finds the coverage of a job in its log.

use tidegate_expr::Pattern;

/// Longest line that is looked at; longer ones are no summary of a test run.
const LONGEST_LINE: usize = 64 * 1024;

/// Keeps the number in the last line that matches.
///
/// Of a line its last match counts as [`Pattern::last_match`] takes it, of that the first number.
/// Colours do not count as text.
#[derive(Debug)]
pub(super) struct Coverage {
    pattern: Pattern,
    line: Vec<u8>,
    found: Option<String>,
}

impl Coverage {
    pub(super) fn new(pattern: Pattern) -> Self {
        Self {
            pattern,
            line: Vec::new(),
            found: None,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) if self.line.is_empty() => self.look_at(end),
                Some(end) => {
                    self.keep(end);
                    let line = std::mem::take(&mut self.line);
                    self.look_at(&line);
                }
                None => self.keep(piece),
            }
        }
    }

    pub(super) fn finish(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        self.look_at(&line);
        self.found.take()
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = LONGEST_LINE
            .saturating_sub(self.line.len())
            .min(piece.len());
        self.line
            .extend_from_slice(piece.get(..room).unwrap_or_default());
    }

    fn look_at(&mut self, line: &[u8]) {
        if line.is_empty() || line.len() > LONGEST_LINE {
            return;
        }
        let line = without_colours(line);
        // The log is UTF-8 by now; only a cut of this line's end could have changed that.
        let line = String::from_utf8_lossy(&line);
        let number = self.pattern.last_match(&line).and_then(first_number);
        if number.is_some() {
            self.found = number;
        }
    }
}

/// The first `\d+(\.\d+)?`.
fn first_number(text: &str) -> Option<String> {
    let text = text.get(text.find(|c: char| c.is_ascii_digit())?..)?;
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let fraction = text.get(whole..)?.strip_prefix('.').map_or(0, digits);
    let length = if fraction > 0 {
        whole + 1 + fraction
    } else {
        whole
    };
    text.get(..length).map(str::to_owned)
}

/// Removes `ESC [ … letter`, and what a carriage return overwrites stays.
fn without_colours(line: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if !line.contains(&0x1b) {
        return line.into();
    }
    let mut plain = Vec::with_capacity(line.len());
    let mut bytes = line.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte == 0x1b && bytes.next_if_eq(&b'[').is_some() {
            bytes.by_ref().find(|byte| (0x40..=0x7e).contains(byte));
        } else {
            plain.push(byte);
        }
    }
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, log: &str, expected: Option<&str>) {
        for size in [1, 3, 1000] {
            let mut coverage =
                Coverage::new(Pattern::compile(pattern, "").expect("a pattern of this test"));
            log.as_bytes()
                .chunks(size)
                .for_each(|piece| coverage.push(piece));
            assert_eq!(coverage.finish().as_deref(), expected, "pieces of {size}");
        }
    }

    #[test]
    fn the_last_line_that_matches_counts() {
        check(
            r"Total: \d+%",
            "Total: 10%\nTotal: 20.5%\nTotal: 30%\nend\n",
            Some("30"),
        );
    }

    #[test]
    fn of_a_group_the_first_number_counts() {
        check(r"\w+ cov (\S+)", "all cov 87.25%/90\n", Some("87.25"));
    }

    #[test]
    fn colours_do_not_count() {
        check(
            r"^Total: (\d+)%$",
            "\u{1b}[32;1mTotal: \u{1b}[1m42\u{1b}[0m%\u{1b}[0;m",
            Some("42"),
        );
    }

    #[test]
    fn a_match_without_number_counts_as_none() {
        check(r"Total: .*", "Total: 5\nTotal: none\n", Some("5"));
        check(r"nope", "Total: 5\n", None);
    }
}
