//! Looking at runs: their list, logs, events; choosing jobs.

use std::io::Read;
use std::process::Stdio;

use crate::{is_running, repository, wait_until};

#[test]
fn runs_are_listed_newest_first() {
    let repo = repository("good: {script: [echo ok]}\nbad: {script: [test -e fixed]}\n");
    let none = repo.run(&["runs"]);
    assert_eq!(none.code, Some(2));
    assert!(
        none.stderr.contains("this project has no runs yet"),
        "{}",
        none.stderr
    );
    let _ = repo.run(&["run"]);
    repo.write("fixed", "");
    let _ = repo.run(&["run"]);
    let table = repo.run(&["runs"]);
    assert_eq!(table.code, Some(0));
    let lines: Vec<&str> = table.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", table.stdout);
    assert!(
        lines[1].contains("success") && lines[1].contains("main"),
        "{}",
        table.stdout
    );
    assert!(
        lines[2].contains("failed") && lines[2].ends_with("1 passed, 1 failed"),
        "{}",
        table.stdout
    );
    let json = repo.run(&["runs", "--format", "json"]);
    assert!(
        json.stdout
            .starts_with("{\"version\":1,\"runs\":[{\"id\":2,"),
        "{}",
        json.stdout
    );
    assert!(
        json.stdout
            .contains("\"jobs\":{\"failed\":1,\"success\":1}"),
        "{}",
        json.stdout
    );
}

