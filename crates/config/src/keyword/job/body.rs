//! A body with nothing in it, and the list of keywords in force.

use std::sync::Arc;

use tidegate_yaml::{Map, Node, Value};

use super::shared::SharedEntries;
use crate::keyword::default::{Defaults, KEYS as DEFAULT_KEYS};
use crate::keyword::inherit::Inherit;
use crate::keyword::rules::WrittenRules;
use crate::{JobBody, JobKind, Spanned};

/// A body that has only what all jobs share.
pub(super) fn body(
    kind: JobKind,
    shared: SharedEntries,
) -> (JobBody, Inherit, Option<WrittenRules>) {
    let body = JobBody {
        kind,
        stage: shared
            .stage
            .unwrap_or_else(|| Spanned::default_value("test".into())),
        when: None,
        start_in: None,
        allow_failure: None,
        rules: None,
        only: shared.only,
        except: shared.except,
        variables: shared.variables,
        inherit_variables: shared.inherit.variables.clone(),
        environment: shared.environment,
        interruptible: shared.interruptible,
        resource_group: None,
        tags: Vec::new(),
        retry: None,
        timeout: None,
        before_script: Vec::new(),
        script: Vec::new(),
        after_script: Vec::new(),
        pre_get_sources_script: Vec::new(),
        image: None,
        services: Vec::new(),
        caches: Vec::new(),
        artifacts: None,
        coverage: None,
        manual_confirmation: None,
        publish: None,
        further: Vec::new(),
        keywords: Vec::new(),
    };
    (body, shared.inherit, shared.rules)
}

/// Every keyword in force with its node: those written and not null, then those inherited.
pub(super) fn keywords(
    map: &Map,
    defaults: &Defaults,
    inherit: &Inherit,
    inherited: &[&str],
) -> Vec<(Arc<str>, Node)> {
    let mut found = Vec::with_capacity(map.len());
    for (key, node) in map {
        match &key.value {
            Value::Str(name) if !node.is_null() => found.push((name.clone(), node.clone())),
            _ => {}
        }
    }
    for key in DEFAULT_KEYS {
        let open = map.get(key).is_none_or(Node::is_null);
        // A timeout in `default` has no effect in GitLab.
        if !open || key == "timeout" || !inherited.contains(&key) || !inherit.takes(key) {
            continue;
        }
        if let Some(node) = defaults.node(key) {
            found.push((key.into(), node.clone()));
        }
    }
    found
}
