//! `include:rules`: whether an entry is active (reference `config.md` §4.4).

use tidegate_expr::{Expression, evaluate, valid_for_config};
use tidegate_glob::{ExistsGlob, Fnmatch};
use tidegate_scenario::{
    ChangedPaths, Comparison, Fact, PathList, PipelineSource, Place, Ref, Why,
};
use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::{Map, Node, Value};

use super::entry::Location;
use super::source::unresolved;
use super::{Context, Includer, Stop};
use crate::merge::key_text;
use crate::nearest::nearest;
use crate::variables;

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
    let rules = checked(rules)?;
    for rule in rules {
        let evaluation = Evaluation {
            includer,
            context,
            rule,
        };
        if evaluation.holds()? {
            let when = rule.get("when").and_then(Node::as_str);
            return Ok(when != Some("never"));
        }
    }
    Ok(false)
}

/// The rules, lists in lists flattened; GitLab tells the first problem only.
fn checked(rules: &Node) -> Result<Vec<&Map>, Diagnostic> {
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
    let mut checked = Vec::with_capacity(flat.len());
    for item in flat {
        let Some(rule) = item.as_map() else {
            return Err(problem("include:rule config should be a hash", item.span));
        };
        check_rule(rule, item.span)?;
        checked.push(rule);
    }
    Ok(checked)
}

fn flatten<'a>(items: &'a [Node], flat: &mut Vec<&'a Node>) {
    for item in items {
        match &item.value {
            Value::Seq(inner) => flatten(inner, flat),
            _ => flat.push(item),
        }
    }
}

fn check_rule(rule: &Map, span: Span) -> Result<(), Diagnostic> {
    if rule.is_empty() {
        return Err(problem("include:rule config can't be blank", span));
    }
    check_keys(rule)?;
    let given = |key: &str| rule.get(key).filter(|node| !node.is_null());
    if let Some(condition) = given("if") {
        let text = condition.as_str().unwrap_or_default();
        if let Err(error) = valid_for_config(text) {
            let message = "include:rule if invalid expression syntax";
            return Err(problem(message, condition.span).note(error.to_string()));
        }
    }
    if let Some(when) = given("when")
        && !matches!(when.as_str(), Some("never" | "always"))
    {
        let shown = crate::ruby::to_s(&when.value, crate::ruby::Keys::Symbols).to_lowercase();
        let message = format!("include:rule when unknown value: {shown}");
        return Err(problem(&message, when.span).note("`when` is `never` or `always` here"));
    }
    if let Some(exists) = given("exists") {
        let expected = "include:rule:exists should be a string, an array of strings, or a hash";
        check_paths(
            exists,
            matches!(exists.value, Value::Str(_)),
            "exists",
            expected,
        )?;
    }
    if let Some(changes) = given("changes") {
        let expected = "include:rule:changes should be an array or a hash";
        check_paths(changes, false, "changes", expected)?;
    }
    Ok(())
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

fn check_paths(node: &Node, is_text: bool, clause: &str, expected: &str) -> Result<(), Diagnostic> {
    let list = match &node.value {
        Value::Seq(_) => node,
        Value::Map(map) => match map.get("paths") {
            Some(paths) if !paths.is_null() => paths,
            _ => {
                let message = format!("include:rule:{clause} config missing required keys: paths");
                return Err(problem(&message, node.span));
            }
        },
        _ if is_text => return Ok(()),
        _ => return Err(problem(expected, node.span)),
    };
    let texts = list.as_seq().is_some_and(|items| {
        items
            .iter()
            .all(|item| matches!(item.value, Value::Str(_) | Value::Symbol(_)))
    });
    if texts {
        return Ok(());
    }
    let message = format!("include:rule:{clause} config should be an array of strings");
    Err(problem(&message, list.span))
}

fn problem(message: &str, span: Span) -> Diagnostic {
    Diagnostic::error("include-rule", message).at(span)
}

struct Evaluation<'a> {
    includer: &'a Includer<'a>,
    context: &'a Context,
    rule: &'a Map,
}

