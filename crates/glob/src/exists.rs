//! The three classes of `rules:exists` patterns (reference `compose.md` §2.4).

use crate::{Fnmatch, TooManyAlternatives};

/// One pattern of `exists`. GitLab tries all exact ones first, then extensions, then patterns; only
/// the last are subject to its limit of comparisons.
#[derive(Clone, Debug)]
pub enum ExistsGlob {
    /// Nothing special in it: that very file.
    Exact(String),
    /// Ends in a slash: some file lies below.
    Directory(String),
    /// `**/*.ext`: files that end in this, dot included.
    Extension(String),
    /// Anything else.
    Pattern(Box<Fnmatch>),
}

impl ExistsGlob {
    /// Classifies `pattern`.
    ///
    /// # Errors
    /// Its braces stand for more patterns than we follow.
    pub fn new(pattern: &str) -> Result<ExistsGlob, TooManyAlternatives> {
        if !has_special(pattern) {
            let directory = pattern.ends_with('/');
            let text = pattern.to_owned();
            return Ok(if directory {
                ExistsGlob::Directory(text)
            } else {
                ExistsGlob::Exact(text)
            });
        }
        if let Some(extension) = pattern.strip_prefix("**/*") {
            let plain = !has_special(extension) && !extension.contains('/');
            if plain && extension.starts_with('.') {
                return Ok(ExistsGlob::Extension(extension.to_owned()));
            }
        }
        Ok(ExistsGlob::Pattern(Box::new(Fnmatch::new(pattern)?)))
    }

    /// Whether the file `path` satisfies the pattern.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            ExistsGlob::Exact(file) => path == file,
            ExistsGlob::Directory(prefix) => path.starts_with(prefix.as_str()),
            ExistsGlob::Extension(extension) => path.ends_with(extension.as_str()),
            ExistsGlob::Pattern(glob) => glob.matches(path),
        }
    }
}

/// Whether only files of the root directory are looked at: no pattern has a `/` or a `**`.
pub fn lists_root_only<'a>(patterns: impl IntoIterator<Item = &'a str>) -> bool {
    patterns
        .into_iter()
        .all(|pattern| !pattern.contains('/') && !pattern.contains("**"))
}

fn has_special(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, class: &str, hit: &str, miss: &str) {
        let glob = ExistsGlob::new(pattern).unwrap();
        let ours = match &glob {
            ExistsGlob::Exact(_) => "exact",
            ExistsGlob::Directory(_) => "directory",
            ExistsGlob::Extension(_) => "extension",
            ExistsGlob::Pattern(_) => "pattern",
        };
        assert_eq!(ours, class, "{pattern}");
        assert!(glob.matches(hit) && !glob.matches(miss), "{pattern}");
    }

    #[test]
    fn patterns_fall_into_their_classes() {
        check("Dockerfile", "exact", "Dockerfile", "a/Dockerfile");
        check("docs/", "directory", "docs/a/b", "docs");
        check("**/*.rb", "extension", "a/b.rb", "a/b.rs");
        check("**/*.{rb}", "pattern", "a/b.rb", "a/b.rs");
        check("*.rb", "pattern", "b.rb", "a/b.rb");
        assert!(!ExistsGlob::new("").unwrap().matches("a"));
    }

    #[test]
    fn the_tree_is_walked_only_if_some_pattern_needs_it() {
        assert!(lists_root_only(["a", "*.rb"]));
        assert!(!lists_root_only(["a", "**"]));
        assert!(!lists_root_only(["a/b"]));
    }
}
