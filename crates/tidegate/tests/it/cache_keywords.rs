//! Every keyword of `cache`, one after the other: what jobs find, what is saved, and what the log says.

use tidegate_testkit::{Ended, Sandbox};

use crate::repository;

/// One run of a case: its flags, the exit code, lines its output has, and texts it has not.
pub(crate) struct Run {
    args: &'static [&'static str],
    code: i32,
    has: &'static [&'static str],
    lacks: &'static [&'static str],
}

pub(crate) const fn run(has: &'static [&'static str], lacks: &'static [&'static str]) -> Run {
    Run {
        args: &[],
        code: 0,
        has,
        lacks,
    }
}

const fn with(args: &'static [&'static str], has: &'static [&'static str]) -> Run {
    Run {
        args,
        code: 0,
        has,
        lacks: &[],
    }
}

pub(crate) const fn red(has: &'static [&'static str], lacks: &'static [&'static str]) -> Run {
    Run {
        args: &[],
        code: 1,
        has,
        lacks,
    }
}

/// Runs the pipeline as often as there are entries, in one repository.
#[track_caller]
pub(crate) fn check(configuration: &str, runs: &[Run]) -> Sandbox {
    let repo = repository(configuration);
    go_on(&repo, runs);
    repo
}

#[track_caller]
fn go_on(repo: &Sandbox, runs: &[Run]) {
    for (at, run) in runs.iter().enumerate() {
        let ended = repo.run(&[&["run"], run.args].concat());
        let shown = ended.shown();
        assert_eq!(ended.code, Some(run.code), "run {at}: {shown}");
        for line in run.has {
            assert!(has_line(&ended, line), "run {at} lacks `{line}`: {shown}");
        }
        for text in run.lacks {
            assert!(!shown.contains(text), "run {at} has `{text}`: {shown}");
        }
    }
}

/// Whether a job's log has this line. Jobs are named before their lines.
pub(crate) fn has_line(ended: &Ended, line: &str) -> bool {
    let mut lines = ended.stdout.lines();
    lines.any(|one| {
        one == line
            || one.split_once(" | ").is_some_and(|(job, text)| {
                text == line || format!("{} | {text}", job.trim_end()) == line
            })
    })
}

fn keys(repo: &Sandbox) -> Vec<String> {
    let listed = crate::green(repo, &["cache", "ls", "--format", "json"]).stdout;
    let parts = listed.split("\"key\":\"").skip(1);
    let mut keys: Vec<String> = parts
        .map(|rest| rest.split('"').next().unwrap_or_default().to_owned())
        .collect();
    keys.sort_unstable();
    keys
}

#[test]
fn the_caches_of_a_job_are_found_and_saved_each_for_itself() {
    let repo = check(
        "job:\n  cache:\n    - {key: a, paths: [a]}\n    - {key: b, paths: [b], policy: pull}\n    - {key: c}\n    - {paths: [d]}\n  \
         script:\n    - 'echo \"$TIDEGATE_CACHE_0_HIT $TIDEGATE_CACHE_0_KEY, $TIDEGATE_CACHE_1_HIT, $TIDEGATE_CACHE_2_HIT, $TIDEGATE_CACHE_3_HIT $TIDEGATE_CACHE_3_KEY\"'\n    \
         - touch a b c d\n",
        &[
            run(
                &[
                    "miss a-non_protected, miss, miss, miss default-non_protected",
                    "Checking cache for a-non_protected...",
                    "Checking cache for b-non_protected...",
                    "Checking cache for default-non_protected...",
                    "Creating cache a-non_protected...",
                    "Not uploading cache b-non_protected due to policy",
                    "Creating cache default-non_protected...",
                ],
                // A cache without paths is none.
                &["cache for c-non_protected", "cache c-non_protected"],
            ),
            run(
                &["exact a-non_protected, miss, miss, exact default-non_protected"],
                &[],
            ),
        ],
    );
    assert_eq!(keys(&repo), ["a-non_protected", "default-non_protected"]);
    check(
        "default: {cache: {key: k, paths: [f]}}\njob: {cache: [], script: [touch f]}\n",
        &[run(&["$ touch f"], &["Creating cache", "Checking cache"])],
    );
}

