//! Which files a job starts from: `GIT_STRATEGY`, `GIT_CHECKOUT`, submodules, and attempts.

use tidegate_testkit::{Ended, Sandbox};

use crate::repository;

#[track_caller]
fn says(ended: &Ended, line: &str) {
    assert!(ended.stdout.contains(line), "{line}: {}", ended.shown());
}

fn run(pipeline: &str, args: &[&str]) -> Ended {
    let repo = repository(pipeline);
    repo.run(&[&["run"], args].concat())
}

/// A repository with the submodule `libs/one`, which has the submodule `inner`, and `two`.
fn with_submodules(pipeline: &str) -> Sandbox {
    let repo = repository(pipeline);
    let outside = repo.project().with_file_name("outside");
    for name in ["inner", "one", "two"] {
        let path = outside.join(name);
        std::fs::create_dir_all(&path).expect("a temporary directory is writable");
        std::fs::write(path.join("file"), name).expect("a temporary directory is writable");
        let dir = path.display().to_string();
        repo.git(&["-C", &dir, "init", "--quiet"]);
        if name == "one" {
            add(&repo, &dir, "../inner", "inner");
        }
        repo.git(&["-C", &dir, "add", "--all"]);
        repo.git(&["-C", &dir, "commit", "--quiet", "--message", name]);
    }
    add(&repo, ".", "../outside/one", "libs/one");
    add(&repo, ".", "../outside/two", "two");
    let update = [
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "update",
        "--init",
        "--recursive",
        "--quiet",
    ];
    repo.git(&update);
    repo.commit("submodules");
    repo
}

fn add(repo: &Sandbox, dir: &str, from: &str, to: &str) {
    let url = repo
        .project()
        .with_file_name("outside")
        .join(from.rsplit('/').next().unwrap_or(from));
    let url = url.display().to_string();
    let allow = "protocol.file.allow=always";
    repo.git(&[
        "-C",
        dir,
        "-c",
        allow,
        "submodule",
        "add",
        "--quiet",
        &url,
        to,
    ]);
}

const SHOW: &str = "script: ['find . -name .git -prune -o -type f -print -o -type d -empty -print | sort | tr \"\\n\" \" \"; echo', 'git rev-parse HEAD']";

#[test]
fn submodules_are_there_as_far_as_the_strategy_says() {
    let repo = with_submodules(&format!(
        "none: {{{SHOW}}}\n\
         normal: {{variables: {{GIT_SUBMODULE_STRATEGY: normal}}, {SHOW}}}\n\
         recursive: {{variables: {{GIT_SUBMODULE_STRATEGY: recursive}}, {SHOW}}}\n\
         some: {{variables: {{GIT_SUBMODULE_STRATEGY: recursive, GIT_SUBMODULE_PATHS: ':(exclude)libs/one'}}, {SHOW}}}\n\
         one: {{variables: {{GIT_SUBMODULE_STRATEGY: normal, GIT_SUBMODULE_PATHS: libs}}, {SHOW}}}\n"
    ));
    repo.write("two/new", "not committed");
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    says(
        &ended,
        "none      | ./.gitlab-ci.yml ./.gitmodules ./libs/one ./two \n",
    );
    says(
        &ended,
        "normal    | ./.gitlab-ci.yml ./.gitmodules ./libs/one/.gitmodules ./libs/one/file ./libs/one/inner ./two/file ./two/new \n",
    );
    says(
        &ended,
        "recursive | ./.gitlab-ci.yml ./.gitmodules ./libs/one/.gitmodules ./libs/one/file ./libs/one/inner/file ./two/file ./two/new \n",
    );
    says(
        &ended,
        "some      | ./.gitlab-ci.yml ./.gitmodules ./libs/one ./two/file ./two/new \n",
    );
    says(
        &ended,
        "one       | ./.gitlab-ci.yml ./.gitmodules ./libs/one/.gitmodules ./libs/one/file ./libs/one/inner ./two \n",
    );
    assert!(!ended.shown().contains("warning"), "{}", ended.shown());
    let again = repo.run(&["run", "--retry", "recursive"]);
    says(&again, "./libs/one/inner/file");
    let shell = repo.run(&["shell", "recursive", "--", "cat", "libs/one/inner/file"]);
    assert_eq!(shell.stdout, "inner", "{}", shell.shown());
}

#[test]
fn a_submodule_that_is_not_checked_out_is_said() {
    let repo = with_submodules(&format!(
        "a: {{variables: {{GIT_SUBMODULE_STRATEGY: normal}}, {SHOW}}}\n"
    ));
    repo.git(&["submodule", "deinit", "--quiet", "--force", "two"]);
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let warning = "warning: jobs see the submodule two empty: it is not checked out";
    assert!(ended.stderr.contains(warning), "{}", ended.shown());
}

