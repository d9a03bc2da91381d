//! The runner's side: doublestar, for paths and excludes of caches and artifacts (reference
//! `runner.md` §4.5).
//!
//! Differs from GitLab's side: `a/**` matches everything below `a`, and `a` itself; a class may match
//! a slash; a bad pattern is an error. Braces are expanded beforehand, but the places where they stood
//! are remembered, as the original expands them only on arrival and then takes `**` there for the
//! start of a segment.

use std::fmt;

use crate::MAX_ALTERNATIVES;

/// A compiled pattern of `cache:paths`, `artifacts:paths` or `artifacts:exclude`.
#[derive(Clone, Debug)]
pub struct Doublestar {
    pattern: String,
    alternatives: Vec<Alternative>,
}

/// Why a pattern is rejected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadPattern {
    /// A class or brace stays open, a class is empty, a brace closes that never opened, or a
    /// backslash ends the pattern.
    Syntax,
    /// The braces stand for more than [`MAX_ALTERNATIVES`] patterns.
    TooManyAlternatives,
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadPattern::Syntax => f.write_str("syntax error in pattern"),
            BadPattern::TooManyAlternatives => {
                write!(f, "braces stand for more than {MAX_ALTERNATIVES} patterns")
            }
        }
    }
}

impl std::error::Error for BadPattern {}

impl Doublestar {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// The pattern is malformed.
    pub fn new(pattern: &str) -> Result<Doublestar, BadPattern> {
        if !is_valid(pattern.as_bytes()) {
            return Err(BadPattern::Syntax);
        }
        Ok(Doublestar {
            pattern: pattern.to_owned(),
            alternatives: expand(pattern)?,
        })
    }

    /// As written.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether the pattern matches all of `path`.
    pub fn matches(&self, path: &str) -> bool {
        self.alternatives
            .iter()
            .any(|one| Match::new(one, path).run())
    }

    /// The directory every match lies in, with its trailing slash; empty for the root. What the
    /// runner walks: everything before the first special character, cut at a slash.
    pub fn literal_directory(&self) -> &str {
        let special = self.pattern.find(['*', '?', '[', '{', '\\']);
        let head = self.pattern.get(..special.unwrap_or(self.pattern.len()));
        let head = head.unwrap_or_default();
        // `a/**` matches `a` as well, so the slash before the stars does not bind.
        let head = match self.pattern.get(head.len()..) {
            Some(rest) if rest.starts_with("**") => head.trim_end_matches('/'),
            _ => head,
        };
        let end = head.rfind('/').map_or(0, |slash| slash + 1);
        head.get(..end).unwrap_or_default()
    }
}

fn is_valid(pattern: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = pattern.get(at) {
        at += 1;
        match byte {
            b'\\' if at >= pattern.len() => return false,
            b'\\' => at += 1,
            b'[' => match class_end(pattern, at) {
                Some(end) => at = end,
                None => return false,
            },
            b'{' => depth += 1,
            b'}' => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            },
            _ => {}
        }
    }
    depth == 0
}

