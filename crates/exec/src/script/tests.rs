use std::sync::Arc;
use std::time::Duration;

use tidegate_pipeline::{
    Attempt, GitSpec, JobIdx, JobKey, JobSpec, PipelineId, ShellKind, StepSpec, VariableSpec,
};

use super::{BodyIn, Exports, Scripts, Source, StageText};
use crate::feature::Features;
use crate::variables::{JobVariables, RunnerFacts};

fn variable(key: &str, value: &str) -> VariableSpec {
    VariableSpec {
        key: key.into(),
        value: value.into(),
        file: false,
        masked: false,
        raw: false,
    }
}

fn lines(lines: &[&str]) -> Vec<Arc<str>> {
    lines.iter().map(|line| Arc::from(*line)).collect()
}

fn spec(shell: ShellKind, variables: &[VariableSpec]) -> JobSpec {
    JobSpec {
        key: JobKey {
            pipeline: PipelineId(1),
            job: JobIdx(0),
            attempt: Attempt::FIRST,
        },
        job_id: 1,
        name: "job".into(),
        stage: "test".into(),
        variables: variables.to_vec(),
        steps: Vec::<StepSpec>::new(),
        pre_get_sources_script: Vec::new(),
        image: None,
        services: Vec::new(),
        caches: Vec::new(),
        artifacts: Vec::new(),
        dependencies: Vec::new(),
        timeout: Duration::from_secs(3600),
        git: GitSpec::default(),
        shell,
    }
}

