//! The lower part of a terminal, drawn over and over; lines that stay scroll up above it.
//!
//! What is written moves up to the first line drawn before, writes what changed, and clears what is left over. Nothing is cleared before
//! it is written again, but when the width changes, so nothing flickers.

use std::fmt::Write as _;

use tidegate_report::run::Space;
use unicode_width::UnicodeWidthStr;

/// Begins a change that a terminal shows as one where it knows how to; and no line is broken in two whatever a terminal
/// thinks of the width of its characters.
const BEGIN: &str = "\u{1b}[?2026h";
const END: &str = "\u{1b}[?2026l";
const UNBROKEN: &str = "\u{1b}[?7l";
const BROKEN: &str = "\u{1b}[?7h";
/// Clears the rest of a line; everything below.
const CLEAR_LINE: &str = "\u{1b}[K";
const CLEAR_BELOW: &str = "\u{1b}[J";

/// What stands on the screen.
#[derive(Debug, Default)]
pub(super) struct Screen {
    drawn: Vec<String>,
    /// Columns of the terminal then.
    width: usize,
}

impl Screen {
    /// What must be written so that `above` stands above, and `table` is all that stands below it; empty where nothing changed.
    ///
    /// `above` is lines; `table` must be lower than the terminal, whose size is `size`.
    pub(super) fn draw(&mut self, above: &str, table: Vec<String>, size: Space) -> String {
        let same_width = self.width == size.width;
        if above.is_empty() && same_width && table == self.drawn {
            return String::new();
        }
        let mut text = String::from(BEGIN);
        let up = self.rows(size);
        if up > 0 {
            let _ = write!(text, "\u{1b}[{up}A");
        }
        text.push('\r');
        if !same_width {
            // Terminals remember which lines they have broken, and join them again.
            text.push_str(CLEAR_BELOW);
        }
        for line in above.lines() {
            let _ = writeln!(text, "{line}{CLEAR_LINE}");
        }
        text.push_str(UNBROKEN);
        let in_place = above.is_empty() && same_width;
        for (at, line) in table.iter().enumerate() {
            if !in_place || self.drawn.get(at) != Some(line) {
                let _ = write!(text, "{line}{CLEAR_LINE}");
            }
            text.push('\n');
        }
        text.push_str(BROKEN);
        // Also what the user typed there.
        text.push_str(CLEAR_BELOW);
        text.push_str(END);
        self.drawn = table;
        self.width = size.width;
        text
    }

    /// How many lines of the terminal the table takes: one that became narrower has broken its lines.
    fn rows(&self, size: Space) -> usize {
        let rows = match size.width < self.width {
            true => self
                .drawn
                .iter()
                .map(|line| rows_of(line, size.width))
                .sum(),
            false => self.drawn.len(),
        };
        // What has scrolled out of sight is out of reach.
        rows.min(size.height.saturating_sub(1))
    }
}

fn rows_of(line: &str, columns: usize) -> usize {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().map_or(0, UnicodeWidthStr::width);
    let rest = parts.map(|part| part.split_once('m').map_or(0, |(_, text)| text.width()));
    let width: usize = first + rest.sum::<usize>();
    width.div_ceil(columns.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use vt100::Parser;

    use super::*;

    const SIZE: Space = Space {
        width: 20,
        height: 6,
    };

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|line| (*line).to_owned()).collect()
    }

    /// A terminal, as a kernel's would hand lines to it.
    struct Terminal(Parser);

    impl Terminal {
        fn new(size: Space) -> Terminal {
            let positive = |number| NonZero::new(number as u16).expect("it has a size");
            Terminal(Parser::new(
                positive(size.height),
                positive(size.width),
                100,
            ))
        }

        fn write(&mut self, text: &str) {
            self.0.process(text.replace('\n', "\r\n").as_bytes());
        }

        fn shown(&self) -> String {
            self.0.screen().contents()
        }
    }

    #[test]
    fn lines_scroll_up_above_a_table_that_grows_and_shrinks() {
        let (mut screen, mut terminal) = (Screen::default(), Terminal::new(SIZE));
        terminal.write("$ tidegate run\n");
        terminal.write(&screen.draw("", lines(&["> a", "1 of 2"]), SIZE));
        assert_eq!(terminal.shown(), "$ tidegate run\n> a\n1 of 2");
        terminal.write(&screen.draw(
            "a | passed\n",
            lines(&["> b", "  long line", "2 of 2"]),
            SIZE,
        ));
        assert_eq!(
            terminal.shown(),
            "$ tidegate run\na | passed\n> b\n  long line\n2 of 2"
        );
        terminal.write(&screen.draw("b | passed\nc | passed\n", lines(&["done"]), SIZE));
        assert_eq!(
            terminal.shown(),
            "$ tidegate run\na | passed\nb | passed\nc | passed\ndone"
        );
        terminal.write(&screen.draw("", Vec::new(), SIZE));
        terminal.write("summary\n");
        assert_eq!(
            terminal.shown(),
            "$ tidegate run\na | passed\nb | passed\nc | passed\nsummary"
        );
    }

    #[test]
    fn only_what_changed_is_written() {
        let mut screen = Screen::default();
        screen.draw("", lines(&["> first", "> second", "total"]), SIZE);
        assert_eq!(
            screen.draw("", lines(&["> first", "> second", "total"]), SIZE),
            ""
        );
        let text = screen.draw("", lines(&["> first", "> other", "total"]), SIZE);
        assert!(text.contains("> other"), "{text:?}");
        assert!(
            !text.contains("first") && !text.contains("total"),
            "{text:?}"
        );
    }

    #[test]
    fn what_was_typed_below_goes() {
        let (mut screen, mut terminal) = (Screen::default(), Terminal::new(SIZE));
        terminal.write(&screen.draw("", lines(&["> a", "total"]), SIZE));
        terminal.write("^C");
        terminal.write(&screen.draw("", lines(&["> b", "total"]), SIZE));
        assert_eq!(terminal.shown(), "> b\ntotal");
    }

    #[test]
    fn a_line_that_ends_at_the_edge_is_one_line() {
        let (mut screen, mut terminal) = (Screen::default(), Terminal::new(SIZE));
        let full = "x".repeat(20);
        terminal.write(&screen.draw("", lines(&[&full, "> a"]), SIZE));
        terminal.write(&screen.draw("", lines(&[&full, "> b"]), SIZE));
        assert_eq!(terminal.shown(), format!("{full}\n> b"));
    }

    #[test]
    fn a_narrower_terminal_has_broken_the_lines() {
        let mut screen = Screen::default();
        let colour = format!("\u{1b}[1m{}\u{1b}[0m", "日".repeat(9));
        screen.draw("", lines(&[&colour, "short"]), SIZE);
        let narrow = Space {
            width: 10,
            height: 6,
        };
        // Eighteen columns are two lines of ten.
        assert!(screen.draw("", lines(&["x"]), narrow).contains("\u{1b}[3A"));
        let low = Space {
            width: 10,
            height: 2,
        };
        screen.draw("", lines(&["a", "b", "c"]), narrow);
        assert!(screen.draw("", lines(&["a"]), low).contains("\u{1b}[1A"));
    }
}
