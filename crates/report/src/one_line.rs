//! Text of users made fit for one line of a terminal: no control characters, a known width.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text with control characters spelled out, so that no name or value can break a line or steer a terminal.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if is_unsafe(c) => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// The text between double quotes, control characters spelled out.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", one_line(text).replace('"', "\\\""))
}

/// The text on one line with every run of white space as one space: what conditions over several lines read like.
pub(crate) fn unwrapped(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    one_line(&words.join(" ")).into_owned()
}

/// How many columns the text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text cut to at most `most` columns, `ellipsis` at the end where something is missing.
pub(crate) fn shortened<'t>(text: &'t str, most: usize, ellipsis: &str) -> Cow<'t, str> {
    if width(text) <= most {
        return Cow::Borrowed(text);
    }
    let room = most.saturating_sub(width(ellipsis));
    let mut cut = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        cut.push(c);
    }
    cut.truncate(cut.trim_end().len());
    cut.push_str(ellipsis);
    Cow::Owned(cut)
}

/// Spaces that fill the text up to `columns`.
pub(crate) fn padding(text: &str, columns: usize) -> String {
    " ".repeat(columns.saturating_sub(width(text)))
}

/// The words of `text` in lines of at most `columns`, a longer word alone on its line.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Control characters, and those that reorder what follows.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_spelled_out() {
        assert_eq!(
            one_line("a\nb\u{1b}[31m\u{202e}"),
            "a\\nb\\u{1b}[31m\\u{202e}"
        );
        assert_eq!(one_line("plain é"), "plain é");
        assert_eq!(quoted("a\"b"), "\"a\\\"b\"");
    }

    #[test]
    fn width_counts_columns_and_cutting_keeps_it() {
        assert_eq!(width("日本"), 4);
        assert_eq!(shortened("日本語", 5, "…"), "日本…");
        assert_eq!(shortened("abc", 3, "…"), "abc");
        assert_eq!(shortened("abcdef", 5, "..."), "ab...");
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrapped("aa bb cccccc d", 5), ["aa bb", "cccccc", "d"]);
    }
}
