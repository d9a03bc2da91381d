//! The list of known deviations.

use std::collections::BTreeMap;

/// Ids that are known to differ from GitLab, with the reason why they may.
#[derive(Clone, Debug, Default)]
pub struct Deviations {
    reasons: BTreeMap<(String, String), String>,
}

impl Deviations {
    /// Reads the list out of a page: lines of the form ``* `set/id`: reason``; all others are prose.
    pub fn parse(page: &str) -> Deviations {
        let entry = |line: &str| {
            let (name, reason) = line.strip_prefix("* `")?.split_once("`: ")?;
            let (set, id) = name.split_once('/')?;
            Some(((set.to_owned(), id.to_owned()), reason.to_owned()))
        };
        Deviations {
            reasons: page.lines().filter_map(entry).collect(),
        }
    }

    /// Whether the line `id` of `set` is known to differ.
    pub fn contains(&self, set: &str, id: &str) -> bool {
        self.reasons.contains_key(&(set.to_owned(), id.to_owned()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.reasons.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_list_items_with_a_set_an_id_and_a_reason_count() {
        let page = "# Page\n\n* `config/75`: why\n* `config_mut/cfg-1`\n`globs/2`: no item\n";
        let known = Deviations::parse(page);
        assert_eq!(known.len(), 1);
        assert!(known.contains("config", "75") && !known.contains("globs", "75"));
    }
}
