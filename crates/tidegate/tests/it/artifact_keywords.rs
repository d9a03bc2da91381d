//! Every keyword of `artifacts`, one after the other: what is kept, and what the log says.

use tidegate_testkit::Sandbox;

use crate::cache_keywords::{check, has_line, red, run};
use crate::repository;

/// Files of the only job's archive, or of a report of another kind.
fn files_of(repo: &Sandbox, job: &str, kind: &str) -> Vec<String> {
    let place = crate::green(repo, &["artifacts", "open", job, "--kind", kind]).stdout;
    let root = std::path::Path::new(place.trim());
    let mut files = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                let path = entry.path();
                files.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    files.sort_unstable();
    files
}

#[test]
fn artifacts_are_what_paths_and_untracked_mean_without_what_is_excluded() {
    for (keywords, files, said) in [
        (
            "paths: [out]",
            &["out/a.o", "out/b", "out/sub/c.o", "out/sub/d"][..],
            &["out: found 6 matching artifact files and directories"][..],
        ),
        (
            "paths: [out/], exclude: ['out/**/*.o']",
            &["out/b", "out/sub/d"],
            &[
                "out/: found 4 matching artifact files and directories",
                "out/**/*.o: excluded 2 files",
            ],
        ),
        (
            "paths: [out/], exclude: [out/sub]",
            &["out/a.o", "out/b", "out/sub/c.o", "out/sub/d"],
            &["out/sub: excluded 1 files"],
        ),
        (
            "paths: [out/], exclude: ['out/sub/**']",
            &["out/a.o", "out/b"],
            &["out/sub/**: excluded 3 files"],
        ),
        (
            "paths: [out/], exclude: ['./out/b', '$CI_PROJECT_DIR/out/sub/*']",
            &["out/a.o"],
            &["./out/b: excluded 1 files"],
        ),
        (
            "paths: [out/b], exclude: ['../x', out/b]",
            &["out/b"],
            &["WARNING: isExcluded: artifact path is not a subpath of project directory: ../x"],
        ),
        (
            "paths: ['${NONE:-out}/b', '$LATER']",
            &["out/b", "top"],
            &[],
        ),
        (
            "untracked: true, exclude: ['**/*.o']",
            &["out/b", "out/sub/d", "top"],
            &["untracked: found 3 files"],
        ),
        (
            "untracked: true, paths: [known]",
            &[
                "known",
                "out/a.o",
                "out/b",
                "out/sub/c.o",
                "out/sub/d",
                "top",
            ],
            &["untracked: found 5 files"],
        ),
        (
            "paths: [none, out/b]",
            &["out/b"],
            &["out/b: found 1 matching artifact files and directories"],
        ),
    ] {
        let repo = repository(&format!(
            "job:\n  artifacts: {{{keywords}}}\n  script: [mkdir -p out/sub, touch top out/a.o out/b out/sub/c.o out/sub/d, echo LATER=top >> $GITLAB_ENV]\n"
        ));
        repo.write("known", "");
        repo.commit("known");
        let ended = crate::green(&repo, &["run"]);
        for line in said {
            assert!(
                has_line(&ended, line),
                "{keywords}: {line}: {}",
                ended.shown()
            );
        }
        assert_eq!(files_of(&repo, "job", "archive"), files, "{keywords}");
    }
}

