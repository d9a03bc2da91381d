//! RE2 patterns: compiled by the `regex` crate after a translation that keeps RE2's syntax and meaning.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

use crate::re2;

/// Compiled programs may take this much memory, about what RE2 grants by default.
const SIZE_LIMIT: usize = 16 << 20;

/// A compiled RE2 pattern; searches are unanchored and linear in the text.
#[derive(Clone)]
pub struct Pattern {
    source: Box<str>,
    regex: Regex,
}

impl Pattern {
    /// Compiles RE2 `source` under `flags` (any of `ismU`, or empty).
    ///
    /// # Errors
    /// RE2's own text.
    pub fn compile(source: &str, flags: &str) -> Result<Pattern, PatternError> {
        let source: Box<str> = match flags {
            "" => source.into(),
            flags => format!("(?{flags}){source}").into(),
        };
        let regex = RegexBuilder::new(&re2::translate(&source)?)
            .size_limit(SIZE_LIMIT)
            .nest_limit(4 * re2::MAX_DEPTH)
            .build()
            .map_err(|_| {
                let code = PatternErrorCode::TooLarge;
                PatternError::new(code, "compile failed")
            })?;
        Ok(Pattern { source, regex })
    }

    /// Compiles the form `/re/flags`, as in `only:refs`. Any one line of `text` may be of that form.
    ///
    /// # Errors
    /// No line is of the form, or RE2 rejects the pattern.
    pub fn from_literal(text: &str) -> Result<Pattern, PatternError> {
        let (source, flags) = literal_parts(text).ok_or_else(|| {
            let code = PatternErrorCode::NotALiteral;
            PatternError::new(code, text)
        })?;
        Pattern::compile(source, flags)
    }

    /// As [`Pattern::from_literal`], but `\/` is turned into `/` first: what the expression language
    /// does with its literals and with strings right of `=~`.
    ///
    /// # Errors
    /// As [`Pattern::from_literal`].
    pub fn from_expression_literal(text: &str) -> Result<Pattern, PatternError> {
        Pattern::from_literal(&text.replace("\\/", "/"))
    }

    /// Whether `text` has the form `/re/flags`, valid or not.
    pub fn looks_like_literal(text: &str) -> bool {
        literal_parts(text).is_some()
    }

    /// The RE2 source, with its flags as a leading `(?flags)`.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the pattern occurs anywhere in `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text.as_bytes())
    }

    /// The last match in `text`: its first group if the pattern has groups, else all of it. This is
    /// what a job's coverage is read from.
    ///
    /// `None` as well where that group took no part, or where `\C` cut a character in two.
    pub fn last_match<'t>(&self, text: &'t str) -> Option<&'t str> {
        let groups = self.regex.captures_iter(text.as_bytes()).last()?;
        let group = usize::from(self.regex.captures_len() > 1);
        std::str::from_utf8(groups.get(group)?.as_bytes()).ok()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.source)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.source == other.source
    }
}

/// `^/(.*)/([ismU]*)$`, where `^` and `$` are Ruby's line anchors.
fn literal_parts(text: &str) -> Option<(&str, &str)> {
    text.split('\n').find_map(|line| {
        let (source, flags) = line.strip_prefix('/')?.rsplit_once('/')?;
        let known = |c| matches!(c, 'i' | 's' | 'm' | 'U');
        flags.chars().all(known).then_some((source, flags))
    })
}

/// Why a pattern does not compile; prints as RE2 does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PatternError {
    /// What is wrong.
    pub code: PatternErrorCode,
    /// The part of the pattern that is wrong; for some codes all of it.
    pub argument: String,
}

impl PatternError {
    pub(crate) fn new(code: PatternErrorCode, argument: &str) -> PatternError {
        PatternError {
            code,
            argument: argument.to_owned(),
        }
    }
}