#[test]
fn a_strategy_that_does_not_exist_fails_the_job() {
    let ended = run(
        "a: {variables: {GIT_SUBMODULE_STRATEGY: all}, script: [echo never]}\n",
        &[],
    );
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    says(&ended, "unknown GIT_SUBMODULE_STRATEGY \"all\"");
}

const STRATEGIES: &str = "\
make: {stage: build, script: [echo art > artifact], artifacts: {paths: [artifact]}, cache: {key: k, paths: [cached]}, after_script: [echo c > cached]}
clone: {variables: {GIT_STRATEGY: clone}, script: ['echo have $(ls -A)']}
none: {variables: {GIT_STRATEGY: none}, script: ['echo have $(ls -A)'], cache: {key: k, paths: [cached], policy: pull}}
empty: {variables: {GIT_STRATEGY: empty}, script: ['echo have $(ls -A)'], cache: {key: k, paths: [cached], policy: pull}}
bare: {variables: {GIT_CHECKOUT: 'false'}, needs: [], script: ['echo have $(ls -A)', 'git checkout --quiet $CI_COMMIT_SHA -- .', 'echo then $(ls -A)']}
odd: {variables: {GIT_STRATEGY: odd}, needs: [], script: ['true']}
";

#[test]
fn without_sources_there_are_only_caches_and_artifacts() {
    for workspace in ["auto", "copy"] {
        let ended = run(STRATEGIES, &["--workspace", workspace]);
        assert_eq!(ended.code, Some(0), "{}", ended.shown());
        says(&ended, "clone | have .git .gitlab-ci.yml artifact\n");
        says(&ended, "none  | have artifact cached\n");
        says(&ended, "empty | have artifact cached\n");
        says(&ended, "bare  | have .git\n");
        says(&ended, "bare  | then .git .gitlab-ci.yml\n");
        says(
            &ended,
            "odd   | WARNING: GIT_STRATEGY: expected either 'clone', 'fetch', 'none' or 'empty' got \"odd\"",
        );
    }
}

#[test]
fn settings_of_fetching_are_named_once() {
    let ended = run(
        "a: {variables: {GIT_DEPTH: 1, GIT_CLEAN_FLAGS: -ffdx}, script: [git log --oneline]}\n",
        &[],
    );
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let line = "WARNING: without effect here, where every job starts from a fresh snapshot: GIT_DEPTH, GIT_CLEAN_FLAGS\n";
    assert_eq!(ended.stdout.matches(line).count(), 1, "{}", ended.shown());
}

#[test]
fn stages_are_tried_as_often_as_asked_for() {
    let pipeline = |attempts: &str| {
        format!(
            "a:\n  variables: {{GET_SOURCES_ATTEMPTS: '{attempts}'}}\n  hooks: {{pre_get_sources_script: ['echo x >> $COUNT', 'test $(wc -l < $COUNT) -ge 3']}}\n  script: [echo done]\n"
        )
    };
    let tried = |attempts: &str| {
        let repo = repository(&pipeline(attempts));
        let count = repo.data().with_file_name("count");
        let ended = repo.run(&["run", "--variable", &format!("COUNT={}", count.display())]);
        let lines = std::fs::read_to_string(&count)
            .unwrap_or_default()
            .lines()
            .count();
        (ended, lines)
    };
    let (ended, lines) = tried("3");
    assert_eq!((ended.code, lines), (Some(0), 3), "{}", ended.shown());
    says(
        &ended,
        "WARNING: attempt 1 of 3 failed: exit status 1. Retrying in 1 s",
    );
    let (ended, lines) = tried("1");
    assert_eq!((ended.code, lines), (Some(1), 1), "{}", ended.shown());
    let (ended, lines) = tried("99");
    assert_eq!((ended.code, lines), (Some(0), 3), "{}", ended.shown());
    says(
        &ended,
        "GET_SOURCES_ATTEMPTS: number of attempts out of the range [1, 10], clamping to: 10",
    );
    let ended = run(
        "a: {variables: {RESTORE_CACHE_ATTEMPTS: 2, ARTIFACT_DOWNLOAD_ATTEMPTS: many, POLICY: odd}, cache: {key: k, paths: [c], policy: $POLICY}, script: ['true']}\n",
        &[],
    );
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    says(
        &ended,
        "WARNING: attempt 1 of 2 failed: unknown cache policy odd",
    );
    says(
        &ended,
        "ARTIFACT_DOWNLOAD_ATTEMPTS: expected int got \"many\", using default value: 1",
    );
}
