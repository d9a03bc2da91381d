//! L103: a `<<` below a key whose value it replaces.
//!
//! Why it bites: by YAML's rules a key of the mapping itself wins over a merged one. GitLab's parser goes from top to bottom: a
//! `<<` replaces what stands above it, so the value one wrote is lost.
//!
//! How to mend it: `<<` as the first key of the mapping.

use tidegate_source::Diagnostic;
use tidegate_yaml::RemarkKind;

use super::yaml_remark::of_kind;
use crate::found::Found;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let merges = of_kind(subject, |kind| match kind {
        RemarkKind::MergeOverridesKey { key } => Some(key),
        _ => None,
    });
    for (span, key) in merges {
        let text = format!(
            "`<<` replaces `{}`, which is written above it",
            subject.text(key)
        );
        found.add(
            Diagnostic::finding("L103", text)
                .at(span)
                .context(key, "this value is lost")
                .help("move `<<` to the top of the mapping"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn a_merge_below_is_found() {
        let text = ".a: &a\n  tags: [x]\nj:\n  script: x\n  tags: [y]\n  <<: *a\n";
        check("L103", text, &["<<"]);
        let text = ".a: &a\n  tags: [x]\nj:\n  <<: *a\n  script: x\n  tags: [y]\n";
        check("L103", text, &[]);
    }
}
