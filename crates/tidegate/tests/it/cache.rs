//! Caches across runs.

use crate::repository;

const PIPELINE: &str = "\
job:
  cache:
    key: {files: [lock]}
    paths: [deps/]
  script:
    - |
      if [ -e deps/ready ]; then echo found; else echo made; mkdir -p deps; echo 1 > deps/ready; fi
";

#[test]
fn a_second_run_finds_what_the_first_saved() {
    let repo = repository(PIPELINE);
    repo.write("lock", "1\n");
    let first = repo.run(&["run"]);
    assert_eq!(first.code, Some(0), "{}", first.shown());
    assert!(first.stdout.contains("job | made\n"), "{}", first.stdout);
    assert!(first.stdout.contains("Created cache"), "{}", first.stdout);
    let second = repo.run(&["run"]);
    assert!(second.stdout.contains("job | found\n"), "{}", second.stdout);
    assert!(
        second.stdout.contains("Successfully extracted cache"),
        "{}",
        second.stdout
    );
    assert!(
        second.stdout.contains("Archive is up to date!"),
        "{}",
        second.stdout
    );
    repo.write("lock", "2\n");
    let third = repo.run(&["run"]);
    assert!(third.stdout.contains("job | made\n"), "{}", third.stdout);
}

#[test]
fn a_pulling_job_never_saves_and_a_failed_one_only_when_told() {
    let repo = repository(
        "pull: {cache: {key: k, paths: [f], policy: pull}, script: [echo x > f]}\n\
         fails: {cache: {key: k, paths: [f]}, allow_failure: true, script: [echo x > f, exit 1]}\n",
    );
    let _ = repo.run(&["run"]);
    let second = repo.run(&["run"]);
    assert!(
        !second.stdout.contains("Successfully extracted cache"),
        "{}",
        second.stdout
    );
}

#[test]
fn what_a_job_deletes_is_gone_from_the_cache_it_saves() {
    let repo = repository(
        "job:\n  cache: {key: k, paths: [d]}\n  script:\n    - ls d 2>/dev/null || true\n    - mkdir -p d\n    - if [ -e d/old ]; then rm d/old; touch d/new; else touch d/old; fi\n",
    );
    let _ = repo.run(&["run"]);
    let _ = repo.run(&["run"]);
    let third = repo.run(&["run"]);
    assert!(third.stdout.contains("job | new\n"), "{}", third.stdout);
    assert!(!third.stdout.contains("job | old\n"), "{}", third.stdout);
}

#[test]
fn a_fallback_key_is_used_when_the_key_is_missing() {
    let repo = repository(
        "job:\n  cache: {key: \"k-$N\", fallback_keys: [k-1], paths: [f]}\n  script:\n    - cat f || true\n    - echo \"from $N\" > f\n",
    );
    let _ = repo.run(&["run", "--variable", "N=1"]);
    let second = repo.run(&["run", "--variable", "N=2"]);
    assert!(
        second.stdout.contains("job | from 1\n"),
        "{}",
        second.stdout
    );
}

#[test]
fn scripts_are_told_what_was_found() {
    let repo = repository(
        "job: {cache: {key: k, paths: [f]}, script: ['echo \"hit $TIDEGATE_CACHE_0_HIT\"', touch f]}\n",
    );
    let first = repo.run(&["run"]);
    assert!(
        first.stdout.contains("job | hit miss\n"),
        "{}",
        first.stdout
    );
    let second = repo.run(&["run"]);
    assert!(
        second.stdout.contains("job | hit exact\n"),
        "{}",
        second.stdout
    );
}