/// RE2's error codes, and two of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PatternErrorCode {
    /// `\h`, `\1`, `\8`.
    BadEscape,
    /// `[z-a]`, `[[:foo:]]`, `\p{Foo}`.
    BadClassRange,
    /// `[a`.
    MissingBracket,
    /// `(a`.
    MissingParenthesis,
    /// `a)`.
    UnexpectedParenthesis,
    /// A backslash at the end.
    TrailingBackslash,
    /// `*a`.
    RepeatArgument,
    /// Over 1000, also as a product of nested counts.
    RepeatSize,
    /// `a**`.
    RepeatOperator,
    /// `(?=a)`.
    BadPerlOperator,
    /// `(?P<n`.
    BadNamedGroup,
    /// Parentheses are nested too deeply.
    NestingDepth,
    /// The compiled program would be too large.
    TooLarge,
    /// Not of the form `/re/flags`.
    NotALiteral,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.code {
            PatternErrorCode::TrailingBackslash => return f.write_str("trailing \\"),
            PatternErrorCode::NotALiteral => return f.write_str("not of the form /re/flags"),
            PatternErrorCode::BadEscape => "invalid escape sequence",
            PatternErrorCode::BadClassRange => "invalid character class range",
            PatternErrorCode::MissingBracket => "missing ]",
            PatternErrorCode::MissingParenthesis => "missing )",
            PatternErrorCode::UnexpectedParenthesis => "unexpected )",
            PatternErrorCode::RepeatArgument => "no argument for repetition operator",
            PatternErrorCode::RepeatSize => "invalid repetition size",
            PatternErrorCode::RepeatOperator => "bad repetition operator",
            PatternErrorCode::BadPerlOperator => "invalid perl operator",
            PatternErrorCode::BadNamedGroup => "invalid named capture group",
            PatternErrorCode::NestingDepth => "pattern nested too deeply",
            PatternErrorCode::TooLarge => "pattern too large",
        };
        write!(f, "{text}: {}", self.argument)
    }
}