/// SHA-1 of the blob id of `1\n`.
const ONE: &str = "352806164c31ac7f77ca29ce0f78c13d357f30b0";

#[test]
fn keys_are_text_or_made_of_files() {
    for (key, wanted) in [
        ("k", "k-non_protected"),
        (
            "\"$CI_COMMIT_REF_SLUG-$CI_JOB_STAGE\"",
            "main-test-non_protected",
        ),
        ("{files: [lock]}", &*format!("0_lock-{ONE}-non_protected")),
        (
            "{files: [sub/lock.json]}",
            &format!("0_sub/lock-{ONE}-non_protected"),
        ),
        // The same content twice counts once, and what is missing not at all.
        (
            "{files: [lock, sub/lock.json]}",
            &format!("0_lock_sub/lock-{ONE}-non_protected"),
        ),
        (
            "{files: [lock, none]}",
            &format!("0_lock_none-{ONE}-non_protected"),
        ),
        ("{files: [none]}", "0_none-default-non_protected"),
        ("{files: [.hidden]}", "0_-default-non_protected"),
        (
            "{files: ['sub/*.json']}",
            &format!("0_sub/*-{ONE}-non_protected"),
        ),
        (
            "{files: [lock], prefix: $CI_JOB_NAME}",
            &format!("job-{ONE}-non_protected"),
        ),
        ("{files_commits: [none]}", "0-default-non_protected"),
    ] {
        let repo = repository(&format!(
            "job: {{cache: {{key: {key}, paths: [f]}}, script: [touch f]}}\n"
        ));
        repo.write("lock", "1\n");
        repo.write("sub/lock.json", "1\n");
        repo.commit("locks");
        let _ = crate::green(&repo, &["run"]);
        assert_eq!(keys(&repo), [wanted], "{key}");
    }
}

#[test]
fn a_second_cache_has_its_place_in_its_key() {
    let repo = repository(
        "job:\n  cache:\n    - {key: {files: [none]}, paths: [f]}\n    - {key: {files: [lock]}, paths: [g]}\n  script: [touch f g]\n",
    );
    repo.write("lock", "1\n");
    let _ = crate::green(&repo, &["run"]);
    let wanted = [
        "0_none-default-non_protected".to_owned(),
        format!("1_lock-{ONE}-non_protected"),
    ];
    assert_eq!(keys(&repo), wanted);
}

/// The key is that of the commit, so a change that is not committed keeps it.
#[test]
fn files_commits_asks_for_the_commit() {
    let repo = repository(
        "job: {cache: {key: {files_commits: [lock], prefix: p}, paths: [f]}, script: [touch f]}\n",
    );
    repo.write("lock", "1\n");
    repo.commit("one");
    let _ = crate::green(&repo, &["run"]);
    repo.write("lock", "2\n");
    let _ = crate::green(&repo, &["run"]);
    assert_eq!(keys(&repo).len(), 1);
    repo.commit("two");
    let _ = crate::green(&repo, &["run"]);
    repo.write("other", "");
    repo.commit("three");
    let _ = crate::green(&repo, &["run"]);
    assert_eq!(keys(&repo).len(), 2);
}

