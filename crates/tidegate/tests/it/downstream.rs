//! Trigger jobs: child pipelines, pipelines of other projects, and what earlier runs tell of them.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tidegate_testkit::{Ended, Sandbox};

use crate::{is_running, repository, wait_until};

/// A repository with further files.
fn with(configuration: &str, files: &[(&str, &str)]) -> Sandbox {
    let repo = repository(configuration);
    for (path, content) in files {
        repo.write(path, content);
    }
    repo.commit("files");
    repo
}

/// A repository beside the sandbox's.
fn beside(repo: &Sandbox, name: &str, configuration: &str) -> PathBuf {
    let path = repo.project().join("..").join(name);
    std::fs::create_dir(&path).expect("it is new");
    std::fs::write(path.join(".gitlab-ci.yml"), configuration).expect("writable");
    for args in [
        &["init", "--quiet", "--initial-branch", "main"][..],
        &["add", "--all"],
        &["commit", "--quiet", "--message", "first"],
    ] {
        let place = path.to_string_lossy().into_owned();
        let all: Vec<&str> = ["-C", &place]
            .into_iter()
            .chain(args.iter().copied())
            .collect();
        repo.git(&all);
    }
    path
}

fn holds(ended: &Ended, code: i32, texts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.shown());
    // Columns are as wide as the names in them.
    let narrow = |text: &str| {
        text.split(' ')
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let shown = narrow(&ended.shown());
    for text in texts {
        assert!(shown.contains(&narrow(text)), "{text}\n{}", ended.shown());
    }
}

#[test]
fn a_child_pipeline_runs_in_the_same_run_with_the_variables_it_is_given() {
    let repo = with(
        "variables: {ROOT: root}\n\
         t:\n  variables: {OWN: 'own-$ROOT-$NOPE'}\n  trigger: {include: [a.yml, {local: b.yml}], strategy: depend}\n",
        &[
            (
                "a.yml",
                "a: {script: ['echo $OWN $CI_PIPELINE_SOURCE of $CI_UPSTREAM_PIPELINE_ID in $CI_PIPELINE_ID']}\n",
            ),
            ("b.yml", "b: {script: ['echo root=$ROOT']}\n"),
        ],
    );
    let ended = repo.run(&["run"]);
    holds(
        &ended,
        0,
        &[
            "t/a | own-root- parent_pipeline of 1 in 2",
            "t/b | root=root",
            "pipeline passed",
            "3 passed",
        ],
    );
}

#[test]
fn forward_decides_which_variables_go_on() {
    let child = "c: {script: ['echo yaml=[$Y] given=[$GIVEN]']}\n";
    let repo = with(
        "variables: {Y: yaml}\n\
         none: {trigger: {include: c.yml, strategy: depend, forward: {yaml_variables: false}}}\n\
         all: {trigger: {include: c.yml, strategy: depend, forward: {pipeline_variables: true}}}\n",
        &[("c.yml", child)],
    );
    let ended = repo.run(&["run", "--variable", "GIVEN=g"]);
    holds(
        &ended,
        0,
        &[
            "none/c | yaml=[] given=[]",
            "all/c  | yaml=[yaml] given=[g]",
        ],
    );
}

