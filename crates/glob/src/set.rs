//! Many globs of one dialect.

use crate::{Doublestar, Fnmatch, Wildcard};

/// A compiled glob of some dialect.
pub trait PathMatcher {
    /// Whether the glob matches all of `path`.
    fn matches(&self, path: &str) -> bool;
}

impl PathMatcher for Fnmatch {
    fn matches(&self, path: &str) -> bool {
        self.matches(path)
    }
}

impl PathMatcher for Doublestar {
    fn matches(&self, path: &str) -> bool {
        self.matches(path)
    }
}

impl PathMatcher for Wildcard {
    fn matches(&self, path: &str) -> bool {
        self.matches(path)
    }
}

/// Globs in the order they were written; all of one dialect.
#[derive(Clone, Debug)]
pub struct GlobSet<G> {
    globs: Vec<G>,
}

impl<G: PathMatcher> GlobSet<G> {
    /// The globs, in order.
    pub fn globs(&self) -> &[G] {
        &self.globs
    }

    /// Position of the first glob that matches `path`.
    pub fn first_match(&self, path: &str) -> Option<usize> {
        self.globs.iter().position(|glob| glob.matches(path))
    }

    /// Whether any glob matches `path`.
    pub fn matches(&self, path: &str) -> bool {
        self.first_match(path).is_some()
    }

    /// The first of `paths` that any glob matches, as positions of the glob and the path.
    pub fn first_match_of<'p>(
        &self,
        paths: impl IntoIterator<Item = &'p str>,
    ) -> Option<(usize, usize)> {
        paths
            .into_iter()
            .enumerate()
            .find_map(|(at, path)| Some((self.first_match(path)?, at)))
    }
}

impl<G> FromIterator<G> for GlobSet<G> {
    fn from_iter<T: IntoIterator<Item = G>>(globs: T) -> GlobSet<G> {
        GlobSet {
            globs: globs.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_glob_that_matches_is_named() {
        let globs = ["*.md", "src/**/*", "**/*.rs"];
        let set: GlobSet<Fnmatch> = globs.iter().map(|g| Fnmatch::new(g).unwrap()).collect();
        assert_eq!(set.first_match("src/a.rs"), Some(1));
        assert_eq!(set.first_match("lib/a.rs"), Some(2));
        assert_eq!(set.first_match_of(["x", "a.md"]), Some((0, 1)));
        assert!(!set.matches("x"));
    }
}
