//! L111: `timeout` in `default`.
//!
//! Why it bites: GitLab accepts it and does nothing with it (reference `config.md` §8.3): jobs have the project's timeout.
//!
//! How to mend it: `timeout` in the jobs, or in a hidden job they extend.

use tidegate_source::Diagnostic;
use tidegate_yaml::Node;

use crate::found::Found;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let default = subject.merged().and_then(|merged| merged.get("default"));
    let Some((key, value)) = default
        .and_then(Node::as_map)
        .and_then(|map| map.entry("timeout"))
    else {
        return;
    };
    if !value.is_null() {
        found.add(
            Diagnostic::finding("L111", "`default:timeout` has no effect")
                .at(key.span)
                .help("write `timeout` in the jobs, or in a hidden job they extend"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn only_the_default_one_has_no_effect() {
        check(
            "L111",
            "{default: {timeout: 1h}, j: {script: x, timeout: 1h}}",
            &["timeout"],
        );
        check("L111", "{j: {script: x, timeout: 1h}}", &[]);
    }
}
