//! `include:rules`: whether an entry is active (reference `config.md` §4.4).

use std::sync::Arc;

use tidegate_expr::{Expression, evaluate, valid_for_config};
use tidegate_glob::{ExistsGlob, Fnmatch, TooManyAlternatives, lists_root_only};
use tidegate_scenario::{
    ChangedPaths, Comparison, Fact, PathList, PipelineSource, Place, Ref, Why,
};
use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::{Map, Node, Value};

use super::entry::Location;
use super::source::unresolved;
use super::{Context, Includer, Stop};
use crate::keyword::rules_files;
use crate::merge::key_text;
use crate::nearest::nearest;
use crate::settings::Settings;
use crate::{Changes, Exists, Text, typed, variables};

const KEYS: [&str; 4] = ["if", "exists", "changes", "when"];

/// With more comparisons than this GitLab stops and takes the clause to hold.
const MOST_COMPARISONS: usize = 50_000;

/// Whether the entry is included: the first rule that matches decides, none leaves it out.
pub(super) fn is_active(
    includer: &Includer<'_>,
    location: &Location,
    context: &Context,
) -> Result<bool, Stop> {
    let Some(rules) = location.params.get("rules") else {
        return Ok(true);
    };
    if matches!(rules.value, Value::Null | Value::Bool(false)) {
        return Ok(true);
    }
    let evaluation = Evaluation { includer, context };
    for rule in checked(rules, includer.settings)? {
        if evaluation.holds(&rule.clauses)? {
            return Ok(!rule.is_never);
        }
    }
    Ok(false)
}

/// One rule, its clauses in the order they were written, which is the order they are judged in.
struct Rule {
    clauses: Vec<Clause>,
    is_never: bool,
}

enum Clause {
    If(Arc<Expression>),
    Exists(Exists),
    Changes(Changes),
}

/// The rules, lists in lists flattened; GitLab tells the first problem only.
fn checked(rules: &Node, settings: &Settings) -> Result<Vec<Rule>, Diagnostic> {
    let is_empty = match &rules.value {
        Value::Seq(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
        Value::Str(text) => text.trim().is_empty(),
        _ => false,
    };
    if is_empty {
        return Err(problem("include:rules config can't be blank", rules.span));
    }
    let Some(items) = rules.as_seq() else {
        return Err(problem(
            "include:rules config should be an array",
            rules.span,
        ));
    };
    let mut flat = Vec::new();
    flatten(items, &mut flat);
    let mut cx = typed::Context::new(settings);
    flat.into_iter()
        .map(|item| match item.as_map() {
            Some(map) => checked_rule(&mut cx, map, item.span),
            None => Err(problem("include:rule config should be a hash", item.span)),
        })
        .collect()
}

fn flatten<'a>(items: &'a [Node], flat: &mut Vec<&'a Node>) {
    for item in items {
        match &item.value {
            Value::Seq(inner) => flatten(inner, flat),
            _ => flat.push(item),
        }
    }
}

fn checked_rule(cx: &mut typed::Context<'_>, rule: &Map, span: Span) -> Result<Rule, Diagnostic> {
    if rule.is_empty() {
        return Err(problem("include:rule config can't be blank", span));
    }
    check_keys(rule)?;
    let given = |key: &str| rule.get(key).filter(|node| !node.is_null());
    let condition = given("if").map(checked_condition).transpose()?;
    if let Some(when) = given("when")
        && !matches!(when.as_str(), Some("never" | "always"))
    {
        let shown = crate::ruby::to_s(&when.value, crate::ruby::Keys::Symbols).to_lowercase();
        let message = format!("include:rule when unknown value: {shown}");
        return Err(problem(&message, when.span).note("`when` is `never` or `always` here"));
    }
    let include = typed::Place::top("include");
    let place = include.child("rule");
    let mut faults = Vec::new();
    let changes = given("changes")
        .and_then(|node| rules_files::changes(cx, &place, node, &mut faults))
        .map(Clause::Changes);
    let exists = given("exists")
        .and_then(|node| rules_files::exists(cx, &place, node, &mut faults))
        .map(Clause::Exists);
    if let Some(first) = faults.into_iter().next() {
        return Err(first);
    }
    let mut clauses: Vec<_> = [("if", condition), ("exists", exists), ("changes", changes)]
        .into_iter()
        .filter_map(|(key, clause)| {
            Some((
                rule.iter().position(|(it, _)| it.as_str() == Some(key))?,
                clause?,
            ))
        })
        .collect();
    clauses.sort_by_key(|(written, _)| *written);
    Ok(Rule {
        clauses: clauses.into_iter().map(|(_, clause)| clause).collect(),
        is_never: given("when").and_then(Node::as_str) == Some("never"),
    })
}