#[test]
fn nothing_to_keep_is_an_error_in_the_log_and_no_failure() {
    let repo = check(
        "job: {artifacts: {paths: [none]}, script: [echo]}\n",
        &[run(&["ERROR: No files to upload", "Job succeeded"], &[])],
    );
    let ended = repo.run(&["artifacts", "open", "job"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
}

#[test]
fn artifacts_when_says_after_which_outcome_they_are_kept() {
    for (when, good, bad) in [
        ("", true, false),
        (", when: on_success", true, false),
        (", when: on_failure", false, true),
        (", when: always", true, true),
    ] {
        let repo = repository(&format!(
            "job:\n  artifacts: {{paths: [f]{when}, reports: {{junit: j.xml}}}}\n  script: [touch f j.xml, $DO]\n"
        ));
        for (command, code, kept) in [("DO=true", 0, good), ("DO=false", 1, bad)] {
            let ended = repo.run(&["run", "--variable", command]);
            assert_eq!(ended.code, Some(code), "{}", ended.shown());
            let stored = |kind: &str| {
                ended
                    .stdout
                    .contains(&format!("Stored artifacts as \"{kind}\""))
            };
            assert_eq!(
                stored("archive"),
                kept,
                "{when} {command}: {}",
                ended.shown()
            );
            // Reports are kept whatever became of the job.
            assert!(stored("junit"), "{when} {command}: {}", ended.shown());
        }
    }
}

#[test]
fn names_and_times_are_noted_with_artifacts() {
    for (keywords, name, expires) in [
        ("", "artifacts", false),
        (", expire_in: never", "artifacts", false),
        (
            ", name: $CI_JOB_NAME-$CI_COMMIT_REF_SLUG",
            "job-main",
            false,
        ),
        (", name: '${NONE:-other}/last'", "last", false),
        (", name: '..'", "default", false),
        (", name: '$NONE'", "default", false),
        (", expire_in: 3 hrs 4 min", "artifacts", true),
    ] {
        let repo = repository(&format!(
            "job:\n  artifacts: {{paths: [f]{keywords}}}\n  script: [touch f]\n"
        ));
        let _ = crate::green(&repo, &["run"]);
        let listed = crate::green(&repo, &["artifacts", "ls", "--format", "json"]).stdout;
        assert!(
            listed.contains(&format!("\"name\":\"{name}\"")),
            "{keywords}: {listed}"
        );
        assert_eq!(
            !listed.contains("\"expires\":null"),
            expires,
            "{keywords}: {listed}"
        );
        let _ = crate::green(&repo, &["artifacts", "export", "job"]);
        assert!(
            repo.project().join(format!("{name}.zip")).exists(),
            "{keywords}"
        );
    }
}

/// What is over is there until somebody tidies up, which every run does.
#[test]
fn expired_artifacts_are_told_and_pruned() {
    let repo = check(
        "stages: [a, b]\nmake: {stage: a, artifacts: {paths: [f], expire_in: 1 sec}, script: [touch f]}\n\
         use: {stage: b, needs: [], when: manual, script: [echo]}\n",
        &[run(&[], &[])],
    );
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let listed = crate::green(&repo, &["artifacts", "ls"]).stdout;
    assert!(listed.contains("expired"), "{listed}");
    let _ = crate::green(&repo, &["cache", "prune"]);
    let listed = crate::green(&repo, &["artifacts", "ls"]).stdout;
    assert_eq!(listed, "run 1 left no artifacts\n");
}

#[test]
fn reports_are_kept_apart_each_in_its_form() {
    let configuration = "\
make:
  stage: build
  artifacts:
    paths: [out]
    public: false
    expose_as: the result
    reports: {junit: [r1.xml, 'r*.xml'], dotenv: v.env, sast: s.json, codequality: q.json, coverage_report: {coverage_format: cobertura, path: c.xml}}
  script: [touch out r1.xml r2.xml s.json q.json c.xml, echo NAME=value > v.env]
use: {stage: test, needs: [make], script: ['echo \"got $NAME\"', ls]}
none: {stage: test, needs: [{job: make, artifacts: false}], script: ['echo \"none [$NAME]\"', '! ls out']}
";
    let repo = check(
        configuration,
        &[run(
            &["use | got value", "use | out", "none | none []"],
            &[],
        )],
    );
    assert_eq!(files_of(&repo, "make", "archive"), ["out"]);
    assert_eq!(files_of(&repo, "make", "junit"), ["r1.xml", "r2.xml"]);
    assert_eq!(files_of(&repo, "make", "sast"), ["s.json"]);
    assert_eq!(files_of(&repo, "make", "cobertura"), ["c.xml"]);
    for (keyword, value) in [
        ("access", "developer"),
        ("access", "none"),
        ("public", "true"),
    ] {
        check(
            &format!("job: {{artifacts: {{paths: [f], {keyword}: {value}}}, script: [touch f]}}\n"),
            &[run(
                &["Stored artifacts as \"archive\": 1 files, 0 bytes"],
                &[],
            )],
        );
    }
}

#[test]
fn reports_that_gitlab_cannot_take_fail_the_job() {
    for (reports, said) in [
        (
            "sast: [a.json, b.json]",
            "ERROR: only one file can be sent as raw: the report `sast` is one file, and 2 files and directories were found",
        ),
        (
            "codequality: dir/",
            "ERROR: only one file can be sent as raw: the report `codequality` is one file, and 2 files and directories were found",
        ),
        (
            "junit: dir/",
            "ERROR: the \"dir\" is not a regular file, and the report `junit` takes nothing else",
        ),
        (
            "junit: link",
            "ERROR: the \"link\" is not a regular file, and the report `junit` takes nothing else",
        ),
    ] {
        let repo = check(
            &format!(
                "job: {{artifacts: {{reports: {{{reports}}}}}, script: [mkdir dir, touch a.json b.json dir/f, ln -s a.json link]}}\n"
            ),
            &[red(
                &["ERROR: Job failed: exit status 1"],
                &["Stored artifacts"],
            )],
        );
        let log = crate::green(&repo, &["logs", "job"]).stdout;
        assert!(log.lines().any(|line| line == said), "{reports}: {log}");
    }
}