impl Evaluation<'_> {
    fn holds(&self) -> Result<bool, Stop> {
        let given = |key: &str| self.rule.get(key).filter(|node| !node.is_null());
        if let Some(condition) = given("if")
            && !self.condition_holds(condition)
        {
            return Ok(false);
        }
        if let Some(exists) = given("exists")
            && !self.any_exists(exists)?
        {
            return Ok(false);
        }
        match given("changes") {
            Some(changes) => self.any_changed(changes),
            None => Ok(true),
        }
    }

    fn condition_holds(&self, condition: &Node) -> bool {
        Expression::parse(condition.as_str().unwrap_or_default())
            .and_then(|expression| evaluate(&expression, self.includer.variables_of(self.context)))
            .is_ok_and(|value| value.is_present())
    }

    fn expanded(&self, text: &str) -> String {
        variables::expanded_where_known(text, self.includer.variables_of(self.context))
    }

    fn patterns(&self, node: &Node) -> Vec<String> {
        let list = match &node.value {
            Value::Map(map) => map.get("paths"),
            _ => Some(node),
        };
        let items = match list.map(|node| &node.value) {
            Some(Value::Seq(items)) => &**items,
            Some(Value::Str(_)) => list.map(std::slice::from_ref).unwrap_or_default(),
            _ => &[],
        };
        let texts = items.iter().filter_map(Node::as_str);
        texts.map(|text| self.expanded(text)).collect()
    }

    fn any_exists(&self, exists: &Node) -> Result<bool, Stop> {
        let Some(place) = self.exists_place(exists)? else {
            return Ok(false);
        };
        let patterns = self.patterns(exists);
        let tree = match self.includer.world.tree(&place)? {
            Fact::Known(tree) => tree,
            Fact::Unknown(why) => {
                return Err(unresolved("`include:rules:exists`", &why, exists.span).into());
            }
        };
        let globs: Vec<ExistsGlob> = patterns
            .iter()
            .filter_map(|pattern| ExistsGlob::new(pattern).ok())
            .collect();
        let compared = globs
            .iter()
            .filter(|glob| matches!(glob, ExistsGlob::Pattern(_)));
        let any = |paths: &PathList| {
            let paths = paths.as_slice();
            paths
                .iter()
                .any(|path| globs.iter().any(|glob| glob.matches(path)))
        };
        Ok(compared.count().saturating_mul(tree.len()) > MOST_COMPARISONS || any(&tree))
    }

    /// Whose files are meant: those of the including file, or of `exists:project`.
    fn exists_place(&self, exists: &Node) -> Result<Option<Place>, Stop> {
        let map = exists.as_map();
        let text = |key: &str| map.and_then(|map| map.get(key)).and_then(Node::as_str);
        let Some(project) = text("project") else {
            return Ok(self.context.place.clone());
        };
        let path = self.expanded(project).to_lowercase();
        let world = self.includer.world;
        let facts = match world.project(&path)? {
            Fact::Known(facts) => facts,
            Fact::Unknown(why) => {
                let what = format!("`include:rules:exists:project` {path}");
                return Err(unresolved(&what, &why, exists.span).into());
            }
        };
        let shown = |text: &str| super::shown(text, self.includer.variables_of(self.context));
        let Some(facts) = facts else {
            let path = shown(&path);
            let message = format!("rules:exists:project `{path}` not found or access denied");
            return Err(problem(&message, exists.span).into());
        };
        let reference = text("ref").map(|name| self.expanded(name));
        let reference = reference.unwrap_or(facts.default_branch);
        match world.revision(Some(&path), &reference)? {
            Fact::Known(Some(sha)) => Ok(Some(Place::Project { path, sha })),
            Fact::Known(None) => {
                let message = format!(
                    "rules:exists:ref `{}` is not a valid ref in project `{}`",
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

    fn any_changed(&self, changes: &Node) -> Result<bool, Stop> {
        // What cannot be determined counts as changed.
        let Some(changed) = self.changed_paths(changes)? else {
            return Ok(true);
        };
        let patterns = self.patterns(changes);
        if changed.len().saturating_mul(patterns.len()) > MOST_COMPARISONS {
            return Ok(true);
        }
        let globs: Vec<Fnmatch> = patterns
            .iter()
            .filter_map(|pattern| Fnmatch::new(pattern).ok())
            .collect();
        let mut paths = changed.as_slice().iter();
        Ok(paths.any(|path| globs.iter().any(|glob| glob.matches(path))))
    }

    /// Changed paths of the pipeline or against `compare_to`; `None`: GitLab cannot tell (reference `compose.md` §2.3).
    fn changed_paths(&self, changes: &Node) -> Result<Option<PathList>, Stop> {
        let scenario = self.includer.scenario;
        let compare_to = changes
            .as_map()
            .and_then(|map| map.get("compare_to"))
            .and_then(Node::as_str);
        let query = match compare_to {
            Some(name) => self.comparison(&self.expanded(name), changes.span)?,
            None => match &scenario.overrides.changed_paths {
                Some(stated) => {
                    let paths = stated.as_ref();
                    return Ok(paths.map(|paths| paths.iter().map(String::as_str).collect()));
                }
                None => match self.pipeline_comparison() {
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

    fn comparison(&self, name: &str, span: Span) -> Result<ChangedPaths, Stop> {
        match self.includer.world.revision(None, name)? {
            Fact::Known(Some(base)) => Ok(ChangedPaths {
                base,
                comparison: Comparison::MergeBase,
            }),
            Fact::Known(None) => {
                let message = "rules:changes:compare_to is not a valid ref";
                Err(problem(message, span).into())
            }
            Fact::Unknown(why) => {
                let what = format!("`include:rules:changes:compare_to` {name}");
                Err(unresolved(&what, &why, span).into())
            }
        }
    }

    fn pipeline_comparison(&self) -> Option<ChangedPaths> {
        let scenario = self.includer.scenario;
        match &scenario.git_ref {
            Ref::MergeRequest(request) => Some(ChangedPaths {
                base: request.target_branch.clone(),
                comparison: Comparison::MergeBase,
            }),
            Ref::Branch(_) if !scenario.new_branch => {
                let pushed = matches!(
                    scenario.source,
                    PipelineSource::Push | PipelineSource::ParentPipeline
                );
                let before = scenario.commit.before_sha.clone().filter(|_| pushed)?;
                Some(ChangedPaths {
                    base: before,
                    comparison: Comparison::Direct,
                })
            }
            _ => None,
        }
    }
}
