//! Exit rules: every row of the tables of reference `runner.md` §2.2–§2.4.

use tidegate_pipeline::{ShellKind, Status, VariableSpec};

use crate::job::{spec, step};
use crate::kit::run;

/// Script items, exit code (0: success), what the scripts print.
struct Row {
    items: &'static [&'static str],
    code: i32,
    output: &'static str,
    flags: &'static [&'static str],
}

const fn row(items: &'static [&'static str], code: i32, output: &'static str) -> Row {
    Row {
        items,
        code,
        output,
        flags: &[],
    }
}

const fn flagged(
    flags: &'static [&'static str],
    items: &'static [&'static str],
    code: i32,
    output: &'static str,
) -> Row {
    Row {
        items,
        code,
        output,
        flags,
    }
}

const LEGACY: &[&str] = &["FF_USE_LEGACY_BASH_EVAL"];
const CHECK: &[&str] = &["FF_ENABLE_BASH_EXIT_CODE_CHECK"];
const POSIX: &[&str] = &["FF_POSIXLY_CORRECT_ESCAPES"];

const ROWS: &[Row] = &[
    row(&["echo yes"], 0, "yes"),
    row(&["false", "echo no"], 1, ""),
    row(&["exit 0", "echo no"], 0, ""),
    row(&["exit 42"], 42, ""),
    row(&["(exit 7)"], 7, ""),
    row(&["false && true", "echo x"], 0, "x"),
    row(&["false && true"], 1, ""),
    row(&["! true", "echo x"], 0, "x"),
    row(&["false | true"], 1, ""),
    row(&["cd /tmp", "X=1", "pwd; echo $X"], 0, "/tmp\n1"),
    row(&["read x"], 1, ""),
    row(&["read x || true", "echo x"], 0, "x"),
    row(&["f() { false; echo in; }", "f", "echo no"], 1, ""),
    row(
        &["f() { false; echo in; }", "if f; then echo x; fi"],
        0,
        "in\nx",
    ),
    row(&["if true", "then echo T", "fi"], 0, "T"),
    row(&["cat <<EOF\nx\nEOF"], 0, "x"),
    row(&["echo first", "if then", "echo no"], 2, "first"),
    row(&["set +e", "false", "echo x"], 0, "x"),
    row(&["set +e", "false"], 1, ""),
    row(&["bash -c 'kill -9 $$'"], 137, ""),
    row(&["kill -TERM $$; sleep 5"], 1, ""),
    row(&["echo \"$0 $- $#\""], 0, "bash ehBs 0"),
    row(&["printf '%s' \"no newline\""], 0, "no newline"),
    row(&["echo \"it's \\\"é\\\"\""], 0, "it's \"é\""),
    row(&["  echo trimmed  ", ""], 0, "trimmed"),
    row(&["echo $UNSET_NAME; echo x"], 0, "x"),
    row(&["yes | head -1"], 141, "y"),
    row(&["exit 137"], 137, ""),
    row(&["exit 255"], 255, ""),
    flagged(LEGACY, &["(exit 7)"], 1, ""),
    flagged(LEGACY, &["read x"], 1, ""),
    flagged(CHECK, &["set +e", "false", "echo no"], 1, ""),
    flagged(CHECK, &["true", "echo x"], 0, "x"),
    flagged(CHECK, &["set +e", "(exit 9)", "echo no"], 9, ""),
    flagged(
        POSIX,
        &["echo \"a $(echo b) \\\\ `echo c`\""],
        0,
        "a b \\ c",
    ),
    flagged(POSIX, &["exit 42"], 42, ""),
];

#[test]
fn exit_rules_are_the_runners() {
    let mut wrong = Vec::new();
    for row in ROWS {
        let mut spec = spec(row.items);
        spec.variables = row
            .flags
            .iter()
            .map(|flag| variable(flag, "true"))
            .collect();
        let ended = run(spec);
        let code = match ended.outcome.status {
            Status::Success => Some(0),
            _ => ended.outcome.exit_code,
        };
        let output: Vec<String> = ended.output().lines().map(str::to_owned).collect();
        let output: Vec<&str> = output
            .iter()
            .map(String::as_str)
            .filter(|line| !line.contains(": line "))
            .collect();
        if code != Some(row.code) || output.join("\n") != row.output {
            wrong.push(format!(
                "{:?} {:?}: {code:?} {output:?}",
                row.flags, row.items
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_posix_shell_runs_the_same_scripts() {
    let mut spec = spec(&["echo \"a $((1 + 1))\"", "false | true", "echo b", "exit 3"]);
    spec.shell = ShellKind::Sh;
    let ended = run(spec);
    assert_eq!(ended.output(), "a 2\nb");
    assert_eq!(ended.outcome.exit_code, Some(3));
    assert!(ended.log.contains("Using Shell (sh) executor..."));
}

#[test]
fn a_here_document_over_several_items_swallows_the_echo_of_the_next() {
    let ended = run(spec(&["cat <<EOF", "x", "EOF"]));
    assert_eq!(ended.outcome.status, Status::Success);
    assert!(
        ended.log.contains("echo $'\\x1b[32;1m$ x\\x1b[0;m'"),
        "{}",
        ended.log
    );
}

#[test]
fn after_script_runs_after_a_failure_and_knows_the_status() {
    let mut spec = spec(&["X=1", "exit 42"]);
    spec.steps.push(step(
        "after_script",
        &["echo \"$CI_JOB_STATUS [$X]\"", "exit 1"],
    ));
    let ended = run(spec);
    assert_eq!(ended.output(), "failed []");
    assert_eq!(ended.outcome.exit_code, Some(42));
    assert!(
        ended.log.contains(
            "WARNING: after_script failed, but job will continue unaffected: exit status 1"
        )
    );
    assert!(
        ended
            .log
            .ends_with("\u{1b}[31;1mERROR: Job failed: exit status 42\u{1b}[0;m\n")
    );
}

#[test]
fn after_script_can_be_made_to_count() {
    let mut spec = spec(&["true"]);
    spec.steps
        .push(step("after_script", &["echo \"$CI_JOB_STATUS\"", "exit 5"]));
    spec.variables
        .push(variable("AFTER_SCRIPT_IGNORE_ERRORS", "false"));
    let ended = run(spec);
    assert_eq!(ended.output(), "success");
    assert_eq!(ended.outcome.exit_code, Some(5));
}

pub(crate) fn variable(key: &str, value: &str) -> VariableSpec {
    VariableSpec {
        key: key.into(),
        value: value.into(),
        file: false,
        masked: false,
        raw: false,
    }
}
