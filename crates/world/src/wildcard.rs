//! Patterns of settings, in which `*` stands for any text: protected branches (as in GitLab's settings), URLs.

/// Whether a text matches a pattern in which `*` stands for any text.
pub fn wildcard_matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_do_not_overlap() {
        assert!(wildcard_matches("a*a", "aa"));
        assert!(!wildcard_matches("a*a", "a"));
        assert!(wildcard_matches("*", ""));
        assert!(!wildcard_matches("a", "ab"));
        assert!(wildcard_matches("a*b*c", "a1b2b3c"));
    }
}
