//! Masks the values of masked variables, also across the borders of pieces.

use aho_corasick::{AhoCorasick, MatchKind};

use super::MASK;

/// Replaces every stretch of the text that one or several overlapping secrets cover by one
/// `[MASKED]`.
///
/// Where secrets do not overlap that is what GitLab's runner does, which replaces the longest
/// first; where they do, it would leave the rest of the one behind. Back are held only bytes that
/// may be the beginning of a secret.
#[derive(Debug)]
pub(super) struct Phrases {
    search: Option<Search>,
    /// End of the text so far that may begin a secret.
    held: Vec<u8>,
    /// Leading bytes of `held` that belong to a stretch whose mask is written already.
    covered: usize,
}

#[derive(Debug)]
struct Search {
    automaton: AhoCorasick,
    phrases: Vec<Vec<u8>>,
    longest: usize,
    /// Bytes a phrase may begin with.
    first: [bool; 256],
}

impl Phrases {
    /// Surrounding white space of values does not count; empty ones and repeated ones are left out.
    pub(super) fn new(values: &[&str]) -> Self {
        let mut phrases: Vec<Vec<u8>> = values
            .iter()
            .map(|value| value.trim().as_bytes().to_vec())
            .collect();
        phrases.retain(|phrase| !phrase.is_empty());
        phrases.sort();
        phrases.dedup();
        Self {
            search: Search::new(phrases),
            held: Vec::new(),
            covered: 0,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(search) = &self.search else {
            out.extend_from_slice(bytes);
            return;
        };
        if self.held.is_empty() {
            let hold = search.beginning(bytes);
            self.covered = search.mask(bytes, 0, hold, out);
            self.held
                .extend_from_slice(bytes.get(hold..).unwrap_or_default());
        } else {
            self.held.extend_from_slice(bytes);
            let hold = search.beginning(&self.held);
            self.covered = search.mask(&self.held, self.covered, hold, out);
            self.held.drain(..hold);
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if let Some(search) = &self.search {
            search.mask(&self.held, self.covered, self.held.len(), out);
        }
        self.held.clear();
        self.covered = 0;
    }
}

impl Search {
    fn new(phrases: Vec<Vec<u8>>) -> Option<Self> {
        let longest = phrases.iter().map(Vec::len).max()?;
        // Fails only for more text than a pipeline may hold in variables.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&phrases)
            .ok()?;
        let mut first = [false; 256];
        for byte in phrases.iter().filter_map(|phrase| phrase.first()) {
            first[usize::from(*byte)] = true;
        }
        Some(Self {
            automaton,
            phrases,
            longest,
            first,
        })
    }

    /// Where the longest end of `text` starts that is the beginning of a phrase, but not all of it.
    fn beginning(&self, text: &[u8]) -> usize {
        let from = text.len().saturating_sub(self.longest - 1);
        let may_begin = |start: &usize| {
            let end = text.get(*start..).unwrap_or_default();
            end.first()
                .is_some_and(|byte| self.first[usize::from(*byte)])
                && self
                    .phrases
                    .iter()
                    .any(|phrase| phrase.len() > end.len() && phrase.starts_with(end))
        };
        (from..text.len()).find(may_begin).unwrap_or(text.len())
    }

    /// Writes `text[..until]` with its secrets masked; the first `covered` bytes belong to a mask
    /// written before.
    ///
    /// Returns how many bytes after `until` belong to the last mask written.
    fn mask(&self, text: &[u8], covered: usize, until: usize, out: &mut Vec<u8>) -> usize {
        let mut done = covered;
        for (start, end) in self.stretches(text, covered) {
            if start >= until {
                break;
            }
            if start < covered {
                done = done.max(end);
                continue;
            }
            out.extend_from_slice(text.get(done..start).unwrap_or_default());
            out.extend_from_slice(MASK);
            done = end;
        }
        if done < until {
            out.extend_from_slice(text.get(done..until).unwrap_or_default());
        }
        done.saturating_sub(until)
    }

    /// Stretches of `text` that overlapping secrets cover, in order; the first may be the one that
    /// began before.
    fn stretches(&self, text: &[u8], covered: usize) -> Vec<(usize, usize)> {
        let mut stretches: Vec<(usize, usize)> = Vec::new();
        if covered > 0 {
            stretches.push((0, covered));
        }
        if self.automaton.find(text).is_none() {
            return stretches;
        }
        let mut found: Vec<(usize, usize)> = self
            .automaton
            .find_overlapping_iter(text)
            .map(|found| (found.start(), found.end()))
            .collect();
        found.sort_unstable();
        for (start, end) in found {
            match stretches.last_mut() {
                Some(last) if start < last.1 => last.1 = last.1.max(end),
                _ => stretches.push((start, end)),
            }
        }
        stretches
    }
}
