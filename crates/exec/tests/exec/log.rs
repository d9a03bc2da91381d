//! What stands in a job's log.

use tidegate_expr::Pattern;
use tidegate_pipeline::{Status, VariableSpec};

use crate::job::{spec, step};
use crate::kit::{run, run_with};
use crate::scripts::variable;

fn masked(key: &str, value: &str) -> VariableSpec {
    VariableSpec {
        masked: true,
        ..variable(key, value)
    }
}

fn file(key: &str, value: &str) -> VariableSpec {
    VariableSpec {
        file: true,
        ..variable(key, value)
    }
}

/// The log with times and the name of the machine replaced, and its escapes readable.
fn readable(log: &str) -> String {
    let mut text = String::new();
    let mut rest = log;
    while let Some(at) = rest.find("section_") {
        let (before, marker) = rest.split_at(at);
        let (kind, after) = marker.split_once(':').expect("a time follows");
        let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
        text.push_str(&format!("{before}{kind}:TIME"));
        rest = after;
    }
    text.push_str(rest);
    let lines = text
        .lines()
        .map(|line| match line.starts_with("Running on ") {
            true => "Running on HOST...",
            false => line,
        });
    lines
        .collect::<Vec<_>>()
        .join("\n")
        .replace('\u{1b}', "\\e")
        .replace('\r', "\\r")
}

