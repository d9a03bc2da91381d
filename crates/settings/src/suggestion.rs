//! "Did you mean" for what serde says about unknown names.

/// The expected name nearest to the unknown one of such a message, if one is near enough to be meant.
pub(crate) fn suggestion(message: &str) -> Option<String> {
    let (unknown, expected) = unknown_and_expected(message)?;
    let allowed = (unknown.chars().count() / 3).clamp(1, 3);
    let near = expected
        .into_iter()
        .map(|name| (distance(unknown, name), name));
    let (found, name) = near.min()?;
    (found <= allowed).then(|| name.to_owned())
}

/// Splits "unknown field `a`, expected one of `b`, `c`"; the words are serde's, and tests hold them.
pub(crate) fn unknown_and_expected(message: &str) -> Option<(&str, Vec<&str>)> {
    if !message.starts_with("unknown field") && !message.starts_with("unknown variant") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    Some((unknown, quoted.collect()))
}

/// How many letters must be put in, left out, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = last[j] + usize::from(x != y);
            best = best.min(last[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && a[i - 1] == *y && b[j - 1] == *x;
            if swapped {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_not() {
        let told = |name: &str| {
            suggestion(&format!(
                "unknown field `{name}`, expected one of `jobs`, `log_limit`"
            ))
        };
        assert_eq!(told("jbos").as_deref(), Some("jobs"));
        assert_eq!(told("job").as_deref(), Some("jobs"));
        assert_eq!(told("loglimit").as_deref(), Some("log_limit"));
        assert_eq!(told("parallel"), None);
        assert_eq!(suggestion("invalid type: `jobs`"), None);
    }

    #[test]
    fn distance_counts_changes() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
