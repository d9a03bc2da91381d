//! Names that GitLab derives from other names.

use std::sync::LazyLock;

use regex::Regex;

/// The slug of a ref or job name, as in `CI_COMMIT_REF_SLUG` (reference `compose.md` §9.6).
///
/// Cut to 63 characters first and stripped of dashes after, so it may be shorter, or empty.
pub fn slug(text: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let lower = text.to_lowercase();
    let dashed = lower.chars().map(|c| if plain(c) { c } else { '-' });
    let cut: String = dashed.take(63).collect();
    cut.trim_matches('-').to_owned()
}

/// The group a job belongs to, `CI_JOB_GROUP_NAME`: its name without up to three trailing parts such
/// as ` 1/5` or `: [a, b]` (reference `compose.md` §6).
pub fn job_group_name(name: &str) -> &str {
    static PARTS: LazyLock<Regex> = LazyLock::new(|| {
        let space = r"\t\n\x0b\f\r ";
        let part = format!(r"[\x08:{space}]+(?:\[.*\]|[0-9]+[:/\\{space}]+[0-9]+)");
        Regex::new(&format!(r"(?:{part}){{1,3}}[{space}]*\z")).expect("the pattern is fixed")
    });
    let numbered = |name: &str| name.ends_with(|c: char| c == ']' || c.is_ascii_digit());
    let blank = |c: char| c.is_ascii_whitespace() || c == '\x0b' || c == '\0';
    let trimmed = name.trim_matches(blank);
    let parts = numbered(trimmed).then(|| PARTS.find(name)).flatten();
    match parts {
        Some(found) => name
            .get(..found.start())
            .unwrap_or(name)
            .trim_matches(blank),
        None => trimmed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_cut_before_it_is_stripped() {
        assert_eq!(slug("Feature/A_b.C"), "feature-a-b-c");
        assert_eq!(slug("--x--"), "x");
        assert_eq!(slug("\u{e9}\u{e9}"), "");
        assert_eq!(slug("\u{c9}t\u{e9}"), "t");
        let long = format!("{}/{}", "a".repeat(62), "b".repeat(9));
        assert_eq!(slug(&long), "a".repeat(62));
    }

    #[test]
    fn a_group_loses_its_numbers() {
        for (name, group) in [
            ("test 1/5", "test"),
            ("test: [a, b]", "test"),
            ("job 1/2: [x]", "job"),
            ("build:1:2", "build"),
            ("a1/2", "a1/2"),
            ("plain", "plain"),
            ("deploy [a] [b] [c] [d]", "deploy"),
            ("x 1/2 3/4 5/6 7/8", "x 1/2"),
            ("\u{e9} 1/2", "\u{e9}"),
        ] {
            assert_eq!(job_group_name(name), group, "{name}");
        }
    }
}
