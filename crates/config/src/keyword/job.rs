//! Jobs: what a job and a trigger job may say, and the order in which GitLab checks it
//! (reference `config.md` §8.1, §9.2, §9.4).

mod body;
mod bridge;
mod script_job;
mod shared;

pub(crate) use bridge::bridge;
pub(crate) use script_job::job;
pub(crate) use shared::{Surroundings, WrittenJob};

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn keys_and_single_values_of_jobs_are_checked() {
        check(
            "j: {script: x, trigger: a/b}",
            &[
                "jobs:j config these keys cannot be used together: script, trigger",
                "jobs:j config contains unknown keys: trigger",
            ],
        );
        check(
            "j: {before_script: x, run: [{name: a, script: b}]}",
            &["jobs:j config these keys cannot be used together: before_script, run"],
        );
        check(
            "j: {after_script: x, run: [{name: a, script: b}]}",
            &["jobs:j config these keys cannot be used together: after_script, run"],
        );
        check(
            "j: {script: x, foo: 1, bar: 2}",
            &["jobs:j config contains unknown keys: foo, bar"],
        );
        check(
            "j: {script: x, foo: 1, rules: {wrong: format}}",
            &[
                "jobs:j config contains unknown keys: foo",
                "jobs:j rules should be an array containing hashes and arrays of hashes",
            ],
        );
        check(
            "j: {script: x, when: foo}",
            &["jobs:j when should be one of: on_success, on_failure, always, manual, delayed"],
        );
        check(
            "j: {script: x, when: never}",
            &["jobs:j when should be one of: on_success, on_failure, always, manual, delayed"],
        );
        check(
            "j: {script: x, when: 1}",
            &[
                "jobs:j when should be a string",
                "jobs:j when should be one of: on_success, on_failure, always, manual, delayed",
            ],
        );
        check(
            "j: {script: x, when: delayed}",
            &[
                "jobs:j start in should be a duration",
                "jobs:j start in should not exceed the limit",
            ],
        );
        check(
            "j: {script: x, when: delayed, start_in: foo}",
            &[
                "jobs:j start in should be a duration",
                "jobs:j start in should not exceed the limit",
            ],
        );
        check(
            "j: {script: x, when: delayed, start_in: 8 days}",
            &["jobs:j start in should not exceed the limit"],
        );
        check(
            "j: {script: x, start_in: 1 day}",
            &["jobs:j start in must be blank"],
        );
        check(
            "j: {script: x, allow_failure: 1}",
            &["jobs:j allow failure should be a hash or a boolean value"],
        );
        check("j: {script: x, manual_confirmation: x}", &[]);
        check(
            "j: {script: x, dependencies: a}",
            &["jobs:j dependencies should be an array of strings"],
        );
        check(
            "j: {script: x, dependencies: [1]}",
            &["jobs:j dependencies should be an array of strings"],
        );
        check(
            "j: {script: x, type: test}",
            &["jobs:j config contains unknown keys: type"],
        );
        check(
            "j: {trigger: a/b, image: x}",
            &[
                "jobs:j config contains unknown keys: image",
                "jobs:j config should contain either a trigger or a needs:pipeline",
            ],
        );
        check(
            "j: {trigger: a/b, allow_failure: {exit_codes: 1}}",
            &[
                "jobs:j allow failure should be a boolean value",
                "jobs:j config should contain either a trigger or a needs:pipeline",
            ],
        );
        check(
            "j: {needs: [a]}",
            &["jobs:j config should contain either a trigger or a needs:pipeline"],
        );
        check(
            "a: {script: x}\nc: {script: x}\nb: {script: x, stage: deploy, needs: [a], dependencies: [a, c]}",
            &["jobs:b dependencies the c should be part of needs"],
        );
        check(
            "c: {script: x}\nb: {script: x, stage: deploy, needs: [{pipeline: a, job: d}], dependencies: [c]}",
            &["jobs:b needs corresponding to dependencies must be from the same pipeline"],
        );
        check(
            "j: {script: x, rules: [{if: $X}], when: delayed, start_in: 1 day}",
            &[
                "jobs:j config key may not be used with `rules`: start_in",
                "jobs:j start in must be blank",
            ],
        );
        check(
            "'a:b': {script: x, foo: 1}",
            &["jobs:a:b config contains unknown keys: foo"],
        );
    }
}
