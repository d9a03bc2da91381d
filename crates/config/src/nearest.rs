//! The known name nearest to an unknown one, for "did you mean".

/// The candidate that is so near to `wanted` that it was probably meant, or `None`.
///
/// Distance counts insertions, deletions, replacements and swaps of neighbours; at most a third of the letters may
/// differ. Of equally near candidates the first wins. Case and a leading dot or separators count little.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (wanted.chars().count() / 3).clamp(1, 4);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate == wanted {
            continue;
        }
        let limit = best.map_or(allowed + 1, |(distance, _)| distance);
        let distance = match folded(candidate) == folded(wanted) {
            true => 0,
            false => distance(wanted, candidate),
        };
        if distance < limit {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn folded(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, '.' | '-' | '_' | ' '));
    letters.flat_map(char::to_lowercase).collect()
}

/// Restricted Damerau-Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            let at = |cells: &[usize], j: usize| cells.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut cost = at(&last, j) + usize::from(x != y);
            cost = cost.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            if swapped {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_name_meant() {
        let keys = ["script", "stage", "stages", "before_script"];
        assert_eq!(nearest("scrpit", keys), Some("script"));
        assert_eq!(nearest("Stage", keys), Some("stage"));
        assert_eq!(nearest("before-script", keys), Some("before_script"));
        assert_eq!(nearest("tags", keys), None);
    }

    #[test]
    fn a_missing_dot_is_found() {
        assert_eq!(nearest("base", ["job", ".base"]), Some(".base"));
    }

    #[test]
    fn distances_count_swaps_once() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
