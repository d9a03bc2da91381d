//! `only`, `except` and our forms of them as `rules` that decide the same (reference `extensions.md` §3).
//!
//! A pure function of what is written: it knows neither situation nor world. Exporting writes its result; a property test
//! holds it against judging the policies themselves.

use std::sync::Arc;

use tidegate_config::{
    AllowFailureSpec, Changes, Clause, IfClause, JobBody, Policy, PolicyKind, RefPattern, Rule,
    RuleWhen, Spanned, Text,
};
use tidegate_expr::{BinaryOperator, Expression, NodeId, NodeKind};
use tidegate_pipeline::When;
use tidegate_scenario::PipelineSource;
use tidegate_source::Span;

use crate::policy::plural_is;

/// Most entries of `changes` in one rule; policies have no limit.
const MOST_CHANGES: usize = 50;

/// A policy that no rules can express.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotLowerable {
    /// An expression would be longer than GitLab allows, however it is split.
    ExpressionTooLong {
        /// The expression.
        text: String,
    },
    /// A text with both kinds of quotes cannot stand in an expression.
    Quotes {
        /// The text.
        text: String,
    },
}

/// The rules that let a job in exactly where its policies do, with every attribute they would change stated.
///
/// Empty for a job without policies, which needs no rules. The job's own `when`, `start_in` and `allow_failure` move into the rules
/// that let it in, since their defaults differ there (reference `compose.md` §2.2).
///
/// # Errors
/// A policy cannot be written as an expression.
pub fn lowered(body: &JobBody) -> Result<Vec<Rule>, NotLowerable> {
    if body.only.is_none() && body.except.is_none() {
        return Ok(Vec::new());
    }
    let mut rules = Vec::new();
    if let Some(except) = &body.except {
        let conjunction = except.kind == PolicyKind::ExceptAnd;
        let never = || Rule {
            when: Some(Spanned::default_value(RuleWhen::Never)),
            ..plain()
        };
        lower(except, conjunction, &never, &mut rules)?;
    }
    let enter = || entering(body);
    match &body.only {
        None => rules.push(enter()),
        Some(only) => {
            let conjunction = only.kind != PolicyKind::OnlyOr;
            lower(only, conjunction, &enter, &mut rules)?;
        }
    }
    Ok(rules)
}

fn plain() -> Rule {
    Rule {
        span: Span::NONE,
        clauses: Vec::new(),
        when: None,
        start_in: None,
        allow_failure: None,
        variables: Vec::new(),
        needs: None,
        interruptible: None,
        auto_cancel: Default::default(),
    }
}

/// A rule that lets the job in as its policies would.
fn entering(body: &JobBody) -> Rule {
    let when = body.when.map_or(When::OnSuccess, |when| when.value);
    let allow_failure = match body.allow_failure.as_ref().map(|allowed| &allowed.value) {
        Some(AllowFailureSpec::Always(value)) => Some(*value),
        // A rule's value would erase the exit codes.
        Some(AllowFailureSpec::ExitCodes(_)) => None,
        None => (when == When::Manual).then_some(true),
    };
    Rule {
        when: Some(Spanned::default_value(RuleWhen::When(when))),
        start_in: body.start_in.as_deref().cloned(),
        allow_failure: allow_failure.map(Spanned::default_value),
        ..plain()
    }
}

/// The conditions of one policy, each an alternative of texts; `None` where it is not written.
struct Conditions<'p> {
    /// Of `refs`, `variables` and `kubernetes`: an OR each.
    expressions: Vec<Vec<String>>,
    changes: Option<&'p [Text]>,
}

fn lower(
    policy: &Policy,
    conjunction: bool,
    rule: &dyn Fn() -> Rule,
    out: &mut Vec<Rule>,
) -> Result<(), NotLowerable> {
    let conditions = conditions(policy)?;
    if conjunction {
        lower_all(&conditions, rule, out)
    } else {
        lower_any(&conditions, rule, out)
    }
}

fn conditions(policy: &Policy) -> Result<Conditions<'_>, NotLowerable> {
    let mut expressions = Vec::new();
    if let Some(refs) = &policy.refs {
        let texts = refs.iter().map(ref_condition);
        expressions.push(texts.collect::<Result<_, _>>()?);
    }
    if let Some(variables) = &policy.variables {
        let texts = variables.iter().map(|(text, _)| text.value.to_string());
        expressions.push(texts.collect());
    }
    if policy.kubernetes {
        expressions.push(vec!["$CI_KUBERNETES_ACTIVE".to_owned()]);
    }
    Ok(Conditions {
        expressions,
        changes: policy.changes.as_deref(),
    })
}

