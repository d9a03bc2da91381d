//! Finds blocks in a text and takes them apart.

use std::sync::LazyLock;

use regex::Regex;

/// One `$[[ … ]]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Block<'a> {
    /// The block with its brackets.
    pub(super) text: &'a str,
    /// What stands between them, trimmed.
    pub(super) body: &'a str,
    /// Offset in the text it was found in.
    pub(super) start: usize,
    /// Length of the text it was found in.
    pub(super) whole_len: usize,
}

/// The blocks of `text` from left to right. Content of a single character is no block.
pub(super) fn found(text: &str) -> Vec<Block<'_>> {
    static BLOCK: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"\$\[\[[ \t\r\n\f]*([^ \t\r\n\f].*?[^ \t\r\n\f])[ \t\r\n\f]*\]\]").ok()
    });
    let Some(pattern) = BLOCK.as_ref() else {
        return Vec::new();
    };
    let blocks = pattern.captures_iter(text).filter_map(|found| {
        let (whole, body) = (found.get(0)?, found.get(1)?);
        Some(Block {
            text: whole.as_str(),
            body: body.as_str(),
            start: whole.start(),
            whole_len: text.len(),
        })
    });
    blocks.collect()
}

impl<'a> Block<'a> {
    /// The access path and the calls behind it.
    pub(super) fn parts(&self) -> (&'a str, Vec<&'a str>) {
        let mut parts: Vec<&str> = self.body.split('|').collect();
        // As Ruby's split, which drops empty parts at the end only.
        while parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty()) {
            parts.pop();
        }
        let mut parts = parts.into_iter().map(str::trim);
        let path = parts.next().unwrap_or_default();
        (path, parts.collect())
    }

    /// Matrix values are put in later, for each instance of a parallel job (reference `config.md` §10.1).
    pub(super) fn is_matrix(&self) -> bool {
        let (path, _) = self.parts();
        path.split('.').next() == Some("matrix")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(text: &str) -> Vec<&str> {
        found(text).into_iter().map(|block| block.body).collect()
    }

    #[test]
    fn blocks_need_two_characters_and_end_early() {
        assert_eq!(bodies("a $[[ in.x ]] b $[[\n y.z\n]]"), ["in.x", "y.z"]);
        assert_eq!(bodies("$[[ ]]"), Vec::<&str>::new());
        assert_eq!(bodies("$[[x]]"), Vec::<&str>::new());
    }

    #[test]
    fn functions_stand_behind_bars() {
        let blocks = found("$[[ a.b |f| g(1) |]]");
        assert_eq!(blocks[0].parts(), ("a.b", vec!["f", "g(1)"]));
        let blocks = found("$[[ a.b || f ]]");
        assert_eq!(blocks[0].parts(), ("a.b", vec!["", "f"]));
    }
}
