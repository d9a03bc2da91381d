//! A body with nothing in it, and the keywords in force as written.

use std::sync::Arc;

use tidegate_yaml::{Map, Node, Value};

use super::shared::SharedEntries;
use crate::json::to_json;
use crate::keyword::default::{Defaults, KEYS as DEFAULT_KEYS};
use crate::keyword::inherit::Inherit;
use crate::typed::Context;
use crate::{JobBody, JobKind, Spanned, Text, Written};

/// Keywords of jobs that run scripts which the model keeps as JSON.
const FURTHER: [&str; 8] = [
    "release",
    "id_tokens",
    "secrets",
    "inputs",
    "run",
    "pages",
    "identity",
    "dast_configuration",
];

/// A body that has only what all jobs share.
pub(super) fn body(kind: JobKind, shared: SharedEntries) -> (JobBody, Inherit) {
    let body = JobBody {
        kind,
        stage: shared
            .stage
            .unwrap_or_else(|| Spanned::default_value("test".into())),
        when: None,
        start_in: None,
        allow_failure: None,
        rules: shared.rules,
        only: shared.only,
        except: shared.except,
        variables: shared.variables,
        inherit_variables: shared.inherit.variables.clone(),
        environment: shared.environment.map(Box::new),
        interruptible: shared.interruptible,
        resource_group: None,
        script: Arc::default(),
        inheritable: Arc::default(),
        coverage: None,
        manual_confirmation: None,
        publish: None,
        further: Box::default(),
        written: None,
    };
    (body, shared.inherit)
}

/// What is inherited without being written: the values in `default` of the keywords in `inherited`.
fn taken<'d>(
    map: &Map,
    defaults: &'d Defaults,
    inherit: &Inherit,
    inherited: &[&str],
) -> Vec<(&'static str, &'d Node)> {
    let mut found = Vec::new();
    for key in DEFAULT_KEYS {
        let open = map.get(key).is_none_or(Node::is_null);
        // A timeout in `default` has no effect in GitLab.
        if !open || key == "timeout" || !inherited.contains(&key) || !inherit.takes(key) {
            continue;
        }
        found.extend(defaults.node(key).map(|node| (key, node)));
    }
    found
}

/// Fills in what comes from the written keywords themselves: those of the job that are not null, then those inherited.
pub(super) fn add_written(
    cx: &Context<'_>,
    body: &mut JobBody,
    job: &Node,
    defaults: &Defaults,
    inherit: &Inherit,
    inherited: &[&str],
) {
    let Value::Map(own) = &job.value else { return };
    let taken = taken(own, defaults, inherit, inherited);
    body.further = further(own, &taken);
    if cx.keeps_written() {
        let inherited = taken.into_iter().map(|(key, node)| (key, node.clone()));
        body.written = Some(Box::new(Written {
            own: own.clone(),
            inherited: inherited.collect(),
        }));
    }
}

/// The keywords that are kept as JSON.
fn further(own: &Map, taken: &[(&'static str, &Node)]) -> Box<[(Text, serde_json::Value)]> {
    let json = |name: Arc<str>, node: &Node| (Text::new(name, node.span), to_json(&node.value));
    let own = own.iter().filter_map(|(key, node)| match &key.value {
        Value::Str(name) if FURTHER.contains(&&**name) && !node.is_null() => {
            Some(json(name.clone(), node))
        }
        _ => None,
    });
    let taken = taken.iter().filter(|(key, _)| FURTHER.contains(key));
    own.chain(taken.map(|(key, node)| json(Arc::from(*key), node)))
        .collect()
}