#[test]
fn an_artifact_is_a_child_configuration_and_its_jobs_reach_the_parents_artifacts() {
    let repo = repository(
        "stages: [build, test]\n\
         gen:\n  stage: build\n  script:\n    - cp made.yml child.yml\n    - echo content > out\n    - echo FROM=dotenv > env\n\
         \x20 artifacts: {paths: [child.yml, out], reports: {dotenv: env}}\n\
         t:\n  stage: test\n  variables: {UP: $CI_PIPELINE_ID}\n  trigger: {include: [{artifact: child.yml, job: gen}], strategy: depend}\n\
         gone:\n  stage: test\n  trigger: {include: [{artifact: no.yml, job: gen}]}\n\
         other: {stage: build, script: [echo no artifacts]}\n\
         nobody:\n  stage: test\n  trigger: {include: [{artifact: no.yml, job: other}]}\n",
    );
    repo.write(
        "made.yml",
        "c:\n  needs: [{pipeline: $UP, job: gen}]\n  script: ['echo got $(cat out) and $FROM']\n\
         d:\n  needs: [{pipeline: $UP, job: nope}]\n  allow_failure: true\n  script: [echo ran]\n",
    );
    let ended = repo.run(&["run"]);
    holds(
        &ended,
        1,
        &[
            "t/c  | got content and dotenv",
            "failed (allowed): t/d, missing_dependency_failure",
            "`needs` asks for the job `nope` of the pipeline 1",
            "failed: gone, downstream_pipeline_creation_failed",
            "Path `no.yml` does not exist inside the `gen` artifacts archive!",
            "Job `other` not found in parent pipeline or does not have artifacts!",
        ],
    );
    assert!(!ended.stdout.contains("| ran"), "{}", ended.shown());
}

#[test]
fn a_trigger_job_follows_its_pipeline_only_with_a_strategy() {
    let child = "c: {script: [exit 3]}\n";
    let followed = with(
        "t: {trigger: {include: c.yml, strategy: depend}}\nl: {stage: deploy, script: [echo late]}\n",
        &[("c.yml", child)],
    );
    let ended = followed.run(&["run"]);
    holds(
        &ended,
        1,
        &[
            "failed: t, as its pipeline",
            "failed: t/c, exit code 3",
            "`tidegate run --retry t/c` runs it again",
            "pipeline failed",
            "1 skipped",
        ],
    );
    let alone = with(
        "t: {trigger: {include: c.yml}}\nl: {stage: deploy, script: [echo late]}\n",
        &[("c.yml", child)],
    );
    let ended = alone.run(&["run"]);
    holds(
        &ended,
        1,
        &[
            "l   | late",
            "pipeline passed",
            "the pipeline of `t` failed",
        ],
    );
}

#[test]
fn mirror_takes_over_more_than_depend() {
    let repo = with(
        "m: {trigger: {include: manual.yml, strategy: mirror}, allow_failure: true}\n\
         d: {trigger: {include: manual.yml, strategy: depend}}\n",
        &[(
            "manual.yml",
            "c: {script: [echo played], when: manual, allow_failure: false}\n",
        )],
    );
    let ended = repo.run(&["run"]);
    holds(
        &ended,
        0,
        &["m   | waits to be started by hand", "`d/c`", "`m/c`"],
    );
    let played = repo.run(&["run", "--play", "d/c", "--play", "m/c"]);
    holds(
        &played,
        0,
        &[
            "d/c | played",
            "m/c | played",
            "pipeline passed",
            "4 passed",
        ],
    );
}

#[test]
fn what_gitlab_refuses_is_refused_with_its_reason() {
    let repo = with(
        "empty: {trigger: {include: empty.yml}}\n\
         filtered: {trigger: {include: filtered.yml}}\n\
         broken: {trigger: {include: broken.yml}}\n\
         absent: {trigger: {include: absent.yml}}\n\
         own: {trigger: local/project}\n\
         deep: {trigger: {include: one.yml, strategy: depend}}\n",
        &[
            ("empty.yml", "c: {script: [x], rules: [{if: '$NOPE'}]}\n"),
            (
                "filtered.yml",
                "workflow: {rules: [{if: '$CI_PIPELINE_SOURCE == \"push\"'}]}\nc: {script: [x]}\n",
            ),
            ("broken.yml", "c: {stage: nope, script: [x]}\n"),
            (
                "one.yml",
                "one: {trigger: {include: two.yml, strategy: depend}}\n",
            ),
            (
                "two.yml",
                "two: {trigger: {include: three.yml, strategy: depend}}\n",
            ),
            ("three.yml", "three: {script: [echo too deep]}\n"),
        ],
    );
    let ended = repo.run(&["run"]);
    holds(
        &ended,
        1,
        &[
            "failed: empty, downstream_pipeline_creation_failed",
            "downstream pipeline can not be created, the resulting pipeline would have been empty. Review the rules configuration for the relevant jobs.",
            "failed: filtered, downstream_pipeline_creation_failed",
            "downstream pipeline can not be created, broken: chosen stage nope does not exist",
            "Local file `absent.yml` does not exist!",
            "failed: own, invalid_bridge_trigger",
            "failed: deep/one/two, reached_max_descendant_pipelines_depth",
        ]
        .map(|text| text.replace("broken: chosen", "c job: chosen"))
        .each_ref()
        .map(String::as_str),
    );
    assert!(!ended.stdout.contains("too deep |"), "{}", ended.shown());
}