#[test]
fn the_end_of_a_key_follows_the_settings_and_unprotect() {
    let configuration = "job:\n  cache:\n    - {key: k, fallback_keys: [f], paths: [x]}\n    - {key: u, unprotect: true, paths: [y]}\n  script: [touch x y]\n";
    let policies = [
        (
            "",
            &[][..],
            "k-non_protected",
            "f-non_protected",
            "u-non_protected",
        ),
        (
            "",
            &["--role", "maintainer"],
            "k-protected",
            "f-protected",
            "u-non_protected",
        ),
        (
            "",
            &["--protected"],
            "k-protected",
            "f-protected",
            "u-non_protected",
        ),
        (
            "ref",
            &["--role", "maintainer"],
            "k-non_protected",
            "f-non_protected",
            "u-non_protected",
        ),
        (
            "ref",
            &["--protected", "--role", "developer"],
            "k-protected",
            "f-protected",
            "u-non_protected",
        ),
        (
            "maintainer",
            &["--protected", "--role", "developer"],
            "k-non_protected",
            "f-non_protected",
            "u-non_protected",
        ),
        (
            "maintainer",
            &["--role", "owner"],
            "k-protected",
            "f-protected",
            "u-non_protected",
        ),
        ("off", &["--protected"], "k", "f", "u"),
    ];
    for (protected, flags, key, fallback, unprotected) in policies {
        let repo = repository(configuration);
        if !protected.is_empty() {
            repo.write(
                "tidegate.toml",
                format!("[cache]\nprotected = \"{protected}\"\n"),
            );
        }
        let ended = crate::green(&repo, &[&["run"], flags].concat());
        for key in [key, fallback, unprotected] {
            let line = format!("Checking cache for {key}...");
            assert!(
                has_line(&ended, &line),
                "{protected} {flags:?}: {}",
                ended.shown()
            );
        }
        assert_eq!(keys(&repo), [key, unprotected], "{protected} {flags:?}");
    }
}

#[test]
fn an_empty_key_is_job_and_ref_and_one_that_cleans_to_nothing_is_none() {
    let repo = check(
        "job: {cache: {key: $KEY, paths: [f]}, script: [touch f]}\n",
        &[
            with(
                &["--variable", "KEY=a%2fb"],
                &["Creating cache a/b-non_protected..."],
            ),
            with(
                &["--variable", "KEY=../../x"],
                &["cache key \"../../x-non_protected\" sanitized to \"x-non_protected\""],
            ),
        ],
    );
    assert_eq!(keys(&repo), ["a/b-non_protected", "x-non_protected"]);
    let repo = repository("job: {cache: {key: $KEY, paths: [f]}, script: [touch f]}\n");
    repo.write("tidegate.toml", "[cache]\nprotected = \"off\"\n");
    go_on(
        &repo,
        &[
            run(&["Creating cache job/main..."], &[]),
            with(
                &["--variable", "KEY=.."],
                &[
                    "cache key \"..\" could not be sanitized",
                    "Skipping cache extraction due to empty cache key",
                    "Skipping cache archiving due to empty cache key",
                ],
            ),
        ],
    );
}

#[test]
fn the_first_key_that_has_a_cache_is_taken_and_only_the_first_is_saved() {
    let repo = check(
        "fill: {rules: [{if: $FILL}], cache: {key: $FILL, paths: [f]}, script: [echo $FILL > f]}\n\
         use:\n  rules: [{if: $FILL == null}]\n  variables: {CACHE_FALLBACK_KEY: last-non_protected}\n  \
         cache: {key: first, fallback_keys: [\"$NONE\", second, \"thi/../rd\"], paths: [f], policy: $POLICY}\n  \
         script: ['cat f; echo \"$TIDEGATE_CACHE_0_HIT $TIDEGATE_CACHE_0_KEY\"', grep -q own f || echo own > f]\n",
        &[
            with(
                &["--variable", "FILL=last"],
                &["Creating cache last-non_protected..."],
            ),
            with(
                &["--variable", "POLICY=pull"],
                &[
                    "Checking cache for first-non_protected...",
                    "Checking cache for -non_protected...",
                    "Checking cache for second-non_protected...",
                    "cache key \"thi/../rd-non_protected\" sanitized to \"rd-non_protected\"",
                    "Checking cache for rd-non_protected...",
                    "Checking cache for last-non_protected...",
                    "Successfully extracted cache",
                    "last",
                    "partial first-non_protected",
                ],
            ),
            with(&["--variable", "FILL=rd"], &[]),
            with(
                &["--variable", "POLICY=pull"],
                &["rd", "partial first-non_protected"],
            ),
            with(&["--variable", "FILL=second"], &[]),
            with(&[], &["second", "Creating cache first-non_protected..."]),
            with(
                &[],
                &["own", "exact first-non_protected", "Archive is up to date!"],
            ),
        ],
    );
    let wanted = [
        "first-non_protected",
        "last-non_protected",
        "rd-non_protected",
        "second-non_protected",
    ];
    assert_eq!(keys(&repo), wanted);
}

