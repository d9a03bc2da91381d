//! L105: a plain scalar with colons that YAML 1.1 reads as a number to base 60.
//!
//! Why it bites: `12:30` is 750, and `22:22` in a list of ports is 1342.
//!
//! How to mend it: quotes.

use tidegate_source::Diagnostic;
use tidegate_yaml::RemarkKind;

use super::yaml_remark::of_kind;
use crate::found::Found;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let sexagesimal = |kind| matches!(kind, RemarkKind::Sexagesimal).then_some(());
    for (span, ()) in of_kind(subject, sexagesimal) {
        let written = subject.text(span);
        found.add(
            Diagnostic::finding(
                "L105",
                format!("`{written}` is read as a number to base 60"),
            )
            .at(span)
            .suggest("put it in quotes", span, format!("'{written}'")),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check, check_mended};

    #[test]
    fn only_plain_scalars_are_numbers() {
        check(
            "L105",
            "{variables: {A: 12:30, B: '12:30', C: '1'}, j: {script: x}}",
            &["12:30"],
        );
        check_mended(
            "L105",
            "{variables: {A: 1:30}, j: {script: x}}",
            "{variables: {A: '1:30'}, j: {script: x}}",
        );
    }
}
