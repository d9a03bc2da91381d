//! What is said of downstream pipelines: of jobs in them that are named too early, and of configurations that trigger jobs cannot use.

use tidegate_testkit::Sandbox;

use crate::{never_says, repository, says};

fn project() -> Sandbox {
    let repo = repository(
        "build: {script: [echo built]}\nsub: {trigger: {include: child.yml, strategy: depend}}\n",
    );
    repo.write(
        "child.yml",
        "two: {script: [exit 3]}\nwait: {script: [echo started], when: manual}\n",
    );
    repo
}

#[test]
fn a_job_below_a_trigger_job_is_told_from_a_name_nobody_has() {
    let repo = project();
    for args in [
        &["run", "sub/two"][..],
        &["run", "sub/*"],
        &["run", "--no-needs", "sub/two"],
        &["explain", "sub/two"],
    ] {
        let ended = repo.run(args);
        assert_eq!(ended.code, Some(2), "{}", ended.shown());
        for part in [
            "is no job of this pipeline: what is below `sub` is planned when that is reached",
            "hint: `tidegate run sub` runs all of it",
            "`tidegate run --retry ",
        ] {
            assert!(
                ended.stderr.contains(part),
                "{args:?} {part}: {}",
                ended.shown()
            );
        }
    }
    let unknown = repo.run(&["run", "build/two"]);
    assert!(
        unknown.stderr.contains("there is no job `build/two`"),
        "{}",
        unknown.shown()
    );
}

#[test]
fn what_the_hint_names_can_be_done() {
    let repo = project();
    let ended = repo.run(&["run", "sub"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    let again = repo.run(&["run", "--retry", "sub/two"]);
    says(&again, "sub/two  | failed in");
    never_says(&again, "built");
    let played = repo.run(&["run", "--play", "sub/wait"]);
    says(&played, "sub/wait | started\n");
    says(&repo.run(&["logs", "sub/two"]), "$ exit 3\n");
}

#[test]
fn a_fault_in_a_generated_configuration_is_shown_in_the_artifact_it_came_from() {
    let repo = repository(
        "stages: [make, sub]\n\
         generate:\n  stage: make\n  script: ['cp template.yml generated.yml']\n  artifacts: {paths: [generated.yml]}\n\
         sub: {stage: sub, trigger: {include: [{artifact: generated.yml, job: generate}]}}\n",
    );
    for (text, parts) in [
        (
            "ok: {script: [echo]}\nbad: {scrpt: [echo]}\n",
            &[
                "--> generated.yml (artifact of `generate`):2:1\n",
                "2 | bad: {scrpt: [echo]}\n",
                "= note: included from trigger:include of `sub`\n",
            ][..],
        ),
        (
            "ok:\n  script: [echo\n",
            &[
                "--> generated.yml (artifact of `generate`):",
                "= note: included from trigger:include of `sub`\n",
            ],
        ),
        (
            "include: nowhere.yml\n",
            &[
                "--> generated.yml (artifact of `generate`):1:10\n",
                "Local file `nowhere.yml` does not exist!",
            ],
        ),
        (
            "ok: {script: [echo], stage: nope}\n",
            &[
                "chosen stage nope does not exist",
                "--> generated.yml (artifact of `generate`):1:",
            ],
        ),
    ] {
        repo.write("template.yml", text);
        let ended = repo.run(&["run"]);
        assert_eq!(ended.code, Some(1), "{}", ended.shown());
        for part in parts {
            says(&ended, part);
        }
        // The text that stands for `trigger:include` is nobody's.
        never_says(&ended, "{\"include\"");
    }
}

#[test]
fn a_file_that_is_not_there_is_asked_for_by_the_trigger_job() {
    let repo = repository("sub: {trigger: {include: nowhere.yml}}\n");
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    says(&ended, "Local file `nowhere.yml` does not exist!");
    says(&ended, "= note: in trigger:include of `sub`\n");
    never_says(&ended, "{\"include\"");
}