#[test]
fn a_policy_may_be_a_variable_and_is_checked_when_it_is_used() {
    let configuration = "job: {cache: {key: k, paths: [f], policy: $POLICY}, script: ['cat f || true', 'echo \"$N\" > f']}\n";
    check(
        configuration,
        &[
            with(
                &["--variable", "POLICY=push", "--variable", "N=1"],
                &[
                    "Not downloading cache k-non_protected due to policy",
                    "Created cache",
                ],
            ),
            with(
                &["--variable", "POLICY=pull", "--variable", "N=2"],
                &[
                    "Successfully extracted cache",
                    "1",
                    "Not uploading cache k-non_protected due to policy",
                ],
            ),
            with(
                &["--variable", "POLICY=pull-push", "--variable", "N=3"],
                &["1", "Created cache"],
            ),
            // Without a value it is the default.
            with(&["--variable", "N=4"], &["3", "Created cache"]),
            Run {
                args: &["--variable", "POLICY=both"],
                code: 1,
                has: &["ERROR: Job failed: unknown cache policy both for k-non_protected"],
                lacks: &["$ cat"],
            },
        ],
    );
}

#[test]
fn when_says_after_which_outcome_a_cache_is_saved() {
    let repo = check(
        "job:\n  cache:\n    - {key: good, paths: [f]}\n    - {key: bad, paths: [f], when: on_failure}\n    - {key: any, paths: [f], when: always}\n  \
         script: [touch f, $DO]\n",
        &[
            Run {
                args: &["--variable", "DO=false"],
                code: 1,
                has: &[
                    "Saving cache for failed job",
                    "Creating cache bad-non_protected...",
                    "Creating cache any-non_protected...",
                ],
                lacks: &["Creating cache good"],
            },
            Run {
                args: &["--variable", "DO=true"],
                code: 0,
                has: &[
                    "Saving cache for successful job",
                    "Creating cache good-non_protected...",
                    "Creating cache any-non_protected...",
                ],
                lacks: &["Creating cache bad"],
            },
        ],
    );
    assert_eq!(
        keys(&repo),
        [
            "any-non_protected",
            "bad-non_protected",
            "good-non_protected"
        ]
    );
}

#[test]
fn untracked_takes_what_git_does_not_know_and_paths_besides() {
    let repo = repository(
        "job:\n  cache: {key: k, untracked: true, paths: [known]}\n  script: ['ls; cat ignored || true', echo new > new, echo i > ignored, echo changed > known, echo t > tracked]\n",
    );
    repo.write("known", "k\n");
    repo.write("tracked", "0\n");
    repo.write(".gitignore", "ignored\n");
    repo.commit("files");
    go_on(
        &repo,
        &[run(
            &[
                "known: found 1 matching artifact files and directories",
                "untracked: found 2 files",
            ],
            &[],
        )],
    );
    let files = crate::green(&repo, &["cache", "inspect", "k-non_protected", "--files"]).stdout;
    for (file, there) in [
        ("known", true),
        ("new", true),
        ("ignored", true),
        ("tracked", false),
        (".git", false),
    ] {
        let line = format!("  {file}\n");
        assert_eq!(files.contains(&line), there, "{file}: {files}");
    }
    go_on(&repo, &[run(&["i"], &[])]);
    check(
        "job: {cache: {key: k, untracked: true}, script: [echo]}\n",
        &[run(
            &[
                "WARNING: untracked: no files",
                "WARNING: No files to cache.",
            ],
            &["Created cache"],
        )],
    );
}

