//! `stages` (reference `config.md` §7, §9.1).

use tidegate_yaml::Node;

use crate::typed::{Check, Faults, Place, nested_texts};
use crate::{Spanned, Text};

const DEFAULT: [&str; 5] = [".pre", "build", "test", "deploy", ".post"];

/// The stages in order, nested lists made flat.
pub(crate) fn stages(node: Option<&Node>, faults: &mut Faults) -> Vec<Text> {
    let Some(node) = node else {
        let names = DEFAULT.into_iter();
        return names
            .map(|name| Spanned::default_value(name.into()))
            .collect();
    };
    let place = Place::top("stages");
    let found = node.as_seq().and_then(|_| nested_texts(node));
    if found.is_none() {
        Check::new(&place, node, faults).fault(
            "config should be an array of strings or a nested array of strings up to 10 levels deep",
        );
    }
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn stages_are_texts() {
        check(
            "stages: foo\na: {script: x}",
            &[
                "stages config should be an array of strings or a nested array of strings up to 10 levels deep",
            ],
        );
        check(
            "stages: [1]\na: {script: x}",
            &[
                "stages config should be an array of strings or a nested array of strings up to 10 levels deep",
            ],
        );
        check(
            "stages: []\na: {script: x}",
            &["a job: chosen stage test does not exist; available stages are "],
        );
    }
}