#[test]
fn logs_of_an_earlier_run_are_shown_by_job_instance_and_try() {
    let repo = repository(
        "many: {parallel: 2, script: ['echo instance $CI_NODE_INDEX']}\n\
         flaky: {retry: 1, script: ['test \"$CI_JOB_ID\" -gt 1000']}\n",
    );
    let _ = repo.run(&["run"]);
    let _ = repo.run(&["run", "many"]);
    let both = repo.run(&["logs", "many", "--run", "1"]);
    assert!(
        both.stdout.contains("many 1/2 | instance 1\n"),
        "{}",
        both.stdout
    );
    assert!(
        both.stdout.contains("many 2/2 | instance 2\n"),
        "{}",
        both.stdout
    );
    let one = repo.run(&["logs", "many 2/2"]);
    assert!(one.stdout.contains("\ninstance 2\n"), "{}", one.stdout);
    let last = repo.run(&["logs", "flaky", "--run", "1"]);
    assert!(last.stdout.contains("\nJob succeeded\n"), "{}", last.stdout);
    let first = repo.run(&["logs", "flaky", "--run", "1", "--attempt", "1"]);
    assert!(
        first.stdout.contains("ERROR: Job failed"),
        "{}",
        first.stdout
    );
    let raw = repo.run(&["logs", "flaky", "--run", "1", "--raw"]);
    assert!(raw.stdout.contains("section_start:"), "{}", raw.stdout);
    let unknown = repo.run(&["logs", "flakey", "--run", "1"]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.stderr.contains("did you mean `flaky`?"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn a_live_run_is_followed_from_another_process() {
    let repo = repository("job: {script: [echo early, sleep 1.87651, echo late]}\n");
    let mut run = repo
        .command(&["run"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    wait_until("the job", || is_running("sleep\x001.87651"));
    let mut follow = repo
        .command(&["logs", "-f", "job"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut out = follow.stdout.take().expect("it is piped");
    let mut text = String::new();
    let mut byte = [0];
    while !text.contains("\nearly\n") && out.read(&mut byte).expect("it is readable") > 0 {
        text.push(char::from(byte[0]));
    }
    assert!(
        run.try_wait().expect("it is ours").is_none(),
        "the run was over too early"
    );
    out.read_to_string(&mut text).expect("it is text");
    assert!(
        text.contains("\nlate\n") && text.contains("Job succeeded"),
        "{text}"
    );
    assert!(follow.wait().expect("it ends").success());
    assert!(run.wait().expect("it ends").success());
}

#[test]
fn events_are_streamed_as_json_lines() {
    let repo = repository("job: {script: [echo hello]}\n");
    let ended = repo.run(&["run", "--format", "json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    for line in ended.stdout.lines() {
        assert!(
            line.starts_with("{\"v\":1,\"at\":") && line.ends_with('}'),
            "{line}"
        );
    }
    assert!(
        ended.stdout.contains("\"type\":\"pipeline_created\""),
        "{}",
        ended.stdout
    );
    let last = ended.stdout.lines().last().unwrap_or_default();
    assert!(
        last.contains("{\"type\":\"run_ended\",\"status\":\"success\"}"),
        "{last}"
    );
}

#[test]
fn reports_are_written_on_request() {
    let repo = repository("job: {script: [echo hello]}\nbad: {script: [exit 3]}\n");
    let ended = repo.run(&["run", "--junit", "report.xml", "--html", "report.html"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    let junit = repo.read("report.xml");
    assert!(
        junit.starts_with("<?xml") && junit.contains("name=\"bad\""),
        "{junit}"
    );
    let page = repo.read("report.html");
    assert!(
        page.starts_with("<!doctype html>") && page.contains("bad"),
        "{page}"
    );
}

const STAGES: &str = "stages: [a, b]\n\
    unit-1: {stage: a, script: [echo unit one]}\n\
    unit-2: {stage: a, script: [echo unit two]}\n\
    lint: {stage: a, script: [echo lint]}\n\
    pack: {stage: b, needs: [lint], script: [test -e fixed]}\n\
    never: {stage: b, rules: [{if: '$NOPE'}], needs: [unit-1], script: [echo forced]}\n";

fn ran(text: &str) -> Vec<&str> {
    let jobs = ["unit-1", "unit-2", "lint", "pack", "never"];
    let started = |job: &&str| {
        text.lines()
            .any(|line| line.starts_with(job) && line.contains("Preparing the"))
    };
    jobs.into_iter().filter(started).collect()
}

#[test]
fn jobs_are_chosen_by_pattern_stage_and_last_failure() {
    let repo = repository(STAGES);
    let run = |args: &[&str]| repo.run(args).stdout;
    assert_eq!(ran(&run(&["run", "unit-*"])), ["unit-1", "unit-2"]);
    assert_eq!(ran(&run(&["run", "--from-stage", "b"])), ["pack"]);
    assert_eq!(ran(&run(&["run", "pack"])), ["lint", "pack"]);
    assert_eq!(ran(&run(&["run", "--only-failed"])), ["lint", "pack"]);
    assert_eq!(ran(&run(&["run", "--no-needs", "pack"])), ["pack"]);
    let nothing = repo.run(&["run", "x*"]);
    assert_eq!(nothing.code, Some(2));
    assert!(
        nothing
            .stderr
            .contains("no job of this pipeline matches `x*`"),
        "{}",
        nothing.stderr
    );
    let stage = repo.run(&["run", "--from-stage", "c"]);
    assert!(
        stage.stderr.contains("there is no stage `c`"),
        "{}",
        stage.stderr
    );
}

#[test]
fn a_job_that_its_rules_leave_out_is_explained_then_forced() {
    let repo = repository(STAGES);
    let refused = repo.run(&["run", "never"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .stderr
            .contains("`tidegate run --force never` runs it all the same"),
        "{}",
        refused.stderr
    );
    let forced = repo.run(&["run", "--force", "never"]);
    assert_eq!(forced.code, Some(0), "{}", forced.shown());
    assert_eq!(ran(&forced.stdout), ["unit-1", "never"]);
    assert!(
        forced.stdout.contains("never  | forced\n"),
        "{}",
        forced.stdout
    );
}

#[test]
fn a_log_that_the_last_run_does_not_have_is_looked_for_in_another() {
    let repo = repository(STAGES);
    assert_eq!(repo.run(&["run", "unit-1"]).code, Some(0));
    assert_eq!(repo.run(&["run", "unit-2"]).code, Some(0));
    let missing = repo.run(&["logs", "unit-1"]);
    assert_eq!(missing.code, Some(2), "{}", missing.shown());
    let hint = "run 2 is meant; `--run ID` means another one, and `tidegate runs` lists them";
    assert!(missing.stderr.contains(hint), "{}", missing.shown());
    let found = repo.run(&["logs", "unit-1", "--run", "1"]);
    assert!(found.stdout.contains("unit one"), "{}", found.shown());
}