/// What the patterns mean, and what is said of each: doublestar's dialect, after the helper's expansion.
const GLOBS: &str = "\
job:
  variables: {DIR: deps, FILE_OF: 'a b'}
  cache:
    key: k
    paths: PATHS
  script:
    - mkdir -p deps/sub/deep x/y out ab; ln -s deps link; ln -s nowhere broken
    - touch deps/1.o deps/sub/2.o deps/sub/deep/3.c x/y/f 'a b' '*' .dot ab/c a1 a2 out/.h
    - echo LATER=x/y >> $GITLAB_ENV
";

#[test]
fn paths_are_doublestar_patterns_within_the_project() {
    for (path, count, files) in [
        (
            "deps",
            6,
            &["deps/1.o", "deps/sub/2.o", "deps/sub/deep/3.c"][..],
        ),
        (
            "deps/",
            6,
            &["deps/1.o", "deps/sub/2.o", "deps/sub/deep/3.c"],
        ),
        ("./deps/sub", 4, &["deps/sub/2.o", "deps/sub/deep/3.c"]),
        ("deps/../x", 3, &["x/y/f"]),
        (
            "deps/*",
            5,
            &["deps/1.o", "deps/sub/2.o", "deps/sub/deep/3.c"],
        ),
        ("deps/*.o", 1, &["deps/1.o"]),
        ("**/*.o", 2, &["deps/1.o", "deps/sub/2.o"]),
        (
            "deps/**",
            6,
            &["deps/1.o", "deps/sub/2.o", "deps/sub/deep/3.c"],
        ),
        ("{deps,x}/**/{f,*.c}", 2, &["deps/sub/deep/3.c", "x/y/f"]),
        ("a[12]", 2, &["a1", "a2"]),
        ("a[!1]", 3, &["a2", "ab/c"]),
        ("a?", 4, &["a1", "a2", "ab/c"]),
        ("\\*", 1, &["*"]),
        (".dot", 1, &[".dot"]),
        ("out/*", 1, &["out/.h"]),
        // A link is itself, and nothing is looked for behind it.
        ("link", 1, &["link -> deps"]),
        ("broken", 1, &["broken -> nowhere"]),
        // The helper's expansion.
        ("$DIR/*.o", 1, &["deps/1.o"]),
        ("${DIR}/sub/*.o", 1, &["deps/sub/2.o"]),
        ("${NONE:-x}/y", 2, &["x/y/f"]),
        ("${DIR:+out}", 2, &["out/.h"]),
        ("$FILE_OF", 1, &["a b"]),
        ("$LATER", 2, &["x/y/f"]),
        ("$CI_PROJECT_DIR/x", 3, &["x/y/f"]),
    ] {
        let repo = repository(&GLOBS.replace("PATHS", &format!("['{path}']")));
        let ended = crate::green(&repo, &["run"]);
        let said = format!("found {count} matching artifact files and directories");
        assert!(
            ended.stdout.contains(&format!(": {said}\n")),
            "{path}: {}",
            ended.shown()
        );
        let inspected =
            crate::green(&repo, &["cache", "inspect", "k-non_protected", "--files"]).stdout;
        let listed = inspected.lines().filter_map(|line| line.strip_prefix("  "));
        let listed = listed.filter(|line| !line.ends_with('/'));
        assert_eq!(listed.collect::<Vec<_>>(), files, "{path}: {inspected}");
    }
}

