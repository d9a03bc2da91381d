//! What jobs and trigger jobs have in common.

use std::sync::Arc;

use tidegate_pipeline::{Timeout, When};
use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::{Key, Map, Node, Value};

use crate::keyword::default::Defaults;
use crate::keyword::environment::environment;
use crate::keyword::inherit::{Inherit, inherit};
use crate::keyword::needs::WrittenNeeds;
use crate::keyword::only_except::policy;
use crate::keyword::parallel::Parallel;
use crate::keyword::rules::{RulesOf, ends_with_bare_when, rules};
use crate::keyword::simple::{interruptible, stage};
use crate::keyword::variables::{Form, variables};
use crate::ruby::{Keys, to_s};
use crate::typed::{Check, Context, Faults, Place, flatten, is_blank_key, key_text, specified};
use crate::{
    EnvironmentSpec, JobBody, Policy, PolicyKind, Rule, Spanned, Text, VariableDefinition,
};

/// Keys that jobs and trigger jobs share.
pub(super) const KEYS: [&str; 12] = [
    "extends",
    "stage",
    "only",
    "except",
    "rules",
    "variables",
    "inherit",
    "allow_failure",
    "when",
    "needs",
    "resource_group",
    "environment",
];

/// Tidegate's own keys of both.
pub(super) const OWN_KEYS: [&str; 5] = ["only_and", "only_or", "except_and", "except_or", "reuse"];

/// Own keys that are not understood yet.
const LATER: [&str; 1] = ["reuse"];

/// What a job stands in.
pub(crate) struct Surroundings<'a> {
    /// What it inherits.
    pub defaults: &'a Defaults,
    /// Whether the workflow has a key `rules`: then nothing is filled in for `only`.
    pub workflow_rules: bool,
}

/// A job as written: names in its needs are not expanded yet.
#[derive(Clone, Debug)]
pub(crate) struct WrittenJob {
    /// Its name.
    pub name: Arc<str>,
    /// Where the name was written.
    pub span: Span,
    /// All but what depends on other jobs. In its last place already, since it is large and there may be very many.
    pub body: Arc<JobBody>,
    /// Its needs.
    pub needs: Option<WrittenNeeds>,
    /// Its dependencies.
    pub dependencies: Option<Vec<Text>>,
    /// Its parallelism.
    pub parallel: Option<Parallel>,
}

/// The checks every job begins with: its name, and keys that rules rule out.
pub(super) fn first_checks(check: &mut Check<'_>, key: &Key, map: &Map, node: &Node) {
    check.ensure(!is_blank_key(key), key.span, "name can't be blank");
    let is_text = matches!(key.value, Value::Str(_));
    check.ensure(is_text, key.span, "name should be a symbol");
    let length = to_s(&key.value, Keys::Symbols).chars().count();
    let text = "name is too long (maximum is 255 characters)";
    check.ensure(length <= 255, key.span, text);
    if specified(map, "rules").is_some() {
        without_policies(check, map, node);
    }
}

fn without_policies(check: &mut Check<'_>, map: &Map, node: &Node) {
    let refused = [
        "only",
        "except",
        "start_in",
        "only_and",
        "only_or",
        "except_and",
        "except_or",
    ];
    let written: Vec<_> = refused
        .into_iter()
        .filter(|key| specified(map, key).is_some())
        .collect();
    check.without_keys(node, &written, "config key may not be used with `rules`");
}

/// The checks of values that jobs and trigger jobs share. GitLab makes them once all keys were checked (measured).
pub(super) fn shared_checks(check: &mut Check<'_>, map: &Map) -> Option<Text> {
    check.strings_or_string("extends", specified(map, "extends"));
    if let Some(node) = specified(map, "rules") {
        let fits = node.as_seq().is_some()
            && flatten(node, 10, &mut |item| item.as_map().map(|_| ())).is_some();
        let text = "rules should be an array containing hashes and arrays of hashes";
        check.ensure(fits, node.span, text);
    }
    check.string("resource group", specified(map, "resource_group"))
}

/// `when` of a job.
pub(super) fn when(
    check: &mut Check<'_>,
    map: &Map,
    words: &[&str],
    text: &str,
) -> Option<Spanned<When>> {
    let word = check.word("when", specified(map, "when"), words, text)?;
    When::from_name(&word.value).map(|when| Spanned::new(when, word.span))
}

/// Refuses own keys that contradict each other or come later.
pub(super) fn own_checks(cx: &Context<'_>, check: &mut Check<'_>, map: &Map, node: &Node) {
    if !cx.has_extensions() {
        return;
    }
    check.later_keys(node, &LATER);
    for names in [
        ["only", "only_and", "only_or"],
        ["except", "except_and", "except_or"],
    ] {
        let written = names.iter().filter(|name| specified(map, name).is_some());
        if let Some(second) = written.clone().nth(1) {
            let span = map.entry(second).map_or(Span::NONE, |(key, _)| key.span);
            let [a, b, c] = names;
            check.fault_at(
                span,
                format_args!("config only one of `{a}`, `{b}`, `{c}` may be used"),
            );
        }
    }
}

