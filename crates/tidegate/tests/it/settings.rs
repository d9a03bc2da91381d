//! `tidegate.toml`, and includes from elsewhere.

use crate::{directory, repository};

#[test]
fn a_masked_variable_of_the_settings_reaches_the_job_but_not_its_log() {
    let repo =
        repository("job: {script: ['echo \"token $TOKEN\"', 'test \"$TOKEN\" = s3cretvalue']}\n");
    repo.write(
        "tidegate.toml",
        "[variables.project]\nTOKEN = { value = \"s3cretvalue\", masked = true }\n",
    );
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(
        ended.stdout.contains("job | token [MASKED]"),
        "{}",
        ended.stdout
    );
    assert!(!ended.shown().contains("s3cretvalue"), "{}", ended.shown());
}

#[test]
fn a_protected_variable_only_reaches_protected_refs() {
    let repo = repository("job: {script: ['echo \"[$V]\"']}\n");
    let variables = "[variables.project]\nV = { value = \"x\", protected = true }\n";
    repo.write("tidegate.toml", variables);
    assert!(repo.run(&["run"]).stdout.contains("job | []"));
    repo.write(
        "tidegate.toml",
        format!("[project]\nprotected_branches = [\"main\"]\n{variables}"),
    );
    assert!(repo.run(&["run"]).stdout.contains("job | [x]"));
}

#[test]
fn a_wrong_key_is_named_with_its_line() {
    let repo = repository("job: {script: [echo]}\n");
    repo.write("tidegate.toml", "[run]\njbos = 3\n");
    let ended = repo.run(&["list"]);
    assert_eq!(ended.code, Some(2), "{}", ended.shown());
    assert!(
        ended.stderr.contains("tidegate.toml:2:1"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("jobs"), "{}", ended.stderr);
}

#[test]
fn a_project_is_included_from_a_mapped_directory_and_pinned() {
    let repo =
        repository("include: {project: group/shared, file: ci.yml}\nmine: {script: [echo]}\n");
    let shared = directory();
    shared.git(&["init", "--quiet", "--initial-branch", "main"]);
    shared.write("ci.yml", "theirs: {script: [echo theirs]}\n");
    shared.commit("first");
    let path = shared.project();
    repo.write(
        "tidegate.toml",
        format!(
            "[includes.projects]\n\"group/shared\" = {{ path = {:?} }}\n",
            path.display().to_string()
        ),
    );
    let ended = repo.run(&["list"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(ended.stdout.contains("theirs"), "{}", ended.stdout);
}

#[test]
fn an_include_nobody_mapped_says_how_to_map_it() {
    let repo =
        repository("include: {project: group/shared, file: ci.yml}\njob: {script: [echo]}\n");
    let ended = repo.run(&["lint", "--offline"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    assert!(ended.stdout.contains("group/shared"), "{}", ended.stdout);
}
