//! Situations of wish 1 that need an event, a role, a second store, or a retry (reference `wishes.md` §1.1, by their numbers).

use tidegate_testkit::Ended;

use crate::{green, repository, wish1::project};

const PIPELINE: &str = "\
stages: [prepare, test]
workflow: {rules: [{when: always}]}
make:
  stage: prepare
  rules: [{cache: missing}]
  cache: {key: $CI_COMMIT_REF_SLUG, paths: [deps/]}
  script: [mkdir -p deps, cp lock deps/content, echo ma\"\"de]
use:
  stage: test
  rules: [{when: always}]
  needs: [make]
  cache: {key: $CI_COMMIT_REF_SLUG, paths: [deps/], policy: pull, on_miss: fail}
  script: ['echo \"used $(cat deps/content)\"']
";

fn makes(ended: &Ended) -> bool {
    ended.stdout.contains("| made\n")
}

/// The key is the source branch's: on GitLab `changes` never sees a difference, and the branch never gets a cache.
#[test]
fn s04_a_merge_request_whose_lock_equals_the_target_gets_its_cache_once() {
    let repo = project(PIPELINE);
    repo.git(&["checkout", "--quiet", "-b", "feature"]);
    repo.write("other", "x\n");
    repo.commit("something else");
    let merge_request = ["run", "--merge-request", "target=main"];
    let first = green(&repo, &merge_request);
    assert!(makes(&first), "{}", first.shown());
    assert!(first.stdout.contains("used 1"), "{}", first.shown());
    let second = green(&repo, &merge_request);
    assert!(!makes(&second), "{}", second.shown());
    assert!(second.stdout.contains("used 1"), "{}", second.shown());
}

/// Who may push to protected refs has caches of their own, and `cache why` says which ones and why.
#[test]
fn s13_the_suffix_is_the_one_this_very_pipeline_uses() {
    let repo = project(PIPELINE);
    let developer = green(&repo, &["run", "--role", "developer"]);
    assert!(makes(&developer), "{}", developer.shown());
    let again = green(&repo, &["run", "--role", "developer"]);
    assert!(!makes(&again), "{}", again.shown());
    // Another key: what the developer left is not present for the maintainer.
    let maintainer = green(&repo, &["run", "--role", "maintainer"]);
    assert!(makes(&maintainer), "{}", maintainer.shown());
    let protected = green(&repo, &["run", "--protected", "--role", "developer"]);
    assert!(
        !makes(&protected),
        "the suffix is the same: {}",
        protected.shown()
    );
    let listed = green(&repo, &["cache", "ls"]).stdout;
    for key in ["main-non_protected", "main-protected"] {
        assert!(listed.contains(key), "{listed}");
    }
    let why = green(&repo, &["cache", "why", "make", "--role", "maintainer"]).stdout;
    assert!(why.contains("final key    main-protected\n"), "{why}");
    assert!(
        why.to_lowercase().contains("maintainer"),
        "it says why: {why}"
    );
    let why = green(&repo, &["cache", "why", "make", "--role", "developer"]).stdout;
    assert!(why.contains("final key    main-non_protected\n"), "{why}");
    let unprotected =
        project(&PIPELINE.replace("paths: [deps/]", "unprotect: true, paths: [deps/]"));
    let _ = green(&unprotected, &["run", "--role", "developer"]);
    let same = green(&unprotected, &["run", "--role", "maintainer"]);
    assert!(!makes(&same), "{}", same.shown());
}

/// A store is a domain of its own: what another one has does not count here.
#[test]
fn s14_what_another_store_has_is_not_present_here() {
    let repo = project(PIPELINE);
    assert!(makes(&green(&repo, &["run"])));
    let other = repo.data().with_file_name("other-store");
    let other = other.to_str().unwrap();
    let there = green(&repo, &["--data-dir", other, "run"]);
    assert!(makes(&there), "{}", there.shown());
    assert!(!makes(&green(&repo, &["run"])));
    let (one, two) = (
        green(&repo, &["cache", "why", "make"]).stdout,
        green(&repo, &["--data-dir", other, "cache", "rm", "--all"]),
    );
    assert!(
        one.contains("state        present\n"),
        "{one}{}",
        two.shown()
    );
    assert!(makes(&green(&repo, &["--data-dir", other, "run"])));
}

/// What cannot be asked counts as missing: a broken entry does not keep the producer out.
#[test]
fn s14_a_cache_whose_state_nobody_can_tell_counts_as_missing() {
    let repo = project(PIPELINE);
    assert!(makes(&green(&repo, &["run"])));
    let trees = std::fs::read_dir(repo.data().join("trees")).unwrap();
    for tree in trees.map(|tree| tree.unwrap().path().join("tree")) {
        if tree.join("deps").exists() {
            std::fs::remove_dir_all(&tree).unwrap();
        }
    }
    let again = green(&repo, &["run"]);
    assert!(makes(&again), "{}", again.shown());
    assert!(again.stdout.contains("used 1"), "{}", again.shown());
}

#[test]
fn s20_a_person_who_retries_the_producer_makes_it_run() {
    let repo = project(PIPELINE);
    assert!(makes(&green(&repo, &["run"])));
    // Its cache is there now; the rules are not asked again, and neither is the cache.
    let again = green(&repo, &["run", "--retry", "make"]);
    assert!(makes(&again), "{}", again.shown());
}

#[test]
fn s20_an_automatic_retry_asks_for_the_cache_before_it_starts() {
    let repo = project(&PIPELINE.replace(
        "  script: [mkdir -p deps, cp lock deps/content, echo ma\"\"de]",
        "  retry: 1\n  script:\n    - '\"$BINARY\" --data-dir \"$DATA\" -C \"$PROJECT\" cache put main-non_protected deps'\n    - echo ma\"\"de\n    - exit 1",
    ));
    // Another run saved the cache while this try failed.
    repo.write("deps/content", "theirs\n");
    let set = [
        format!("BINARY={}", env!("CARGO_BIN_EXE_tidegate")),
        format!("DATA={}", repo.data().display()),
        format!("PROJECT={}", repo.project().display()),
    ];
    let ended = green(
        &repo,
        &[
            "run",
            "--variable",
            &set[0],
            "--variable",
            &set[1],
            "--variable",
            &set[2],
        ],
    );
    assert_eq!(
        ended.stdout.matches("| made\n").count(),
        1,
        "{}",
        ended.shown()
    );
    assert!(ended.stdout.contains("used theirs"), "{}", ended.shown());
}

#[test]
fn what_is_said_of_policies_and_keys_is_what_the_runner_says() {
    let repo = repository(
        "stages: [a, b]\n\
         push: {stage: a, cache: {key: k, paths: [f], policy: push}, script: [echo 1 > f]}\n\
         pull: {stage: b, cache: {key: k, paths: [f], policy: $POLICY}, variables: {POLICY: pull}, script: [cat f]}\n\
         odd: {stage: b, cache: [{key: $A, paths: [g], fallback_keys: [$B]}], variables: {A: a/../b, B: x//k, CACHE_FALLBACK_KEY: main-protected}, script: [touch g]}\n",
    );
    let ended = green(&repo, &["run"]);
    for line in [
        "push | Not downloading cache k-non_protected due to policy\n",
        "push | Creating cache k-non_protected...\n",
        "push | Created cache\n",
        "pull | Checking cache for k-non_protected...\n",
        "pull | Successfully extracted cache\n",
        "pull | Saving cache for successful job\n",
        "pull | Not uploading cache k-non_protected due to policy\n",
        "odd  | cache key \"a/../b-non_protected\" sanitized to \"b-non_protected\"\n",
        "odd  | cache key \"x//k-non_protected\" sanitized to \"x/k-non_protected\"\n",
        "odd  | CACHE_FALLBACK_KEY \"main-protected\" not allowed to end in \"-protected\"\n",
        "odd  | Checking cache for b-non_protected...\n",
        "odd  | WARNING: Cache file does not exist\n",
        "odd  | Failed to extract cache\n",
        "odd  | Checking cache for x/k-non_protected...\n",
        "odd  | Creating cache b-non_protected...\n",
    ] {
        assert!(ended.stdout.contains(line), "{line}{}", ended.shown());
    }
    let unknown = repository(
        "job: {cache: {key: k, paths: [f], policy: $P}, variables: {P: both}, script: [touch f]}\n",
    );
    let ended = unknown.run(&["run"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    let text = "unknown cache policy both for k-non_protected";
    assert!(ended.stdout.contains(text), "{}", ended.shown());
}