/// What `write` makes of a job, without the exports of variables every job has.
fn script(
    shell: ShellKind,
    variables: &[VariableSpec],
    write: impl FnOnce(&Scripts<'_>) -> StageText,
) -> StageText {
    let spec = spec(shell, variables);
    let features = Features::of(variables);
    let runner = RunnerFacts {
        short_token: "local".to_owned(),
        version: "1".to_owned(),
        revision: "2".to_owned(),
        concurrent_id: 0,
        concurrent_project_id: 0,
    };
    let all = JobVariables::of(&spec, &features, &runner, "/b", "/b/p", "/b/p.tmp");
    let own = all.only(|key| variables.iter().any(|own| &*own.key == key));
    write(&Scripts {
        shell,
        features: &features,
        variables: &own,
        exports: Exports::Written,
        project_dir: "/b/p",
        temp_dir: "/b/p.tmp",
        sections: true,
        debug_trace: all.get("CI_DEBUG_TRACE") == Some("true"),
    })
}

/// The body with one command per line, as the shell sees it.
fn body(script: &StageText) -> String {
    let body = script.source.split("eval $'").nth(1).map(|rest| {
        let rest = rest.trim_end_matches("exit 0\n");
        rest.trim_end_matches("\n")
            .trim_end_matches(") < /dev/null")
            .trim_end_matches('\'')
    });
    let mut characters = body.expect("an ANSI-C quoted body").chars();
    let mut text = String::new();
    while let Some(character) = characters.next() {
        text.extend(match character {
            '\\' => characters.next().map(|c| if c == 'n' { '\n' } else { c }),
            plain => Some(plain),
        });
    }
    text
}

#[test]
fn the_frame_of_a_bash_stage() {
    let script = script(ShellKind::Bash, &[], |scripts| scripts.prepare(""));
    insta::assert_snapshot!(script.source, @r#"
    #!/usr/bin/env bash

    trap 'exit 1' TERM

    set -o pipefail
    set -o errexit
    set +o noclobber
    exec < /dev/null; eval $'echo "Running on $(uname -n)..."\n[ ! -s /b/p.tmp/gitlab_runner_env ] || rm -f /b/p.tmp/gitlab_runner_env\n'
    "#);
}

#[test]
fn the_frame_of_a_bash_stage_that_could_tell_has_the_subshell() {
    let commands = lines(&["echo $BASHPID"]);
    let script = script(ShellKind::Bash, &[], |scripts| {
        scripts.step("script", &commands)
    });
    assert_eq!(script.body, BodyIn::Subshell);
    assert!(
        script.source.contains("(trap 'exit 1' TERM; eval $'"),
        "{}",
        script.source
    );
    assert!(
        script.source.ends_with("\\n') < /dev/null\nexit 0\n"),
        "{}",
        script.source
    );
}

#[test]
fn the_frame_of_a_posix_stage() {
    let script = script(ShellKind::Sh, &[], |scripts| scripts.prepare(""));
    insta::assert_snapshot!(script.source, @r#"
    #!/usr/bin/env sh

    trap 'exit 1' TERM

    case "$(set -o)" in *pipefail*) set -o pipefail ;; esac
    set -o errexit
    set +o noclobber
    (trap 'exit 1' TERM; eval "echo \"Running on \$(uname -n)...\"
    [ ! -s /b/p.tmp/gitlab_runner_env ] || rm -f /b/p.tmp/gitlab_runner_env
    ") < /dev/null
    exit 0
    "#);
}

#[test]
fn debug_trace_and_legacy_eval_change_the_frame() {
    let flags = [
        variable("CI_DEBUG_TRACE", "true"),
        variable("FF_USE_LEGACY_BASH_EVAL", "true"),
    ];
    let script = script(ShellKind::Bash, &flags, |scripts| scripts.prepare(""));
    insta::assert_snapshot!(script.source, @r#"
    #!/usr/bin/env bash

    trap 'exit 1' TERM

    set -o xtrace
    set -o pipefail
    set -o errexit
    set +o noclobber
    : | eval $'echo "Running on $(uname -n)..."\nrm -f /b/p.tmp/gitlab_runner_env\n'
    exit 0
    "#);
}

#[test]
fn a_step_exports_changes_directory_and_echoes() {
    let variables = [
        variable("B", "it's"),
        variable("A", "x $B"),
        VariableSpec {
            raw: true,
            ..variable("R", "$B")
        },
        VariableSpec {
            file: true,
            ..variable("F", "line\n")
        },
    ];
    let commands = lines(&["  echo hi ", "", "first\nsecond", "echo $'a'"]);
    let script = script(ShellKind::Bash, &variables, |scripts| {
        scripts.step("script", &commands)
    });
    insta::assert_snapshot!(body(&script), @r#"
    [ -d /b/p.tmp ] || mkdir -p /b/p.tmp
    export B=$'it\'s'
    export A=$'x it\'s'
    export R=$'$B'
    printf '%s' $'line\n' > /b/p.tmp/F
    export F=/b/p.tmp/F
    export GITLAB_ENV=/b/p.tmp/gitlab_runner_env
    : >> /b/p.tmp/gitlab_runner_env
    while read -r line; do export "$line"; done < /b/p.tmp/gitlab_runner_env
    cd /b/p
    echo $'\x1b[32;1m$ echo hi\x1b[0;m'
    echo hi
    echo

    echo $'\x1b[32;1m$ first # collapsed multi-line command\x1b[0;m'
    first
    second
    echo $'\x1b[32;1m$ echo $\'a\'\x1b[0;m'
    echo $'a'
    "#);
}

#[test]
fn exit_code_checks_follow_each_item() {
    let flags = [variable("FF_ENABLE_BASH_EXIT_CODE_CHECK", "1")];
    let commands = lines(&["a", "b"]);
    let script = script(ShellKind::Bash, &flags, |scripts| {
        scripts.step("script", &commands)
    });
    insta::assert_snapshot!(body(&script), @r#"
    [ -d /b/p.tmp ] || mkdir -p /b/p.tmp
    export FF_ENABLE_BASH_EXIT_CODE_CHECK=true
    export GITLAB_ENV=/b/p.tmp/gitlab_runner_env
    : >> /b/p.tmp/gitlab_runner_env
    while read -r line; do export "$line"; done < /b/p.tmp/gitlab_runner_env
    cd /b/p
    echo $'\x1b[32;1m$ a\x1b[0;m'
    a
    _runner_exit_code=$?
    if [ $_runner_exit_code -ne 0 ]; then exit $_runner_exit_code; fi
    echo $'\x1b[32;1m$ b\x1b[0;m'
    b
    _runner_exit_code=$?
    if [ $_runner_exit_code -ne 0 ]; then exit $_runner_exit_code; fi
    "#);
}

#[test]
fn get_sources_runs_its_hook_before_it_speaks_of_the_snapshot() {
    let hook = lines(&["echo hook"]);
    let source = Source::Snapshot { sha: "0123456789" };
    let script = script(ShellKind::Bash, &[], |scripts| {
        scripts.get_sources(source, &hook)
    });
    insta::assert_snapshot!(body(&script), @r#"
    [ -d /b/p.tmp ] || mkdir -p /b/p.tmp
    export GITLAB_ENV=/b/p.tmp/gitlab_runner_env
    : >> /b/p.tmp/gitlab_runner_env
    while read -r line; do export "$line"; done < /b/p.tmp/gitlab_runner_env
    export GIT_TERMINAL_PROMPT=0
    export GCM_INTERACTIVE=Never
    echo $'\x1b[32;1m$ echo hook\x1b[0;m'
    echo hook
    echo $'\x1b[32;1mUsing the snapshot of the work tree at 01234567\x1b[0;m'
    "#);
}

#[test]
fn cleanup_removes_files_and_exports_nothing() {
    let variables = [
        VariableSpec {
            file: true,
            ..variable("F", "x")
        },
        variable("A", "b"),
    ];
    let script = script(ShellKind::Bash, &variables, |scripts| scripts.cleanup());
    insta::assert_snapshot!(body(&script), @r#"
    rm -f /b/p.tmp/gitlab_runner_env
    rm -f /b/p.tmp/F
    "#);
}

#[test]
fn a_file_variable_cannot_leave_its_directory() {
    let variables = [VariableSpec {
        file: true,
        ..variable("../../x", "y")
    }];
    let script = script(ShellKind::Bash, &variables, |scripts| scripts.cleanup());
    assert!(body(&script).contains("rm -f /b/p.tmp/.._.._x\n"));
}

#[test]
fn passed_variables_are_those_only_gitlab_gives_and_the_script_leaves_them_out() {
    let mut file = variable("CI_FILE", "content");
    file.file = true;
    let long = "x".repeat(5000);
    let variables = [
        variable("CI_JOB_NAME", "a job"),
        variable("LD_PRELOAD", "own.so"),
        variable("MINE", "1"),
        variable("CI_not-a-name", "1"),
        variable("CI_LONG", &long),
        file,
    ];
    let mut passed = Vec::new();
    let StageText { source: text, .. } = script(ShellKind::Bash, &variables, |scripts| {
        let scripts = Scripts {
            exports: Exports::Passed,
            ..*scripts
        };
        passed = scripts.passed();
        scripts.step("script", &["true".into()])
    });
    assert_eq!(passed, b"CI_JOB_NAME=a job\0");
    assert!(!text.contains("export CI_JOB_NAME"), "{text}");
    for key in ["LD_PRELOAD", "MINE", "CI_not-a-name", "CI_LONG", "CI_FILE"] {
        assert!(text.contains(&format!("export {key}=")), "{key}: {text}");
    }
}

/// What bash makes of a text on its standard input: what it prints, and its exit code.
fn carried_out(text: &str) -> (String, Option<i32>) {
    let mut shell = std::process::Command::new("bash")
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("bash");
    let mut input = shell.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut input, text.as_bytes()).expect("a text shorter than a pipe");
    drop(input);
    let output = shell.wait_with_output().expect("an end");
    let printed = [output.stdout, output.stderr].concat();
    (
        String::from_utf8_lossy(&printed).into_owned(),
        output.status.code(),
    )
}

/// Scripts as in the tables of the reference, and others that depend on where they run.
#[test]
fn without_the_subshell_a_script_prints_and_ends_the_same() {
    let scripts: [&[&str]; 24] = [
        &["true"],
        &["false", "echo no"],
        &["exit 42"],
        &["(exit 7)"],
        &["false && true", "echo x"],
        &["false && true"],
        &["! true", "echo x"],
        &["false | true", "echo no"],
        &["cd /tmp", "X=1", "pwd; echo $X"],
        &["read x", "echo no"],
        &["read x || echo empty"],
        &["f() { false; echo in; }", "f", "echo no"],
        &["f() { false; echo in; }", "if f; then echo yes; fi"],
        &["if true", "then echo T", "fi"],
        &["cat <<EOF", "x", "EOF"],
        &["echo before", "if then"],
        &["nosuch-command"],
        &["echo $0 $- $# $SHLVL $LINENO"],
        &["unset X", "echo ${X?not given}", "echo no"],
        &["return 3", "echo after"],
        &["cat; ls -l /proc/self/fd | wc -l"],
        &["exit() { echo mine; }", "(false)"],
        &["bash -c 'exit 9'", "echo no"],
        &[
            "echo out; echo err >&2",
            "sleep 0.01 & wait",
            "echo $?; exit 300",
        ],
    ];
    for commands in scripts {
        let shell_text = script(ShellKind::Bash, &[], |scripts| {
            let here = Scripts {
                project_dir: "/",
                temp_dir: "/tmp",
                ..*scripts
            };
            here.step("script", &lines(commands))
        });
        assert_eq!(shell_text.body, BodyIn::Shell, "{commands:?}");
        let subshell = shell_text
            .source
            .replace("exec < /dev/null; eval", "(trap 'exit 1' TERM; eval");
        let subshell = format!("{}) < /dev/null\nexit 0\n", subshell.trim_end_matches('\n'));
        assert_eq!(
            carried_out(&shell_text.source),
            carried_out(&subshell),
            "{commands:?}"
        );
    }
}
