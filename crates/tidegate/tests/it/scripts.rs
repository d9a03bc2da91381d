//! How scripts end, what they see and what becomes of what they print: the tables of GitLab Runner's behaviour
//! (reference `runner.md` §2.2–§2.4, §6), through the whole program.

use std::fmt::Write as _;

use tidegate_testkit::{Ended, Sandbox};

use crate::repository;

/// Script items, exit code, what they print (without the echo of the commands), variables.
type Row = (
    &'static [&'static str],
    i64,
    &'static str,
    &'static [&'static str],
);

const LEGACY: &[&str] = &["FF_USE_LEGACY_BASH_EVAL"];
const CHECK: &[&str] = &["FF_ENABLE_BASH_EXIT_CODE_CHECK"];
const POSIX: &[&str] = &["FF_POSIXLY_CORRECT_ESCAPES"];

const ROWS: &[Row] = &[
    (&["false", "echo no"], 1, "", &[]),
    (&["exit 42"], 42, "", &[]),
    (&["(exit 7)"], 7, "", &[]),
    (&["(exit 7)"], 1, "", LEGACY),
    (&["false && true", "echo x"], 0, "x", &[]),
    (&["false && true"], 1, "", &[]),
    (&["! true", "echo x"], 0, "x", &[]),
    (&["false | true"], 1, "", &[]),
    (&["cd /tmp", "X=1", "pwd; echo $X"], 0, "/tmp 1", &[]),
    (&["read x"], 1, "", &[]),
    (&["read x || true", "echo x"], 0, "x", &[]),
    (&["f() { false; echo in; }", "f", "echo no"], 1, "", &[]),
    (
        &["f() { false; echo in; }", "if f; then echo x; fi"],
        0,
        "in x",
        &[],
    ),
    (&["if true", "then echo T", "fi"], 0, "T", &[]),
    (&["cat <<EOF\nx\nEOF"], 0, "x", &[]),
    (&["echo first", "if then", "echo no"], 2, "first", &[]),
    (&["set +e", "false", "echo x"], 0, "x", &[]),
    (&["set +e", "false"], 1, "", &[]),
    (&["set +e", "false", "echo no"], 1, "", CHECK),
    (&["set +e", "(exit 9)", "echo no"], 9, "", CHECK),
    (&["bash -c 'kill -9 $$'"], 137, "", &[]),
    (&["kill -TERM $$; sleep 5"], 1, "", &[]),
    (&["echo \"$0 $- $#\""], 0, "bash ehBs 0", &[]),
    (&["  echo trimmed  ", ""], 0, "trimmed ", &[]),
    (&["echo $UNSET_NAME; echo x"], 0, " x", &[]),
    (
        &["echo \"a $(echo b) \\\\ `echo c`\""],
        0,
        "a b \\ c",
        POSIX,
    ),
    (&["exit 42"], 42, "", POSIX),
    (&["[ -t 0 ] && echo tty || echo none"], 0, "none", &[]),
];

/// One pipeline with a job for every row.
fn all_rows() -> String {
    let mut text = String::new();
    for (at, (items, _, _, flags)) in ROWS.iter().enumerate() {
        let script = serde_json::to_string(items).expect("texts are JSON");
        let flags: Vec<String> = flags.iter().map(|flag| format!("{flag}: 'true'")).collect();
        let flags = flags.join(", ");
        let _ = writeln!(
            text,
            "row{at}: {{allow_failure: true, variables: {{{flags}}}, script: {script}}}"
        );
    }
    text
}

/// What the user's scripts printed, on one line: without the echo of commands, sections and what the shell says of errors.
fn printed(repo: &Sandbox, job: &str) -> String {
    let log = repo.run(&["logs", job]).stdout;
    let from = log
        .find("stage of the job script\n")
        .map_or(0, |at| at + 24);
    let script = log[from..]
        .split("Cleaning up project directory")
        .next()
        .unwrap_or_default();
    let lines: Vec<&str> = script
        .lines()
        .filter(|line| !line.starts_with("$ ") && !line.contains(": line "))
        .filter(|line| !line.contains("Killed") && !line.contains("Terminated"))
        .collect();
    lines.join(" ")
}

