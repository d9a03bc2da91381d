//! More of the tables of GitLab Runner's behaviour (reference `runner.md` §2.2–§2.4), through the whole program: `sh`, documents over
//! several items, variables that are files, `GITLAB_ENV`, what `after_script` knows.

use std::fmt::Write as _;
use std::process::Command;

use tidegate_testkit::{Ended, Sandbox};

use crate::repository;

/// The lines a job's scripts printed, without the echo of commands.
fn printed(repo: &Sandbox, job: &str) -> Vec<String> {
    let log = repo.run(&["logs", job]).stdout;
    let (_, script) = log
        .split_once("stage of the job script\n")
        .unwrap_or_default();
    let script = script
        .split("Cleaning up project directory")
        .next()
        .unwrap_or_default();
    let lines = script.lines().filter(|line| !line.starts_with("$ "));
    lines.map(str::to_owned).collect()
}

fn whole_log(repo: &Sandbox, job: &str) -> String {
    repo.run(&["logs", job]).stdout
}

/// Runs a pipeline of which jobs may fail, and all of which are allowed to.
#[track_caller]
fn run(configuration: &str) -> (Sandbox, Ended) {
    let repo = repository(configuration);
    let ended = repo.run(&["run", "--jobs", "4"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    (repo, ended)
}

/// Script items, exit code, what they print.
type Row = (&'static [&'static str], i64, &'static str);

/// Rows that hold whatever `sh` is: dash, busybox, bash.
const SH: &[Row] = &[
    (&["echo one", "echo \"two $((1 + 1))\""], 0, "one two 2"),
    (&["false", "echo no"], 1, ""),
    (&["exit 42"], 42, ""),
    (&["(exit 7)"], 7, ""),
    (&["false && true", "echo x"], 0, "x"),
    (&["false && true"], 1, ""),
    (&["! true", "echo x"], 0, "x"),
    (&["cd /tmp", "X=1", "pwd; echo $X"], 0, "/tmp 1"),
    (&["read x"], 1, ""),
    (&["if true", "then echo T", "fi"], 0, "T"),
    (&["cat <<EOF\nx $((2 + 2))\nEOF"], 0, "x 4"),
    (&["set +e", "false", "echo x"], 0, "x"),
    (&["printf %s 'a \"b\" `c` $d \\e'"], 0, "a \"b\" `c` $d \\e"),
    (
        &["printf %s \"$SPECIAL\""],
        0,
        "it's a \"b\" `c` $(d) \\e é",
    ),
    (&["echo bell > \"f g\"; cat f\\ g"], 0, "bell"),
];

#[test]
fn sh_reads_the_same_scripts() {
    let mut text = String::from(
        "variables: {SPECIAL: {value: 'it''s a \"b\" `c` $(d) \\e é', expand: false}}\n",
    );
    for (at, (items, _, _)) in SH.iter().enumerate() {
        let script = serde_json::to_string(items).expect("texts are JSON");
        let _ = writeln!(text, "row{at}: {{allow_failure: true, script: {script}}}");
    }
    let repo = repository(&text);
    repo.write("tidegate.toml", "[run]\nshell = \"sh\"\n");
    let ended = repo.run(&["run", "--jobs", "4", "--format", "json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut wrong = String::new();
    for (at, (items, code, output)) in SH.iter().enumerate() {
        let job = format!("row{at}");
        let log = whole_log(&repo, &job);
        let end = match code {
            0 => "Job succeeded".to_owned(),
            code => format!("ERROR: Job failed: exit status {code}"),
        };
        let said = printed(&repo, &job).join(" ");
        if said != *output || !log.contains(&end) || !log.contains("Using Shell (sh) executor...") {
            let _ = writeln!(wrong, "{items:?}: {said:?} {log}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_document_over_several_items_swallows_the_echo_of_the_next() {
    let (repo, _) =
        run("a: {script: ['cat <<EOF', x, EOF]}\nb: {script: [\"cat <<EOF\\nx\\nEOF\"]}\n");
    let polluted = [
        r"echo $'\x1b[32;1m$ x\x1b[0;m'",
        "x",
        r"echo $'\x1b[32;1m$ EOF\x1b[0;m'",
    ];
    assert_eq!(printed(&repo, "a"), polluted);
    assert_eq!(printed(&repo, "b"), ["x"]);
}

#[test]
fn a_last_line_without_a_line_break_is_shown() {
    let repo = repository("a: {script: ['printf %s unfinished; exit 3']}\n");
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    assert!(
        ended.stdout.contains("a | unfinished\n"),
        "{}",
        ended.shown()
    );
    assert!(
        ended.stderr.contains("  | unfinished\n"),
        "{}",
        ended.shown()
    );
    assert_eq!(printed(&repo, "a")[0], "unfinished");
}

#[test]
fn variables_that_are_files_are_files_until_the_job_ends() {
    let repo = repository(
        "a:\n  script:\n    - echo \"path $CERT\"\n    - echo \"temporary $RUNNER_TEMP_PROJECT_DIR\"\n    - wc -c < \"$CERT\"\n    - cat \"$CERT\"; echo\n\
         \x20   - echo \"derived $DERIVED\"\n    - echo changed > \"$CERT\"\n  after_script: ['echo \"after $(cat \"$CERT\")\"']\n  variables: {DERIVED: 'see $CERT'}\n",
    );
    repo.write(
        "tidegate.toml",
        "[variables.project]\nCERT = { value = \"line one\\nline 'two' $CI_JOB_NAME\", file = true, raw = true }\n",
    );
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let printed = printed(&repo, "a");
    let after = |prefix: &str| {
        let line = printed.iter().find_map(|line| line.strip_prefix(prefix));
        line.unwrap_or_else(|| panic!("{prefix}: {printed:?}"))
            .to_owned()
    };
    let path = after("path ");
    assert_eq!(path, format!("{}/CERT", after("temporary ")));
    assert_eq!(after("derived see "), path);
    // No line break is added at the end.
    let length = "line one\nline 'two' $CI_JOB_NAME".len().to_string();
    assert!(printed.contains(&length), "{printed:?}");
    for line in ["line one", "line 'two' $CI_JOB_NAME"] {
        assert!(
            printed.iter().any(|shown| shown == line),
            "{line}: {printed:?}"
        );
    }
    // Each stage writes it anew.
    assert_eq!(after("after "), "line one");
    assert!(!std::path::Path::new(&path).exists(), "{path} is left");
    let left = Command::new("grep")
        .args(["-rl", "--include=CERT", "line one"])
        .arg(repo.data())
        .output()
        .expect("grep is here");
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
}

/// What a script appends to `GITLAB_ENV`, and what `after_script` prints, or why it does not run.
const OF_GITLAB_ENV: &[(&str, Result<&str, &str>)] = &[
    ("printf 'A=plain\\n'", Ok("[plain] []")),
    ("printf 'A=with spaces\\n'", Ok("[with spaces] []")),
    ("printf 'A=\"quoted\"\\n'", Ok("[\"quoted\"] []")),
    ("printf 'A=$HOME\\n'", Ok("[$HOME] []")),
    ("printf 'A=a=b\\nB=2\\n'", Ok("[a=b] [2]")),
    ("printf 'A=1\\nA=2\\n'", Ok("[2] []")),
    ("printf 'A=1\\nB=lost'", Ok("[1] []")),
    ("printf 'A=\\n'", Ok("[] []")),
    ("printf 'A=1\\n\\n'", Err("not a valid identifier")),
    ("printf '# a comment\\n'", Err("not a valid identifier")),
    ("printf 'bad-key=1\\n'", Err("not a valid identifier")),
];

#[test]
fn lines_of_gitlab_env_are_exported_as_they_stand() {
    let mut text = String::new();
    for (at, (line, _)) in OF_GITLAB_ENV.iter().enumerate() {
        let script = serde_json::to_string(&format!("{line} >> \"$GITLAB_ENV\"")).expect("JSON");
        let _ = writeln!(
            text,
            "row{at}: {{script: [{script}], after_script: ['echo \"after [$A] [$B]\"']}}"
        );
    }
    let (repo, _) = run(&text);
    let mut wrong = String::new();
    for (at, (line, expected)) in OF_GITLAB_ENV.iter().enumerate() {
        let log = whole_log(&repo, &format!("row{at}"));
        let after = log.lines().find_map(|line| line.strip_prefix("after "));
        let right = match expected {
            Ok(shown) => after == Some(shown),
            Err(why) => {
                let warned = log.contains("WARNING: after_script failed, but job will continue");
                after.is_none() && log.contains(why) && warned
            }
        };
        if !right {
            let _ = writeln!(wrong, "{line}: {log}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn gitlab_env_does_not_outlive_its_job() {
    let (repo, _) = run(
        "stages: [build, test]\na: {stage: build, script: ['echo A=1 >> \"$GITLAB_ENV\"', 'echo \"at $GITLAB_ENV in $RUNNER_TEMP_PROJECT_DIR\"']}\n\
         b: {stage: test, script: ['echo \"b [$A]\"; wc -c < \"$GITLAB_ENV\"']}\n",
    );
    let printed_a = printed(&repo, "a");
    let (path, temporary) = printed_a[0]
        .strip_prefix("at ")
        .and_then(|line| line.split_once(" in "))
        .expect("it was printed");
    assert_eq!(path, format!("{temporary}/gitlab_runner_env"));
    assert!(!std::path::Path::new(path).exists(), "{path} is left");
    assert_eq!(printed(&repo, "b"), ["b []", "0"]);
}

#[test]
fn special_names_in_values_are_empty_and_two_dollars_are_one() {
    let (repo, _) = run(
        "a:\n  variables: {ONE: '[$$] [$*] [$#] [$@] [$!] [$?] [$0] [$9]', TWO: '[$$$$] [${ONE_MORE}] [$ONE_MORE]', ONE_MORE: 'x'}\n\
         \x20 script: ['echo \"$ONE\"', 'echo \"$TWO\"']\n",
    );
    assert_eq!(
        printed(&repo, "a"),
        ["[$] [] [] [] [] [] [] []", "[$$] [x] [x]"]
    );
}

#[test]
fn after_script_knows_of_every_end() {
    let after = "after_script: ['echo \"after $CI_JOB_STATUS\"'], allow_failure: true";
    let (repo, _) = run(&format!(
        "good: {{script: ['echo \"in $CI_JOB_STATUS\"'], {after}}}\n\
         bad: {{script: [exit 3], {after}}}\n\
         slow: {{variables: {{RUNNER_SCRIPT_TIMEOUT: 1s}}, script: [sleep 30], {after}}}\n\
         before: {{before_script: [exit 4], script: [echo never], {after}}}\n"
    ));
    assert_eq!(printed(&repo, "good")[0], "in running");
    for (job, status, end) in [
        ("good", "success", "Job succeeded"),
        ("bad", "failed", "ERROR: Job failed: exit status 3"),
        (
            "slow",
            "timedout",
            "ERROR: Job failed: script timeout: context deadline exceeded",
        ),
        ("before", "failed", "ERROR: Job failed: exit status 4"),
    ] {
        let log = whole_log(&repo, job);
        assert!(log.contains(&format!("\nafter {status}\n")), "{job}: {log}");
        assert!(log.contains(end), "{job}: {log}");
    }
}

#[test]
fn after_script_knows_that_the_job_was_canceled() {
    let repo = repository(
        "workflow: {auto_cancel: {on_job_failure: all}}\n\
         a: {script: ['echo begun > $BEGUN', sleep 60], after_script: ['echo \"after $CI_JOB_STATUS\"']}\n\
         b: {script: ['until [ -e $BEGUN ]; do sleep 0.05; done; exit 1']}\n",
    );
    let mut command = repo.command(&["run", "--jobs", "2"]);
    command.env("BEGUN", repo.data().with_file_name("begun"));
    let ended = Ended::of(command.output().expect("the binary starts"));
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    let log = whole_log(&repo, "a");
    assert!(log.contains("\nafter canceled\n"), "{log}");
    assert!(log.contains("ERROR: Job failed: canceled"), "{log}");
}

#[test]
fn sections_of_a_shell_are_never_begun_again() {
    let repo = repository(
        "a:\n  variables: {EXECUTOR_JOB_SECTION_ATTEMPTS: 3}\n  script: ['echo tried >> $COUNT; exit 3']\n",
    );
    let count = repo.data().with_file_name("count");
    let mut command = repo.command(&["run"]);
    command.env("COUNT", &count);
    let ended = Ended::of(command.output().expect("the binary starts"));
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    assert_eq!(
        std::fs::read_to_string(&count).expect("it was written"),
        "tried\n"
    );
    let repo =
        repository("a: {variables: {EXECUTOR_JOB_SECTION_ATTEMPTS: 30}, script: ['true']}\n");
    let ended = repo.run(&["run"]);
    let warning = "EXECUTOR_JOB_SECTION_ATTEMPTS: number of attempts out of the range [1, 10], clamping to: 10";
    assert!(ended.stdout.contains(warning), "{}", ended.shown());
}