#[test]
fn a_project_that_is_mapped_runs_with_its_own_files_and_inputs() {
    let repo = repository(
        "t:\n  variables: {V: 'v-$CI_COMMIT_BRANCH'}\n  trigger: {project: g/other, strategy: depend, inputs: {who: me}}\n",
    );
    repo.write(
        "tidegate.toml",
        "[includes.projects]\n\"g/other\" = { path = \"../other\" }\n",
    );
    let other = beside(
        &repo,
        "other",
        "spec: {inputs: {who: {default: nobody}}}\n---\n\
         j:\n  script: ['echo $CI_PROJECT_PATH $CI_PIPELINE_SOURCE $V $[[ inputs.who ]]', 'ls', 'echo x > made', 'echo b >> b']\n\
         \x20 artifacts: {paths: [made]}\n  cache: {key: k, paths: [b]}\n",
    );
    std::fs::write(other.join("uncommitted"), "").expect("writable");
    let ended = repo.run(&["run"]);
    holds(
        &ended,
        0,
        &["t/j | g/other pipeline v-main me", "t   | passed"],
    );
    assert!(!ended.stdout.contains("uncommitted"), "{}", ended.shown());
    let place = other.to_string_lossy().into_owned();
    let caches = repo.run(&["-C", &place, "cache", "ls"]);
    holds(&caches, 0, &["k"]);
    let listed = repo.run(&["artifacts", "ls"]);
    holds(&listed, 0, &["t/j", "archive"]);
    let again = repo.run(&["run", "--retry", "t/j"]);
    holds(&again, 0, &["t/j | g/other pipeline v-main me", "passed"]);
    // It stands on another branch: nothing of it is what was asked for.
    repo.git(&["-C", &place, "switch", "--quiet", "--create", "topic"]);
    let ended = repo.run(&["run"]);
    holds(
        &ended,
        1,
        &[
            "stands on `topic`, and `main` is wanted",
            "failed: t, downstream_bridge_project_not_found",
        ],
    );
}

