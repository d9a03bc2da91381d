//! L102: a YAML document of a file that GitLab never reads.
//!
//! Why it bites: of a file with `---` in the middle GitLab reads the first document only, or with a `spec` header the last one.
//! Everything else has no effect.
//!
//! How to mend it: one document, or a header with `spec` and one document.

use tidegate_source::Diagnostic;
use tidegate_yaml::RemarkKind;

use super::yaml_remark::of_kind;
use crate::found::Found;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let ignored = |kind| matches!(kind, RemarkKind::IgnoredDocument).then_some(());
    for (span, ()) in of_kind(subject, ignored) {
        found.add(
            Diagnostic::finding("L102", "this document is never read")
                .at(span)
                .note(
                    "GitLab reads the first document, or the last one behind a header with `spec`",
                ),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn a_second_document_is_found() {
        check(
            "L102",
            "j: {script: x}\n---\nk: {script: y}\n",
            &["k: {script: y}"],
        );
        check("L102", "spec: {}\n---\nk: {script: y}\n", &[]);
    }
}
