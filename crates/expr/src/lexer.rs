//! Cuts an expression into tokens (reference `compose.md` §4.1).
//!
//! GitLab tries its lexemes in a fixed order at the cursor and takes the first that matches, without
//! looking at what follows: `nullable` is `null` and then an error, `/b/` is no pattern.

use std::ops::Range;

use crate::error::{ErrorClass, ExpressionError};

/// GitLab's constant is 100, but the hundredth token already is one too many.
const MAX_TOKENS: usize = 99;

/// An operator with two operands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BinaryOperator {
    /// `==`
    Equals,
    /// `!=`
    NotEquals,
    /// `=~`
    Matches,
    /// `!~`
    NotMatches,
    /// `&&`
    And,
    /// `||`
    Or,
}

impl BinaryOperator {
    /// As written.
    pub fn text(self) -> &'static str {
        match self {
            BinaryOperator::Equals => "==",
            BinaryOperator::NotEquals => "!=",
            BinaryOperator::Matches => "=~",
            BinaryOperator::NotMatches => "!~",
            BinaryOperator::And => "&&",
            BinaryOperator::Or => "||",
        }
    }

    /// Lower binds tighter.
    pub(crate) fn precedence(self) -> u8 {
        match self {
            BinaryOperator::And => 11,
            BinaryOperator::Or => 12,
            _ => 10,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TokenKind {
    Open,
    Close,
    Input,
    Variable,
    Text,
    Pattern,
    Null,
    Boolean,
    Binary(BinaryOperator),
    Not,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) at: Range<usize>,
}

pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, ExpressionError> {
    let mut found = Vec::new();
    let mut cursor = 0;
    loop {
        let rest = text.get(cursor..).unwrap_or_default();
        let trimmed = rest.trim_start_matches(is_space);
        cursor += rest.len() - trimmed.len();
        let syntax = |message, end| {
            let at = cursor..end;
            Err(ExpressionError::new(ErrorClass::Syntax, message, at))
        };
        if found.len() > MAX_TOKENS {
            return syntax("Too many tokens!", text.len());
        }
        if trimmed.is_empty() {
            return Ok(found);
        }
        let Some((kind, length)) = lexeme(trimmed) else {
            let first = trimmed.chars().next().map_or(0, char::len_utf8);
            return syntax("Unknown lexeme found!", cursor + first);
        };
        let at = cursor..cursor + length;
        cursor = at.end;
        found.push(Token { kind, at });
    }
}

/// Ruby's `\s`.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '\x0b' | '\x0c')
}

/// Ruby's `\w`, which is ASCII.
pub(crate) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn lexeme(rest: &str) -> Option<(TokenKind, usize)> {
    match rest.as_bytes().first()? {
        b'(' => Some((TokenKind::Open, 1)),
        b')' => Some((TokenKind::Close, 1)),
        b'$' => input(rest).or_else(|| variable(rest)),
        quote @ (b'"' | b'\'') => {
            let inner = rest.get(1..)?;
            let close = inner.find(char::from(*quote))?;
            if inner.get(..close)?.contains('\n') {
                return None;
            }
            Some((TokenKind::Text, close + 2))
        }
        b'/' => Some((TokenKind::Pattern, pattern(rest)?)),
        b'n' if rest.starts_with("null") => Some((TokenKind::Null, 4)),
        b't' | b'f' => boolean(rest),
        _ => operator(rest),
    }
}

fn input(rest: &str) -> Option<(TokenKind, usize)> {
    let inner = rest.strip_prefix("$[[")?.trim_start_matches(is_space);
    let name = inner.strip_prefix("inputs.")?;
    let after = name.trim_start_matches(|c| is_word(c) || c == '-');
    if after.len() == name.len() {
        return None;
    }
    let end = after.trim_start_matches(is_space).strip_prefix("]]")?;
    Some((TokenKind::Input, rest.len() - end.len()))
}

fn variable(rest: &str) -> Option<(TokenKind, usize)> {
    let name = rest.strip_prefix('$')?;
    let length = name.len() - name.trim_start_matches(is_word).len();
    (length > 0).then_some((TokenKind::Variable, length + 1))
}

