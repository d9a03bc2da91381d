//! Trigger jobs.

use std::sync::Arc;

use tidegate_yaml::{Key, Node};

use super::body::{add_written, body};
use super::shared::{
    KEYS, OWN_KEYS, Surroundings, WrittenJob, first_checks, own_checks, shared_checks,
    shared_entries, shown_name, when,
};
use crate::keyword::needs::{Needing, WrittenNeed, WrittenNeeds, needs};
use crate::keyword::parallel::parallel;
use crate::keyword::trigger::trigger;
use crate::typed::{Check, Context, Faults, Place, specified};
use crate::{AllowFailureSpec, JobKind, Spanned, Trigger, TriggerTarget};

const WHENS: [&str; 4] = ["on_success", "on_failure", "always", "manual"];
const WHENS_TEXT: &str = "should be one of: on_success, on_failure, always, manual";
const INHERITED: [&str; 1] = ["interruptible"];

/// Reads a trigger job.
pub(crate) fn bridge(
    cx: &mut Context<'_>,
    jobs: &Place<'_>,
    key: &Key,
    node: &Node,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<WrittenJob> {
    let map = node.as_map()?;
    let shown = shown_name(key, "bridge");
    let place = jobs.child(&shown);
    let mut check = Check::new(&place, node, faults);
    first_checks(&mut check, key, map, node);
    let mut known = KEYS.to_vec();
    known.extend(["trigger", "parallel", "interruptible"]);
    cx.known_keys(&mut check, node, &known, &OWN_KEYS);
    let resource_group = shared_checks(&mut check, map);
    own_checks(cx, &mut check, map, node);
    let when = when(&mut check, map, &WHENS, WHENS_TEXT);
    let allow = specified(map, "allow_failure");
    let allow_failure = check.boolean("allow failure", allow);
    if !check.passed() {
        check.fault("config should contain either a trigger or a needs:pipeline");
        return None;
    }
    let mut below = Faults::new();
    let shared = shared_entries(cx, &place, map, around, &mut below);
    let written = specified(map, "trigger");
    let target = written.map(|node| trigger(cx, &place.child("trigger"), node, &mut below));
    let needs = specified(map, "needs")
        .map(|node| needs(cx, &place.child("needs"), node, Needing::Bridge, &mut below));
    let parallel = specified(map, "parallel")
        .and_then(|node| parallel(&place.child("parallel"), node, false, &mut below));
    let needs = needs.flatten();
    let mirrored = mirrored(needs.as_ref());
    let mut check = Check::new(&place, node, faults);
    if target.is_none() && mirrored.is_empty() {
        check.fault("config should contain either a trigger or a needs:pipeline");
    }
    if mirrored.len() > 1 {
        check.fault("config should contain at most one bridge need");
    }
    let passed = check.passed() && below.is_empty();
    faults.append(&mut below);
    if !passed {
        return None;
    }
    let trigger = match target {
        Some(trigger) => trigger?,
        None => mirror(mirrored.into_iter().next()?),
    };
    let (mut body, inherit) = body(JobKind::Bridge(Box::new(trigger)), shared);
    body.when = when;
    body.allow_failure = allow_failure
        .zip(allow)
        .map(|(value, node)| Box::new(Spanned::new(AllowFailureSpec::Always(value), node.span)));
    body.resource_group = resource_group.map(Box::new);
    add_written(cx, &mut body, node, around.defaults, &inherit, &INHERITED);
    Some(WrittenJob {
        name: shown,
        span: key.span,
        body: Arc::new(body),
        needs,
        dependencies: None,
        parallel,
    })
}

fn mirrored(needs: Option<&WrittenNeeds>) -> Vec<&WrittenNeed> {
    let entries = needs.map_or(&[][..], |needs| &needs.entries);
    let mirrors = entries
        .iter()
        .filter(|need| matches!(need, WrittenNeed::Mirror(_)));
    mirrors.collect()
}

fn mirror(need: &WrittenNeed) -> Trigger {
    let project = match need {
        WrittenNeed::Mirror(pipeline) => pipeline.clone(),
        _ => Spanned::default_value("".into()),
    };
    Trigger {
        span: project.span,
        target: TriggerTarget::Mirror { project },
        strategy: None,
        forward_yaml_variables: None,
        forward_pipeline_variables: None,
        inputs: Vec::new(),
    }
}
