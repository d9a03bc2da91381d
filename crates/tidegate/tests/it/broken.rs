//! Broken configurations: GitLab's message with file and line, exit code 1, no panic.

use crate::{directory, repository};

#[track_caller]
fn refused(configuration: impl AsRef<[u8]>, message: &str, place: &str) {
    let dir = directory();
    dir.write(".gitlab-ci.yml", configuration);
    for command in ["lint", "run", "list"] {
        let ended = dir.run(&[command]);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code, Some(1), "{command}: {said}");
        assert!(said.contains(message), "{command}: {said}");
        assert!(said.contains(place), "{command}: {said}");
        assert!(!said.contains("panicked"), "{command}: {said}");
    }
}

#[test]
fn an_empty_file() {
    refused(
        "",
        "Please provide content of .gitlab-ci.yml",
        ".gitlab-ci.yml",
    );
}

#[test]
fn a_file_that_is_no_yaml() {
    let message =
        "did not find expected ',' or ']' while parsing a flow sequence at line 1 column 6";
    refused(
        "job: [a\n",
        &format!("(<unknown>): {message}"),
        ".gitlab-ci.yml:",
    );
}

#[test]
fn a_file_with_a_tab() {
    let message = "found character that cannot start any token while scanning for the next token at line 2 column 1";
    refused(
        "job:\n\tscript: x\n",
        &format!("(<unknown>): {message}"),
        ".gitlab-ci.yml:2:1",
    );
}

#[test]
fn a_file_over_gitlabs_limit() {
    let large = format!("job: {{script: [echo]}}\n{}", "# comment\n".repeat(300_000));
    refused(large, "The provided YAML is too big", ".gitlab-ci.yml");
}

#[test]
fn a_cyclic_extends() {
    let text = "a: {extends: b, script: x}\nb: {extends: a, script: x}\n";
    refused(
        text,
        "a: circular dependency detected in `extends`",
        ".gitlab-ci.yml:1:",
    );
}

#[test]
fn a_need_on_an_unknown_job() {
    refused(
        "job: {needs: [nope], script: x}\n",
        "job job: undefined need: nope",
        ".gitlab-ci.yml:1:15",
    );
}

#[test]
fn bytes_that_are_no_text() {
    refused(
        b"job: \xff\xfe\n".as_slice(),
        "(<unknown>): invalid leading UTF-8 octet",
        ".gitlab-ci.yml",
    );
}

#[test]
fn no_file_at_all_is_a_wrong_environment() {
    let ended = directory().run(&["run"]);
    assert_eq!(ended.code, Some(2), "{}", ended.shown());
    assert!(ended.stderr.contains(".gitlab-ci.yml"), "{}", ended.stderr);
}

#[test]
fn wrong_arguments_end_with_two() {
    let repo = repository("job: {script: [echo]}\n");
    assert_eq!(repo.run(&["nonsense"]).code, Some(2));
    assert_eq!(repo.run(&["run", "--variable", "novalue"]).code, Some(2));
    assert_eq!(repo.run(&["run", "--base", "nope"]).code, Some(2));
}
