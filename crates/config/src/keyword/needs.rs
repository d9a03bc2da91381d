//! `needs` and `rules:needs`, with the extensions `any` and `if_absent`
//! (reference `config.md` §9.10, `extensions.md` §4, §5).

use tidegate_pipeline::{Pick, Wait};
use tidegate_source::Span;
use tidegate_yaml::{Map, Node, Value};

use super::parallel::{Matrix, Parallel, parallel};
use crate::typed::{Check, Context, Faults, Place, flatten, raw_fault, specified, string};
use crate::{AnyNeed, IfAbsent, PipelineNeed, ProjectNeed, Text};

/// A `needs` list as written: names of parallel jobs are not expanded yet.
#[derive(Clone, Debug)]
pub(crate) struct WrittenNeeds {
    /// Where it was written.
    pub span: Span,
    /// Its entries, those of one kind in written order.
    pub entries: Vec<WrittenNeed>,
}

/// One entry.
#[derive(Clone, Debug)]
pub(crate) enum WrittenNeed {
    /// A job of this pipeline.
    Job(NeededJob, IfAbsent),
    /// Some of several jobs.
    Any(Box<WrittenAny>),
    /// A job of another pipeline of the family.
    Pipeline(Box<PipelineNeed>),
    /// A job of another project.
    Project(Box<ProjectNeed>),
    /// A pipeline whose status a bridge mirrors, by the path of its project.
    Mirror(Text),
}

/// Some of several jobs.
#[derive(Clone, Debug)]
pub(crate) struct WrittenAny {
    /// The jobs.
    pub alternatives: Vec<NeededJob>,
    /// All else; its own list of names is still empty.
    pub terms: AnyNeed,
}

/// A job of this pipeline that is needed.
#[derive(Clone, Debug)]
pub(crate) struct NeededJob {
    /// Name as written.
    pub name: Text,
    /// Its artifacts are wanted.
    pub artifacts: bool,
    /// Which of its instances.
    pub matrix: Option<Matrix>,
}

/// Who needs something decides what may be needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Needing {
    /// A job that runs scripts.
    Job,
    /// A trigger job.
    Bridge,
    /// A rule.
    Rule,
}

const MOST_CROSS: usize = 5;
const OWN_KEYS: [&str; 2] = ["any", "if_absent"];

/// The needs of a job, bridge or rule.
pub(crate) fn needs(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    node: &Node,
    needing: Needing,
    faults: &mut Faults,
) -> Option<WrittenNeeds> {
    let mut check = Check::new(place, node, faults);
    if node.as_seq().is_none() && node.as_map().is_none() {
        check.fault("config can only be a hash or an array");
    }
    if node.as_map().is_some_and(Map::is_empty) {
        check.fault("config can not be an empty hash");
    }
    let items = need_nodes(node);
    let numbered = items
        .iter()
        .filter_map(|item| item.as_map()?.get("parallel"));
    let mut numbered = numbered.filter(|node| {
        matches!(
            node.value,
            Value::Int(_) | Value::BigInt(_) | Value::Float(_)
        )
    });
    if let Some(node) = numbered.next_back() {
        check.fault_at(node.span, "config cannot use \"parallel: <number>\".");
    }
    if !check.passed() {
        return None;
    }
    let mut below = Faults::new();
    let item_place = place.child("need");
    let mut entries = Vec::with_capacity(items.len());
    let mut kinds: Vec<(Kind, Span)> = Vec::new();
    for item in items {
        let Some(kind) = kind(cx, item) else {
            let fault = raw_fault(&item_place, item.span, "has an unsupported type");
            below.push(explained(cx, item, fault));
            continue;
        };
        kinds.push((kind, item.span));
        entries.extend(need(cx, &item_place, item, kind, &mut below));
    }
    let mut check = Check::new(place, node, faults);
    check_kinds(&mut check, &kinds, needing);
    faults.append(&mut below);
    Some(WrittenNeeds {
        span: node.span,
        entries,
    })
}

/// The nodes of the single needs: nested lists made flat, nulls left out.
pub(crate) fn need_nodes(node: &Node) -> Vec<&Node> {
    let mut nodes = Vec::new();
    flatten(node, usize::MAX, &mut |item| {
        if !item.is_null() {
            nodes.push(item);
        }
        Some(())
    });
    nodes
}

