//! What `tidegate cache` and `tidegate artifacts` say to somebody who uses them for the first time, and wrongly.

use crate::{green, repository};

const PIPELINE: &str = "\
build:
  cache:
    - {key: k, paths: [deps/], fallback_keys: [old, \"$NONE_YET\"]}
    - {key: empty}
  artifacts: {paths: [out/], reports: {junit: j.xml}}
  script: [mkdir -p deps out, touch deps/f out/f j.xml]
";

#[test]
fn what_cannot_be_done_is_told_with_a_way_out() {
    let repo = repository(PIPELINE);
    let _ = green(&repo, &["run"]);
    repo.write("sub/file", "");
    repo.write("no.zip", "no archive");
    for (args, code, said) in [
        (
            &["cache", "inspect", "k"][..],
            1,
            "there are: k-non_protected",
        ),
        (
            &["cache", "get", "k-non_protected", "no.zip"],
            2,
            "no.zip is no directory",
        ),
        (
            &["cache", "rm", "k-non_protected", "other"],
            1,
            "there is no cache `other`",
        ),
        (
            &["cache", "put", "..", "sub"],
            2,
            "no job can have the cache key `..`",
        ),
        (
            &["cache", "put", "", "sub"],
            2,
            "no job can have the cache key ``",
        ),
        (
            &["cache", "put", "a//b ", "sub"],
            2,
            "hint: a job with this key uses `a/b`",
        ),
        (
            &["cache", "put", "x", "file"],
            2,
            "file: no such file in the project\nhint: paths are below the project's directory",
        ),
        (
            &["cache", "put", "x", "."],
            2,
            "hint: paths are below the project's directory",
        ),
        (
            &["cache", "put", "x", "/etc/passwd"],
            2,
            "/etc/passwd: the path is absolute",
        ),
        (
            &["cache", "put", "x", "--zip", "no.zip"],
            2,
            "hint: `--zip` takes a zip archive",
        ),
        (
            &["cache", "prune", "--max-size", "5 parsecs"],
            2,
            "write it like `65536`, `512KiB`, `4MiB` or `20GB`",
        ),
        (&["cache", "why", "biuld"], 2, "did you mean `build`?"),
        (
            &["artifacts", "ls", "--run", "9"],
            1,
            "there is no run 9\nhint: the newest is 1",
        ),
        (
            &["artifacts", "get", "build", "x", "--run", "9"],
            1,
            "there is no run 9",
        ),
        (
            &["artifacts", "get", "build", "no.zip"],
            2,
            "no.zip is no directory",
        ),
        (
            &["artifacts", "get", "build", "x", "--kind", "sast"],
            1,
            "there is no sast report of the job `build`\nhint: `--kind` may be: archive, junit",
        ),
        (
            &["artifacts", "get", "other", "x"],
            1,
            "there are no artifacts of the job `other`",
        ),
        (
            &["artifacts", "export", "build", "sub"],
            2,
            "failed to write sub: it is a directory",
        ),
        (
            &["artifacts", "open", "build", "out/g"],
            1,
            "`build` left no out/g",
        ),
    ] {
        let ended = repo.run(args);
        assert_eq!(ended.code, Some(code), "{args:?}: {}", ended.shown());
        assert!(ended.stderr.contains(said), "{args:?}: {}", ended.shown());
        assert_eq!(ended.stdout, "", "{args:?}");
    }
    // Nothing was removed on the way, nothing made.
    assert!(
        green(&repo, &["cache", "ls"])
            .stdout
            .starts_with("k-non_protected ")
    );
    assert!(!repo.project().join("x").exists());
    let path = repo.project().join("sub/file");
    let _ = green(&repo, &["cache", "put", "hand", path.to_str().unwrap()]);
    let files = green(&repo, &["cache", "inspect", "hand", "--files"]).stdout;
    assert!(files.ends_with("  sub/\n  sub/file\n"), "{files}");
    let _ = green(&repo, &["cache", "rm", "--all"]);
    assert_eq!(
        green(&repo, &["cache", "rm", "--all"]).stderr,
        "no caches\n"
    );
}

#[test]
fn a_size_counts_the_same_in_flags_and_settings() {
    let repo = repository(
        "job: {cache: {key: k, paths: [f]}, script: ['head -c 1010000 /dev/zero > f']}\n",
    );
    let caches =
        |repo: &tidegate_testkit::Sandbox| green(repo, &["cache", "ls"]).stdout != "no caches\n";
    // The cache is larger than 1000 × 1000 bytes, and smaller than 1024 × 1024.
    for (size, stays) in [
        ("1M", true),
        ("1MiB", true),
        ("1MB", false),
        ("1000000", false),
    ] {
        for by_flag in [true, false] {
            repo.write("tidegate.toml", "");
            // A save above the last one would hold both.
            let _ = green(&repo, &["cache", "rm", "--all"]);
            let _ = green(&repo, &["run"]);
            if by_flag {
                let _ = green(&repo, &["cache", "prune", "--max-project-size", size]);
            } else {
                repo.write(
                    "tidegate.toml",
                    format!("[cache]\nmax_project_size = \"{size}\"\n"),
                );
                let _ = green(&repo, &["cache", "prune"]);
            }
            assert_eq!(caches(&repo), stays, "{size}, by flag: {by_flag}");
        }
    }
}

#[test]
fn why_names_fallbacks_and_caches_that_are_passed_over() {
    let repo = repository(PIPELINE);
    repo.write("sub/file", "");
    let _ = green(&repo, &["cache", "put", "old-non_protected", "sub"]);
    let why = green(
        &repo,
        &[
            "cache",
            "why",
            "build",
            "--variable",
            "CACHE_FALLBACK_KEY=last",
        ],
    )
    .stdout;
    for line in [
        "  fallback     old-non_protected  (present)\n",
        "  fallback     last  (missing)\n",
        "  passed over  it has neither `paths` nor `untracked`\n",
    ] {
        assert!(why.contains(line), "{line}: {why}");
    }
    let refused = green(
        &repo,
        &[
            "cache",
            "why",
            "build",
            "--variable",
            "CACHE_FALLBACK_KEY=x-protected",
        ],
    )
    .stdout;
    assert!(!refused.contains("x-protected"), "{refused}");
}

#[test]
fn why_hides_what_is_masked() {
    let repo = repository(
        "job: {cache: {key: \"k-$TOKEN\", fallback_keys: [\"f-$TOKEN\"], paths: [f]}, script: [echo]}\n",
    );
    repo.write(
        "tidegate.toml",
        "[variables.project]\nTOKEN = { value = \"s3cretvalue\", masked = true }\n",
    );
    for format in ["human", "json"] {
        let ended = green(&repo, &["cache", "why", "job", "--format", format]);
        assert!(ended.stdout.contains("k-[MASKED]"), "{}", ended.shown());
        assert!(!ended.shown().contains("s3cretvalue"), "{}", ended.shown());
    }
}
