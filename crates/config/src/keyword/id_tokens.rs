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
