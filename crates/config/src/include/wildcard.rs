//! Wildcards of `include:local` (reference `config.md` §4.5).

use tidegate_glob::Wildcard;
use tidegate_scenario::{Fact, Place};

use super::entry::Location;
use super::source::{no_project, unresolved};
use super::{Context, Includer, Stop};

/// The pattern of a `local` that holds a `*`.
pub(super) fn pattern_of(location: &Location) -> Option<Wildcard> {
    if location.is_of_project() {
        return None;
    }
    let local = location.params.get("local")?.as_str()?;
    Wildcard::is_wildcard(local).then(|| Wildcard::new(local))
}

impl Includer<'_> {
    /// Files of the including file's project that match, sorted, without those an earlier list loaded.
    pub(super) fn matching_files(
        &self,
        pattern: &Wildcard,
        location: &Location,
        context: &Context,
    ) -> Result<Vec<String>, Stop> {
        let Some(place) = &context.place else {
            return Err(no_project(pattern.pattern(), location.span).into());
        };
        let tree = match self.world.tree(place)? {
            Fact::Known(tree) => tree,
            Fact::Unknown(why) => {
                let what = format!("`include:local` {}", pattern.pattern());
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
            .filter(|path| pattern.matches(path) && is_new(path))
            .map(|path| path.to_string())
            .collect())
    }
}
