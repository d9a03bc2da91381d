//! `hooks` (reference `config.md` §9.3).

use tidegate_yaml::Node;

use super::scripts::script;
use crate::Text;
use crate::typed::{Check, Faults, Place, specified};

/// The commands of `hooks:pre_get_sources_script`.
pub(crate) fn hooks(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Vec<Text>> {
    let mut check = Check::new(place, node, faults);
    // GitLab's entry checks the type twice.
    check.map(node);
    let map = check.map(node);
    check.known_keys(node, &["pre_get_sources_script"]);
    if !check.passed() {
        return None;
    }
    match specified(map?, "pre_get_sources_script") {
        Some(node) => script(&place.child("pre_get_sources_script"), node, faults),
        None => Some(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn only_one_hook_is_known() {
        check(
            "j: {script: x, hooks: {foo: x}}",
            &["jobs:j:hooks config contains unknown keys: foo"],
        );
        check(
            "j: {script: x, hooks: {pre_get_sources_script: 1}}",
            &[
                "jobs:j:hooks:pre_get_sources_script config should be a string or a nested array of strings up to 10 levels deep",
            ],
        );
        check(
            "default: {hooks: {foo: 1}}\nj: {script: x}",
            &[
                "default:hooks config contains unknown keys: foo",
                "default:hooks config contains unknown keys: foo",
            ],
        );
    }
}
