//! `retry` (reference `config.md` §9.4).

use tidegate_pipeline::Retry;
use tidegate_yaml::{Map, Node, Value};

use crate::ruby::{Keys, to_s};
use crate::typed::{Check, Context, Faults, Place, joined, specified, values};

/// GitLab's retry entries know no place but their own key.
const PLACE: Place<'static> = Place::top("retry");

const REASONS: [&str; 42] = [
    "always",
    "unknown_failure",
    "script_failure",
    "api_failure",
    "stuck_or_timeout_failure",
    "runner_system_failure",
    "missing_dependency_failure",
    "runner_unsupported",
    "stale_schedule",
    "job_execution_timeout",
    "archived_failure",
    "unmet_prerequisites",
    "scheduler_failure",
    "data_integrity_failure",
    "forward_deployment_failure",
    "user_blocked",
    "project_deleted",
    "ci_quota_exceeded",
    "pipeline_loop_detected",
    "no_matching_runner",
    "trace_size_exceeded",
    "builds_disabled",
    "environment_creation_failure",
    "deployment_rejected",
    "failed_outdated_deployment_job",
    "job_execution_server_timeout",
    "protected_environment_failure",
    "insufficient_bridge_permissions",
    "downstream_bridge_project_not_found",
    "invalid_bridge_trigger",
    "upstream_bridge_project_not_found",
    "insufficient_upstream_permissions",
    "bridge_pipeline_is_child_pipeline",
    "downstream_pipeline_creation_failed",
    "secrets_provider_not_found",
    "reached_max_descendant_pipelines_depth",
    "ip_restriction_failure",
    "reached_max_pipeline_hierarchy_size",
    "reached_downstream_pipeline_trigger_rate_limit",
    "duo_workflow_not_allowed",
    "job_router_failure",
    "job_token_expired",
];

/// Reasons GitLab 19.1 adds.
const NEWER_REASONS: [&str; 9] = [
    "runner_configuration_error",
    "runner_external_dependency_failure",
    "runner_interrupted",
    "stuck_pending_with_matching_runners",
    "stuck_pending_no_matching_runners",
    "no_updates_running",
    "no_updates_canceling",
    "server_timeout_running",
    "server_timeout_canceling",
];

/// The reason Tidegate's `cache:on_miss` gives.
const OWN_REASON: &str = "cache_missing";

/// How often and why a job is tried again.
pub(crate) fn retry(cx: &Context<'_>, node: &Node, faults: &mut Faults) -> Option<Retry> {
    let mut check = Check::new(&PLACE, node, faults);
    let mut retry = Retry::default();
    match (&node.value, node.as_map()) {
        (Value::Int(_) | Value::BigInt(_), _) => retry.max = max(&mut check, "config", node),
        (_, Some(map)) => full(cx, &mut check, node, map, &mut retry),
        _ => check.fault("config has to be either an integer or a hash"),
    }
    check.passed().then_some(retry)
}

fn max(check: &mut Check<'_>, name: &str, node: &Node) -> u32 {
    let number: Option<f64> = match &node.value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Str(text) | Value::BigInt(text) => text.trim().parse().ok(),
        _ => None,
    };
    let Some(number) = number else {
        check.fault_at(node.span, format_args!("{name} is not a number"));
        return 0;
    };
    let written_as_float = to_s(&node.value, Keys::Symbols).contains(['.', 'e', 'E']);
    if number.fract() != 0.0 || written_as_float {
        check.fault_at(node.span, format_args!("{name} must be an integer"));
        return 0;
    }
    let text = format_args!("{name} must be greater than or equal to 0");
    check.ensure(number >= 0.0, node.span, text);
    let text = format_args!("{name} must be less than or equal to 2");
    check.ensure(number <= 2.0, node.span, text);
    number as u32
}

fn full(cx: &Context<'_>, check: &mut Check<'_>, node: &Node, map: &Map, retry: &mut Retry) {
    check.known_keys(node, &["max", "when", "exit_codes"]);
    retry.max = specified(map, "max").map_or(0, |node| max(check, "max", node));
    if let Some(node) = specified(map, "when") {
        when(cx, check, node, retry);
    }
    if let Some(node) = specified(map, "exit_codes") {
        let codes = exit_codes(node);
        let text = "exit codes should be an array of integers or an integer";
        check.ensure(codes.is_some(), node.span, text);
        retry.exit_codes = codes.unwrap_or_default();
    }
}

fn when(cx: &Context<'_>, check: &mut Check<'_>, node: &Node, retry: &mut Retry) {
    let known = |name: &str| {
        REASONS.contains(&name)
            || cx.is_at_least((19, 1)) && NEWER_REASONS.contains(&name)
            || cx.has_extensions() && name == OWN_REASON
    };
    let words = check.strings_or_string("when", Some(node));
    match node.as_seq() {
        Some(items) => {
            let unknown = |item: &&Node| !item.as_str().is_some_and(known);
            let unknown: Vec<_> = items.iter().filter(unknown).collect();
            if let Some(first) = unknown.first() {
                let list = joined(unknown.iter().map(|item| &item.value), ", ");
                let text = format_args!("when contains unknown values: {list}");
                check.fault_at(first.span, text);
            }
        }
        None => {
            let fits = !matches!(node.value, Value::Str(_)) || node.as_str().is_some_and(known);
            check.ensure(fits, node.span, "when is not included in the list");
        }
    }
    retry.when = values(words.unwrap_or_default());
}

/// One exit code or a list of them.
pub(crate) fn exit_codes(node: &Node) -> Option<Vec<i64>> {
    let code = |node: &Node| match node.value {
        Value::Int(code) => Some(code),
        _ => None,
    };
    match node.as_seq() {
        Some(items) => items.iter().map(code).collect(),
        None => code(node).map(|code| vec![code]),
    }
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn counts_and_reasons_are_checked() {
        check(
            "j: {script: x, retry: -1}",
            &["retry config must be greater than or equal to 0"],
        );
        check(
            "j: {script: x, retry: 1.5}",
            &["retry config has to be either an integer or a hash"],
        );
        check(
            "j: {script: x, retry: {max: 3}}",
            &["retry max must be less than or equal to 2"],
        );
        check(
            "j: {script: x, retry: {max: a}}",
            &["retry max is not a number"],
        );
        check(
            "j: {script: x, retry: {when: foo}}",
            &["retry when is not included in the list"],
        );
        check(
            "j: {script: x, retry: {when: 1}}",
            &["retry when should be an array of strings or a string"],
        );
        check(
            "j: {script: x, retry: {when: runner_interrupted}}",
            &["retry when is not included in the list"],
        );
        check(
            "j: {script: x, retry: {exit_codes: a}}",
            &["retry exit codes should be an array of integers or an integer"],
        );
        check(
            "j: {script: x, retry: [1]}",
            &["retry config has to be either an integer or a hash"],
        );
    }
}
