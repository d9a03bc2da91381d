//! GitLab's side: Ruby's `File.fnmatch?` with PATHNAME, DOTMATCH and EXTGLOB (reference `compose.md`
//! §2.3).
//!
//! A pattern is first expanded at its braces, then each alternative is cut into segments at slashes.
//! Common shapes (`dir/**/*`, `*.ext`) are recognised and matched without walking segments.

use std::fmt;

use crate::MAX_ALTERNATIVES;

/// A compiled pattern of `changes` or `exists`.
#[derive(Clone, Debug)]
pub struct Fnmatch {
    pattern: String,
    alternatives: Vec<Shape>,
    directory: String,
}

/// The braces of a pattern stand for more than [`MAX_ALTERNATIVES`] patterns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooManyAlternatives;

impl fmt::Display for TooManyAlternatives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "braces stand for more than {MAX_ALTERNATIVES} patterns")
    }
}

impl std::error::Error for TooManyAlternatives {}

impl Fnmatch {
    /// Compiles `pattern`. No pattern is invalid: what Ruby cannot make sense of matches nothing.
    ///
    /// # Errors
    /// The braces stand for too many patterns; Ruby would try them all.
    pub fn new(pattern: &str) -> Result<Fnmatch, TooManyAlternatives> {
        let mut texts = Vec::new();
        expand_braces(pattern, &mut texts)?;
        let alternatives: Vec<Shape> = texts.iter().map(|text| Shape::new(text)).collect();
        Ok(Fnmatch {
            pattern: pattern.to_owned(),
            directory: common_directory(&texts),
            alternatives,
        })
    }

    /// As written.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether the pattern matches all of `path`.
    pub fn matches(&self, path: &str) -> bool {
        self.alternatives.iter().any(|shape| shape.matches(path))
    }

    /// The directory every match lies in, with its trailing slash; empty for the root.
    pub fn literal_directory(&self) -> &str {
        &self.directory
    }
}

/// All patterns that `pattern` stands for, left to right; none if a brace stays open.
fn expand_braces(pattern: &str, out: &mut Vec<String>) -> Result<(), TooManyAlternatives> {
    let mut waiting = vec![pattern.to_owned()];
    // What stands for nothing, because a brace stays open behind the others, takes as much time as what stands for something.
    let mut dropped = 0;
    while let Some(text) = waiting.pop() {
        match first_braces(&text) {
            Braces::None => out.push(text),
            Braces::Unbalanced => dropped += 1,
            Braces::At(open, close) => {
                let head = text.get(..open).unwrap_or_default();
                let inner = text.get(open + 1..close).unwrap_or_default();
                let tail = text.get(close + 1..).unwrap_or_default();
                // The last alternative goes first onto the stack, so that the first is next.
                for alternative in alternatives(inner).into_iter().rev() {
                    waiting.push([head, alternative, tail].concat());
                }
            }
        }
        if out.len() + dropped + waiting.len() > MAX_ALTERNATIVES {
            return Err(TooManyAlternatives);
        }
    }
    Ok(())
}

enum Braces {
    None,
    /// A `{` without its `}`.
    Unbalanced,
    At(usize, usize),
}

fn first_braces(text: &str) -> Braces {
    let mut open = None;
    let mut depth = 0;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'{' => {
                open = open.or(Some(at));
                depth += 1;
            }
            b'}' => {
                if let Some(open) = open {
                    depth -= 1;
                    if depth == 0 {
                        return Braces::At(open, at);
                    }
                }
            }
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
    open.map_or(Braces::None, |_| Braces::Unbalanced)
}

