//! L106: a plain scalar with a leading zero that YAML 1.1 reads as a number to base 8.
//!
//! Why it bites: `010` is 8, so a version, a date or a file mode changes its text on the way into a variable.
//!
//! How to mend it: quotes.

use tidegate_source::Diagnostic;
use tidegate_yaml::RemarkKind;

use super::yaml_remark::of_kind;
use crate::found::Found;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let octal = |kind| matches!(kind, RemarkKind::Octal).then_some(());
    for (span, ()) in of_kind(subject, octal) {
        let written = subject.text(span);
        found.add(
            Diagnostic::finding("L106", format!("`{written}` is read as a number to base 8"))
                .at(span)
                .suggest("put it in quotes", span, format!("'{written}'")),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn leading_zeros_are_found() {
        check(
            "L106",
            "{variables: {A: 0644, B: '0644', C: 0}, j: {script: x}}",
            &["0644"],
        );
    }
}
