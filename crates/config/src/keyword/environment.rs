//! `environment` (reference `config.md` §9.9).

use tidegate_pipeline::EnvironmentAction;
use tidegate_yaml::{Map, Node, Value};

use super::schema::Schema;
use crate::EnvironmentSpec;
use crate::json::to_json;
use crate::ruby::{Keys, to_s};
use crate::typed::{Check, Faults, Place, is_blank, specified, string};

const KEYS: [&str; 7] = [
    "name",
    "url",
    "action",
    "on_stop",
    "auto_stop_in",
    "kubernetes",
    "deployment_tier",
];
const ACTIONS: [&str; 5] = ["start", "stop", "prepare", "verify", "access"];
const NAME_TEXT: &str = "name can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', \
                         and spaces, but it cannot start or end with '/'";

static MANAGED_RESOURCES: Schema = Schema::object(&[(
    "enabled",
    Schema {
        types: &["boolean"],
        ..Schema::ANY
    },
)]);

static DASHBOARD: Schema = Schema {
    required: &["namespace"],
    ..Schema::object(&[
        ("namespace", Schema::STRING),
        ("flux_resource_path", Schema::STRING),
    ])
};

/// The environment of a job.
pub(crate) fn environment(
    place: &Place<'_>,
    node: &Node,
    faults: &mut Faults,
) -> Option<EnvironmentSpec> {
    let mut check = Check::new(place, node, faults);
    let map = node.as_map();
    if map.is_none() && !matches!(node.value, Value::Str(_)) {
        check.fault("config should be a hash or a string");
    }
    let name = match map {
        Some(map) => specified(map, "name"),
        None => Some(node).filter(|node| matches!(node.value, Value::Str(_))),
    };
    check_name(&mut check, name);
    let Some(map) = map else {
        return check.passed().then(|| short(node)).flatten();
    };
    check.known_keys(node, &KEYS);
    let found = fields(&mut check, map, name);
    if !check.passed() {
        return None;
    }
    if let Some(node) = specified(map, "kubernetes") {
        kubernetes(&place.child("kubernetes"), node, faults);
    }
    found
}

fn short(node: &Node) -> Option<EnvironmentSpec> {
    Some(EnvironmentSpec {
        name: string(node)?,
        url: None,
        action: Some(EnvironmentAction::Start),
        on_stop: None,
        auto_stop_in: None,
        deployment_tier: None,
        kubernetes: None,
    })
}

fn check_name(check: &mut Check<'_>, node: Option<&Node>) {
    check.present("name", node);
    let text = node.map(|node| to_s(&node.value, Keys::Symbols));
    if node.and_then(string).is_none() {
        name_fault(check, node);
    }
    if !is_name(text.as_deref().unwrap_or_default()) {
        name_fault(check, node);
    }
}

fn name_fault(check: &mut Check<'_>, node: Option<&Node>) {
    match node {
        Some(node) => check.fault_at(node.span, NAME_TEXT),
        None => check.fault(NAME_TEXT),
    }
}

fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "_/${}. -".contains(c);
    text.chars().all(inner) && !text.starts_with('/') && !text.ends_with('/') && !text.is_empty()
}

fn fields(check: &mut Check<'_>, map: &Map, name: Option<&Node>) -> Option<EnvironmentSpec> {
    let url = specified(map, "url");
    let written_url = check.string("url", url);
    if let Some(node) = url {
        let length = match node.as_seq() {
            Some(items) => items.len(),
            None => to_s(&node.value, Keys::Symbols).chars().count(),
        };
        let text = "url is too long (maximum is 255 characters)";
        check.ensure(length <= 255, node.span, text);
    }
    let text = "should be start, stop, prepare, verify, or access";
    let action = check.word("action", specified(map, "action"), &ACTIONS, text);
    let deployment_tier = check.string("deployment tier", specified(map, "deployment_tier"));
    let on_stop = check.string("on stop", specified(map, "on_stop"));
    let kubernetes = specified(map, "kubernetes");
    check.hash("kubernetes", kubernetes);
    let auto_stop_in = check.string("auto stop in", specified(map, "auto_stop_in"));
    Some(EnvironmentSpec {
        name: name.and_then(string)?,
        url: written_url,
        action: action.and_then(|text| action_of(&text.value)),
        on_stop,
        auto_stop_in,
        deployment_tier,
        kubernetes: kubernetes.map(|node| to_json(&node.value)),
    })
}

fn action_of(word: &str) -> Option<EnvironmentAction> {
    let all = [
        EnvironmentAction::Start,
        EnvironmentAction::Stop,
        EnvironmentAction::Prepare,
        EnvironmentAction::Verify,
        EnvironmentAction::Access,
    ];
    all.into_iter().find(|action| action.name() == word)
}

