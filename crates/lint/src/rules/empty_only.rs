//! L112: `only` with an empty list, which nothing satisfies.
//!
//! Why it bites: an empty list of refs is never true, so the job is in no pipeline.
//!
//! How to mend it: remove `only`, or `when: never` in `rules` to say that the job is switched off.

use tidegate_source::Diagnostic;

use crate::found::Found;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    for job in subject.jobs() {
        let Some(only) = &job.body.only else {
            continue;
        };
        let empty = [
            only.refs.as_ref().is_some_and(Vec::is_empty),
            only.variables.as_ref().is_some_and(Vec::is_empty),
            only.changes.as_ref().is_some_and(Vec::is_empty),
        ];
        if empty.contains(&true) && only.span.is_some() {
            let finding = Diagnostic::finding(
                "L112",
                "this `only` is never satisfied: a list in it is empty",
            )
            .at(only.span)
            .help("to switch a job off, say `rules: [{when: never}]`");
            found.add_for(&job.base, finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn an_empty_list_is_found() {
        check("L112", "j: {script: x, only: []}", &["[]"]);
        check("L112", "j: {script: x, only: [main]}", &[]);
    }
}