/// The position behind the `]` of the class whose body starts at `at`; `None` if it is malformed.
fn class_end(pattern: &[u8], mut at: usize) -> Option<usize> {
    if matches!(pattern.get(at), Some(b'^' | b'!')) {
        at += 1;
    }
    if pattern.get(at) == Some(&b']') {
        return None;
    }
    loop {
        match pattern.get(at)? {
            b'\\' => at += 2,
            b']' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// A pattern without braces, and the offsets where braces were replaced by one of their alternatives.
#[derive(Clone, Default, Debug)]
struct Alternative {
    text: String,
    braces: Vec<usize>,
}

fn expand(pattern: &str) -> Result<Vec<Alternative>, BadPattern> {
    let mut found = Vec::new();
    let mut waiting = vec![Alternative {
        text: pattern.to_owned(),
        braces: Vec::new(),
    }];
    while let Some(one) = waiting.pop() {
        let from = one.braces.last().copied().unwrap_or(0);
        match next_brace(one.text.as_bytes(), from) {
            None => found.push(one),
            Some(open) => {
                let close = closing(one.text.as_bytes(), open + 1).ok_or(BadPattern::Syntax)?;
                let part = |from, to| one.text.get(from..to).unwrap_or_default();
                let (head, tail) = (part(0, open), part(close + 1, one.text.len()));
                for inner in alternatives(part(open + 1, close)).into_iter().rev() {
                    let mut braces = one.braces.clone();
                    braces.push(open);
                    let text = [head, inner, tail].concat();
                    waiting.push(Alternative { text, braces });
                }
            }
        }
        if found.len() + waiting.len() > MAX_ALTERNATIVES {
            return Err(BadPattern::TooManyAlternatives);
        }
    }
    Ok(found)
}

/// The next `{` that is neither escaped nor in a class.
fn next_brace(pattern: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match pattern.get(at)? {
            b'{' => return Some(at),
            b'\\' => at += 2,
            // Cutting at commas may leave a class open; then nothing behind it is reached.
            b'[' => at = class_end(pattern, at + 1)?,
            _ => at += 1,
        }
    }
}

/// The `}` for the brace whose inside starts at `at`; classes do not protect braces here.
fn closing(pattern: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 1;
    loop {
        match pattern.get(at)? {
            b'\\' => at += 1,
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

fn alternatives(inner: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut depth = 0;
    let mut bytes = inner.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                found.push(inner.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(inner.get(start..).unwrap_or_default());
    found
}

/// A match under way: offsets into pattern and path, and where to go back to.
struct Match<'a> {
    pattern: &'a str,
    path: &'a str,
    braces: &'a [usize],
    /// Offset in the pattern.
    at: usize,
    /// Offset in the path.
    position: usize,
    segment_start: bool,
    star: Option<(usize, usize)>,
    doublestar: Option<(usize, usize)>,
}

impl<'a> Match<'a> {
    fn new(alternative: &'a Alternative, path: &'a str) -> Match<'a> {
        Match {
            pattern: &alternative.text,
            path,
            braces: &alternative.braces,
            at: 0,
            position: 0,
            segment_start: true,
            star: None,
            doublestar: None,
        }
    }

    fn run(mut self) -> bool {
        while let Some(next) = self.path_rest().chars().next() {
            // Braces are met once; the pattern is then the expanded one, also when coming back.
            if let Some((first, later)) = self.braces.split_first()
                && *first == self.at
            {
                self.braces = later;
                self.segment_start = true;
                continue;
            }
            match self.step(next) {
                Step::On => {}
                Step::Matched => return true,
                Step::Failed if self.go_back() => {}
                Step::Failed => return false,
            }
        }
        self.rest_may_be_empty()
    }

    fn pattern_rest(&self) -> &'a str {
        self.pattern.get(self.at..).unwrap_or_default()
    }

    fn path_rest(&self) -> &'a str {
        self.path.get(self.position..).unwrap_or_default()
    }

    /// Whether braces still to be met stand at the offset `at`.
    fn brace_at(&self, at: usize) -> bool {
        self.braces.first() == Some(&at)
    }

    fn step(&mut self, next: char) -> Step {
        let rest = self.pattern_rest();
        let mut chars = rest.chars();
        let Some(first) = chars.next() else {
            return Step::Failed;
        };
        match first {
            '*' => return self.stars(),
            '?' => {
                self.segment_start = false;
                if next == '/' {
                    return Step::Failed;
                }
                self.advance(1, next)
            }
            '[' => {
                self.segment_start = false;
                match class(rest, next) {
                    Some(length) => self.advance(length, next),
                    None => return Step::Failed,
                }
            }
            first => {
                let escaped = first == '\\';
                let expected = if escaped { chars.next() } else { Some(first) };
                if expected != Some(next) {
                    return Step::Failed;
                }
                self.advance(usize::from(escaped) + next.len_utf8(), next);
                self.segment_start = next == '/';
            }
        }
        Step::On
    }

    fn advance(&mut self, pattern: usize, next: char) {
        self.at += pattern;
        self.position += next.len_utf8();
    }

    fn stars(&mut self) -> Step {
        self.at += 1;
        if self.pattern_rest().starts_with('*') && !self.brace_at(self.at) {
            self.at += 1;
            if self.segment_start && !self.brace_at(self.at) {
                if self.pattern_rest().is_empty() {
                    return Step::Matched;
                }
                if self.pattern_rest().starts_with('/') {
                    self.at += 1;
                    self.doublestar = Some((self.at, self.position));
                    self.star = None;
                    return Step::On;
                }
            }
        }
        self.segment_start = false;
        self.star = Some((self.at, self.position));
        Step::On
    }

    /// Lets the last star take one character more, or else the last `**/` one directory more.
    fn go_back(&mut self) -> bool {
        if let Some((at, position)) = self.star {
            let taken = self
                .path
                .get(position..)
                .and_then(|rest| rest.chars().next());
            if let Some(taken) = taken.filter(|c| *c != '/') {
                self.at = at;
                self.position = position + taken.len_utf8();
                self.star = Some((at, self.position));
                self.segment_start = false;
                return true;
            }
        }
        if let Some((at, position)) = self.doublestar {
            let slash = self.path.get(position..).and_then(|rest| rest.find('/'));
            if let Some(slash) = slash {
                self.at = at;
                self.position = position + slash + 1;
                self.doublestar = Some((at, self.position));
                self.segment_start = true;
                return true;
            }
        }
        false
    }

    /// At the end of the path: whether the rest of the pattern matches nothing.
    fn rest_may_be_empty(mut self) -> bool {
        while self.brace_at(self.at) {
            self.braces = self.braces.get(1..).unwrap_or_default();
        }
        let rest = self.pattern_rest();
        self.braces.is_empty() && matches!(rest, "" | "*" | "**" | "/**" | "**/" | "/**/")
    }
}

enum Step {
    On,
    Matched,
    Failed,
}

/// The length of the class at the head of `pattern` if it matches `c`, which may be a slash.
fn class(pattern: &str, c: char) -> Option<usize> {
    let end = class_end(pattern.as_bytes(), 1)?;
    let body = pattern.get(1..end - 1)?;
    let members = body.strip_prefix(['!', '^']).unwrap_or(body);
    let negated = members.len() != body.len();
    let mut chars = members.chars();
    let mut low = None;
    let mut found = false;
    while let Some(first) = chars.next() {
        let range = first == '-' && low.is_some() && !chars.as_str().is_empty();
        let member = match (range, first) {
            (true, _) => chars.next().filter(|c| *c != '\\').or_else(|| chars.next()),
            (false, '\\') => chars.next(),
            (false, first) => Some(first),
        };
        found |= match (range, low) {
            (true, Some(low)) => low <= c && member.is_some_and(|high| c <= high),
            _ => member == Some(c),
        };
        low = member.filter(|_| !range);
    }
    (found != negated).then_some(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, hits: &[&str], misses: &[&str]) {
        let glob = Doublestar::new(pattern).unwrap();
        for path in hits {
            assert!(glob.matches(path), "{pattern} should match {path}");
        }
        for path in misses {
            assert!(!glob.matches(path), "{pattern} should miss {path}");
        }
    }

    #[test]
    fn two_stars_at_the_end_match_everything_below_and_the_directory() {
        check("dir/**", &["dir", "dir/a", "dir/a/b", "dir/.x"], &["dirx"]);
        check("dir/**/", &["dir"], &["other"]);
        check("dir/**/*", &["dir/a", "dir/a/b"], &["x/a"]);
        check("**", &["a", "a/b"], &[]);
    }

    #[test]
    fn two_stars_between_slashes_match_any_directories() {
        check("**/b", &["b", "a/b", "x/y/b"], &["ab", "b/c"]);
        check("a/**/b", &["a/b", "a/x/y/b"], &["ab", "a/b/c"]);
        check("a/**/*.rs", &["a/x.rs", "a/b/.rs"], &["x.rs"]);
        check("a/**/b/*/c", &["a/b/x/c", "a/b/b/x/c"], &["a/b/c"]);
    }

    #[test]
    fn other_stars_stay_in_their_directory() {
        check("*", &["a", ".a"], &["a/b"]);
        check("a**b", &["ab", "axb"], &["a/b"]);
        check("**.rs", &["a.rs"], &["x/a.rs"]);
        check("***/a", &["x/a"], &["a", "x/y/a"]);
        check("a?b", &["a\u{e9}b"], &["a/b"]);
    }

    #[test]
    fn classes_and_escapes() {
        check("[a-c]x", &["bx"], &["dx", "x"]);
        check("[!a-c]x", &["dx", "/x"], &["bx"]);
        check("[^\\]]", &["a"], &["]"]);
        check("[a\\-c]", &["-", "a", "c"], &["b"]);
        check("[a-]", &["a", "-"], &["b"]);
        check("\\*\\{", &["*{"], &["x{"]);
    }

    #[test]
    fn braces_may_hold_slashes_and_be_nested() {
        check("{a,b/c}/d", &["a/d", "b/c/d"], &["c/d"]);
        check("a{,b,c{d,e}}", &["a", "ab", "acd", "ace"], &["ac"]);
        check("{**/x,y}", &["x", "a/x", "y"], &["a/y"]);
        check("*.{tar,tar.gz}", &["a.tar", "a.tar.gz"], &["a.gz"]);
        check("a{,/**}", &["a", "a/b/c"], &["b"]);
        // Only the whole rest is compared with the forms that match nothing.
        check("a/{**,x}", &["a/b/c", "a/x"], &["a"]);
    }

    #[test]
    fn bad_patterns_are_errors() {
        for pattern in ["[", "[a", "[]a]", "a\\", "{a", "a}", "{[}]"] {
            let error = Doublestar::new(pattern).unwrap_err();
            assert_eq!(error, BadPattern::Syntax, "{pattern}");
        }
        let many = "{a,b}".repeat(13);
        let error = Doublestar::new(&many).unwrap_err();
        assert_eq!(error, BadPattern::TooManyAlternatives);
    }

    #[test]
    fn the_directory_to_walk_is_known() {
        for (pattern, directory) in [
            ("src/lib/*.rs", "src/lib/"),
            ("target/**", ""),
            ("a/target/**", "a/"),
            ("src/{a,b}", "src/"),
            ("a/b", "a/"),
        ] {
            let glob = Doublestar::new(pattern).unwrap();
            assert_eq!(glob.literal_directory(), directory, "{pattern}");
        }
    }

    /// Tries everything, by plain recursion, for patterns without braces.
    fn naive(pattern: &str, path: &str, start: bool) -> bool {
        if start && pattern == "**" {
            return true;
        }
        if path.is_empty() && matches!(pattern, "" | "*" | "**" | "/**" | "**/" | "/**/") {
            return true;
        }
        if start && let Some(after) = pattern.strip_prefix("**/") {
            let below = path.split_once('/');
            return !path.is_empty()
                && (naive(after, path, true)
                    || below.is_some_and(|(_, below)| naive(pattern, below, true)));
        }
        let Some(c) = path.chars().next() else {
            return false;
        };
        let below = path.get(c.len_utf8()..).unwrap();
        if let Some(after) = pattern.strip_prefix("**").or(pattern.strip_prefix('*')) {
            return naive(after, path, false)
                || (c != '/' && naive(&format!("*{after}"), below, false));
        }
        match pattern.chars().next() {
            None => false,
            Some('?') => c != '/' && naive(&pattern[1..], below, false),
            Some(first) => first == c && naive(&pattern[1..], below, c == '/'),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        #[test]
        fn the_matcher_agrees_with_trying_everything(
            head in prop::collection::vec(
                prop_oneof![Just("a"), Just("b"), Just("a/"), Just("/b"), Just("?"), Just("*a"),
                    Just("**/a"), Just("/**/b")], 0..6),
            tail in prop_oneof![Just(""), Just("/**"), Just("*"), Just("/*")],
            path in "[ab]{1,2}(/[ab]{1,2}){0,3}",
        ) {
            let pattern = head.concat() + tail;
            let ours = Doublestar::new(&pattern).unwrap().matches(&path);
            prop_assert_eq!(ours, naive(&pattern, &path, true), "{} {}", pattern, path);
        }

        #[test]
        fn any_text_is_a_pattern_or_an_error(
            pattern in "[a*?/{},\\[\\]!\\\\\u{e9}-]{0,14}",
            path in "[a/\u{e9}]{0,6}",
        ) {
            if let Ok(glob) = Doublestar::new(&pattern) {
                glob.matches(&path);
            }
        }
    }
}
