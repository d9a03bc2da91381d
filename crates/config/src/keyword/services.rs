//! `services` (reference `config.md` §9.5).

use tidegate_pipeline::Service;
use tidegate_yaml::Node;

use super::image::{own_fields, with_pull_policy};
use super::scripts::script;
use super::variables::plain_variables;
use crate::Spanned;
use crate::typed::{Check, Faults, Place, flatten, specified, values};

const KEYS: [&str; 9] = [
    "name",
    "entrypoint",
    "docker",
    "kubernetes",
    "pull_policy",
    "ports",
    "command",
    "alias",
    "variables",
];

/// The services of a job, nested lists made flat.
pub(crate) fn services(
    place: &Place<'_>,
    node: &Node,
    faults: &mut Faults,
) -> Option<Vec<Spanned<Service>>> {
    if node.as_seq().is_none() {
        Check::new(place, node, faults).fault("config should be an array");
        return None;
    }
    let mut services = Vec::new();
    for item in service_nodes(node) {
        let service = service(&place.child("service"), item, faults);
        services.extend(service.map(|service| Spanned::new(service, item.span)));
    }
    Some(services)
}

/// The nodes of the single services: nested lists made flat, nulls left out.
pub(crate) fn service_nodes(node: &Node) -> Vec<&Node> {
    let mut nodes = Vec::new();
    flatten(node, usize::MAX, &mut |item| {
        if !item.is_null() {
            nodes.push(item);
        }
        Some(())
    });
    nodes
}

fn service(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Service> {
    let mut check = Check::new(place, node, faults);
    let image = own_fields(&mut check, node);
    check.known_keys(node, &KEYS);
    let field = |key| node.as_map().and_then(|map| specified(map, key));
    let alias = check.string("alias", field("alias"));
    if !check.passed() {
        return None;
    }
    let image = with_pull_policy(image?, place, node, faults);
    let command = field("command").map(|node| script(&place.child("command"), node, faults));
    let variables = match field("variables") {
        Some(node) => plain_variables(&place.child("variables"), node, faults),
        None => Vec::new(),
    };
    Some(Service {
        image: image?,
        alias: alias.map(|alias| alias.value),
        command: command.flatten().map(values),
        variables: variables
            .into_iter()
            .map(|variable| (variable.key, variable.value))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn services_are_lists_of_images() {
        check(
            "services: {name: foo}\na: {script: x}",
            &[
                "services config should be an array",
                "services config should be an array",
                "services config should be an array",
            ],
        );
        check(
            "services: [1]\na: {script: x}",
            &[
                "services:service config should be a hash or a string",
                "services:service name should be a string",
                "services:service name can't be blank",
                "services:service config should be a hash or a string",
                "services:service name should be a string",
                "services:service name can't be blank",
                "services:service config should be a hash or a string",
                "services:service name should be a string",
                "services:service name can't be blank",
            ],
        );
        check(
            "services: [{alias: x}]\na: {script: x}",
            &[
                "services:service name should be a string",
                "services:service name can't be blank",
                "services:service name should be a string",
                "services:service name can't be blank",
                "services:service name should be a string",
                "services:service name can't be blank",
            ],
        );
        check(
            "services: [{name: x, foo: y}]\na: {script: x}",
            &[
                "services:service config contains unknown keys: foo",
                "services:service config contains unknown keys: foo",
                "services:service config contains unknown keys: foo",
            ],
        );
        check(
            "services: [{name: x, alias: 1}]\na: {script: x}",
            &[
                "services:service alias should be a string",
                "services:service alias should be a string",
                "services:service alias should be a string",
            ],
        );
    }
}
