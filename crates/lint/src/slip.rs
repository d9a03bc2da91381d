//! Names that differ by one slip of the finger.

/// The candidate that becomes `name` by one letter too many, too few, wrong, or two neighbours swapped.
///
/// Stricter than "did you mean" for errors: here nothing else says that `name` is wrong.
pub(crate) fn slip_of<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let mut candidates = candidates.into_iter();
    candidates.find(|candidate| *candidate != name && one_slip(name, candidate))
}

fn one_slip(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let (a, b) = (
        a.get(head..).unwrap_or_default(),
        b.get(head..).unwrap_or_default(),
    );
    let tail = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(x, y)| x == y)
        .count();
    let (a, b) = (
        a.get(..a.len() - tail).unwrap_or_default(),
        b.get(..b.len() - tail).unwrap_or_default(),
    );
    match (a, b) {
        ([], [_]) | ([_], []) | ([_], [_]) => true,
        ([x, y], [v, w]) => x == w && y == v,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_slip_counts() {
        for wrong in ["DEPOY", "DEPLOYY", "DEPLOI", "DEPOLY"] {
            assert_eq!(slip_of(wrong, ["DEPLOY"]), Some("DEPLOY"), "{wrong}");
        }
        assert_eq!(slip_of("DEPLOY", ["DEPLOY"]), None);
        assert_eq!(slip_of("CI_JOB_TYPE", ["CI_JOB_NAME"]), None);
    }
}