/// Cuts the inside of braces at its commas, but not inside nested braces.
fn alternatives(inner: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut depth = 0;
    let mut bytes = inner.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b',' if depth == 0 => {
                found.push(inner.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
    found.push(inner.get(start..).unwrap_or_default());
    found
}

/// The longest directory that all alternatives begin with literally.
fn common_directory(texts: &[String]) -> String {
    let heads = texts.iter().map(|text| {
        let special = text.find(['*', '?', '[', '\\']).unwrap_or(text.len());
        text.get(..special).unwrap_or_default()
    });
    let common = heads.reduce(|common, head| {
        let same = common.bytes().zip(head.bytes()).take_while(|(a, b)| a == b);
        let length = same.count();
        let cut = (0..=length).rev().find(|at| common.is_char_boundary(*at));
        common.get(..cut.unwrap_or(0)).unwrap_or_default()
    });
    let common = common.unwrap_or_default();
    let end = common.rfind('/').map_or(0, |slash| slash + 1);
    common.get(..end).unwrap_or_default().to_owned()
}

/// One alternative, compiled.
#[derive(Clone, Debug)]
enum Shape {
    /// No special character.
    Literal(String),
    /// `prefix*suffix`, or `prefix**/*suffix` if deep. The prefix is empty or ends in a slash, the
    /// suffix has no slash.
    Affix {
        prefix: String,
        deep: bool,
        suffix: String,
    },
    /// Everything else.
    Segments(Vec<Segment>),
}

/// The part of a pattern between two slashes.
#[derive(Clone, PartialEq, Debug)]
struct Segment {
    /// Any number of directories may stand before it (`**/`).
    deep: bool,
    tokens: Vec<Token>,
}

#[derive(Clone, PartialEq, Debug)]
enum Token {
    Char(char),
    /// `?`
    Any,
    /// `*`
    Star,
    /// `[…]`
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// A class without its end.
    Never,
}

impl Shape {
    fn new(text: &str) -> Shape {
        let segments = segments(text);
        affix(&segments).unwrap_or(Shape::Segments(segments))
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Shape::Literal(text) => path == text,
            Shape::Affix {
                prefix,
                deep,
                suffix,
            } => path.strip_prefix(prefix.as_str()).is_some_and(|rest| {
                rest.ends_with(suffix.as_str()) && (*deep || !rest.contains('/'))
            }),
            Shape::Segments(segments) => matches_segments(segments, path),
        }
    }
}

/// The faster shape of segments that are all literal but the last, which may begin with a star.
fn affix(segments: &[Segment]) -> Option<Shape> {
    let (last, directories) = segments.split_last()?;
    let mut prefix = String::new();
    for segment in directories {
        prefix.push_str(&literal(&segment.tokens).filter(|_| !segment.deep)?);
        prefix.push('/');
    }
    match last.tokens.split_first() {
        Some((Token::Star, rest)) => Some(Shape::Affix {
            prefix,
            deep: last.deep,
            suffix: literal(rest)?,
        }),
        _ if last.deep => None,
        _ => Some(Shape::Literal(prefix + &literal(&last.tokens)?)),
    }
}

fn literal(tokens: &[Token]) -> Option<String> {
    let chars = tokens.iter().map(|token| match token {
        Token::Char(c) => Some(*c),
        _ => None,
    });
    chars.collect()
}

fn segments(text: &str) -> Vec<Segment> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let mut segment = Segment {
            deep: false,
            tokens: Vec::new(),
        };
        while let Some(after) = rest.strip_prefix("**/") {
            segment.deep = true;
            rest = after;
        }
        let mut ended = true;
        while let Some((token, after)) = token(rest) {
            rest = after;
            match token {
                // An escaped slash separates like any other.
                Token::Char('/') => {
                    ended = false;
                    break;
                }
                Token::Star if segment.tokens.last() == Some(&Token::Star) => {}
                token => segment.tokens.push(token),
            }
        }
        found.push(segment);
        if ended {
            return found;
        }
    }
}

fn token(text: &str) -> Option<(Token, &str)> {
    let mut chars = text.chars();
    let token = match chars.next()? {
        '*' => Token::Star,
        '?' => Token::Any,
        '[' => return Some(class(chars.as_str())),
        '\\' => Token::Char(chars.next().unwrap_or('\\')),
        c => Token::Char(c),
    };
    Some((token, chars.as_str()))
}

