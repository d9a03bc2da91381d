//! `image`, and what services share with it (reference `config.md` §9.5).

use std::sync::Arc;

use tidegate_pipeline::{Image, PullPolicy};
use tidegate_source::Span;
use tidegate_yaml::{Map, Node, Value};

use super::schema::Schema;
use crate::ruby::{Keys, to_s};
use crate::typed::{Check, Faults, Place, specified, values};

/// Keys of an image; a service has more.
pub(crate) const KEYS: [&str; 6] = [
    "name",
    "entrypoint",
    "docker",
    "kubernetes",
    "pull_policy",
    "ports",
];

const PULL_POLICIES: [&str; 3] = ["always", "never", "if-not-present"];

/// What only one kind of runner understands.
static EXECUTOR_OPTIONS: Schema = Schema::object(&[
    (
        "docker",
        Schema::object(&[
            (
                "platform",
                Schema {
                    min_length: 1,
                    max_length: 64,
                    ..Schema::STRING
                },
            ),
            (
                "user",
                Schema {
                    min_length: 1,
                    max_length: 255,
                    ..Schema::STRING
                },
            ),
        ]),
    ),
    (
        "kubernetes",
        Schema::object(&[(
            "user",
            Schema {
                types: &["string", "integer"],
                min_length: 1,
                max_length: 255,
                ..Schema::ANY
            },
        )]),
    ),
]);