/// All conditions hold: one rule where it fits, otherwise one for every way to choose parts of the alternatives.
fn lower_all(
    conditions: &Conditions<'_>,
    rule: &dyn Fn() -> Rule,
    out: &mut Vec<Rule>,
) -> Result<(), NotLowerable> {
    if conditions.expressions.iter().any(Vec::is_empty) {
        // A condition without alternatives never holds, so no rule does.
        return Ok(());
    }
    let mut clauses: Vec<Option<IfClause>> = Vec::new();
    conjunctions(&conditions.expressions, &mut clauses)?;
    for clause in clauses {
        let with_if = || {
            let mut rule = rule();
            rule.clauses.extend(clause.clone().map(Clause::If));
            rule
        };
        match conditions.changes {
            None => out.push(with_if()),
            Some(paths) => out.extend(chunks(paths).map(|paths| {
                let mut rule = with_if();
                rule.clauses.push(changes_clause(paths));
                rule
            })),
        }
    }
    Ok(())
}

/// Any condition holds: a rule for the expressions, then rules for `changes`.
fn lower_any(
    conditions: &Conditions<'_>,
    rule: &dyn Fn() -> Rule,
    out: &mut Vec<Rule>,
) -> Result<(), NotLowerable> {
    let all: Vec<String> = conditions.expressions.iter().flatten().cloned().collect();
    let mut clauses = Vec::new();
    if !all.is_empty() {
        conjunctions(&[all], &mut clauses)?;
    }
    for clause in clauses {
        let mut rule = rule();
        rule.clauses.extend(clause.map(Clause::If));
        out.push(rule);
    }
    for paths in conditions.changes.into_iter().flat_map(chunks) {
        let mut rule = rule();
        rule.clauses.push(changes_clause(paths));
        out.push(rule);
    }
    Ok(())
}

/// `(a || b) && (c || d)` in as few expressions as GitLab's limit on tokens allows; any of them holding means that it holds.
fn conjunctions(
    parts: &[Vec<String>],
    out: &mut Vec<Option<IfClause>>,
) -> Result<(), NotLowerable> {
    if parts.is_empty() {
        out.push(None);
        return Ok(());
    }
    let text = conjunction(parts);
    if let Ok(expression) = Expression::parse(&text) {
        let text: Arc<str> = text.into();
        out.push(Some(IfClause {
            text: Text::default_value(text),
            expression: Arc::new(expression),
        }));
        return Ok(());
    }
    // Too long: split the longest alternative in two.
    let longest = (0..parts.len()).max_by_key(|at| parts.get(*at).map_or(0, Vec::len));
    let longest = longest.filter(|at| parts.get(*at).is_some_and(|part| part.len() > 1));
    let Some(longest) = longest else {
        return Err(NotLowerable::ExpressionTooLong { text });
    };
    let part = parts.get(longest).map_or(&[][..], Vec::as_slice);
    let (first, second) = part.split_at(part.len() / 2);
    for half in [first, second] {
        let mut parts = parts.to_vec();
        if let Some(place) = parts.get_mut(longest) {
            *place = half.to_vec();
        }
        conjunctions(&parts, out)?;
    }
    Ok(())
}

fn conjunction(parts: &[Vec<String>]) -> String {
    if let [part] = parts
        && let [only] = part.as_slice()
    {
        return only.clone();
    }
    let alternative = |part: &Vec<String>| {
        let inner: Vec<String> = part.iter().map(|text| truth(text)).collect();
        inner.join(" || ")
    };
    match parts {
        [part] => alternative(part),
        parts => {
            let parts = parts.iter().map(|part| format!("({})", alternative(part)));
            parts.collect::<Vec<_>>().join(" && ")
        }
    }
}

/// The text as something `&&` and `||` treat as a truth value: they pass values on and take the empty text for true (reference
/// `compose.md` §4.3), so that `$EMPTY || $SET` is not what "any of these" means.
fn truth(text: &str) -> String {
    let parsed = Expression::parse(text);
    if parsed.is_ok_and(|expression| is_truth(&expression, expression.root())) {
        return text.to_owned();
    }
    format!("!!({text})")
}