#[test]
fn paths_that_mean_nothing_are_told_each_in_its_way() {
    for (path, said) in [
        (
            "nope/",
            "nope/: no matching files. Ensure that the artifact path is relative to the working directory (DIR)",
        ),
        (
            "link/1.o",
            "link/1.o: no matching files. Ensure that the artifact path is relative to the working directory (DIR)",
        ),
        ("", "No matching files. Path is empty."),
        (
            "../x",
            "processPath: artifact path is not a subpath of project directory: ../x",
        ),
        (
            "deps/../../x",
            "processPath: artifact path is not a subpath of project directory: deps/../../x",
        ),
        (
            "/etc/passwd",
            "processPath: artifact path is not a subpath of project directory: /etc/passwd",
        ),
        (
            "${CI_PROJECT_DIR}x",
            "processPath: artifact path is not a subpath of project directory: DIRx",
        ),
        (
            "$(ls)",
            "invalid path \"$(ls)\": unexpected command substitution",
        ),
        ("[a", "[a: syntax error in pattern"),
    ] {
        let repo = repository(
            &GLOBS
                .replace("PATHS", &format!("['{path}']"))
                .replace("touch", "pwd; touch"),
        );
        let ended = crate::green(&repo, &["run"]);
        let mut lines = ended.stdout.lines();
        let project = lines.find_map(|line| line.strip_prefix("job | /")).unwrap();
        let line = format!("WARNING: {}", said.replace("DIR", &format!("/{project}")));
        assert!(has_line(&ended, &line), "{path}: {line}: {}", ended.shown());
        assert!(
            has_line(&ended, "WARNING: No files to cache."),
            "{}",
            ended.shown()
        );
        assert!(keys(&repo).is_empty(), "{path}");
    }
}

#[test]
fn on_miss_goes_on_fails_or_produces() {
    let with_miss = |on_miss: &str| {
        format!(
            "use: {{cache: {{key: k, fallback_keys: [f], paths: [x], policy: pull{on_miss}}}, script: [echo ra''n]}}\n"
        )
    };
    for on_miss in ["", ", on_miss: continue"] {
        check(&with_miss(on_miss), &[run(&["ran"], &[])]);
    }
    for on_miss in [", on_miss: fail", ", on_miss: produce"] {
        check(&with_miss(on_miss), &[red(&[], &["| ran"])]);
    }
    // A fallback is a hit.
    let fallback = with_miss(", on_miss: fail")
        + "fill: {stage: .pre, cache: {key: f, paths: [x]}, script: [touch x]}\n";
    check(&fallback, &[run(&["ran"], &[])]);
}

#[test]
fn push_if_says_when_a_cache_is_saved_again() {
    for (push_if, second, third) in [
        ("", "Archive is up to date!", "Created cache"),
        ("changed", "Archive is up to date!", "Created cache"),
        ("always", "Created cache", "Created cache"),
        (
            "miss",
            "The cache was restored under its own key; push_if: miss saves nothing.",
            "The cache was restored under its own key; push_if: miss saves nothing.",
        ),
    ] {
        let keyword = match push_if {
            "" => String::new(),
            value => format!(", push_if: {value}"),
        };
        let repo = repository(&format!(
            "job: {{cache: {{key: k, paths: [f]{keyword}}}, script: ['test -e f || echo 1 > f', 'test -z \"$N\" || echo $N > f']}}\n"
        ));
        for (args, line) in [
            (&["run"][..], "Created cache"),
            (&["run"], second),
            (&["run", "--variable", "N=2"], third),
        ] {
            let ended = crate::green(&repo, args);
            assert!(
                has_line(&ended, line),
                "{push_if} {args:?}: {}",
                ended.shown()
            );
            if line != "Archive is up to date!" {
                assert!(
                    !ended.stdout.contains("Archive is up to date!"),
                    "{push_if} {args:?}"
                );
            }
        }
    }
}

/// Keys end in how often GitLab's caches were cleared, before the end for protected refs.
#[test]
fn cleared_caches_have_other_keys() {
    let repo =
        repository("job: {cache: {key: k, fallback_keys: [f], paths: [x]}, script: [touch x]}\n");
    repo.write("tidegate.toml", "[cache]\ncleared = 2\n");
    let lines = [
        "Checking cache for k-2-non_protected...",
        "Checking cache for f-2-non_protected...",
    ];
    let ended = crate::green(&repo, &["run"]);
    for line in lines {
        assert!(has_line(&ended, line), "{line}: {}", ended.shown());
    }
    assert_eq!(keys(&repo), ["k-2-non_protected"]);
}