/// Reads a class behind its `[`. A `]` always ends it, even directly behind the `[`.
fn class(text: &str) -> (Token, &str) {
    let body = text.strip_prefix(['!', '^']).unwrap_or(text);
    let negated = body.len() != text.len();
    let mut ranges = Vec::new();
    let mut chars = body.chars();
    let member = |chars: &mut std::str::Chars<'_>| match chars.next() {
        Some('\\') => chars.next(),
        c => c,
    };
    loop {
        if let Some(after) = chars.as_str().strip_prefix(']') {
            return (Token::Class { negated, ranges }, after);
        }
        let Some(low) = member(&mut chars) else {
            return (Token::Never, "");
        };
        let after_dash = chars.as_str().strip_prefix('-');
        if let Some(after) = after_dash.filter(|after| !after.starts_with(']')) {
            chars = after.chars();
            let Some(high) = member(&mut chars) else {
                return (Token::Never, "");
            };
            // Both ends count, even where they stand the wrong way round.
            ranges.extend([(low, high), (high, high)]);
        }
        ranges.push((low, low));
    }
}

/// Going back only to the last `**/` suffices, as with stars inside a segment.
fn matches_segments(segments: &[Segment], path: &str) -> bool {
    let mut pattern = segments;
    let mut rest = Some(path);
    let mut retry: Option<(&[Segment], &str)> = None;
    loop {
        let matched = match (pattern.split_first(), rest) {
            (None, None) => return true,
            (Some((segment, after)), Some(text)) => {
                if segment.deep {
                    retry = Some((pattern, text));
                }
                let (name, below) = split(text);
                let fits = matches_segment(&segment.tokens, name);
                if fits {
                    pattern = after;
                    rest = below;
                }
                fits
            }
            _ => false,
        };
        if !matched {
            let Some((from, text)) = retry else {
                return false;
            };
            let (_, Some(below)) = split(text) else {
                return false;
            };
            pattern = from;
            rest = Some(below);
            retry = Some((from, below));
        }
    }
}

fn split(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((name, below)) => (name, Some(below)),
        None => (path, None),
    }
}

fn matches_segment(tokens: &[Token], name: &str) -> bool {
    let mut pattern = tokens;
    let mut rest = name;
    let mut retry: Option<(&[Token], &str)> = None;
    loop {
        let mut chars = rest.chars();
        let next = chars.next();
        let fits = match (pattern.split_first(), next) {
            (None, None) => return true,
            (Some((Token::Star, [])), _) => return true,
            (Some((Token::Star, after)), _) => {
                pattern = after;
                retry = Some((after, rest));
                continue;
            }
            (Some((token, after)), Some(c)) if fits(token, c) => {
                pattern = after;
                rest = chars.as_str();
                true
            }
            _ => false,
        };
        if !fits {
            let Some((from, text)) = retry else {
                return false;
            };
            let mut chars = text.chars();
            if chars.next().is_none() {
                return false;
            }
            pattern = from;
            rest = chars.as_str();
            retry = Some((from, rest));
        }
    }
}

