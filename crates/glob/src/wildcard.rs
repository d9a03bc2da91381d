//! Wildcards of `include:local` (reference `config.md` §4.5).

/// A pattern in which only `*` (not across `/`), `**` (across) and `**/` (any folders, also none) are
/// special; everything else is literal. The whole path must match.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wildcard {
    pattern: String,
    tokens: Vec<Token>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Literal(String),
    /// `*`
    Name,
    /// `**`
    Anything,
    /// `**/`
    Folders,
}

impl Wildcard {
    /// Whether an include with this text is a wildcard at all.
    pub fn is_wildcard(text: &str) -> bool {
        text.contains('*')
    }

    /// Compiles; every text is a pattern.
    pub fn new(pattern: &str) -> Wildcard {
        let mut tokens = Vec::new();
        let mut rest = pattern;
        while let Some(star) = rest.find('*') {
            let (literal, stars) = rest.split_at(star);
            if !literal.is_empty() {
                tokens.push(Token::Literal(literal.to_owned()));
            }
            let forms = [
                ("**/", Token::Folders),
                ("**", Token::Anything),
                ("*", Token::Name),
            ];
            for (text, token) in forms {
                if let Some(after) = stars.strip_prefix(text) {
                    tokens.push(token);
                    rest = after;
                    break;
                }
            }
        }
        if !rest.is_empty() {
            tokens.push(Token::Literal(rest.to_owned()));
        }
        Wildcard {
            pattern: pattern.to_owned(),
            tokens,
        }
    }

    /// As written.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether the pattern matches all of `path`.
    ///
    /// Keeps the set of positions that can be reached, so the time is bounded by the product of both
    /// lengths whatever the pattern.
    pub fn matches(&self, path: &str) -> bool {
        let bytes = path.as_bytes();
        let mut reached = vec![false; bytes.len() + 1];
        if let Some(start) = reached.first_mut() {
            *start = true;
        }
        for token in &self.tokens {
            reached = step(token, bytes, &reached);
        }
        reached.last().copied().unwrap_or(false)
    }
}

fn step(token: &Token, path: &[u8], from: &[bool]) -> Vec<bool> {
    let mut to = vec![false; from.len()];
    // For the stars: whether a position further left is reached and may be carried on.
    let mut carried = false;
    for (at, slot) in to.iter_mut().enumerate() {
        let here = from.get(at).copied().unwrap_or(false);
        let before = at.checked_sub(1).and_then(|at| path.get(at));
        *slot = match token {
            Token::Literal(text) => at.checked_sub(text.len()).is_some_and(|start| {
                from.get(start) == Some(&true) && path.get(start..at) == Some(text.as_bytes())
            }),
            Token::Name => {
                carried = here || (carried && before != Some(&b'/'));
                carried
            }
            Token::Anything => {
                carried |= here;
                carried
            }
            Token::Folders => {
                let after_folder = carried && before == Some(&b'/');
                carried |= here;
                here || after_folder
            }
        };
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, hits: &[&str], misses: &[&str]) {
        let wildcard = Wildcard::new(pattern);
        for path in hits {
            assert!(wildcard.matches(path), "{pattern} should match {path}");
        }
        for path in misses {
            assert!(!wildcard.matches(path), "{pattern} should miss {path}");
        }
    }

    #[test]
    fn only_stars_are_special() {
        check(
            "ci/*.yml",
            &["ci/a.yml", "ci/.yml"],
            &["ci/a/b.yml", "ci/axyml"],
        );
        check("ci/**.yml", &["ci/a.yml", "ci/a/b.yml"], &["a.yml"]);
        check("ci/[a]?.{yml}*", &["ci/[a]?.{yml}"], &["ci/ax.yml"]);
        check("/ci/*.yml", &[], &["ci/a.yml"]);
    }

    #[test]
    fn two_stars_and_a_slash_may_be_no_folder() {
        check("**/a.yml", &["a.yml", "x/a.yml", "x/y/a.yml"], &["xa.yml"]);
        check("ci/**/*.yml", &["ci/a.yml", "ci/x/y/a.yml"], &["a.yml"]);
        check("a***b", &["ab", "a/x/b"], &["b"]);
    }
}