/// The entries that come first below every job.
pub(super) struct SharedEntries {
    pub stage: Option<Text>,
    pub only: Option<Arc<Policy>>,
    pub except: Option<Arc<Policy>>,
    pub rules: Option<Arc<[Rule]>>,
    pub variables: Arc<[VariableDefinition]>,
    pub inherit: Inherit,
    pub environment: Option<EnvironmentSpec>,
    pub interruptible: Option<Spanned<bool>>,
}

/// Reads the entries that come first below every job.
pub(super) fn shared_entries(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    map: &Map,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> SharedEntries {
    let found = |key| specified(map, key);
    let stage = found("stage").and_then(|node| stage(&place.child("stage"), node, faults));
    let only = positive(cx, place, map, around, faults);
    let except = negative(cx, place, map, faults).map(Arc::new);
    let rules = written_rules(cx, place, map, around, faults);
    let variables = found("variables").and_then(|node| {
        let place = place.child("variables");
        let read = |faults: &mut Faults| variables(Form::Job, &place, node, faults).into();
        cx.shared(
            |it| &mut it.variables,
            node,
            faults,
            |_, faults| Some(read(faults)),
        )
    });
    let inherit = found("inherit").map_or_else(Inherit::all, |node| {
        inherit(&place.child("inherit"), node, faults)
    });
    let environment = found("environment")
        .and_then(|node| environment(&place.child("environment"), node, faults));
    let interruptible = match (found("interruptible"), &around.defaults.interruptible) {
        (Some(node), _) => interruptible(&place.child("interruptible"), node, faults),
        (None, Some(entry)) if inherit.takes("interruptible") => {
            faults.extend(entry.faults.iter().cloned());
            entry.value
        }
        _ => None,
    };
    SharedEntries {
        stage,
        only,
        except,
        rules: map.contains("rules").then(|| rules.unwrap_or_default()),
        variables: variables.unwrap_or_default(),
        inherit,
        environment,
        interruptible,
    }
}

fn written_rules(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    map: &Map,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<Arc<[Rule]>> {
    let node = specified(map, "rules")?;
    let before = faults.len();
    let found = cx.shared(
        |it| &mut it.rules,
        node,
        faults,
        |cx, faults| rules(cx, &place.child("rules"), node, RulesOf::Job, faults).map(Arc::from),
    );
    if faults.len() == before && !around.workflow_rules && ends_with_bare_when(node) {
        cx.remarks.push(may_duplicate(place, node.span));
    }
    found
}

/// GitLab's one warning (reference `config.md` §11).
fn may_duplicate(place: &Place<'_>, span: Span) -> Diagnostic {
    let text = format!(
        "{place} may allow multiple pipelines to run for a single action due to `rules:when` \
         clause with no `workflow:rules` - read more: \
         https://docs.gitlab.com/ee/ci/jobs/job_troubleshooting.html\
         #job-may-allow-multiple-pipelines-to-run-for-a-single-action-warning"
    );
    Diagnostic::warning("duplicate-pipelines", text).at(span)
}

fn positive(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    map: &Map,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<Arc<Policy>> {
    let written = policy_of(
        cx,
        place,
        map,
        &[
            ("only", PolicyKind::Only),
            ("only_and", PolicyKind::OnlyAnd),
            ("only_or", PolicyKind::OnlyOr),
        ],
        faults,
    );
    match written {
        Some(policy) => policy.map(Arc::new),
        None if map.contains("rules") || around.workflow_rules => None,
        None => Some(cx.default_policy()),
    }
}

fn negative(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    map: &Map,
    faults: &mut Faults,
) -> Option<Policy> {
    let kinds = [
        ("except", PolicyKind::Except),
        ("except_and", PolicyKind::ExceptAnd),
        ("except_or", PolicyKind::ExceptOr),
    ];
    policy_of(cx, place, map, &kinds, faults).flatten()
}

/// The first of some policies that is written; the outer `None`: none of them is.
fn policy_of(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    map: &Map,
    kinds: &[(&str, PolicyKind)],
    faults: &mut Faults,
) -> Option<Option<Policy>> {
    for (name, kind) in kinds {
        let own = name.contains('_');
        if let Some(node) = specified(map, name).filter(|_| !own || cx.has_extensions()) {
            return Some(policy(cx, &place.child(name), node, *kind, faults));
        }
    }
    None
}

/// How a job is called where GitLab names its place.
pub(super) fn shown_name(key: &Key, otherwise: &str) -> Arc<str> {
    match is_blank_key(key) {
        true => otherwise.into(),
        false => key_text(key),
    }
}

/// A duration of a job that is written.
pub(super) type Start = Option<Spanned<Timeout>>;
