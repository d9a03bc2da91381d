//! L101: a key that is written twice in one mapping.
//!
//! Why it bites: the later value counts and the earlier one is lost, without a word from GitLab: a whole job can vanish.
//!
//! How to mend it: rename or remove one of the two.

use tidegate_source::Diagnostic;
use tidegate_yaml::RemarkKind;

use super::yaml_remark::of_kind;
use crate::found::Found;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let duplicates = of_kind(subject, |kind| match kind {
        RemarkKind::DuplicateKey { first } => Some(first),
        _ => None,
    });
    for (span, first) in duplicates {
        let text = format!("the key `{}` is written twice", subject.text(span));
        found.add(
            Diagnostic::finding("L101", text)
                .at_with(span, "this value counts")
                .context(first, "this one is lost"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn the_second_of_two_keys_is_underlined() {
        check("L101", "{j: {script: x, tags: [a], tags: [b]}}", &["tags"]);
        check("L101", "{j: {script: x}, k: {script: x}}", &[]);
    }
}