fn check_kinds(check: &mut Check<'_>, kinds: &[(Kind, Span)], needing: Needing) {
    let allowed = |kind: Kind| match kind {
        Kind::Name | Kind::Job | Kind::Any => true,
        Kind::Pipeline | Kind::Project => needing == Needing::Job,
        Kind::Mirror => needing == Needing::Bridge,
    };
    let mut extra: Vec<(&str, Span)> = Vec::new();
    for (kind, span) in kinds.iter().filter(|(kind, _)| !allowed(*kind)) {
        let name = kind.group();
        if !extra.iter().any(|(known, _)| *known == name) {
            extra.push((name, *span));
        }
    }
    if let Some((_, span)) = extra.first().copied() {
        let names: Vec<_> = extra.into_iter().map(|(name, _)| name).collect();
        let list = names.join(", ");
        check.fault_at(span, format_args!("config uses invalid types: {list}"));
    }
    for wanted in [Kind::Pipeline, Kind::Project] {
        let mut of_kind = kinds.iter().filter(|(kind, _)| *kind == wanted);
        if let Some((_, span)) = of_kind.nth(MOST_CROSS) {
            check.fault_at(*span, "config must be less than or equal to 5");
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Name,
    Job,
    Any,
    Pipeline,
    Project,
    Mirror,
}

impl Kind {
    fn group(self) -> &'static str {
        match self {
            Kind::Name | Kind::Job | Kind::Any => "job",
            Kind::Pipeline | Kind::Project => "cross_dependency",
            Kind::Mirror => "bridge",
        }
    }
}

fn kind(cx: &Context<'_>, node: &Node) -> Option<Kind> {
    if matches!(node.value, Value::Str(_)) {
        return Some(Kind::Name);
    }
    let map = node.as_map()?;
    let has = |key| map.contains(key);
    if cx.has_extensions() && has("any") {
        return Some(Kind::Any);
    }
    match (has("job"), has("pipeline"), has("project")) {
        (true, false, false) if !has("ref") => Some(Kind::Job),
        (true, true, false) => Some(Kind::Pipeline),
        (_, _, project) if cx.is_enterprise() && (project || has("ref")) => Some(Kind::Project),
        (false, _, false) if cx.is_enterprise() => Some(Kind::Mirror),
        _ => None,
    }
}

fn explained(
    cx: &Context<'_>,
    node: &Node,
    fault: tidegate_source::Diagnostic,
) -> tidegate_source::Diagnostic {
    let own = node.as_map().is_some_and(|map| map.contains("any"));
    if own && !cx.has_extensions() {
        return fault.help(crate::typed::extension_help("any"));
    }
    fault
}

fn need(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    node: &Node,
    kind: Kind,
    faults: &mut Faults,
) -> Option<WrittenNeed> {
    match (kind, node.as_map()) {
        (Kind::Job, Some(map)) => job(cx, place, node, map, faults),
        (Kind::Any, Some(map)) => any(cx, place, node, map, faults),
        (Kind::Pipeline, Some(map)) => pipeline(place, node, map, faults),
        (Kind::Project, Some(map)) => project(place, node, map, faults),
        (Kind::Mirror, Some(map)) => {
            let mut check = Check::new(place, node, faults);
            check.known_keys(node, &["pipeline"]);
            let pipeline = check.required_string("pipeline", specified(map, "pipeline"));
            Some(WrittenNeed::Mirror(pipeline?))
        }
        _ => name(place, node, faults).map(|name| {
            WrittenNeed::Job(
                NeededJob {
                    name,
                    artifacts: true,
                    matrix: None,
                },
                IfAbsent::Fail,
            )
        }),
    }
}

fn name(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Text> {
    Check::new(place, node, faults).present("config", Some(node));
    string(node)
}

fn job(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    node: &Node,
    map: &Map,
    faults: &mut Faults,
) -> Option<WrittenNeed> {
    let mut check = Check::new(place, node, faults);
    let known = ["job", "artifacts", "optional", "parallel"];
    cx.known_keys(&mut check, node, &known, &OWN_KEYS[1..]);
    let name = check.required_string("job", specified(map, "job"));
    let artifacts = check.boolean("artifacts", specified(map, "artifacts"));
    let optional = check.boolean("optional", specified(map, "optional"));
    let mut absent = match optional {
        Some(true) => IfAbsent::Ignore,
        _ => IfAbsent::Fail,
    };
    if let Some(node) = specified(map, "if_absent").filter(|_| cx.has_extensions()) {
        absent = if_absent(&mut check, map, node);
    }
    if !check.passed() {
        return None;
    }
    let matrix = matrix(place, map, faults)?;
    Some(WrittenNeed::Job(
        NeededJob {
            name: name?,
            artifacts: artifacts.unwrap_or(true),
            matrix,
        },
        absent,
    ))
}

fn matrix(place: &Place<'_>, map: &Map, faults: &mut Faults) -> Option<Option<Matrix>> {
    let Some(node) = specified(map, "parallel") else {
        return Some(None);
    };
    match parallel(&place.child("parallel"), node, false, faults)? {
        Parallel::Matrix(matrix) => Some(Some(matrix)),
        Parallel::Number(_) => Some(None),
    }
}

fn if_absent(check: &mut Check<'_>, map: &Map, node: &Node) -> IfAbsent {
    if specified(map, "optional").is_some() {
        let text = "config these keys cannot be used together: optional, if_absent";
        check.fault_at(node.span, text);
    }
    let words = ["fail", "ignore", "stage", "skip", "reuse"];
    let text = "should be one of: fail, ignore, stage, skip";
    let word = check.word("if_absent", Some(node), &words, text);
    match word.as_ref().map(|text| &*text.value) {
        Some("ignore") => IfAbsent::Ignore,
        Some("stage") => IfAbsent::Stage,
        Some("skip") => IfAbsent::Skip,
        Some("reuse") => {
            check.fault_at(node.span, "if_absent: reuse is not supported yet");
            IfAbsent::Fail
        }
        _ => IfAbsent::Fail,
    }
}

fn any(
    cx: &mut Context<'_>,
    place: &Place<'_>,
    node: &Node,
    map: &Map,
    faults: &mut Faults,
) -> Option<WrittenNeed> {
    cx.find_extensions(map, &OWN_KEYS[..1]);
    let mut check = Check::new(place, node, faults);
    let known = ["any", "min", "wait", "artifacts", "pick", "optional"];
    check.known_keys(node, &known);
    let artifacts = check.boolean("artifacts", specified(map, "artifacts"));
    let optional = check.boolean("optional", specified(map, "optional"));
    let words = ["first", "all"];
    let text = "should be one of: first, all";
    let wait = check.word("wait", specified(map, "wait"), &words, text);
    let pick = check.word("pick", specified(map, "pick"), &words, text);
    let items = map.get("any").map(need_nodes).unwrap_or_default();
    let listed = map.get("any").is_some_and(|node| node.as_seq().is_some());
    let text = "any should be an array of at least 2 jobs";
    check.ensure(listed && items.len() >= 2, node.span, text);
    let min = min(&mut check, map, items.len());
    if !check.passed() {
        return None;
    }
    let artifacts = artifacts.unwrap_or(true);
    let mut alternatives = Vec::with_capacity(items.len());
    for item in items {
        alternatives.extend(alternative(place, item, artifacts, faults));
    }
    let is_all = |word: Option<Text>| word.is_some_and(|word| &*word.value == "all");
    let terms = AnyNeed {
        alternatives: Vec::new(),
        min,
        wait: if is_all(wait) { Wait::All } else { Wait::First },
        pick: if is_all(pick) { Pick::All } else { Pick::First },
        optional: optional.unwrap_or_default(),
        span: node.span,
    };
    Some(WrittenNeed::Any(Box::new(WrittenAny {
        alternatives,
        terms,
    })))
}

fn min(check: &mut Check<'_>, map: &Map, most: usize) -> u32 {
    let Some(node) = specified(map, "min") else {
        return 1;
    };
    let min = match node.value {
        Value::Int(number) => u32::try_from(number).ok(),
        _ => None,
    };
    let min = min.filter(|min| *min >= 1 && *min as usize <= most);
    let text = format_args!("min should be an integer from 1 to {most}");
    check.ensure(min.is_some(), node.span, text);
    min.unwrap_or(1)
}

fn alternative(
    place: &Place<'_>,
    node: &Node,
    artifacts: bool,
    faults: &mut Faults,
) -> Option<NeededJob> {
    let place = place.child("any");
    if let Some(map) = node.as_map() {
        let mut check = Check::new(&place, node, faults);
        check.known_keys(node, &["job", "artifacts", "parallel"]);
        let name = check.required_string("job", specified(map, "job"));
        let own = check.boolean("artifacts", specified(map, "artifacts"));
        if !check.passed() {
            return None;
        }
        return Some(NeededJob {
            name: name?,
            artifacts: own.unwrap_or(artifacts),
            matrix: matrix(&place, map, faults)?,
        });
    }
    if string(node).is_none() {
        faults.push(raw_fault(&place, node.span, "has an unsupported type"));
        return None;
    }
    Some(NeededJob {
        name: name(&place, node, faults)?,
        artifacts,
        matrix: None,
    })
}

fn pipeline(place: &Place<'_>, node: &Node, map: &Map, faults: &mut Faults) -> Option<WrittenNeed> {
    let mut check = Check::new(place, node, faults);
    check.known_keys(node, &["pipeline", "job", "artifacts"]);
    let pipeline = check.required_string("pipeline", specified(map, "pipeline"));
    let job = check.required_string("job", specified(map, "job"));
    let artifacts = check.boolean("artifacts", specified(map, "artifacts"));
    Some(WrittenNeed::Pipeline(Box::new(PipelineNeed {
        pipeline: pipeline?,
        job: Some(job?),
        artifacts: artifacts.unwrap_or(true),
    })))
}

fn project(place: &Place<'_>, node: &Node, map: &Map, faults: &mut Faults) -> Option<WrittenNeed> {
    let mut check = Check::new(place, node, faults);
    check.known_keys(node, &["project", "ref", "job", "artifacts"]);
    let project = check.required_string("project", specified(map, "project"));
    let reference = check.required_string("ref", specified(map, "ref"));
    let job = check.required_string("job", specified(map, "job"));
    let artifacts = check.boolean("artifacts", specified(map, "artifacts"));
    Some(WrittenNeed::Project(Box::new(ProjectNeed {
        project: project?,
        reference: reference?,
        job: job?,
        artifacts: artifacts.unwrap_or(true),
    })))
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn kinds_and_fields_of_needs_are_checked() {
        check(
            "j: {trigger: a/b, needs: [{pipeline: a/b}]}",
            &["jobs:j:needs:need has an unsupported type"],
        );
        check(
            "j: {script: x, needs: 1}",
            &["jobs:j:needs config can only be a hash or an array"],
        );
        check(
            "j: {script: x, needs: {}}",
            &["jobs:j:needs config can not be an empty hash"],
        );
        check(
            "j: {script: x, needs: ['']}",
            &["jobs:j:needs:need config can't be blank"],
        );
        check(
            "j: {script: x, needs: [{job: 1}]}",
            &["jobs:j:needs:need job should be a string"],
        );
        check(
            "j: {script: x, needs: [{job: j, foo: 1}]}",
            &["jobs:j:needs:need config contains unknown keys: foo"],
        );
        check(
            "j: {script: x, needs: [{job: j, optional: 1}]}",
            &["jobs:j:needs:need optional should be a boolean value"],
        );
        check(
            "j: {script: x, needs: [{job: }]}",
            &[
                "jobs:j:needs:need job should be a string",
                "jobs:j:needs:need job can't be blank",
            ],
        );
        check(
            "j: {script: x, needs: [{pipeline: a, job: b}, {pipeline: a, job: c}, {pipeline: a, job: d}, {pipeline: a, job: e}, {pipeline: a, job: f}, {pipeline: a, job: g}]}",
            &["jobs:j:needs config must be less than or equal to 5"],
        );
        check(
            "j: {script: x, needs: [{project: a/b, job: c, ref: d, artifacts: true}]}",
            &["jobs:j:needs:need has an unsupported type"],
        );
        check(
            "j: {script: x, needs: [{job: j, parallel: 2}]}",
            &[r#"jobs:j:needs config cannot use "parallel: <number>"."#],
        );
        check(
            "j: {script: x, needs: [{job: j, parallel: foo}]}",
            &["jobs:j:needs:need:parallel should be an integer or a hash"],
        );
        check(
            "a: {script: x}\nb: {script: x, rules: [{when: always, needs: [{pipeline: a, job: b}]}]}",
            &["jobs:b:rules:rule:needs config uses invalid types: cross_dependency"],
        );
    }
}