fn boolean(rest: &str) -> Option<(TokenKind, usize)> {
    let word = ["true", "false"]
        .into_iter()
        .find(|w| rest.starts_with(w))?;
    let next = rest.get(word.len()..)?.chars().next();
    // Unlike `\w`, Ruby's `\b` knows all of Unicode's letters.
    let ends = !next.is_some_and(|c| c.is_alphanumeric() || c == '_');
    ends.then_some((TokenKind::Boolean, word.len()))
}

fn operator(rest: &str) -> Option<(TokenKind, usize)> {
    use BinaryOperator::*;
    let binary = [Equals, Matches, NotEquals, NotMatches, And, Or]
        .into_iter()
        .find(|operator| rest.starts_with(operator.text()));
    match binary {
        Some(operator) => Some((TokenKind::Binary(operator), 2)),
        None => rest.starts_with('!').then_some((TokenKind::Not, 1)),
    }
}

/// Length of the pattern literal at the head of `rest`: `/([^/]|\\/)+[^\\]/[ismU]*`.
///
/// The regular expression is followed as a backtracking engine would: the repeated part takes all it
/// can, so that one more slash may be the final `[^\\]` when two slashes stand together (`/ab//`).
fn pattern(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut segment = 1;
    let mut repeated = 0;
    loop {
        let slash = segment + rest.get(segment..)?.find('/')?;
        repeated += rest.get(segment..slash)?.chars().count();
        if repeated >= 1 && bytes.get(slash + 1) == Some(&b'/') {
            return Some(with_flags(rest, slash + 2));
        }
        if slash == segment {
            return None;
        }
        if bytes.get(slash - 1) != Some(&b'\\') {
            return (repeated >= 2).then(|| with_flags(rest, slash + 1));
        }
        segment = slash + 1;
    }
}

fn with_flags(rest: &str, end: usize) -> usize {
    let flags = rest.as_bytes().iter().skip(end);
    end + flags
        .take_while(|b| matches!(b, b'i' | b's' | b'm' | b'U'))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found = tokens(text).unwrap();
        let texts: Vec<&str> = found.iter().map(|t| &text[t.at.clone()]).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn tokens_need_no_space_between_them() {
        check(
            "$A==\"x y\"&&!($[[ inputs.a-b ]]=~/a\\/b/i)",
            &[
                "$A",
                "==",
                "\"x y\"",
                "&&",
                "!",
                "(",
                "$[[ inputs.a-b ]]",
                "=~",
                "/a\\/b/i",
                ")",
            ],
        );
    }

    #[test]
    fn a_pattern_has_two_characters_at_least() {
        check("/ab/", &["/ab/"]);
        check("/\u{e9}x/", &["/\u{e9}x/"]);
        assert!(tokens("/b/").is_err());
        assert!(tokens("/\u{e9}/").is_err());
        assert!(tokens("//").is_err());
    }

    #[test]
    fn two_slashes_together_end_a_pattern_after_the_second() {
        check("/a//i", &["/a//i"]);
        check("/\\//", &["/\\//"]);
        assert!(tokens("/foo\\\\/").is_err());
    }

    #[test]
    fn a_string_stays_on_its_line() {
        check("\"a\tb\"", &["\"a\tb\""]);
        assert!(tokens("\"a\nb\"").is_err());
    }

    #[test]
    fn the_hundredth_token_is_one_too_many() {
        assert_eq!(tokens(&"!".repeat(99)).unwrap().len(), 99);
        let error = tokens(&"!".repeat(100)).unwrap_err();
        assert_eq!(error.message.as_deref(), Some("Too many tokens!"));
    }

    #[test]
    fn null_has_no_word_boundary_but_booleans_do() {
        check("null\"x\"", &["null", "\"x\""]);
        assert_eq!(tokens("nullable").unwrap_err().at, 4..5);
        assert!(tokens("trueish").is_err());
    }
}