impl std::error::Error for PatternError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, hits: &[&str], misses: &[&str]) {
        let pattern = Pattern::compile(source, "").unwrap();
        for text in hits {
            assert!(pattern.is_match(text), "{source} should match {text:?}");
        }
        for text in misses {
            assert!(!pattern.is_match(text), "{source} should miss {text:?}");
        }
    }

    fn check_error(source: &str, expected: &str) {
        let error = Pattern::compile(source, "").unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn perl_classes_are_ascii() {
        check(r"^\w$", &["a", "_"], &["\u{e9}", "-"]);
        check(r"^\d$", &["3"], &["\u{663}"]);
        check(r"^\s$", &[" ", "\x0c"], &["\x0b", "\u{a0}"]);
        check(r"^\W$", &["\u{e9}"], &["a"]);
        check(r"^[^\W]$", &["a"], &["\u{e9}"]);
        check(r"\bx", &["\u{e9}x"], &["ax"]);
    }

    #[test]
    fn sets_have_no_operators() {
        check(r"^[a&&b]$", &["a", "&"], &["c"]);
        check(r"^[[a]$", &["[", "a"], &["]"]);
        check(r"^[+--a]$", &["+", ",", "-", "a"], &["b", "."]);
        check(r"^[]a]$", &["]", "a"], &["b"]);
        check(r"^[^]a]$", &["b"], &["]"]);
        check(r"^[[:alpha:][:^digit:]]$", &["a", "-"], &["1"]);
        check(r"^[\d-z]$", &["1", "-", "z"], &["e"]);
    }

    #[test]
    fn escapes_follow_re2() {
        check(r"^\<\_\-\ $", &["<_- "], &[]);
        check(r"^\Qa.b\E+$", &["a.bb"], &["axb"]);
        check(r"^\101\x42\x{43}$", &["ABC"], &[]);
        check(r"^\pN\p{Greek}\P{^Lu}$", &["1\u{3b1}A"], &["1aA"]);
        check(r"^x{,2}$", &["x{,2}"], &["xx"]);
        check(r"^\C\C$", &["\u{e9}"], &["a"]);
    }

    #[test]
    fn flags_reach_to_the_end_of_their_group() {
        check(r"^(?i)a(?-i)b$", &["Ab"], &["AB"]);
        check(r"^(a(?i)b|c)d$", &["aBd", "Cd"], &["CD"]);
        check(r"(?m)^b$", &["a\nb\nc"], &["ab"]);
        check(r"^b$", &["b"], &["a\nb", "b\n"]);
        check(r"a.b", &["a\rb"], &["a\nb"]);
        check(r"(?s)a.b", &["a\nb"], &[]);
        check(r"(?i)^s$", &["S", "\u{17f}"], &[]);
        // Flags stand for nothing, so the star belongs to the `a`.
        check(r"^a(?i)*$", &["", "aa"], &["A"]);
    }

    #[test]
    fn errors_are_those_of_re2() {
        check_error("(?:", "missing ): (?:");
        check_error("a)", "unexpected ): a)");
        check_error("x[a", "missing ]: [a");
        check_error("a\\", "trailing \\");
        check_error(r"\h", r"invalid escape sequence: \h");
        check_error(r"(a)\1", r"invalid escape sequence: \1");
        check_error("a**", "bad repetition operator: **");
        check_error("a{2}{3}", "bad repetition operator: {2}{3}");
        check_error("*a", "no argument for repetition operator: *");
        check_error("a{1001}", "invalid repetition size: {1001}");
        check_error("a{2,1}", "invalid repetition size: {2,1}");
        check_error("(a{100}){11}", "invalid repetition size: {11}");
        check_error("(?=a)", "invalid perl operator: (?=");
        check_error("(?<!a)", "invalid perl operator: (?<!");
        check_error("(?x)a", "invalid perl operator: (?x");
        check_error("(?P<n", "invalid named capture group: (?P<n");
        check_error("[z-a]", "invalid character class range: z-a");
        check_error("[[:foo:]]", "invalid character class range: [:foo:]");
        check_error(r"\p{Foo}", r"invalid character class range: \p{Foo}");
        assert!(Pattern::compile("(a{100}){10}", "").is_ok());
        assert!(Pattern::compile(r"(?P<n>a)(?<n>b)", "").is_ok());
    }

    #[test]
    fn nothing_is_nested_or_repeated_without_end() {
        let deep = format!("{}a{}", "(".repeat(5000), ")".repeat(5000));
        let error = Pattern::compile(&deep, "").unwrap_err();
        assert_eq!(error.code, PatternErrorCode::NestingDepth);
        let nested = format!("{}a{}", "(b|c".repeat(240), ")*".repeat(240));
        assert!(Pattern::compile(&nested, "").is_ok());
        let stacked = format!("a{}", "*(?i)".repeat(5000));
        assert!(Pattern::compile(&stacked, "").is_err());
        let error = Pattern::compile(r"(\pL{10}){100}\pL{1000}\pL{1000}", "").unwrap_err();
        assert_eq!(error.code, PatternErrorCode::TooLarge);
    }

    #[test]
    fn a_literal_is_found_on_any_line() {
        assert_eq!(Pattern::from_literal("/x/i").unwrap().source(), "(?i)x");
        assert_eq!(
            Pattern::from_literal("a\n/x/y/\nb").unwrap().source(),
            "x/y"
        );
        assert!(!Pattern::looks_like_literal("/x/q"));
        let escaped = Pattern::from_expression_literal("/a\\/b/").unwrap();
        assert_eq!(escaped.source(), "a/b");
    }

    #[test]
    fn coverage_is_the_first_group_of_the_last_match() {
        let grouped = Pattern::compile(r"(\d+)%", "").unwrap();
        assert_eq!(grouped.last_match("10% then 20%"), Some("20"));
        let plain = Pattern::compile(r"\d+%", "").unwrap();
        assert_eq!(plain.last_match("10% then 20%"), Some("20%"));
        assert_eq!(plain.last_match("none"), None);
    }
}
