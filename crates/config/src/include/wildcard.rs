//! Wildcards of `include:local` (reference `config.md` §4.5).

use tidegate_scenario::{Fact, Place};
use regex::Regex;

use super::entry::Location;
use super::source::{no_project, unresolved};
use super::{Context, Includer, Stop};

/// The pattern of a `local` that holds a `*`.
pub(super) fn pattern_of(location: &Location) -> Option<String> {
    let local = location.params.get("local")?.as_str()?;
    local.contains('*').then(|| local.to_owned())
}

/// The whole path a pattern describes: only `*`, `**` and `**/` are special.
fn compiled(pattern: &str) -> Option<Regex> {
    let mut text = regex::escape(pattern);
    for (special, meaning) in [
        (r"\*\*/", "\u{0}"),
        (r"\*\*", "\u{1}"),
        (r"\*", "[^/]*?"),
        ("\u{0}", "(.*?/)?"),
        ("\u{1}", ".*?"),
    ] {
        text = text.replace(special, meaning);
    }
    Regex::new(&format!("^(?s:{text})$")).ok()
}

impl Includer<'_> {
    /// Files of the including file's project that match, sorted, without those an earlier list loaded.
    pub(super) fn matching_files(
        &self,
        pattern: &str,
        location: &Location,
        context: &Context,
    ) -> Result<Vec<String>, Stop> {
        let Some(place) = &context.place else {
            return Err(no_project(pattern, location.span).into());
        };
        let Some(regex) = compiled(pattern) else {
            return Ok(Vec::new());
        };
        let tree = match self.world.tree(place)? {
            Fact::Known(tree) => tree,
            Fact::Unknown(why) => {
                let what = format!("`include:local` {pattern}");
                return Err(unresolved(&what, &why, location.span).into());
            }
        };
        let is_new = |path: &str| {
            let key: (Place, String) = (place.clone(), path.to_owned());
            !self.local_files.contains(&key)
        };
        Ok(tree
            .as_slice()
            .iter()
            .filter(|path| regex.is_match(path) && is_new(path))
            .map(|path| path.to_string())
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, path: &str, expected: bool) {
        let regex = compiled(pattern).expect("compiles");
        assert_eq!(regex.is_match(path), expected, "{pattern} {path}");
    }

    #[test]
    fn stars_stay_in_a_folder_and_double_stars_do_not() {
        check("d/*.yml", "d/a.yml", true);
        check("d/*.yml", "d/e/a.yml", false);
        check("d/**.yml", "d/e/a.yml", true);
        check("**/*.yml", "a.yml", true);
        check("d/**/*.yml", "d/a.yml", true);
        check("d/**/*.yml", "d/e/f/a.yml", true);
        check("*.yml", "d/a.yml", false);
    }

    #[test]
    fn everything_else_is_literal() {
        check("d/[a]?*.yml", "d/a1.yml", false);
        check("d/[a]?*.yml", "d/[a]?1.yml", true);
        check("/d/*.yml", "d/a.yml", false);
    }
}
