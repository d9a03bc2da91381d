//! Masks what follows a known beginning: values of URL parameters, tokens after their prefix.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::MASK;

/// Parameters whose values are secret (reference `runner.md` §6.1).
const PARAMETERS: [&str; 6] = [
    "private_token",
    "authenticity_token",
    "rss_token",
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
];

/// Beginnings of GitLab's tokens (`FF_MASK_ALL_DEFAULT_TOKENS` adds all but the first).
pub(crate) const TOKEN_PREFIXES: [&str; 14] = [
    "glpat-",
    "gloas-",
    "gldt-",
    "glrt-",
    "glcbt-",
    "glrtr-",
    "glptt-",
    "glft-",
    "glimt-",
    "glagent-",
    "glsoat-",
    "glffct-",
    "_gitlab_session=",
    "gltok-",
];

/// How many prefixes count; of more the shortest do.
const MOST_PREFIXES: usize = 15;

/// What both kinds of runs begin with, made once a process: to build an automaton takes longer than a short job's log.
static OF_PARAMETERS: OnceLock<Beginnings> = OnceLock::new();
static OF_DEFAULT_TOKENS: OnceLock<Beginnings> = OnceLock::new();

/// What is looked for; clones share the automaton.
#[derive(Clone, Debug)]
struct Beginnings {
    automaton: Option<AhoCorasick>,
    texts: Vec<Vec<u8>>,
}

/// Leaves each beginning and puts one `[MASKED]` for the run of bytes after it; without a run
/// nothing changes.
#[derive(Debug)]
pub(super) struct Runs {
    automaton: Option<AhoCorasick>,
    beginnings: Vec<Vec<u8>>,
    longest: usize,
    any_case: bool,
    goes_on: fn(u8) -> bool,
    state: State,
    held: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Outside,
    /// A beginning was just written.
    Begun,
    /// Its mask was written.
    Inside,
}

impl Beginnings {
    fn of(texts: Vec<Vec<u8>>, any_case: bool) -> Self {
        // Of beginnings that begin alike the shortest is found, so that more text cannot change the
        // answer.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .ascii_case_insensitive(any_case)
            .build(&texts)
            .ok();
        Self {
            automaton: automaton.filter(|_| !texts.is_empty()),
            texts,
        }
    }

    fn of_tokens(prefixes: &[&str]) -> Self {
        let given = prefixes.iter().filter(|prefix| !prefix.is_empty());
        let mut texts: Vec<Vec<u8>> = given.map(|prefix| prefix.as_bytes().to_vec()).collect();
        texts.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        texts.dedup();
        texts.truncate(MOST_PREFIXES);
        Self::of(texts, false)
    }
}

impl Runs {
    /// `?private_token=…` and its like, in any case.
    pub(super) fn url_parameters() -> Self {
        let beginnings = || {
            let names = PARAMETERS.iter();
            let both = names.flat_map(|name| [format!("?{name}="), format!("&{name}=")]);
            Beginnings::of(both.map(String::into_bytes).collect(), true)
        };
        Self::new(OF_PARAMETERS.get_or_init(beginnings), true, in_parameter)
    }

    /// Tokens that begin with one of `prefixes`.
    pub(super) fn tokens(prefixes: &[&str]) -> Self {
        if prefixes == TOKEN_PREFIXES {
            let beginnings = || Beginnings::of_tokens(&TOKEN_PREFIXES);
            return Self::new(OF_DEFAULT_TOKENS.get_or_init(beginnings), false, in_token);
        }
        Self::new(&Beginnings::of_tokens(prefixes), false, in_token)
    }

    fn new(beginnings: &Beginnings, any_case: bool, goes_on: fn(u8) -> bool) -> Self {
        let Beginnings { automaton, texts } = beginnings.clone();
        Self {
            automaton,
            longest: texts.iter().map(Vec::len).max().unwrap_or(0),
            beginnings: texts,
            any_case,
            goes_on,
            state: State::Outside,
            held: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.held.is_empty() {
            let rest = self.take(bytes, out);
            self.held.extend_from_slice(rest);
        } else {
            let mut joined = std::mem::take(&mut self.held);
            joined.extend_from_slice(bytes);
            let rest = self.take(&joined, out).len();
            joined.drain(..joined.len() - rest);
            self.held = joined;
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        self.state = State::Outside;
    }

    /// Returns the end of `text` that may be the start of a beginning.
    fn take<'t>(&mut self, mut text: &'t [u8], out: &mut Vec<u8>) -> &'t [u8] {
        loop {
            if self.state != State::Outside {
                let length = text
                    .iter()
                    .take_while(|byte| (self.goes_on)(**byte))
                    .count();
                if length > 0 && self.state == State::Begun {
                    out.extend_from_slice(MASK);
                    self.state = State::Inside;
                }
                text = text.get(length..).unwrap_or_default();
                if text.is_empty() {
                    return text;
                }
                self.state = State::Outside;
            }
            let found = self
                .automaton
                .as_ref()
                .and_then(|automaton| automaton.find(text));
            let held = self.beginning(text);
            match found {
                // What began earlier and is not complete yet may still win.
                Some(found) if found.start() <= held => {
                    let (before, after) = text.split_at(found.end());
                    out.extend_from_slice(before);
                    self.state = State::Begun;
                    text = after;
                }
                _ => {
                    let (free, held) = text.split_at(held);
                    out.extend_from_slice(free);
                    return held;
                }
            }
        }
    }

    fn beginning(&self, text: &[u8]) -> usize {
        let from = text.len().saturating_sub(self.longest.saturating_sub(1));
        let starts = |beginning: &Vec<u8>, end: &[u8]| match beginning.get(..end.len()) {
            Some(start) if beginning.len() > end.len() => match self.any_case {
                true => start.eq_ignore_ascii_case(end),
                false => start == end,
            },
            _ => false,
        };
        (from..text.len())
            .find(|start| {
                let end = text.get(*start..).unwrap_or_default();
                self.beginnings
                    .iter()
                    .any(|beginning| starts(beginning, end))
            })
            .unwrap_or(text.len())
    }
}

fn in_parameter(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !matches!(byte, b'&' | b'"' | b'\'' | b'<' | b'>' | b'`')
}

fn in_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'=')
}
