//! `script`, `before_script`, `after_script`, a service's `command` (reference `config.md` §9.3).

use tidegate_yaml::Node;

use crate::Text;
use crate::typed::{Check, Faults, Place, nested_texts};

/// The commands of a script, nested lists made flat.
pub(crate) fn script(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Vec<Text>> {
    let commands = nested_texts(node);
    if commands.is_none() {
        Check::new(place, node, faults)
            .fault("config should be a string or a nested array of strings up to 10 levels deep");
    }
    commands
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn what_is_no_text_or_list_of_texts_is_refused() {
        check(
            "j: {script: x, before_script: 1}",
            &[
                "jobs:j:before_script config should be a string or a nested array of strings up to 10 levels deep",
            ],
        );
        check(
            "j: {script: x, after_script: 1}",
            &[
                "jobs:j:after_script config should be a string or a nested array of strings up to 10 levels deep",
            ],
        );
        check(
            "a: {script: 1}",
            &[
                "jobs:a:script config should be a string or a nested array of strings up to 10 levels deep",
            ],
        );
        check(
            "a: {script: [[{a: b}]]}",
            &[
                "jobs:a:script config should be a string or a nested array of strings up to 10 levels deep",
            ],
        );
    }
}
