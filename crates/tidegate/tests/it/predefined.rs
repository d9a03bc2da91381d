//! Predefined variables: what a job sees, and what rules see (reference `compose.md` §9.6).

use crate::repository;
use tidegate_testkit::Sandbox;

const PIPELINE: &str = "\
workflow: {name: 'The $CI_COMMIT_REF_NAME pipeline'}
show the environment:
  stage: test
  rules: [{when: always}]
  tags: [linux, \"big one\"]
  environment: {name: review/One, url: 'https://one.example.com'}
  script:
    - env | grep -E '^(CI|GITLAB_(CI|FEATURES|USER)|CHAT|TRIGGER)' | sort
";

fn project() -> Sandbox {
    let repo = repository(PIPELINE);
    repo.git(&[
        "remote",
        "add",
        "origin",
        "https://git.example.com:8443/group/sub/My_App.git",
    ]);
    repo.write(
        "tidegate.toml",
        "[server]\nurl = \"https://git.example.com:8443\"\n",
    );
    repo.commit("second commit\n\nwith a description");
    repo.git(&["tag", "--annotate", "--message", "the first", "v1.0"]);
    repo.git(&["checkout", "--quiet", "-b", "topic"]);
    repo.commit("third commit");
    repo
}

/// Names and values the job sees, with what differs from run to run replaced.
fn seen(repo: &Sandbox, args: &[&str]) -> String {
    let ended = repo.run(&[&["run"], args].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let lines = ended.stdout.lines().filter_map(|line| {
        let (_, text) = line.split_once("| ")?;
        let (name, value) = text.split_once('=')?;
        let is_name = name
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        is_name.then(|| format!("{name}={}\n", steady(repo, name, value)))
    });
    lines.collect()
}

/// A value without ids of commits, directories, points in time and facts of this build.
fn steady(repo: &Sandbox, name: &str, value: &str) -> String {
    if name == "CI_RUNNER_EXECUTABLE_ARCH" || name == "CI_RUNNER_VERSION" {
        return "[THIS]".to_owned();
    }
    let is_time = |text: &str| text.len() == 20 && text.ends_with('Z') && text.contains('T');
    if is_time(value) {
        return "[TIME]".to_owned();
    }
    let mut value = value.to_owned();
    for (name, shown) in [
        ("main", "[MAIN]"),
        ("topic", "[TOPIC]"),
        ("main~1", "[FIRST]"),
    ] {
        let sha = repo.git(&["rev-parse", name]);
        value = value.replace(&sha, shown).replace(&sha[..8], shown);
    }
    if let Some(at) = value.find("/builds") {
        value = format!("[DIR]{}", &value[at..]);
    }
    value
}

#[test]
fn a_job_of_a_push_sees_these() {
    let repo = project();
    insta::assert_snapshot!(seen(&repo, &["--base", "main"]), @r#"
    CI=true
    CI_API_GRAPHQL_URL=https://git.example.com:8443/api/graphql
    CI_API_V4_URL=https://git.example.com:8443/api/v4
    CI_BUILDS_DIR=[DIR]/builds/3aedbc8a5dd6
    CI_COMMIT_AUTHOR=Ada <ada@example.com>
    CI_COMMIT_BEFORE_SHA=[MAIN]
    CI_COMMIT_BRANCH=topic
    CI_COMMIT_DESCRIPTION=
    CI_COMMIT_MESSAGE=third commit
    CI_COMMIT_MESSAGE_IS_TRUNCATED=false
    CI_COMMIT_REF_NAME=topic
    CI_COMMIT_REF_PROTECTED=false
    CI_COMMIT_REF_SLUG=topic
    CI_COMMIT_SHA=[TOPIC]
    CI_COMMIT_SHORT_SHA=[TOPIC]
    CI_COMMIT_TIMESTAMP=[TIME]
    CI_COMMIT_TITLE=third commit
    CI_COMMIT_USER_LOGIN=
    CI_CONCURRENT_ID=0
    CI_CONCURRENT_PROJECT_ID=0
    CI_CONFIG_PATH=.gitlab-ci.yml
    CI_CONFIG_REF_URI=git.example.com:8443/group/sub/My_App//.gitlab-ci.yml@refs/heads/topic
    CI_DEFAULT_BRANCH=main
    CI_ENVIRONMENT_ACTION=start
    CI_ENVIRONMENT_NAME=review/One
    CI_ENVIRONMENT_SLUG=review-one
    CI_ENVIRONMENT_TIER=development
    CI_ENVIRONMENT_URL=https://one.example.com
    CI_JOB_GROUP_NAME=show the environment
    CI_JOB_ID=1
    CI_JOB_NAME=show the environment
    CI_JOB_NAME_SLUG=show-the-environment
    CI_JOB_STAGE=test
    CI_JOB_STARTED_AT=[TIME]
    CI_JOB_STATUS=running
    CI_JOB_TIMEOUT=3600
    CI_JOB_URL=https://git.example.com:8443/group/sub/My_App/-/jobs/1
    CI_NODE_TOTAL=1
    CI_PIPELINE_CREATED_AT=[TIME]
    CI_PIPELINE_ID=1
    CI_PIPELINE_IID=1
    CI_PIPELINE_NAME=The topic pipeline
    CI_PIPELINE_SOURCE=push
    CI_PIPELINE_URL=https://git.example.com:8443/group/sub/My_App/-/pipelines/1
    CI_PROJECT_CLASSIFICATION_LABEL=
    CI_PROJECT_DESCRIPTION=
    CI_PROJECT_DIR=[DIR]/builds/3aedbc8a5dd6/My_App
    CI_PROJECT_ID=1
    CI_PROJECT_NAME=My_App
    CI_PROJECT_NAMESPACE=group/sub
    CI_PROJECT_NAMESPACE_SLUG=group-sub
    CI_PROJECT_PATH=group/sub/My_App
    CI_PROJECT_PATH_SLUG=group-sub-my-app
    CI_PROJECT_REPOSITORY_LANGUAGES=
    CI_PROJECT_ROOT_NAMESPACE=group
    CI_PROJECT_TITLE=My_App
    CI_PROJECT_URL=https://git.example.com:8443/group/sub/My_App
    CI_PROJECT_VISIBILITY=private
    CI_REPOSITORY_URL=https://git.example.com:8443/group/sub/My_App.git
    CI_RUNNER_DESCRIPTION=tidegate
    CI_RUNNER_EXECUTABLE_ARCH=[THIS]
    CI_RUNNER_ID=1
    CI_RUNNER_REVISION=HEAD
    CI_RUNNER_SHORT_TOKEN=tidegate
    CI_RUNNER_TAGS=["linux","big one"]
    CI_RUNNER_VERSION=[THIS]
    CI_SERVER=yes
    CI_SERVER_FQDN=git.example.com:8443
    CI_SERVER_HOST=git.example.com
    CI_SERVER_NAME=GitLab
    CI_SERVER_PORT=8443
    CI_SERVER_PROTOCOL=https
    CI_SERVER_REVISION=
    CI_SERVER_SHELL_SSH_HOST=git.example.com
    CI_SERVER_SHELL_SSH_PORT=22
    CI_SERVER_URL=https://git.example.com:8443
    CI_SERVER_VERSION=18.11.2
    CI_SERVER_VERSION_MAJOR=18
    CI_SERVER_VERSION_MINOR=11
    CI_SERVER_VERSION_PATCH=2
    CI_SHARED_ENVIRONMENT=true
    CI_TEMPLATE_REGISTRY_HOST=registry.gitlab.com
    GITLAB_CI=true
    GITLAB_FEATURES=
    GITLAB_USER_EMAIL=
    GITLAB_USER_ID=1
    GITLAB_USER_LOGIN=local
    GITLAB_USER_NAME=local
    "#);
}

/// Lines of `after` that are not in `before`.
fn further(before: &str, after: &str) -> String {
    let lines = after
        .lines()
        .filter(|line| !before.lines().any(|known| known == *line));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Names of `before` that `after` does not have.
fn gone(before: &str, after: &str) -> Vec<String> {
    let names = |text: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.split_once('='));
        lines.map(|(name, _)| name.to_owned()).collect()
    };
    let after = names(after);
    names(before)
        .into_iter()
        .filter(|name| !after.contains(name))
        .collect()
}

#[test]
fn other_events_bring_others() {
    let repo = project();
    let push = seen(&repo, &[]);
    let tag = seen(&repo, &["--tag", "v1.0"]);
    assert_eq!(gone(&push, &tag), ["CI_COMMIT_BRANCH"]);
    insta::assert_snapshot!(further(&push, &tag), @"
    CI_COMMIT_REF_NAME=v1.0
    CI_COMMIT_REF_SLUG=v1-0
    CI_COMMIT_TAG=v1.0
    CI_COMMIT_TAG_MESSAGE=the first
    CI_CONFIG_REF_URI=git.example.com:8443/group/sub/My_App//.gitlab-ci.yml@refs/tags/v1.0
    CI_JOB_ID=2
    CI_JOB_URL=https://git.example.com:8443/group/sub/My_App/-/jobs/2
    CI_PIPELINE_ID=2
    CI_PIPELINE_IID=2
    CI_PIPELINE_NAME=The v1.0 pipeline
    CI_PIPELINE_URL=https://git.example.com:8443/group/sub/My_App/-/pipelines/2
    ");
    let request = seen(
        &repo,
        &["--merge-request", "target=main,labels=a b,title=Third"],
    );
    assert_eq!(gone(&push, &request), ["CI_COMMIT_BRANCH"]);
    insta::assert_snapshot!(further(&push, &request), @"
    CI_CONFIG_REF_URI=git.example.com:8443/group/sub/My_App//.gitlab-ci.yml@refs/merge-requests/1/head
    CI_JOB_ID=3
    CI_JOB_URL=https://git.example.com:8443/group/sub/My_App/-/jobs/3
    CI_MERGE_REQUEST_DESCRIPTION=
    CI_MERGE_REQUEST_DESCRIPTION_IS_TRUNCATED=false
    CI_MERGE_REQUEST_DIFF_BASE_SHA=[MAIN]
    CI_MERGE_REQUEST_DRAFT=false
    CI_MERGE_REQUEST_EVENT_TYPE=detached
    CI_MERGE_REQUEST_IID=1
    CI_MERGE_REQUEST_LABELS=a b
    CI_MERGE_REQUEST_PROJECT_ID=1
    CI_MERGE_REQUEST_PROJECT_PATH=group/sub/My_App
    CI_MERGE_REQUEST_PROJECT_URL=https://git.example.com:8443/group/sub/My_App
    CI_MERGE_REQUEST_REF_PATH=refs/merge-requests/1/head
    CI_MERGE_REQUEST_SOURCE_BRANCH_NAME=topic
    CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED=false
    CI_MERGE_REQUEST_SOURCE_BRANCH_SHA=
    CI_MERGE_REQUEST_SOURCE_PROJECT_ID=1
    CI_MERGE_REQUEST_SOURCE_PROJECT_PATH=group/sub/My_App
    CI_MERGE_REQUEST_SOURCE_PROJECT_URL=https://git.example.com:8443/group/sub/My_App
    CI_MERGE_REQUEST_SQUASH_ON_MERGE=false
    CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main
    CI_MERGE_REQUEST_TARGET_BRANCH_PROTECTED=false
    CI_MERGE_REQUEST_TARGET_BRANCH_SHA=
    CI_MERGE_REQUEST_TITLE=Third
    CI_PIPELINE_ID=3
    CI_PIPELINE_IID=3
    CI_PIPELINE_SOURCE=merge_request_event
    CI_PIPELINE_URL=https://git.example.com:8443/group/sub/My_App/-/pipelines/3
    ");
    repo.write("nightly.yml", "event: schedule\nschedule: nightly\n");
    let schedule = seen(&repo, &["--scenario", "nightly.yml"]);
    assert_eq!(gone(&push, &schedule), [""; 0]);
    insta::assert_snapshot!(further(&push, &schedule), @"
    CI_JOB_ID=4
    CI_JOB_URL=https://git.example.com:8443/group/sub/My_App/-/jobs/4
    CI_PIPELINE_ID=4
    CI_PIPELINE_IID=4
    CI_PIPELINE_SCHEDULE_DESCRIPTION=nightly
    CI_PIPELINE_SOURCE=schedule
    CI_PIPELINE_URL=https://git.example.com:8443/group/sub/My_App/-/pipelines/4
    ");
}

/// Which of these variables are defined for rules, by a job for each.
fn known_to_rules(names: &[&str], args: &[&str]) -> Vec<String> {
    let mut configuration = "always: {script: [echo]}\n".to_owned();
    for name in names {
        configuration +=
            &format!("_{name}: {{script: [echo], rules: [{{if: '${name} != null'}}]}}\n");
    }
    let repo = repository(&configuration);
    let ended = repo.run(&[&["list"], args].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let words = ended.stdout.split_whitespace();
    words
        .filter_map(|word| word.strip_prefix('_'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn rules_see_what_is_known_before_a_pipeline_exists() {
    let seen = [
        "CI",
        "CI_PROJECT_PATH",
        "CI_COMMIT_SHA",
        "CI_COMMIT_BRANCH",
        "CI_PIPELINE_SOURCE",
        "CI_CONFIG_PATH",
        "CI_DEFAULT_BRANCH",
        "CI_JOB_NAME",
        "CI_JOB_NAME_SLUG",
        "CI_JOB_STAGE",
        "CI_PIPELINE_IID",
        "GITLAB_USER_LOGIN",
        "CI_SERVER_VERSION",
    ];
    let unseen = [
        "CI_PIPELINE_ID",
        "CI_PIPELINE_URL",
        "CI_PIPELINE_CREATED_AT",
        "CI_JOB_ID",
        "CI_JOB_URL",
        "CI_JOB_TOKEN",
        "CI_JOB_STARTED_AT",
        "CI_REPOSITORY_URL",
        "CI_PROJECT_DIR",
        "CI_BUILDS_DIR",
        "CI_RUNNER_ID",
        "CI_RUNNER_TAGS",
        "CI_ENVIRONMENT_SLUG",
        "CI_COMMIT_TAG",
        "CI_MERGE_REQUEST_IID",
        "CI_JOB_STATUS",
    ];
    let mut known = known_to_rules(&[&seen[..], &unseen].concat(), &[]);
    known.sort();
    let mut expected = seen.to_vec();
    expected.sort_unstable();
    assert_eq!(known, expected);
}

#[test]
fn rules_see_the_event() {
    let names = ["CI_COMMIT_BRANCH", "CI_COMMIT_TAG", "CI_MERGE_REQUEST_IID"];
    assert_eq!(known_to_rules(&names, &["--tag", "v1"]), ["CI_COMMIT_TAG"]);
    let request = ["--merge-request", "target=main"];
    assert_eq!(known_to_rules(&names, &request), ["CI_MERGE_REQUEST_IID"]);
    assert_eq!(
        known_to_rules(&names, &["--event", "schedule"]),
        ["CI_COMMIT_BRANCH"]
    );
}