fn fits(token: &Token, c: char) -> bool {
    match token {
        Token::Char(expected) => *expected == c,
        Token::Any => true,
        Token::Class { negated, ranges } => {
            ranges.iter().any(|(low, high)| (low..=high).contains(&&c)) != *negated
        }
        Token::Star | Token::Never => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, hits: &[&str], misses: &[&str]) {
        let glob = Fnmatch::new(pattern).unwrap();
        for path in hits {
            assert!(glob.matches(path), "{pattern} should match {path}");
        }
        for path in misses {
            assert!(!glob.matches(path), "{pattern} should miss {path}");
        }
    }

    #[test]
    fn braces_in_front_of_an_open_one_end_too() {
        let pattern = format!("{}{{a", "{a,b}".repeat(30));
        assert!(Fnmatch::new(&pattern).is_err());
    }

    #[test]
    fn stars_stay_in_their_directory() {
        check("*", &["a", ".hid"], &["a/b"]);
        check("**", &["a"], &["a/b"]);
        check("dir/**", &["dir/a"], &["dir/a/b", "dir"]);
        check("**foo", &["xfoo"], &["a/foo"]);
        check("a**/b", &["ax/b"], &["a/x/b"]);
        check("dir/", &[], &["dir/a"]);
    }

    #[test]
    fn two_stars_and_a_slash_cross_directories() {
        check("**/*", &["a", ".x/.y", "a/b/c"], &[]);
        check("dir/**/*", &["dir/a", "dir/a/b"], &["dir", "dirx/a"]);
        check(
            "src/**/test/*.go",
            &["src/test/a.go", "src/x/y/test/a.go"],
            &["src/a.go"],
        );
        check("**/**/a", &["a", "x/a"], &["b"]);
        check("***/a", &["x/a"], &["a", "x/y/a"]);
        check("**/.*", &["x/.a"], &["x/a"]);
        check("**/x/**/y", &["x/y", "a/x/b/x/y"], &["x/a"]);
    }

    #[test]
    fn braces_are_expanded_first() {
        check("*.{rb,py}", &["x.py"], &["x.go"]);
        check("{a,b/c}/d", &["b/c/d", "a/d"], &["b/d"]);
        check("a{,b}", &["a", "ab"], &["abb"]);
        check("{a,{b,c}d}", &["a", "bd", "cd"], &["b"]);
        check("*.{rb", &[], &["x.{rb", "x.rb"]);
        check("a}", &["a}"], &[]);
        check("{a\\,b,c}", &["a,b", "c"], &["a"]);
        let many = "{a,b}".repeat(13);
        assert_eq!(Fnmatch::new(&many).unwrap_err(), TooManyAlternatives);
    }

    #[test]
    fn classes_are_plain() {
        check("[!a]", &["b"], &["a"]);
        check("x[/]y", &[], &["x/y"]);
        check("[", &[], &["["]);
        check("[]a]", &[], &["]", "a", "]a]"]);
        check("[[:alpha:]]", &[":]"], &["a"]);
        check("[z-a]", &["z", "a"], &["m"]);
        check("[a-]", &["a", "-"], &["b"]);
        check("\\*a\\b", &["*ab"], &["xab"]);
        check("@(a|b)", &["@(a|b)"], &["a"]);
        check("\u{e9}?", &["\u{e9}\u{e9}"], &["\u{e9}"]);
    }

    #[test]
    fn the_directory_of_all_matches_is_known() {
        for (pattern, directory) in [
            ("src/lib/*.rs", "src/lib/"),
            ("src/{a,b}/x", "src/"),
            ("{src,doc}/x", ""),
            ("*.rs", ""),
            ("a/b", "a/"),
            ("a/\\b/c", "a/"),
        ] {
            let glob = Fnmatch::new(pattern).unwrap();
            assert_eq!(glob.literal_directory(), directory, "{pattern}");
        }
    }

    /// Tries everything, by plain recursion over the text of a pattern without braces.
    fn naive(pattern: &str, path: &str, at_start: bool) -> bool {
        if at_start && let Some(after) = pattern.strip_prefix("**/") {
            let below = path.split_once('/');
            return naive(after, path, true)
                || below.is_some_and(|(_, below)| naive(pattern, below, true));
        }
        let mut chars = path.chars();
        let next = chars.next();
        let name = next.filter(|c| *c != '/');
        match token(pattern) {
            None => path.is_empty(),
            Some((Token::Star, after)) => {
                naive(after, path, false)
                    || name.is_some_and(|_| naive(pattern, chars.as_str(), false))
            }
            Some((Token::Char('/'), after)) => {
                next == Some('/') && naive(after, chars.as_str(), true)
            }
            Some((token, after)) => {
                name.is_some_and(|c| fits(&token, c)) && naive(after, chars.as_str(), false)
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        #[test]
        fn the_matcher_agrees_with_trying_everything(
            parts in prop::collection::vec(
                prop_oneof![Just("a"), Just("b"), Just("/"), Just("*"), Just("**/"), Just("?"),
                    Just("[ab]"), Just("[!a]"), Just("\\"), Just("."), Just("[")], 0..9),
            path in "[ab.]{1,2}(/[ab.]{1,2}){0,3}",
        ) {
            let pattern = parts.concat();
            let ours = Fnmatch::new(&pattern).unwrap().matches(&path);
            prop_assert_eq!(ours, naive(&pattern, &path, true), "{} {}", pattern, path);
        }

        #[test]
        fn any_text_is_a_pattern(pattern in "\\PC{0,20}", path in "\\PC{0,20}") {
            if let Ok(glob) = Fnmatch::new(&pattern) {
                glob.matches(&path);
            }
        }
    }
}
