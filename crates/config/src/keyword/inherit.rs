//! `inherit` (reference `config.md` §9.18).

use tidegate_yaml::{Node, Value};

use super::default::KEYS as DEFAULT_KEYS;
use crate::InheritVariables;
use crate::typed::{Check, Faults, Place, joined, raw_fault, specified, texts, values};

/// What a job takes from elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Inherit {
    /// Which keywords of `default`.
    pub default: InheritDefault,
    /// Which top-level variables.
    pub variables: InheritVariables,
}

/// `inherit:default`.
#[derive(Clone, Debug)]
pub(crate) enum InheritDefault {
    /// All or none.
    All(bool),
    /// Only these.
    Only(Vec<std::sync::Arc<str>>),
}

impl Inherit {
    /// Everything.
    pub(crate) fn all() -> Inherit {
        Inherit {
            default: InheritDefault::All(true),
            variables: InheritVariables::All(true),
        }
    }

    /// Whether the keyword `name` of `default` is taken.
    pub(crate) fn takes(&self, name: &str) -> bool {
        match &self.default {
            InheritDefault::All(all) => *all,
            InheritDefault::Only(names) => names.iter().any(|known| &**known == name),
        }
    }
}

/// The `inherit` of a job.
pub(crate) fn inherit(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Inherit {
    let mut found = Inherit::all();
    let mut check = Check::new(place, node, faults);
    let map = check.map(node);
    check.known_keys(node, &["default", "variables"]);
    let Some(map) = map.filter(|_| check.passed()) else {
        // Of an `inherit` that is not valid GitLab takes nothing.
        found.default = InheritDefault::All(false);
        return found;
    };
    if let Some(node) = specified(map, "default") {
        found.default = default(&place.child("default"), node, faults);
    }
    if let Some(node) = specified(map, "variables") {
        found.variables = variables(&place.child("variables"), node, faults);
    }
    found
}

fn default(place: &Place<'_>, node: &Node, faults: &mut Faults) -> InheritDefault {
    if let Value::Bool(all) = node.value {
        return InheritDefault::All(all);
    }
    let Some(items) = node.as_seq() else {
        faults.push(raw_fault(
            place,
            node.span,
            "should be a bool or array of strings",
        ));
        return InheritDefault::All(true);
    };
    let mut check = Check::new(place, node, faults);
    let names = check.strings("config", Some(node));
    let known = |item: &&Node| {
        !item
            .as_str()
            .is_some_and(|name| DEFAULT_KEYS.contains(&name))
    };
    let unknown: Vec<_> = items.iter().filter(known).collect();
    if let Some(first) = unknown.first() {
        let list = joined(unknown.iter().map(|item| &item.value), ", ");
        check.fault_at(
            first.span,
            format_args!("config contains unknown values: {list}"),
        );
    }
    InheritDefault::Only(values(names.unwrap_or_default()))
}

fn variables(place: &Place<'_>, node: &Node, faults: &mut Faults) -> InheritVariables {
    if let Value::Bool(all) = node.value {
        return InheritVariables::All(all);
    }
    if node.as_seq().is_none() {
        faults.push(raw_fault(
            place,
            node.span,
            "should be a bool or array of strings",
        ));
        return InheritVariables::All(true);
    }
    Check::new(place, node, faults).strings("config", Some(node));
    InheritVariables::Only(values(texts(node).unwrap_or_default()).into())
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn only_inheritable_keywords_can_be_inherited() {
        check(
            "j: {script: x, inherit: 1}",
            &["jobs:j:inherit config should be a hash"],
        );
        check(
            "j: {script: x, inherit: {foo: 1}}",
            &["jobs:j:inherit config contains unknown keys: foo"],
        );
        check(
            "j: {script: x, inherit: {default: [foo, image]}}",
            &["jobs:j:inherit:default config contains unknown values: foo"],
        );
        check(
            "j: {script: x, inherit: {default: [1]}}",
            &[
                "jobs:j:inherit:default config should be an array of strings",
                "jobs:j:inherit:default config contains unknown values: 1",
            ],
        );
        check(
            "j: {script: x, inherit: {variables: [1]}}",
            &["jobs:j:inherit:variables config should be an array of strings"],
        );
    }
}
