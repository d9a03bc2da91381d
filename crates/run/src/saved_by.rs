//! What is noted with a cache entry: which job saved it, and what its patterns meant then.
//!
//! With it the next save of the same patterns needs to look only at what a job changed: everything in the entry is known to be
//! meant, and how many paths each pattern meant is known without a walk.

/// The note of a cache entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedBy {
    /// Name of the job.
    pub job: String,
    /// Its patterns, expanded, each with the number of files and directories it meant.
    pub found: Vec<(String, u64)>,
    /// Files git does not know were part of it, too.
    pub untracked: bool,
}

impl SavedBy {
    /// Reads a note; what it does not know it leaves out, so a foreign note gives an empty value.
    pub fn from_note(note: &str) -> SavedBy {
        let mut saved = SavedBy::default();
        for line in note.lines() {
            match line.split_once(' ') {
                Some(("job", name)) => name.clone_into(&mut saved.job),
                Some(("found", rest)) => {
                    let parts = rest.split_once(' ');
                    let pair = parts.and_then(|(n, pattern)| Some((n.parse().ok()?, pattern)));
                    let Some((count, pattern)) = pair else {
                        return SavedBy::default();
                    };
                    saved.found.push((pattern.to_owned(), count));
                }
                _ if line == "untracked" => saved.untracked = true,
                _ => {}
            }
        }
        saved
    }

    /// The note. Patterns are left out where a line break in one would make it unreadable.
    pub fn to_note(&self) -> String {
        let mut note = format!("job {}\n", self.job.replace('\n', " "));
        if !self.found.iter().any(|(pattern, _)| pattern.contains('\n')) {
            for (pattern, count) in &self.found {
                note.push_str(&format!("found {count} {pattern}\n"));
            }
        }
        if self.untracked {
            note.push_str("untracked\n");
        }
        note
    }

    /// Whether these are the patterns it was saved with.
    pub(crate) fn has_patterns(&self, patterns: &[String], untracked: bool) -> bool {
        let same = self.found.iter().map(|(pattern, _)| pattern).eq(patterns);
        same && !patterns.is_empty() && self.untracked == untracked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_comes_back_as_it_was() {
        let saved = SavedBy {
            job: "build [a, b]".to_owned(),
            found: vec![("node_modules/".to_owned(), 12), ("a b/*".to_owned(), 0)],
            untracked: true,
        };
        assert_eq!(SavedBy::from_note(&saved.to_note()), saved);
        let patterns = ["node_modules/".to_owned(), "a b/*".to_owned()];
        assert!(saved.has_patterns(&patterns, true));
        assert!(!saved.has_patterns(&patterns, false));
        assert!(!saved.has_patterns(&patterns[..1], true));
    }

    #[test]
    fn foreign_notes_and_broken_patterns_say_nothing() {
        assert_eq!(SavedBy::from_note("found x y\njob j").found, []);
        assert_eq!(SavedBy::from_note("something else"), SavedBy::default());
        let saved = SavedBy {
            job: "j".to_owned(),
            found: vec![("a\nb".to_owned(), 1)],
            untracked: false,
        };
        let read = SavedBy::from_note(&saved.to_note());
        assert!(read.found.is_empty());
        assert!(!read.has_patterns(&[], false), "nothing is known of it");
    }
}
