//! `id_tokens` (reference `config.md` §9.18).

use tidegate_yaml::Node;

use crate::ruby::{Keys, to_s};
use crate::typed::{Check, Faults, Place, specified};

/// Checks the tokens of a job.
pub(crate) fn id_tokens(place: &Place<'_>, node: &Node, faults: &mut Faults) {
    let Some(map) = Check::new(place, node, faults).map(node) else {
        return;
    };
    for (key, node) in map {
        let name = to_s(&key.value, Keys::Symbols);
        let place = place.child(&name);
        let mut check = Check::new(&place, node, faults);
        check.required_keys(node, &["aud"]);
        check.known_keys(node, &["aud"]);
        let audience = node.as_map().and_then(|map| specified(map, "aud"));
        if check.strings_or_string("aud", audience).is_none() && audience.is_none() {
            check.fault("aud should be an array of strings or a string");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn each_token_needs_an_audience() {
        check(
            "j: {script: x, id_tokens: {A: 1}}",
            &[
                "jobs:j:id_tokens:a config missing required keys: aud",
                "jobs:j:id_tokens:a aud should be an array of strings or a string",
            ],
        );
        check(
            "j: {script: x, id_tokens: {A: {}}}",
            &[
                "jobs:j:id_tokens:a config missing required keys: aud",
                "jobs:j:id_tokens:a aud should be an array of strings or a string",
            ],
        );
        check(
            "j: {script: x, id_tokens: {A: {aud: 1}}}",
            &["jobs:j:id_tokens:a aud should be an array of strings or a string"],
        );
        check(
            "j: {script: x, id_tokens: {A: {aud: x, sub: y}}}",
            &["jobs:j:id_tokens:a config contains unknown keys: sub"],
        );
    }
}