fn checked_condition(node: &Node) -> Result<Clause, Diagnostic> {
    valid_for_config(node.as_str().unwrap_or_default())
        .map(|expression| Clause::If(Arc::new(expression)))
        .map_err(|error| {
            let message = "include:rule if invalid expression syntax";
            problem(message, node.span).note(error.to_string())
        })
}

fn check_keys(rule: &Map) -> Result<(), Diagnostic> {
    let unknown: Vec<_> = rule
        .iter()
        .map(|(key, _)| key)
        .filter(|key| !key.as_str().is_some_and(|key| KEYS.contains(&key)))
        .collect();
    let Some(first) = unknown.first() else {
        return Ok(());
    };
    let names: Vec<_> = unknown.iter().map(|key| key_text(key)).collect();
    let list = names.join(", ").to_lowercase();
    let message = format!("include:rule config contains unknown keys: {list}");
    let wrong = problem(&message, first.span);
    Err(match nearest(&key_text(first), KEYS) {
        Some(near) => wrong.suggest(format!("did you mean `{near}`?"), first.span, near),
        None => wrong,
    })
}

fn problem(message: &str, span: Span) -> Diagnostic {
    Diagnostic::error("include-rule", message).at(span)
}

struct Evaluation<'a> {
    includer: &'a Includer<'a>,
    context: &'a Context,
}

