//! Finds the first path a glob matches without trying them all.
//!
//! Thousands of jobs have globs of their own against the same thousands of paths. Most globs name where their files lie: the
//! text before the first special character bounds a range of the sorted list, and a segment without special characters must be
//! a segment of every path that matches.

use std::cell::OnceCell;
use std::hash::Hasher as _;

use rustc_hash::{FxHashMap, FxHasher};
use tidegate_glob::Fnmatch;
use tidegate_scenario::PathList;

/// Below this many candidates looking at each is as fast as narrowing them down.
const FEW: usize = 32;

/// Sorted paths, with an index over their segments that is made when it is first worth it.
pub(crate) struct PathIndex {
    paths: PathList,
    /// Positions of the paths by the hash of a segment; equal hashes of different segments only cost time.
    by_segment: OnceCell<FxHashMap<u64, Vec<u32>>>,
}

impl PathIndex {
    pub(crate) fn new(paths: PathList) -> PathIndex {
        PathIndex {
            paths,
            by_segment: OnceCell::new(),
        }
    }

    /// Position of the first path that `glob` matches.
    pub(crate) fn first_match(&self, glob: &Fnmatch) -> Option<usize> {
        let paths = self.paths.as_slice();
        let pattern = glob.pattern();
        let prefix = match pattern.find(is_special) {
            // Alternatives may share less than the text before the brace shows; the glob knows.
            _ if pattern.contains(['{', '\\']) => glob.literal_directory(),
            Some(at) => pattern.get(..at).unwrap_or_default(),
            None => pattern,
        };
        let start = paths.partition_point(|path| **path < *prefix);
        let rest = paths.get(start..).unwrap_or_default();
        let length = rest.partition_point(|path| path.starts_with(prefix));
        let range = rest.get(..length).unwrap_or_default();
        if length > FEW
            && let Some(candidates) = self.candidates(pattern)
        {
            let in_range = |at: &usize| (start..start + length).contains(at);
            let positions = candidates.iter().map(|at| *at as usize).filter(in_range);
            let matches = |at: &usize| paths.get(*at).is_some_and(|path| glob.matches(path));
            return positions.into_iter().find(matches);
        }
        let found = range.iter().position(|path| glob.matches(path))?;
        Some(start + found)
    }

    /// Positions of the paths that have the rarest of the pattern's literal segments; `None` where it has none.
    fn candidates(&self, pattern: &str) -> Option<&[u32]> {
        if pattern.contains(['{', '\\']) {
            return None;
        }
        let literal = |segment: &&str| !segment.is_empty() && !segment.contains(is_special);
        let segments = pattern.split('/').filter(literal);
        let positions = segments.map(|segment| {
            let known = self.index().get(&hash(segment));
            known.map_or(&[][..], Vec::as_slice)
        });
        positions.min_by_key(|positions| positions.len())
    }

    fn index(&self) -> &FxHashMap<u64, Vec<u32>> {
        self.by_segment.get_or_init(|| {
            let mut index: FxHashMap<u64, Vec<u32>> = FxHashMap::default();
            for (at, path) in self.paths.as_slice().iter().enumerate() {
                for segment in path.split('/') {
                    let positions = index.entry(hash(segment)).or_default();
                    if positions.last() != Some(&(at as u32)) {
                        positions.push(at as u32);
                    }
                }
            }
            index
        })
    }
}

fn is_special(c: char) -> bool {
    matches!(c, '*' | '?' | '[' | '{' | '\\')
}

fn hash(segment: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(segment.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn narrowing_finds_what_trying_all_finds(
            paths in prop::collection::vec("[ab.]{1,2}(/[ab.]{1,2}){0,3}", 0..80),
            pattern in "(\\*\\*/)?[ab.*?]{1,2}(/(\\*\\*|[ab.*?]{1,2}|\\[ab\\]|\\{a,b/a\\}|\\\\a)){0,3}",
        ) {
            let paths: PathList = paths.iter().map(String::as_str).collect();
            let glob = Fnmatch::new(&pattern).expect("few braces");
            let all = paths.as_slice().iter().position(|path| glob.matches(path));
            prop_assert_eq!(PathIndex::new(paths).first_match(&glob), all, "{}", pattern);
        }
    }
}