/// Whether the value is true, false, or a variable of GitLab's that is never empty.
fn is_truth(expression: &Expression, at: NodeId) -> bool {
    let never_empty = ["CI_COMMIT_BRANCH", "CI_COMMIT_TAG", "CI_KUBERNETES_ACTIVE"];
    match expression.node(at).map(|node| &node.kind) {
        Some(NodeKind::Binary {
            operator: BinaryOperator::And | BinaryOperator::Or,
            left,
            right,
        }) => is_truth(expression, *left) && is_truth(expression, *right),
        Some(NodeKind::Binary { .. } | NodeKind::Not(_) | NodeKind::Bool(_) | NodeKind::Null) => {
            true
        }
        Some(NodeKind::Variable(name)) => never_empty.contains(&&**name),
        _ => false,
    }
}

/// Lists short enough for rules; an empty one stays one, since unknown changes satisfy it too.
fn chunks(paths: &[Text]) -> impl Iterator<Item = &[Text]> {
    let empty = paths.is_empty().then_some(paths);
    empty.into_iter().chain(paths.chunks(MOST_CHANGES))
}

fn changes_clause(paths: &[Text]) -> Clause {
    let escaped = |path: &Text| Text::new(protected(&path.value), path.span);
    Clause::Changes(Changes {
        span: Span::NONE,
        paths: paths.iter().map(escaped).collect(),
        compare_to: None,
        regexp: None,
    })
}

/// A glob that means the same after variables were replaced: `$` in brackets is no reference, and `%` neither.
fn protected(glob: &Arc<str>) -> Arc<str> {
    if !glob.contains(['$', '%']) {
        return glob.clone();
    }
    let mut text = String::new();
    let mut in_class = false;
    let mut escaped = false;
    for c in glob.chars() {
        match c {
            _ if escaped => {
                escaped = false;
                text.push(c);
                continue;
            }
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '$' | '%' if !in_class => {
                text.push('[');
                text.push(c);
                text.push(']');
                continue;
            }
            _ => {}
        }
        text.push(c);
    }
    text.into()
}

/// One pattern of `refs` as an expression (reference `compose.md` §3.3).
fn ref_condition(pattern: &RefPattern) -> Result<String, NotLowerable> {
    let mut any: Vec<String> = Vec::new();
    let text = &*pattern.pattern;
    match text {
        "branches" => any.push("$CI_COMMIT_BRANCH".to_owned()),
        "tags" => any.push("$CI_COMMIT_TAG".to_owned()),
        _ => {}
    }
    for source in PipelineSource::ALL {
        let name = source.name();
        let short = name.strip_suffix("_event").unwrap_or(name);
        if text == short || plural_is(short, text) {
            any.push(format!("$CI_PIPELINE_SOURCE == \"{name}\""));
        }
    }
    let (operator, operand) = match &pattern.regex {
        Some(_) => ("=~", regex_operand(text)),
        None => ("==", quoted(text)?),
    };
    for variable in ["$CI_COMMIT_BRANCH", "$CI_COMMIT_TAG"] {
        // An undefined side counts as the empty text for `=~`, so that a pattern could match it.
        any.push(match operator {
            "=~" => format!("({variable} && {variable} =~ {operand})"),
            _ => format!("{variable} == {operand}"),
        });
    }
    let any = any.join(" || ");
    match &pattern.project {
        Some(path) => Ok(format!("({any}) && $CI_PROJECT_PATH == {}", quoted(path)?)),
        None => Ok(any),
    }
}

/// The pattern as it can stand in an expression, which knows no pattern of one character and none that ends in a backslash.
fn regex_operand(text: &str) -> String {
    if Expression::parse(&format!("$A =~ {text}")).is_ok() {
        return text.to_owned();
    }
    let (body, flags) = match text
        .strip_prefix('/')
        .and_then(|rest| rest.rsplit_once('/'))
    {
        Some(parts) => parts,
        None => (text, ""),
    };
    let mut escaped = String::new();
    let mut after_backslash = false;
    for c in body.chars() {
        if c == '/' && !after_backslash {
            escaped.push('\\');
        }
        after_backslash = c == '\\' && !after_backslash;
        escaped.push(c);
    }
    format!("/(?:{escaped})/{flags}")
}

fn quoted(text: &str) -> Result<String, NotLowerable> {
    if !text.contains('"') {
        return Ok(format!("\"{text}\""));
    }
    if !text.contains('\'') {
        return Ok(format!("'{text}'"));
    }
    Err(NotLowerable::Quotes {
        text: text.to_owned(),
    })
}
