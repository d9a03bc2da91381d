//! `rules:changes` (reference `compose.md` §2.3) and the older `only:changes`, `except:changes` (§3.4).

use std::rc::Rc;
use std::sync::Arc;

use tidegate_config::{Changes, Text};
use tidegate_glob::TooManyAlternatives;
use tidegate_scenario::{Fact, Why, WorldError};

use crate::change_set::{ChangeSet, Compared};
use crate::trace::{BaseOrigin, ChangesTrace, ChangesVerdict, ExpandedGlob, PathsBase};
use crate::view::View;

/// Judges one clause; the patterns and the base are only kept where `keep`.
pub(crate) fn rule_changes<V: View>(
    clause: &Changes,
    view: &V,
    keep: bool,
) -> Result<ChangesTrace, WorldError> {
    let set = match base(clause, view)? {
        Ok(set) => set,
        Err(message) => {
            return Ok(ChangesTrace {
                globs: Vec::new(),
                base: keep.then(|| described(clause, None)),
                verdict: ChangesVerdict::Error(message),
            });
        }
    };
    let globs = expanded(&clause.paths, view);
    let limit = view.shared().settings.limits.changes_comparisons;
    let verdict = verdict(clause, &set, &globs, limit);
    Ok(ChangesTrace {
        globs: if keep { globs } else { Vec::new() },
        base: keep.then(|| described(clause, Some(&set))),
        verdict,
    })
}

/// Judges `changes` of a policy: nothing is expanded and there is no limit.
pub(crate) fn policy_changes<V: View>(
    paths: &[Text],
    view: &V,
    keep: bool,
) -> Result<ChangesTrace, WorldError> {
    let shared = view.shared();
    let set = shared.changes.of_pipeline(shared.scenario, shared.world)?;
    let globs: Vec<ExpandedGlob> = paths.iter().map(as_written).collect();
    let verdict = match &set.paths {
        Fact::Unknown(why) => ChangesVerdict::Unknown(why.clone()),
        Fact::Known(paths) if paths.is_empty() => ChangesVerdict::NothingChanged,
        Fact::Known(paths) => first_match(&set, &globs, paths.len()),
    };
    Ok(ChangesTrace {
        globs: if keep { globs } else { Vec::new() },
        base: keep.then(|| set.base.clone()),
        verdict,
    })
}

fn as_written(text: &Text) -> ExpandedGlob {
    ExpandedGlob {
        written: text.value.clone(),
        span: text.span,
        expanded: text.value.clone(),
    }
}

/// The paths to look at, or what GitLab says where `compare_to` names no commit.
fn base<V: View>(
    clause: &Changes,
    view: &V,
) -> Result<Result<Rc<ChangeSet>, Arc<str>>, WorldError> {
    let shared = view.shared();
    let Some(written) = &clause.compare_to else {
        let set = shared.changes.of_pipeline(shared.scenario, shared.world)?;
        return Ok(Ok(set));
    };
    let name = view.expanded(&written.value);
    Ok(match shared.changes.compared_to(&name, shared.world)? {
        Compared::Set(set) => Ok(set),
        Compared::NoSuchRef => Err("rules:changes:compare_to is not a valid ref".into()),
    })
}

fn described(clause: &Changes, set: Option<&Rc<ChangeSet>>) -> PathsBase {
    let known = set.map(|set| set.base.clone());
    match &clause.compare_to {
        Some(written) => PathsBase {
            base: known.and_then(|base| base.base),
            origin: BaseOrigin::CompareTo {
                written: written.value.clone(),
                span: written.span,
            },
        },
        None => known.unwrap_or(PathsBase {
            base: None,
            origin: BaseOrigin::NoCommitBefore,
        }),
    }
}

/// The patterns expanded, equal ones once.
pub(crate) fn expanded<V: View>(paths: &[Text], view: &V) -> Vec<ExpandedGlob> {
    let mut globs: Vec<ExpandedGlob> = Vec::with_capacity(paths.len());
    for path in paths {
        let expanded = view.expanded(&path.value);
        if globs.iter().all(|known| known.expanded != expanded) {
            globs.push(ExpandedGlob {
                written: path.value.clone(),
                span: path.span,
                expanded,
            });
        }
    }
    globs
}

/// In GitLab's order: what is unknown wins even over an empty list of patterns.
fn verdict(
    clause: &Changes,
    set: &ChangeSet,
    globs: &[ExpandedGlob],
    limit: usize,
) -> ChangesVerdict {
    let paths = match &set.paths {
        Fact::Unknown(why) => return ChangesVerdict::Unknown(why.clone()),
        Fact::Known(paths) => paths,
    };
    if paths.is_empty() {
        return ChangesVerdict::NothingChanged;
    }
    if clause.regexp.is_some() {
        let why = "`regexp` is switched off in GitLab by default (ci_rules_regexp)";
        return ChangesVerdict::Unknown(Why::NotConfigured(why.to_owned()));
    }
    if globs.is_empty() {
        return ChangesVerdict::NoGlobs;
    }
    if paths.len().saturating_mul(globs.len()) > limit {
        return ChangesVerdict::LimitExceeded {
            changed: paths.len(),
            globs: globs.len(),
        };
    }
    first_match(set, globs, paths.len())
}

fn first_match(set: &ChangeSet, globs: &[ExpandedGlob], changed: usize) -> ChangesVerdict {
    for glob in globs {
        match set.first_match(&glob.expanded) {
            Ok(Some(path)) => {
                return ChangesVerdict::Matched {
                    path,
                    glob: glob.expanded.clone(),
                };
            }
            Ok(None) => {}
            Err(TooManyAlternatives) => {
                let why = format!(
                    "the braces of `{}` stand for too many patterns",
                    glob.written
                );
                return ChangesVerdict::Unknown(Why::Failed(why));
            }
        }
    }
    ChangesVerdict::NoMatch { changed }
}