impl Evaluation<'_> {
    fn holds(&self, clauses: &[Clause]) -> Result<bool, Stop> {
        for clause in clauses {
            let holds = match clause {
                Clause::If(condition) => self.condition_holds(condition),
                Clause::Exists(exists) => self.any_exists(exists)?,
                Clause::Changes(changes) => self.any_changed(changes)?,
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn condition_holds(&self, condition: &Expression) -> bool {
        evaluate(condition, self.includer.variables_of(self.context))
            .is_ok_and(|value| value.is_present())
    }

    /// References replaced by values with their own references replaced; unknown ones stay.
    fn expanded(&self, text: &Text) -> String {
        variables::expanded_deeply_where_known(
            &text.value,
            self.includer.variables_of(self.context),
        )
    }

    fn patterns(&self, paths: &[Text]) -> Vec<String> {
        let mut patterns: Vec<_> = paths.iter().map(|path| self.expanded(path)).collect();
        patterns.sort_unstable();
        patterns.dedup();
        patterns
    }

    fn any_exists(&self, exists: &Exists) -> Result<bool, Stop> {
        if exists.paths.is_empty() {
            return Ok(false);
        }
        let Some(place) = self.exists_place(exists)? else {
            return Ok(false);
        };
        let patterns = self.patterns(&exists.paths);
        let tree = match self.includer.world.tree(&place)? {
            Fact::Known(tree) => tree,
            Fact::Unknown(why) => {
                return Err(unresolved("`include:rules:exists`", &why, exists.span).into());
            }
        };
        let root_only = lists_root_only(patterns.iter().map(String::as_str));
        let globs: Vec<ExistsGlob> = compiled(&patterns, ExistsGlob::new, exists.span)?;
        let compared = globs
            .iter()
            .filter(|glob| matches!(glob, ExistsGlob::Pattern(_)))
            .count();
        let paths = tree.as_slice().iter();
        let paths: Vec<_> = paths
            .filter(|path| !root_only || !path.contains('/'))
            .collect();
        if compared.saturating_mul(paths.len()) > MOST_COMPARISONS {
            return Ok(true);
        }
        let mut globs = globs.iter();
        Ok(globs.any(|glob| paths.iter().any(|path| glob.matches(path))))
    }

    /// Whose files are meant: those of the including file, or of `exists:project`.
    fn exists_place(&self, exists: &Exists) -> Result<Option<Place>, Stop> {
        let Some(project) = &exists.project else {
            return Ok(self.context.place.clone());
        };
        let written = self.expanded(project);
        let path = written.to_lowercase();
        let world = self.includer.world;
        let facts = match world.project(&path)? {
            Fact::Known(facts) => facts,
            Fact::Unknown(why) => {
                let what = format!("`include:rules:exists:project` {path}");
                return Err(unresolved(&what, &why, exists.span).into());
            }
        };
        let shown = |text: &str| super::shown(text, self.includer.variables_of(self.context));
        let own = &self.includer.scenario.project;
        let (project, default_branch) = match facts {
            Some(facts) => (Some(path.as_str()), facts.default_branch),
            // The pipeline's own project is known even where the world knows no others.
            None if own.path.to_lowercase() == path => (None, own.default_branch.clone()),
            None => {
                let written = shown(&written);
                let message =
                    format!("include:rules:exists:project `{written}` not found or access denied");
                return Err(problem(&message, exists.span).into());
            }
        };
        let reference = exists.reference.as_ref().map(|name| self.expanded(name));
        let reference = reference.unwrap_or(default_branch);
        match world.revision(project, &reference)? {
            Fact::Known(Some(sha)) => Ok(Some(Place::Project { path, sha })),
            Fact::Known(None) => {
                let message = format!(
                    "include:rules:exists:ref `{}` is not a valid ref in project `{}`",
                    shown(&reference),
                    shown(&path)
                );
                Err(problem(&message, exists.span).into())
            }
            Fact::Unknown(why) => {
                let what = format!("`include:rules:exists:ref` {reference} of {path}");
                Err(unresolved(&what, &why, exists.span).into())
            }
        }
    }

    fn any_changed(&self, changes: &Changes) -> Result<bool, Stop> {
        // What cannot be determined counts as changed.
        let Some(changed) = self.changed_paths(changes)? else {
            return Ok(true);
        };
        let patterns = self.patterns(&changes.paths);
        if changed.len().saturating_mul(patterns.len()) > MOST_COMPARISONS {
            return Ok(true);
        }
        let globs: Vec<Fnmatch> = compiled(&patterns, Fnmatch::new, changes.span)?;
        let mut paths = changed.as_slice().iter();
        Ok(paths.any(|path| globs.iter().any(|glob| glob.matches(path))))
    }

    /// Changed paths of the pipeline or against `compare_to`; `None`: GitLab cannot tell (reference `compose.md` §2.3).
    fn changed_paths(&self, changes: &Changes) -> Result<Option<PathList>, Stop> {
        let scenario = self.includer.scenario;
        let query = match &changes.compare_to {
            Some(name) => {
                let found = self.comparison(&self.expanded(name), changes.span)?;
                let Some(query) = found else {
                    let message = "include:rules:changes:compare_to is not a valid ref";
                    return Err(problem(message, changes.span).into());
                };
                query
            }
            None => match &scenario.overrides.changed_paths {
                Some(stated) => {
                    let paths = stated.as_ref();
                    return Ok(paths.map(|paths| paths.iter().map(String::as_str).collect()));
                }
                None => match self.pipeline_comparison(changes.span)? {
                    Some(query) => query,
                    None => return Ok(None),
                },
            },
        };
        match self.includer.world.changed_paths(&query)? {
            Fact::Known(paths) => Ok(Some(paths)),
            Fact::Unknown(Why::NotApplicable(_)) => Ok(None),
            Fact::Unknown(why) => {
                Err(unresolved("`include:rules:changes`", &why, changes.span).into())
            }
        }
    }

    /// What differs from the merge base with `name`; `None` where no commit has this name.
    fn comparison(&self, name: &str, span: Span) -> Result<Option<ChangedPaths>, Stop> {
        match self.includer.world.revision(None, name)? {
            Fact::Known(found) => Ok(found.map(|base| ChangedPaths {
                base,
                comparison: Comparison::MergeBase,
            })),
            Fact::Unknown(why) => {
                let what = format!("`include:rules:changes` against {name}");
                Err(unresolved(&what, &why, span).into())
            }
        }
    }

    fn pipeline_comparison(&self, span: Span) -> Result<Option<ChangedPaths>, Stop> {
        let scenario = self.includer.scenario;
        let comparison = match (&scenario.git_ref, scenario.source) {
            (Ref::MergeRequest(request), _) => {
                return self.comparison(&request.target_branch, span);
            }
            (Ref::Branch(_), _) if scenario.new_branch => return Ok(None),
            (Ref::Branch(_), PipelineSource::Push | PipelineSource::ParentPipeline) => {
                Comparison::Direct
            }
            (Ref::Branch(_), PipelineSource::ExternalPullRequestEvent) => Comparison::MergeBase,
            _ => return Ok(None),
        };
        let before = scenario.commit.before_sha.clone();
        Ok(before.map(|base| ChangedPaths { base, comparison }))
    }
}

fn compiled<G>(
    patterns: &[String],
    compile: impl Fn(&str) -> Result<G, TooManyAlternatives>,
    span: Span,
) -> Result<Vec<G>, Stop> {
    let globs = patterns.iter().map(|pattern| {
        compile(pattern).map_err(|TooManyAlternatives| {
            let why = Why::Failed("its braces stand for too many patterns".to_owned());
            unresolved(&format!("`{pattern}` in `include:rules`"), &why, span).into()
        })
    });
    globs.collect()
}