fn exit_codes(events: &str) -> Vec<i64> {
    let mut codes = vec![-1; ROWS.len()];
    for line in events.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("events are JSON");
        let what = &event["what"];
        let (Some("job_status"), Some(job)) = (what["type"].as_str(), what["job"].as_u64()) else {
            continue;
        };
        let code = &mut codes[usize::try_from(job).expect("it is small")];
        match what["status"].as_str() {
            Some("success") => *code = 0,
            Some("failed") => *code = what["reason"]["exit_code"].as_i64().unwrap_or(-2),
            _ => {}
        }
    }
    codes
}

#[test]
fn scripts_end_as_under_gitlabs_runner() {
    let repo = repository(&all_rows());
    let ended = repo.run(&["run", "--format", "json", "--jobs", "4"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let codes = exit_codes(&ended.stdout);
    let mut wrong = String::new();
    for (at, (items, code, output, flags)) in ROWS.iter().enumerate() {
        let said = printed(&repo, &format!("row{at}"));
        if (codes[at], &*said) != (*code, *output) {
            let _ = writeln!(wrong, "{flags:?} {items:?}: {} {said:?}", codes[at]);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[track_caller]
fn run(configuration: &str) -> (Sandbox, Ended) {
    let repo = repository(configuration);
    let ended = repo.run(&["run"]);
    (repo, ended)
}

#[track_caller]
fn says(ended: &Ended, line: &str) {
    assert!(ended.stdout.contains(line), "{line}: {}", ended.shown());
}

#[test]
fn commands_are_echoed_as_written() {
    let (repo, ended) = run(
        "a:\n  script:\n    - echo one\n    - |\n      echo two\n      echo three\n    - ''\nb:\n  variables: {FF_SCRIPT_SECTIONS: 'true'}\n  script: [\"echo four\\necho five\"]\n  after_script: [echo after]\n",
    );
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let log = |job: &str| repo.run(&["logs", job]).stdout;
    let collapsed = "$ echo two # collapsed multi-line command\ntwo\nthree\n\n";
    assert!(log("a").contains(collapsed), "{}", log("a"));
    let after = "Running after script...\n$ echo after\nafter\n";
    assert!(log("b").contains(after), "{}", log("b"));
    let raw = repo.run(&["logs", "--raw", "b"]).stdout;
    assert!(
        raw.contains(":section_script_step_0[hide_duration=true,collapsed=true]\r"),
        "{raw:?}"
    );
    for section in [
        "prepare_executor",
        "prepare_script",
        "get_sources",
        "step_script",
        "after_script",
        "cleanup_file_variables",
    ] {
        let (start, end) = (
            format!(":{section}\r"),
            raw.matches(&format!(":{section}\r")).count(),
        );
        assert_eq!(end, 2, "{start:?} in {raw:?}");
    }
}

#[test]
fn variables_are_expanded_once_and_files_are_files() {
    let (_, ended) = run(
        "variables: {CERT: {value: text, expand: false}}\na:\n  variables: {A: 'x$B', B: y, C: '$$B', D: 'no$NOTHING.', RAW: {value: '$B', expand: false}}\n  script:\n    - echo \"[$A] [$C] [$D] [$RAW]\"\n    - echo \"$CI_JOB_STATUS $CI_SHARED_ENVIRONMENT $CI_SERVER\"\n    - echo 'LATER=from script' >> $GITLAB_ENV\n  after_script: ['echo \"after $CI_JOB_STATUS $LATER\"']\n",
    );
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    says(&ended, "a | [xy] [$B] [no.] [$B]\n");
    says(&ended, "a | running true yes\n");
    says(&ended, "a | after success from script\n");
}

#[test]
fn after_script_knows_how_the_script_ended() {
    let (_, ended) = run(
        "default: {allow_failure: true}\nfails: {script: [exit 3], after_script: ['echo \"was $CI_JOB_STATUS\"; exit 1'], allow_failure: true}\n\
         times: {variables: {RUNNER_SCRIPT_TIMEOUT: 1s}, script: [sleep 30], after_script: ['echo \"was $CI_JOB_STATUS\"'], allow_failure: true}\n\
         strict: {variables: {AFTER_SCRIPT_IGNORE_ERRORS: 'false'}, script: ['true'], after_script: [exit 5], allow_failure: true}\n\
         slow: {variables: {RUNNER_AFTER_SCRIPT_TIMEOUT: 1s}, script: ['true'], after_script: [sleep 30]}\n"
            .replace("default: {allow_failure: true}\n", "")
            .as_str(),
    );
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    says(&ended, "fails  | was failed\n");
    says(
        &ended,
        "fails  | WARNING: after_script failed, but job will continue unaffected: exit status 1\n",
    );
    says(&ended, "times  | was timedout\n");
    says(&ended, "strict | ERROR: Job failed: exit status 5\n");
    says(&ended, "slow   | passed");
}

#[test]
fn secrets_are_masked_wherever_pieces_of_output_end() {
    let repo = repository(
        "a:\n  script:\n    - printf 'be%s' \"${TOKEN:0:5}\"; sleep 0.3; printf '%s-end\\n' \"${TOKEN:5}\"\n    - printf 'glpat'; sleep 0.3; printf -- '-abcdefghij_0123456789 rest\\n'\n    - printf 'https://example.com/?private_tok'; sleep 0.3; printf 'en=hidden&x=shown\\n'\n    - 'printf \"%s\\n\" \"$LINES\"'\n",
    );
    repo.write(
        "tidegate.toml",
        "[variables.project]\nTOKEN = { value = \"s3cret-value-9\", masked = true }\n",
    );
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    says(&ended, "a | be[MASKED]-end\n");
    says(&ended, "a | glpat-[MASKED] rest\n");
    says(
        &ended,
        "a | https://example.com/?private_token=[MASKED]&x=shown\n",
    );
    let kept = repo.run(&["logs", "--raw", "a"]).stdout;
    for secret in ["s3cret", "abcdefghij", "=hidden"] {
        let shown = kept
            .lines()
            .filter(|line| !line.contains('$'))
            .any(|line| line.contains(secret));
        assert!(!shown, "{secret}: {kept}");
    }
}

#[test]
fn a_log_that_is_too_long_is_cut_and_says_so() {
    let repo = repository(
        "a: {script: ['head -c 300000 /dev/zero | tr \"\\0\" x | fold -w 99', 'exit 3']}\n",
    );
    repo.write("tidegate.toml", "[run]\nlog_limit = \"64KiB\"\n");
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("failed: a, exit code 3"),
        "{}",
        ended.stderr
    );
    let log = repo.run(&["logs", "--raw", "a"]).stdout;
    assert!(log.len() < 66 * 1024, "{}", log.len());
    assert!(
        log.contains("Job's log exceeded limit of 65536 bytes."),
        "{}",
        &log[log.len() - 300..]
    );
}

#[test]
fn lines_have_times_where_the_job_asks_for_them() {
    let (repo, ended) = run(
        "a: {variables: {FF_TIMESTAMPS: 'true'}, script: [echo timed]}\nb: {script: [echo plain]}\n",
    );
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let log = repo.run(&["logs", "--raw", "a"]).stdout;
    let line = log
        .lines()
        .find(|line| line.ends_with(" timed"))
        .unwrap_or_default();
    let time = line.split(' ').next().unwrap_or_default();
    assert!(
        time.len() == 27 && time.ends_with('Z') && line.contains("01O "),
        "{line:?}"
    );
    assert!(
        repo.run(&["logs", "--raw", "b"])
            .stdout
            .contains("\nplain\n")
    );
}