/// The image of a job.
pub(crate) fn image(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Image> {
    let mut check = Check::new(place, node, faults);
    let found = own_fields(&mut check, node);
    check.known_keys(node, &KEYS);
    if !check.passed() {
        return None;
    }
    with_pull_policy(found?, place, node, faults)
}

/// The name, entrypoint and executor options, checked; shared with services.
pub(crate) fn own_fields(check: &mut Check<'_>, node: &Node) -> Option<Image> {
    let map = node.as_map();
    if map.is_none() && !matches!(node.value, Value::Str(_)) {
        check.fault("config should be a hash or a string");
    }
    check.without_keys(node, &["ports"], "config contains disallowed keys");
    let name = match map {
        Some(map) => specified(map, "name"),
        None => matches!(node.value, Value::Str(_)).then_some(node),
    };
    let name = check.required_string("name", name);
    let field = |key| map.and_then(|map| specified(map, key));
    let entrypoint = check.strings("entrypoint", field("entrypoint"));
    if let Some(options) = map.and_then(executor_options) {
        for error in EXECUTOR_OPTIONS.errors(&options) {
            check.fault_at(options.span, format_args!("executor opts {error}"));
        }
    }
    Some(Image {
        name: name?.value,
        entrypoint: entrypoint.map(values),
        pull_policy: Vec::new(),
        docker_platform: option(map, "docker", "platform"),
        docker_user: option(map, "docker", "user"),
        kubernetes_user: option(map, "kubernetes", "user"),
    })
}

/// The image with its `pull_policy`, an entry of its own.
pub(crate) fn with_pull_policy(
    mut image: Image,
    place: &Place<'_>,
    node: &Node,
    faults: &mut Faults,
) -> Option<Image> {
    let node = node.as_map().and_then(|map| specified(map, "pull_policy"));
    if let Some(node) = node {
        image.pull_policy = pull_policy(&place.child("pull_policy"), node, faults)?;
    }
    Some(image)
}

/// `docker` and `kubernetes` as one map, or `None` where neither is written.
pub(crate) fn executor_options(map: &Map) -> Option<Node> {
    let mut options = Map::default();
    let mut span = Span::NONE;
    for name in ["docker", "kubernetes"] {
        if let Some((key, node)) = map.entry(name).filter(|(_, node)| !node.is_null()) {
            span = if span.is_some() { span } else { node.span };
            options.insert(key.clone(), node.clone());
        }
    }
    (!options.is_empty()).then(|| Node::new(Value::Map(Arc::new(options)), span))
}

fn option(map: Option<&Map>, executor: &str, key: &str) -> Option<Arc<str>> {
    let value = &map?.get(executor)?.as_map()?.get(key)?.value;
    Some(to_s(value, Keys::Symbols).into())
}

fn pull_policy(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Vec<PullPolicy>> {
    let mut check = Check::new(place, node, faults);
    let policies = check.strings_or_string("config", Some(node));
    check.present("config", Some(node));
    let policies = policies?;
    let unknown: Vec<_> = policies
        .iter()
        .filter(|policy| !PULL_POLICIES.contains(&&*policy.value))
        .collect();
    if let Some(first) = unknown.first() {
        let names: Vec<_> = unknown.iter().map(|policy| &*policy.value).collect();
        let text = match node.as_seq() {
            Some(_) => format!("config contains unknown values: {}", names.join(", ")),
            None => "config is not included in the list".to_owned(),
        };
        check.fault_at(first.span, text);
    }
    let named = policies.iter().filter_map(|text| match &*text.value {
        "always" => Some(PullPolicy::Always),
        "never" => Some(PullPolicy::Never),
        "if-not-present" => Some(PullPolicy::IfNotPresent),
        _ => None,
    });
    check.passed().then(|| named.collect())
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn names_options_and_pull_policies_are_checked() {
        check(
            "image: {script: x}\na: {script: x}",
            &[
                "image name should be a string",
                "image name can't be blank",
                "image config contains unknown keys: script",
                "image name should be a string",
                "image name can't be blank",
                "image config contains unknown keys: script",
                "image name should be a string",
                "image name can't be blank",
                "image config contains unknown keys: script",
            ],
        );
        check(
            "image: {entrypoint: [a]}\na: {script: x}",
            &[
                "image name should be a string",
                "image name can't be blank",
                "image name should be a string",
                "image name can't be blank",
                "image name should be a string",
                "image name can't be blank",
            ],
        );
        check(
            "image: ''\na: {script: x}",
            &[
                "image name can't be blank",
                "image name can't be blank",
                "image name can't be blank",
            ],
        );
        check(
            "image: {name: a, foo: b}\na: {script: x}",
            &[
                "image config contains unknown keys: foo",
                "image config contains unknown keys: foo",
                "image config contains unknown keys: foo",
            ],
        );
        check(
            "image: {name: a, ports: [80]}\na: {script: x}",
            &[
                "image config contains disallowed keys: ports",
                "image config contains disallowed keys: ports",
                "image config contains disallowed keys: ports",
            ],
        );
        check(
            "image: {name: a, docker: {foo: b}}\na: {script: x}",
            &[
                "image executor opts object property at `/docker/foo` is a disallowed additional property",
                "image executor opts object property at `/docker/foo` is a disallowed additional property",
                "image executor opts object property at `/docker/foo` is a disallowed additional property",
            ],
        );
        check(
            "image: {name: a, docker: b}\na: {script: x}",
            &[
                "image executor opts value at `/docker` is not an object",
                "image executor opts value at `/docker` is not an object",
                "image executor opts value at `/docker` is not an object",
            ],
        );
        check(
            "image: {name: a, docker: {platform: 1}}\na: {script: x}",
            &[
                "image executor opts value at `/docker/platform` is not a string",
                "image executor opts value at `/docker/platform` is not a string",
                "image executor opts value at `/docker/platform` is not a string",
            ],
        );
        check(
            "image: {name: a, pull_policy: foo}\na: {script: x}",
            &[
                "image:pull_policy config is not included in the list",
                "image:pull_policy config is not included in the list",
                "image:pull_policy config is not included in the list",
            ],
        );
        check(
            "image: {name: a, pull_policy: [foo, always]}\na: {script: x}",
            &[
                "image:pull_policy config contains unknown values: foo",
                "image:pull_policy config contains unknown values: foo",
                "image:pull_policy config contains unknown values: foo",
            ],
        );
        check(
            "image: {name: a, pull_policy: []}\na: {script: x}",
            &[
                "image:pull_policy config can't be blank",
                "image:pull_policy config can't be blank",
                "image:pull_policy config can't be blank",
            ],
        );
        check(
            "image: {name: a, pull_policy: 1}\na: {script: x}",
            &[
                "image:pull_policy config should be an array of strings or a string",
                "image:pull_policy config should be an array of strings or a string",
                "image:pull_policy config should be an array of strings or a string",
            ],
        );
    }
}
