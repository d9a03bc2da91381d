//! L104: a `<<` whose value is neither a mapping nor a list of mappings.
//!
//! Why it bites: nothing is merged, and a key called `<<` stays behind.
//!
//! How to mend it: an alias of a mapping, `<<: *name`.

use tidegate_source::Diagnostic;
use tidegate_yaml::RemarkKind;

use super::yaml_remark::of_kind;
use crate::found::Found;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let nothing = |kind| matches!(kind, RemarkKind::MergeOfNoMap).then_some(());
    for (span, ()) in of_kind(subject, nothing) {
        found.add(
            Diagnostic::finding("L104", "`<<` merges nothing here: its value is no mapping")
                .at(span)
                .help("give it an alias of a mapping: `<<: *name`"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::loaded;
    use crate::{Settings, findings};

    #[test]
    fn a_merge_of_a_text_is_found_although_the_job_is_not_valid() {
        let found = findings(&loaded("j: {script: x, <<: y}"), &Settings::default());
        let codes: Vec<_> = found.iter().map(|finding| finding.code.0).collect();
        assert_eq!(codes, ["L104"]);
    }
}