fn kubernetes(place: &Place<'_>, node: &Node, faults: &mut Faults) {
    let mut check = Check::new(place, node, faults);
    check.present("config", Some(node));
    let keys = [
        "namespace",
        "agent",
        "flux_resource_path",
        "managed_resources",
        "dashboard",
    ];
    check.known_keys(node, &keys);
    let Some(map) = node.as_map() else { return };
    let given = |key| specified(map, key).is_some_and(|node| !is_blank(node));
    let filled = |key| specified(map, key).filter(|node| !is_blank(node));
    let managed = filled("managed_resources");
    let dashboard = filled("dashboard");
    let enabled = managed
        .and_then(Node::as_map)
        .and_then(|map| specified(map, "enabled"));
    let enabled = enabled.is_some_and(|node| matches!(node.value, Value::Bool(true)));
    check.string("namespace", specified(map, "namespace"));
    check.string("agent", specified(map, "agent"));
    check.string("flux resource path", specified(map, "flux_resource_path"));
    if given("flux_resource_path") {
        check.present("namespace", specified(map, "namespace"));
    }
    if given("flux_resource_path") || given("dashboard") || enabled {
        check.present("agent", specified(map, "agent"));
    }
    by_schema(&mut check, "managed resources", managed, &MANAGED_RESOURCES);
    by_schema(&mut check, "dashboard", dashboard, &DASHBOARD);
    let inner = |key| {
        let map = dashboard.and_then(Node::as_map)?;
        specified(map, key)
    };
    for (key, text) in [
        (
            "namespace",
            "namespace cannot be specified when dashboard.namespace is set",
        ),
        (
            "flux_resource_path",
            "flux resource path cannot be specified when dashboard.flux_resource_path is set",
        ),
    ] {
        if let Some(node) = specified(map, key).filter(|_| inner(key).is_some()) {
            check.fault_at(node.span, text);
        }
    }
}

fn by_schema(check: &mut Check<'_>, name: &str, node: Option<&Node>, schema: &Schema) {
    let Some(node) = node else { return };
    for error in schema.errors(node) {
        check.fault_at(node.span, format_args!("{name} {error}"));
    }
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn names_actions_and_clusters_are_checked() {
        check(
            "j: {script: x, environment: 1}",
            &[
                "jobs:j:environment config should be a hash or a string",
                "jobs:j:environment name can't be blank",
                "jobs:j:environment name can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but it cannot start or end with '/'",
                "jobs:j:environment name can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but it cannot start or end with '/'",
            ],
        );
        check(
            "j: {script: x, environment: {}}",
            &[
                "jobs:j:environment name can't be blank",
                "jobs:j:environment name can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but it cannot start or end with '/'",
                "jobs:j:environment name can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but it cannot start or end with '/'",
            ],
        );
        check(
            "j: {script: x, environment: /foo}",
            &[
                "jobs:j:environment name can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but it cannot start or end with '/'",
            ],
        );
        check(
            "j: {script: x, environment: {name: a, foo: 1}}",
            &["jobs:j:environment config contains unknown keys: foo"],
        );
        check(
            "j: {script: x, environment: {name: a, url: 1}}",
            &["jobs:j:environment url should be a string"],
        );
        check(
            "j: {script: x, environment: {name: a, deployment_tier: 1}}",
            &["jobs:j:environment deployment tier should be a string"],
        );
        check(
            "j: {script: x, environment: {name: a, kubernetes: {agent: 1}}}",
            &["jobs:j:environment:kubernetes agent should be a string"],
        );
        check(
            "j: {script: x, environment: {name: a, kubernetes: {flux_resource_path: a}}}",
            &[
                "jobs:j:environment:kubernetes namespace can't be blank",
                "jobs:j:environment:kubernetes agent can't be blank",
            ],
        );
        check(
            "j: {script: x, environment: {name: a, kubernetes: {managed_resources: {enabled: 1}, agent: a}}}",
            &[
                "jobs:j:environment:kubernetes managed resources value at `/enabled` is not a boolean",
            ],
        );
        check(
            "j: {script: x, environment: {name: a, kubernetes: {dashboard: {flux_resource_path: a}}}}",
            &[
                "jobs:j:environment:kubernetes agent can't be blank",
                "jobs:j:environment:kubernetes dashboard object at root is missing required properties: namespace",
            ],
        );
        check(
            "j: {script: x, environment: {name: a, kubernetes: {dashboard: {namespace: a}, namespace: b, agent: c}}}",
            &[
                "jobs:j:environment:kubernetes namespace cannot be specified when dashboard.namespace is set",
            ],
        );
    }
}
