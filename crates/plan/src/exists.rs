//! `rules:exists` (reference `compose.md` §2.4): files of the tree, never of the work directory or of artifacts.

use std::sync::Arc;

use tidegate_config::Exists;
use tidegate_expr::Variables;
use tidegate_glob::{ExistsGlob, lists_root_only};
use tidegate_scenario::{Fact, Place, Why, WorldError};

use crate::changes::expanded;
use crate::file_set::{FileSet, compiled};
use crate::trace::{ExistsHow, ExistsTrace, ExistsVerdict, ExpandedGlob};
use crate::view::View;

/// Judges one clause; the patterns are only kept where `keep`.
pub(crate) fn rule_exists<V: View>(
    clause: &Exists,
    view: &V,
    keep: bool,
) -> Result<ExistsTrace, WorldError> {
    let without_place = |verdict| {
        Ok(ExistsTrace {
            globs: Vec::new(),
            place: None,
            verdict,
        })
    };
    if clause.paths.is_empty() && clause.regexp.is_none() {
        return without_place(ExistsVerdict::NoGlobs);
    }
    let place = match place(clause, view)? {
        Found::Place(place) => place,
        Found::Unknown(why) => return without_place(ExistsVerdict::Unknown(why)),
        Found::Error(message) => return without_place(ExistsVerdict::Error(message)),
    };
    let shared = view.shared();
    let files = shared.files.of(&place, shared.world)?;
    let globs = expanded(&clause.paths, view);
    let verdict = if let Fact::Unknown(why) = &files.files {
        ExistsVerdict::Unknown(why.clone())
    } else if clause.regexp.is_some() {
        let why = "`regexp` is switched off in GitLab by default (ci_rules_regexp)";
        ExistsVerdict::Unknown(Why::NotConfigured(why.to_owned()))
    } else {
        verdict(&files, &globs, shared.settings.limits.exists_comparisons)
    };
    Ok(ExistsTrace {
        globs: if keep { globs } else { Vec::new() },
        place: Some(place),
        verdict,
    })
}

enum Found {
    Place(Place),
    Unknown(Why),
    Error(Arc<str>),
}

fn place<V: View>(clause: &Exists, view: &V) -> Result<Found, WorldError> {
    let Some(written) = &clause.project else {
        return Ok(Found::Place(Place::Here));
    };
    let world = view.shared().world;
    let shown = view.expanded(&written.value);
    let path = shown.to_lowercase();
    let project = match world.project(&path)? {
        Fact::Known(Some(project)) => project,
        Fact::Unknown(why) => return Ok(Found::Unknown(why)),
        Fact::Known(None) => {
            let shown = masked(&shown, view.every_variable());
            let text = format!("rules:exists:project `{shown}` not found or access denied");
            return Ok(Found::Error(text.into()));
        }
    };
    let name: Arc<str> = match &clause.reference {
        Some(written) => view.expanded(&written.value),
        None => project.default_branch.into(),
    };
    Ok(match world.revision(Some(&path), &name)? {
        Fact::Known(Some(sha)) => Found::Place(Place::Project { path, sha }),
        Fact::Unknown(why) => Found::Unknown(why),
        Fact::Known(None) => {
            let (name, shown) = (
                masked(&name, view.every_variable()),
                masked(&shown, view.every_variable()),
            );
            let text = format!("rules:exists:ref `{name}` is not a valid ref in project `{shown}`");
            Found::Error(text.into())
        }
    })
}

/// `text` without the values of masked variables: `[MASKED]`, then an `x` for each character beyond the eighth.
fn masked(text: &str, variables: &Variables) -> String {
    let mut shown = text.to_owned();
    for variable in variables.iter().filter(|variable| variable.masked) {
        let Some(value) = variable.value.as_deref().filter(|value| !value.is_empty()) else {
            continue;
        };
        let rest = value.chars().count().saturating_sub("[MASKED]".len());
        shown = shown.replace(value, &format!("[MASKED]{}", "x".repeat(rest)));
    }
    shown
}

/// Exact patterns first, then extensions, then the rest, which alone are limited.
fn verdict(files: &FileSet, globs: &[ExpandedGlob], limit: usize) -> ExistsVerdict {
    let root_only = lists_root_only(globs.iter().map(|glob| &*glob.expanded));
    let mut classified = Vec::with_capacity(globs.len());
    for glob in globs {
        match compiled(&glob.expanded) {
            Ok(compiled) => classified.push((class(&compiled), &glob.expanded, compiled)),
            Err(_) => {
                let why = format!(
                    "the braces of `{}` stand for too many patterns",
                    glob.written
                );
                return ExistsVerdict::Unknown(Why::Failed(why));
            }
        }
    }
    classified.sort_by_key(|(class, _, _)| rank(*class));
    let listed = files.listing(root_only).len();
    let patterns = classified
        .iter()
        .filter(|(class, _, _)| *class == ExistsHow::Pattern)
        .count();
    for (class, text, glob) in &classified {
        if *class == ExistsHow::Pattern && listed.saturating_mul(patterns) > limit {
            return ExistsVerdict::LimitExceeded {
                files: listed,
                globs: patterns,
            };
        }
        if let Some(path) = files.first_match(root_only, text, glob) {
            return ExistsVerdict::Matched {
                glob: (*text).clone(),
                path,
                how: *class,
            };
        }
    }
    ExistsVerdict::NoMatch { files: listed }
}

fn class(glob: &ExistsGlob) -> ExistsHow {
    match glob {
        ExistsGlob::Exact(_) => ExistsHow::Exact,
        ExistsGlob::Directory(_) => ExistsHow::Directory,
        ExistsGlob::Extension(_) => ExistsHow::Extension,
        ExistsGlob::Pattern(_) => ExistsHow::Pattern,
    }
}

fn rank(class: ExistsHow) -> u8 {
    match class {
        ExistsHow::Exact | ExistsHow::Directory => 0,
        ExistsHow::Extension => 1,
        ExistsHow::Pattern => 2,
    }
}