#[test]
fn a_project_that_is_not_mapped_is_told_with_all_it_would_get() {
    let repo = repository(
        "a: {variables: {V: v}, trigger: {project: g/far, branch: 'b-$V', inputs: {n: 3}}}\n\
         b: {trigger: {project: g/far, strategy: depend}, allow_failure: true}\n\
         m: {needs: {pipeline: g/far}, allow_failure: true}\n\
         l: {stage: deploy, script: [echo late]}\n",
    );
    let ended = repo.run(&["run", "--junit", "junit.xml", "--html", "run.html"]);
    holds(
        &ended,
        0,
        &[
            "a | Would trigger a pipeline of g/far on `b-v`; it is not run here",
            "a |   variable V=v",
            "a |   input n=3",
            "a | not triggered",
            "failed (allowed): b, downstream_bridge_project_not_found",
            "failed (allowed): m, upstream_bridge_project_not_found",
            "l | late",
            "1 not triggered",
        ],
    );
    assert!(
        repo.read("junit.xml")
            .contains("<skipped message=\"not triggered\"/>")
    );
    assert!(repo.read("run.html").contains("not triggered"));
    let logged = repo.run(&["logs", "a"]);
    holds(&logged, 0, &["Would trigger a pipeline of g/far on `b-v`"]);
    let json = repo.run(&["run", "--format", "json"]);
    holds(
        &json,
        0,
        &[r#""type":"would_trigger","job":0,"attempt":1,"project":"g/far","ref":"b-v""#],
    );
}

#[test]
fn a_job_takes_artifacts_of_a_mapped_project() {
    let repo = repository(
        "j:\n  needs: [{project: g/other, ref: main, job: make, artifacts: true}]\n  script: ['echo got $(cat out) and $FROM']\n",
    );
    repo.write(
        "tidegate.toml",
        "[includes.projects]\n\"g/other\" = { path = \"../other\" }\n",
    );
    let other = beside(
        &repo,
        "other",
        "make:\n  script: ['echo $WHAT > out', 'echo FROM=dotenv > env', 'test $WHAT != bad']\n\
         \x20 artifacts: {paths: [out], reports: {dotenv: env}, when: always}\n",
    );
    let ended = repo.run(&["run"]);
    holds(
        &ended,
        1,
        &[
            "failed: j, missing_dependency_failure",
            "`needs` asks for the job `make` of g/other on `main`: no run in",
        ],
    );
    let place = other.to_string_lossy().into_owned();
    for (what, code) in [("good", 0), ("bad", 1)] {
        let given = format!("WHAT={what}");
        let made = repo.run(&["-C", &place, "run", "--variable", &given]);
        assert_eq!(made.code, Some(code), "{}", made.shown());
    }
    // The newest run failed; the one before did not.
    holds(&repo.run(&["run"]), 0, &["j | got good and dotenv"]);
}

#[test]
fn no_secret_is_shown_of_what_is_passed_on() {
    let repo = with(
        "far: {variables: {V: 'x$TOKEN'}, trigger: {project: g/far}}\n\
         t: {variables: {V: 'x$TOKEN'}, trigger: {include: c.yml, strategy: depend}}\n",
        &[
            (
                "c.yml",
                "c: {script: ['echo it is $V', 'test $V = xs3cretvalue']}\n",
            ),
            (
                "tidegate.toml",
                "[variables.project]\nTOKEN = { value = \"s3cretvalue\", masked = true }\n",
            ),
        ],
    );
    let ended = repo.run(&["run"]);
    holds(&ended, 0, &["variable V=[MASKED]", "t/c | it is [MASKED]"]);
    assert!(!ended.shown().contains("s3cret"), "{}", ended.shown());
    for name in ["runs/1/events", "runs/1/logs/short"] {
        let kept = std::fs::read(repo.data().join(name)).expect("it is there");
        assert!(!String::from_utf8_lossy(&kept).contains("s3cret"), "{name}");
    }
}

#[test]
fn a_killed_run_goes_on_with_pipelines_of_other_projects() {
    let outside = tempfile::tempdir().expect("a directory");
    let go = outside.path().join("go");
    let repo = repository("t: {trigger: {project: g/other, strategy: depend}}\n");
    repo.write(
        "tidegate.toml",
        "[includes.projects]\n\"g/other\" = { path = \"../other\" }\n",
    );
    let began = outside.path().join("began");
    let wait = format!(
        "touch {}; while test ! -e {}; do sleep 0.02; done",
        began.display(),
        go.display()
    );
    beside(
        &repo,
        "other",
        &format!(
            "a: {{stage: build, script: [echo first]}}\nb: {{script: ['{wait}', 'echo went on in $CI_PROJECT_NAME']}}\n"
        ),
    );
    let mut command = repo.command(&["run"]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = command.spawn().expect("it starts");
    wait_until("the second job", || began.exists());
    run.kill().expect("it is ours");
    run.wait().expect("it ends");
    std::fs::write(&go, "").expect("writable");
    let resumed = repo.run(&["run", "--resume"]);
    holds(
        &resumed,
        0,
        &["t/b | went on in other", "pipeline passed", "3 passed"],
    );
    assert!(
        !resumed.stdout.contains("echo first"),
        "{}",
        resumed.shown()
    );
    holds(&repo.run(&["runs"]), 0, &["2 success of `t`"]);
}

#[test]
fn pipelines_that_trigger_each_other_for_ever_are_ended() {
    let repo = repository("a: {trigger: {project: g/b, strategy: depend}}\n");
    repo.write(
        "tidegate.toml",
        "[project]\npath = \"g/a\"\n[includes.projects]\n\"g/b\" = { path = \"../b\" }\n",
    );
    repo.commit("settings");
    let b = beside(
        &repo,
        "b",
        "b: {trigger: {project: g/a, strategy: depend}}\n",
    );
    std::fs::write(
        b.join("tidegate.toml"),
        "[project]\npath = \"g/b\"\n[includes.projects]\n\"g/a\" = { path = \"../project\" }\n",
    )
    .expect("writable");
    let ended = repo.run(&["run"]);
    holds(&ended, 1, &["pipeline_loop_detected"]);
}

#[test]
fn earlier_runs_tell_of_downstream_pipelines_and_their_jobs_by_name() {
    let repo = with(
        "t: {trigger: {include: c.yml, strategy: depend}}\nt/x: {script: [echo outer]}\n",
        &[(
            "c.yml",
            "x: {script: [echo inner]}\nc: {script: ['echo from child', 'test -e ok'], artifacts: {paths: [f], when: always}}\nn: {needs: [c], script: [echo after]}\n",
        )],
    );
    let ended = repo.run(&["run", "--junit", "../junit.xml", "--html", "../run.html"]);
    holds(&ended, 1, &["failed: t/c, exit code 1"]);
    let junit = repo.read("../junit.xml");
    assert!(junit.contains("<testsuite name=\"t/test\""), "{junit}");
    assert!(junit.contains("<testcase name=\"t/c\""), "{junit}");
    assert!(repo.read("../run.html").contains("Jobs of t"));
    let runs = repo.run(&["runs"]);
    holds(&runs, 0, &["2  failed  of `t`", "1 passed, 1 failed"]);
    let runs = repo.run(&["runs", "--format", "json"]);
    holds(&runs, 0, &[r#""downstream":[{"id":2,"job":"t","#]);
    holds(&repo.run(&["logs", "t/c"]), 0, &["from child"]);
    // A job of the outer pipeline wins over one further down; the number of a pipeline names that one's.
    holds(&repo.run(&["logs", "t/x"]), 0, &["outer"]);
    holds(&repo.run(&["logs", "x", "--run", "2"]), 0, &["inner"]);
    holds(
        &repo.run(&["logs", "t/nope"]),
        2,
        &["there is no job `t/nope`"],
    );
    let shell = repo.run(&[
        "shell",
        "t/c",
        "--",
        "bash",
        "-c",
        "echo $CI_PIPELINE_SOURCE; ls",
    ]);
    holds(&shell, 0, &["parent_pipeline", "c.yml"]);
    let again = repo.run(&["run", "--retry", "t/c"]);
    holds(
        &again,
        1,
        &["t/c | from child", "failed: t, as its pipeline"],
    );
    assert!(!again.stdout.contains("inner"), "{}", again.shown());
    // A trigger job that is tried again makes another pipeline.
    let again = repo.run(&["run", "--retry", "t"]);
    holds(&again, 1, &["Created child pipeline 3", "t/x | inner"]);
    holds(&repo.run(&["runs"]), 0, &["3  failed  of `t`"]);
    holds(&repo.run(&["logs", "x", "--run", "2"]), 0, &["inner"]);
}

#[test]
fn a_child_is_planned_from_the_files_its_parents_jobs_started_from() {
    let repo = with(
        "wait: {stage: build, script: ['while test ! -e $GO; do sleep 0.02; done']}\n\
         t: {stage: test, trigger: {include: c.yml, strategy: depend}}\n",
        &[("c.yml", "c: {script: [echo first]}\n")],
    );
    let go = repo.project().join("../go");
    let given = format!("GO={}", go.display());
    let mut run = repo.command(&["run", "--variable", &given]);
    let run = run.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = run.spawn().expect("it starts");
    wait_until("the first job", || {
        repo.data().join("runs/1/logs/short").exists()
    });
    repo.write("c.yml", "c: {script: [echo second]}\n");
    std::fs::write(&go, "").expect("writable");
    let ended = Ended::of(child.wait_with_output().expect("it ends"));
    holds(&ended, 0, &["t/c  | first"]);
}

#[test]
fn job_slots_are_shared_by_all_pipelines_of_a_run() {
    let job = "script: ['mkdir $D/lock', 'sleep 0.1', 'rmdir $D/lock']";
    let repo = with(
        &format!(
            "t: {{trigger: {{include: c.yml, strategy: depend, forward: {{pipeline_variables: true}}}}}}\na: {{{job}}}\nb: {{{job}}}\n"
        ),
        &[("c.yml", &format!("c: {{{job}}}\nd: {{{job}}}\n"))],
    );
    let place = format!("D={}", repo.project().join("..").display());
    let ended = repo.run(&["run", "--jobs", "1", "--variable", &place]);
    holds(&ended, 0, &["5 passed"]);
}

#[test]
fn an_interrupted_run_ends_its_downstream_pipelines_too() {
    use rustix::process::{Pid, Signal, kill_process};
    for (signal, runs_after_script) in [(Signal::INT, true), (Signal::TERM, false)] {
        let repo = with(
            "t: {trigger: {include: c.yml}}\n",
            &[(
                "c.yml",
                "c: {script: ['sleep 61.4417'], after_script: [echo after all]}\n",
            )],
        );
        let mut command = repo.command(&["run"]);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("it starts");
        wait_until("the job of the child", || is_running("61.4417"));
        kill_process(Pid::from_child(&child), signal).expect("it is ours");
        let ended = Ended::of(child.wait_with_output().expect("it ends"));
        holds(&ended, 130, &["t/c | canceled"]);
        let ran = ended.stdout.contains("| after all");
        assert_eq!(ran, runs_after_script, "{}", ended.shown());
        assert!(!is_running("61.4417"));
    }
}

#[test]
fn a_killed_run_goes_on_with_its_downstream_pipelines() {
    let outside = tempfile::tempdir().expect("a directory");
    let trace = outside.path().join("trace").to_string_lossy().into_owned();
    let child: String = (0..4)
        .map(|job| format!("c{job}: {{script: ['sleep 0.05', 'echo c{job} $FROM >> {trace}']}}\n"))
        .collect();
    let configuration = format!(
        "gen: {{stage: build, script: ['sleep 0.05', 'cp made.yml child.yml', 'echo FROM=gen > env'], artifacts: {{paths: [child.yml], reports: {{dotenv: env}}}}}}\n\
         t: {{stage: test, variables: {{UP: $CI_PIPELINE_ID}}, trigger: {{include: [{{artifact: child.yml, job: gen}}], strategy: depend, forward: {{pipeline_variables: true}}}}}}\n\
         late: {{stage: deploy, script: ['echo late >> {trace}']}}\n"
    );
    for round in 0..8u64 {
        let repo = with(&configuration, &[("made.yml", &child)]);
        let _ = std::fs::remove_file(&trace);
        let mut command = repo.command(&["run"]);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut run = command.spawn().expect("it starts");
        wait_until("the run", || repo.data().join("runs/1/run.json").exists());
        std::thread::sleep(Duration::from_millis(150 * round));
        run.kill().expect("it is ours");
        run.wait().expect("it ends");
        let data = repo.data().to_string_lossy().into_owned();
        wait_until("the jobs to end", || !is_running(&data));
        let resumed = repo.run(&["run", "--resume"]);
        let over = resumed.code == Some(2) && resumed.stderr.contains("stopped before its end");
        assert!(over || resumed.code == Some(0), "{}", resumed.shown());
        let text = std::fs::read_to_string(&trace).unwrap_or_default();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(
            lines,
            ["c0 gen", "c1 gen", "c2 gen", "c3 gen", "late"],
            "round {round}: {}",
            resumed.shown()
        );
        let runs = repo.run(&["runs"]);
        holds(&runs, 0, &["of `t`"]);
        assert_eq!(runs.stdout.matches("of `t`").count(), 1, "{}", runs.shown());
    }
}
