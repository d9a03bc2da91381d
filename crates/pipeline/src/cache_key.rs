//! Cache keys as the runner uses them.

/// What became of an expanded cache key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CleanCacheKey {
    /// The key to use; `None` where nothing usable is left of it.
    pub key: Option<String>,
    /// It differs from what was given.
    pub changed: bool,
}

/// Cleans an expanded cache key as GitLab's runner does, so that it can stand in a path (reference `runner.md` §4.1).
///
/// `%2f` and `\` become `/`, `%2e` becomes `.`; the result is resolved like a path below a root it cannot leave; white space at the
/// end of the last part goes, with parts that become empty.
pub fn clean_cache_key(raw: &str) -> CleanCacheKey {
    let decoded = raw
        .replace("%2f", "/")
        .replace("%2F", "/")
        .replace("%2e", ".")
        .replace("%2E", ".")
        .replace('\\', "/");
    let mut parts: Vec<&str> = Vec::new();
    for part in decoded.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    while let Some(last) = parts.pop() {
        let trimmed = last.trim_end();
        if !trimmed.is_empty() {
            parts.push(trimmed);
            break;
        }
    }
    let key = parts.join("/");
    let changed = key != raw;
    CleanCacheKey {
        key: (!key.is_empty()).then_some(key),
        changed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_keys_stay() {
        for key in ["default", "main-protected", "0_dir/Gemfile-abc"] {
            let clean = CleanCacheKey {
                key: Some(key.to_owned()),
                changed: false,
            };
            assert_eq!(clean_cache_key(key), clean);
        }
    }

    #[test]
    fn keys_cannot_leave_their_root_and_lose_trailing_space() {
        let clean = |raw: &str| clean_cache_key(raw).key;
        assert_eq!(clean("../../x").as_deref(), Some("x"));
        assert_eq!(clean("a//b/./c/..").as_deref(), Some("a/b"));
        assert_eq!(clean(r"a\b%2Fc").as_deref(), Some("a/b/c"));
        assert_eq!(clean("a/b \t").as_deref(), Some("a/b"));
        assert_eq!(clean("a/ ").as_deref(), Some("a"));
        assert_eq!(clean("%2e%2E/"), None);
        assert!(clean_cache_key("a/").changed);
    }
}
