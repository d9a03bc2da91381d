//! `tidegate shell`: where a job would run, without a trace.

use std::io::Write;
use std::process::Stdio;

use crate::repository;

const PIPELINE: &str = "make: {stage: build, script: [echo V=7 > v, echo made > out], artifacts: {paths: [out], reports: {dotenv: v}}}\n\
    use: {stage: test, variables: {GREETING: 'hello $V'}, script: ['true']}\n";

#[test]
fn a_command_sees_files_artifacts_and_variables_of_the_job() {
    let repo = repository(PIPELINE);
    let made = repo.run(&["run", "make"]);
    assert_eq!(made.code, Some(0), "{}", made.shown());
    repo.write("note", "of the work tree\n");
    let script = "cat note out; echo $GREETING; echo $CI_JOB_NAME; git log --oneline | wc -l";
    let ended = repo.run(&["shell", "use", "--", "bash", "-c", script]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert_eq!(ended.stdout, "of the work tree\nmade\nhello 7\nuse\n1\n");
    assert_eq!(ended.stderr, "");
}

#[test]
fn nothing_done_in_a_shell_stays() {
    let repo = repository(PIPELINE);
    let mut shell = repo.command(&["shell", "make"]);
    shell
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut shell = shell.spawn().expect("the binary starts");
    let mut input = shell.stdin.take().expect("it is piped");
    input
        .write_all(b"echo changed > .gitlab-ci.yml\ntouch new\nls -A\nexit 3\n")
        .expect("it reads");
    drop(input);
    let ended = shell.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert_eq!(
        String::from_utf8_lossy(&ended.stdout),
        ".git\n.gitlab-ci.yml\nnew\n"
    );
    assert_eq!(repo.read(".gitlab-ci.yml"), PIPELINE);
    let left = std::fs::read_dir(repo.data().join("staging")).expect("it is there");
    let left: Vec<_> = left.flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, [".gate"]);
}

#[test]
fn what_is_missing_is_said() {
    let repo = repository(PIPELINE);
    let ended = repo.run(&["shell", "use", "--", "true"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let warning = "warning: no run has artifacts of `make`; `tidegate run make` makes some\n";
    assert_eq!(ended.stderr, warning);
    let unknown = repo.run(&["shell", "usee"]);
    assert!(
        unknown.stderr.contains("did you mean `use`?"),
        "{}",
        unknown.stderr
    );
}