#[test]
fn a_whole_log() {
    let mut spec = spec(&["echo hello", "printf '%s\\n' \\\n  a b"]);
    spec.steps.push(step("after_script", &["echo bye"]));
    let ended = run(spec);
    insta::assert_snapshot!(readable(&ended.log), @r#"
    \e[0KRunning with tidegate 0.0.0\e[0;m
    section_start:TIME:prepare_executor\r\e[0K\e[0K\e[36;1mPreparing the "shell" executor\e[0;m\e[0;m
    \e[0KUsing Shell (bash) executor...\e[0;m
    section_end:TIME:prepare_executor\r\e[0Ksection_start:TIME:prepare_script\r\e[0K\e[0K\e[36;1mPreparing environment\e[0;m\e[0;m
    Running on HOST...
    section_end:TIME:prepare_script\r\e[0Ksection_start:TIME:get_sources\r\e[0K\e[0K\e[36;1mGetting source from Git repository\e[0;m\e[0;m
    \e[32;1mUsing the snapshot of the work tree at 01234567\e[0;m
    section_end:TIME:get_sources\r\e[0Ksection_start:TIME:step_script\r\e[0K\e[0K\e[36;1mExecuting "step_script" stage of the job script\e[0;m\e[0;m
    \e[32;1m$ echo hello\e[0;m
    hello
    \e[32;1m$ printf '%s\n' \ # collapsed multi-line command\e[0;m
    a
    b
    section_end:TIME:step_script\r\e[0Ksection_start:TIME:after_script\r\e[0K\e[0K\e[36;1mRunning after_script\e[0;m\e[0;m
    \e[32;1mRunning after script...\e[0;m
    \e[32;1m$ echo bye\e[0;m
    bye
    section_end:TIME:after_script\r\e[0Ksection_start:TIME:cleanup_file_variables\r\e[0K\e[0K\e[36;1mCleaning up project directory and file based variables\e[0;m\e[0;m
    section_end:TIME:cleanup_file_variables\r\e[0K\e[32;1mJob succeeded\e[0;m
    "#);
}

#[test]
fn masked_values_never_reach_the_log() {
    let mut spec = spec(&[
        "echo \"one $SECRET two\"",
        "printf 's3cr'; sleep 0.1; printf '3t-value\\n'",
        "echo glpat-abcdefghij glrt-XYZ.1 'https://h/?private_token=abc&x=1'",
    ]);
    spec.variables.push(masked("SECRET", " s3cr3t-value\n"));
    let ended = run(spec);
    assert!(!ended.log.contains("s3cr3t-value"), "{}", ended.log);
    assert!(ended.log.contains("\none  [MASKED]\n"), "{}", ended.log);
    assert!(ended.log.contains("\n[MASKED]\n"), "{}", ended.log);
    assert!(
        ended
            .log
            .contains("\nglpat-[MASKED] glrt-[MASKED] https://h/?private_token=[MASKED]&x=1\n")
    );
}

#[test]
fn file_variables_are_files_without_newline_at_their_end() {
    let mut spec = spec(&[
        "echo \"${CERT#\"$CI_BUILDS_DIR/\"}\"",
        "od -An -c \"$CERT\" | tr -d ' '",
        "test \"$USES\" = \"at $CERT\"",
    ]);
    spec.variables.push(file("CERT", "a'b\nc"));
    spec.variables.push(variable("USES", "at $CERT"));
    let ended = run(spec);
    assert_eq!(ended.output(), "project.tmp/CERT\na'b\\nc");
    assert_eq!(ended.outcome.status, Status::Success);
}

#[test]
fn the_env_file_carries_variables_to_later_stages() {
    let mut spec = spec(&[
        "echo 'GREETING=hello \"you\"' >> \"$GITLAB_ENV\"",
        "printf 'LOST=1' >> \"$GITLAB_ENV\"",
    ]);
    spec.steps
        .push(step("after_script", &["echo \"$GREETING [$LOST]\""]));
    assert_eq!(run(spec).output(), "hello \"you\" []");
}

#[test]
fn a_line_of_the_env_file_that_is_no_assignment_fails_the_next_stage() {
    let mut spec = spec(&["echo '# note' >> \"$GITLAB_ENV\""]);
    spec.steps.push(step("after_script", &["echo no"]));
    spec.variables
        .push(variable("AFTER_SCRIPT_IGNORE_ERRORS", "false"));
    let ended = run(spec);
    assert_eq!(ended.outcome.exit_code, Some(1));
}

#[test]
fn values_are_expanded_once_by_the_runner() {
    let mut spec = spec(&["echo \"$A|$RAW|$CI_PROJECT_DIR\" | sed \"s|$CI_BUILDS_DIR|B|g\""]);
    spec.variables.push(variable("B", "b"));
    spec.variables
        .push(variable("A", "$B-$$-$NOPE-${CI_JOB_STATUS}"));
    spec.variables.push(VariableSpec {
        raw: true,
        ..variable("RAW", "$B")
    });
    assert_eq!(run(spec).output(), "b-$--running|$B|B/project");
}

#[test]
fn bytes_that_are_no_text_become_replacement_characters() {
    let ended = run(spec(&[
        "printf 'a\\377b\\0c\\303'; sleep 0.1; printf '\\251\\n'",
    ]));
    assert!(ended.log.contains("a\u{fffd}b\0cé\n"), "{:?}", ended.log);
}

#[test]
fn a_log_beyond_its_limit_is_cut_and_says_so() {
    let ended = run_with(spec(&["seq 1 100000"]), |run| run.trace.limit = 5000);
    assert_eq!(ended.outcome.status, Status::Success);
    let expected = "\n\u{1b}[33;1mJob's log exceeded limit of 5000 bytes.\nJob execution will \
                    continue but no more output will be collected.\u{1b}[0;m\n";
    assert!(ended.log.ends_with(expected), "{}", ended.log);
    assert_eq!(ended.log.len(), 5000 + expected.len());
}

#[test]
fn lines_carry_the_time_when_asked_for() {
    let mut spec = spec(&["echo hello"]);
    spec.variables.push(variable("FF_TIMESTAMPS", "true"));
    let ended = run(spec);
    let line = ended
        .log
        .lines()
        .find(|line| line.ends_with(" 01O hello"))
        .expect("the line");
    assert_eq!(line.len(), 32 + "hello".len());
    assert!(
        ended
            .log
            .lines()
            .all(|line| line.as_bytes().get(26) == Some(&b'Z')),
        "{}",
        ended.log
    );
}

#[test]
fn coverage_is_found_in_the_log() {
    let ended = run_with(spec(&["echo 'Total: 87.5%'", "echo done"]), |run| {
        run.coverage = Some(Pattern::compile(r"Total: \d+\.\d+", "").expect("a pattern"));
    });
    assert_eq!(ended.outcome.coverage.as_deref(), Some("87.5"));
}

#[test]
fn an_empty_strategy_leaves_prepared_caches_and_artifacts_alone() {
    let mut spec = spec(&["ls -A"]);
    spec.variables.push(variable("GIT_STRATEGY", "empty"));
    let ended = run_with(spec, |run| {
        std::fs::write(run.project_dir.join("artifact"), "x").expect("a new file");
    });
    assert_eq!(ended.output(), "artifact");
    assert!(
        ended
            .log
            .contains("Skipping Git repository setup and creating an empty build directory")
    );
}

#[test]
fn debug_trace_shows_each_command() {
    let mut spec = spec(&["echo hello"]);
    spec.variables.push(variable("CI_DEBUG_TRACE", "true"));
    assert!(run(spec).log.contains("+ echo hello\n"));
}

#[test]
fn a_release_step_is_expanded_by_the_runner() {
    let mut spec = spec(&["true"]);
    spec.steps.push(step("release", &["echo '$NAME'"]));
    spec.variables.push(variable("NAME", "v1"));
    assert_eq!(run(spec).output(), "v1");
}

#[test]
fn multi_line_commands_get_a_section_of_their_own_when_asked_for() {
    let mut spec = spec(&["echo a\necho b"]);
    spec.variables.push(variable("FF_SCRIPT_SECTIONS", "true"));
    let log = readable(&run(spec).log);
    let expected = "section_start:TIME:section_script_step_0[hide_duration=true,collapsed=true]\
                    \\r\\e[0K\\e[32;1m$ echo a\necho b\\e[0;m\nsection_end:TIME";
    assert!(log.contains(expected), "{log}");
}
