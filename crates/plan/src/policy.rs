//! Judges `only`, `except` and our forms of them (reference `compose.md` §3, `extensions.md` §3).

use tidegate_config::{Policy, PolicyKind, RefPattern};
use tidegate_expr::{Environment, NoInputs, Value, evaluate_traced, evaluate_with};
use tidegate_scenario::{Ref, Scenario, WorldError};

use crate::changes::policy_changes;
use crate::rules::changes_outcome;
use crate::trace::{PolicyAtom, PolicyTrial, RefTrial};
use crate::view::View;

/// Whether a policy's conditions together hold; its trace where `keep`.
pub(crate) fn judge_policy<V: View>(
    policy: &Policy,
    view: &V,
    keep: bool,
) -> Result<(bool, Option<PolicyTrial>), WorldError> {
    let conjunction = matches!(
        policy.kind,
        PolicyKind::Only | PolicyKind::OnlyAnd | PolicyKind::ExceptAnd
    );
    let mut atoms = Vec::new();
    let mut holds = conjunction;
    for which in Which::ALL {
        // Without a listener the first condition that decides ends it.
        if !keep && holds != conjunction {
            break;
        }
        let Some((atom_holds, atom)) = judge_atom(which, policy, view, keep)? else {
            continue;
        };
        atoms.extend(atom);
        holds = if conjunction {
            holds && atom_holds
        } else {
            holds || atom_holds
        };
    }
    let trial = keep.then(|| PolicyTrial {
        keyword: keyword(policy.kind),
        span: policy.span,
        atoms,
        holds,
    });
    Ok((holds, trial))
}

/// The keyword's word.
pub(crate) fn keyword(kind: PolicyKind) -> &'static str {
    match kind {
        PolicyKind::Only => "only",
        PolicyKind::OnlyAnd => "only_and",
        PolicyKind::OnlyOr => "only_or",
        PolicyKind::Except => "except",
        PolicyKind::ExceptAnd => "except_and",
        PolicyKind::ExceptOr => "except_or",
    }
}

#[derive(Clone, Copy)]
enum Which {
    Refs,
    Variables,
    Kubernetes,
    Changes,
}

impl Which {
    /// `changes` last: it is the only one that may have to ask the world.
    const ALL: [Which; 4] = [
        Which::Refs,
        Which::Variables,
        Which::Kubernetes,
        Which::Changes,
    ];
}

/// `None` where the condition is not written.
fn judge_atom<V: View>(
    which: Which,
    policy: &Policy,
    view: &V,
    keep: bool,
) -> Result<Option<(bool, Option<PolicyAtom>)>, WorldError> {
    let scenario = view.shared().scenario;
    Ok(match which {
        Which::Refs => policy.refs.as_ref().map(|patterns| {
            let holds = patterns.iter().any(|one| ref_matches(one, scenario));
            let trial = |one: &RefPattern| RefTrial {
                text: one.text.value.clone(),
                span: one.text.span,
                holds: ref_matches(one, scenario),
            };
            let atom = keep.then(|| PolicyAtom::Refs {
                patterns: patterns.iter().map(trial).collect(),
                default: policy.default_refs,
                holds,
            });
            (holds, atom)
        }),
        Which::Variables => policy.variables.as_ref().map(|expressions| {
            let environment = Environment {
                variables: view.lookup(),
                inputs: &NoInputs,
            };
            if !keep {
                let holds = expressions.iter().any(|(_, expression)| {
                    evaluate_with(expression, environment, &mut ())
                        .is_ok_and(|value| Value::is_present(&value))
                });
                return (holds, None);
            }
            let mut tried = Vec::new();
            for (_, expression) in expressions {
                let tree = evaluate_traced(expression, environment);
                let holds = tree.holds();
                tried.push(tree);
                if holds {
                    break;
                }
            }
            let holds = tried.last().is_some_and(|tree| tree.holds());
            let atom = PolicyAtom::Variables {
                expressions: tried,
                holds,
            };
            (holds, Some(atom))
        }),
        Which::Kubernetes => policy.kubernetes.then(|| {
            let holds = scenario.project.kubernetes_active;
            (holds, keep.then_some(PolicyAtom::Kubernetes { holds }))
        }),
        Which::Changes => match &policy.changes {
            None => None,
            Some(paths) => {
                let trace = policy_changes(paths, view, keep)?;
                let holds = changes_outcome(&trace.verdict).holds();
                Some((holds, keep.then_some(PolicyAtom::Changes(trace))))
            }
        },
    })
}

/// Whether a pattern of `refs` matches the pipeline (reference `compose.md` §3.3).
pub(crate) fn ref_matches(pattern: &RefPattern, scenario: &Scenario) -> bool {
    if let Some(project) = &pattern.project
        && **project != *scenario.project.path
    {
        return false;
    }
    let text = &*pattern.pattern;
    let name = match &scenario.git_ref {
        Ref::Tag(_) if text == "tags" => return true,
        Ref::Branch(_) if text == "branches" => return true,
        Ref::Tag(name) | Ref::Branch(name) => Some(name.as_str()),
        Ref::MergeRequest(_) => None,
    };
    if names_source(text, scenario) {
        return true;
    }
    match name {
        None | Some("") => false,
        Some(name) => match &pattern.regex {
            Some(regex) => regex.is_match(name),
            None => text == name,
        },
    }
}

/// The source's name without a trailing `_event`, or its plural.
fn names_source(text: &str, scenario: &Scenario) -> bool {
    let source = scenario.source.name();
    let source = source.strip_suffix("_event").unwrap_or(source);
    text == source || plural_is(source, text)
}

/// Whether `text` is the plural of `source`, as Ruby on Rails forms it for these words.
pub(crate) fn plural_is(source: &str, text: &str) -> bool {
    if source.ends_with("sh") || source.ends_with('x') {
        return text.strip_suffix("es") == Some(source);
    }
    if let Some(stem) = source.strip_suffix('y') {
        return text.strip_suffix("ies") == Some(stem);
    }
    text.strip_suffix('s') == Some(source)
}
