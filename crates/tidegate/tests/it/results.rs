//! Environments, releases and sites: recorded, shown, and stopped on request.

use tidegate_testkit::Sandbox;

use crate::{green, repository};

const PIPELINE: &str = "\
stages: [deploy, publish, end]
deploy_review:
  stage: deploy
  script: ['echo HOST=$CI_COMMIT_REF_SLUG.example.com > deploy.env']
  artifacts: {reports: {dotenv: deploy.env}}
  environment:
    name: review/$CI_COMMIT_REF_SLUG
    url: https://$HOST/$NOTHING
    on_stop: stop_review
    auto_stop_in: 1 week
stop_review:
  stage: end
  needs: []
  when: manual
  script: [echo stopped]
  environment: {name: review/$CI_COMMIT_REF_SLUG, action: stop}
verify:
  stage: end
  script: ['true']
  environment: {name: other, action: verify}
release:
  stage: publish
  script: ['true']
  release:
    tag_name: v$VERSION
    name: Version $VERSION
    description: 'What is new, $TOKEN'
    assets: {links: [{name: notes, url: 'https://example.com/$VERSION'}]}
pages:
  stage: publish
  script: [mkdir public, echo hello > public/index.html]
";

const LINES: [&str; 4] = [
    "environment review/main: https://main.example.com/, GitLab would stop it in 1 week; stop with \
     `tidegate run --play stop_review`\n",
    "environment other: verified\n",
    "release v1.2 \"Version 1.2\": What is new, [MASKED], notes https://example.com/1.2 (recorded, not published)\n",
    "pages: public; `tidegate artifacts open pages` shows the folder\n",
];

fn project() -> Sandbox {
    let repo = repository(PIPELINE);
    repo.write(
        "tidegate.toml",
        "[variables.project]\nVERSION = \"1.2\"\nTOKEN = { value = \"s3cret-s3cret\", masked = true }\n",
    );
    repo
}

#[test]
fn the_summary_names_what_jobs_left() {
    let ended = green(&project(), &["run"]);
    for line in LINES {
        assert!(ended.stderr.contains(line), "{line}: {}", ended.shown());
    }
    assert!(!ended.shown().contains("s3cret"), "{}", ended.shown());
}

#[test]
fn an_environment_is_stopped_by_its_stop_job() {
    let repo = project();
    let _ = green(&repo, &["run", "--html", "../run.html"]);
    let listed = green(&repo, &["runs"]).stdout;
    let hint = "stop with `tidegate run --play stop_review --run 1`";
    assert!(listed.contains(hint), "{listed}");
    let stopped = green(&repo, &["run", "--play", "stop_review"]);
    assert!(
        stopped
            .stderr
            .contains("environment review/main: stopped\n"),
        "{}",
        stopped.shown()
    );
    let listed = green(&repo, &["runs"]).stdout;
    assert!(!listed.contains("--play"), "{listed}");
}

#[test]
fn programs_and_pages_are_told_as_well() {
    let repo = project();
    let ended = green(&repo, &["run", "--format", "json", "--html", "page.html"]);
    for part in [
        r#""what":{"type":"job_result","job":0,"attempt":1,"result":{"kind":"environment","name":"review/main","action":"start","url":"https://main.example.com/","on_stop":"stop_review","auto_stop_in":"1 week"}}"#,
        r#""result":{"kind":"release","tag_name":"v1.2","description":"What is new, [MASKED]","name":"Version 1.2","links":[["notes","https://example.com/1.2"]]}"#,
        r#""result":{"kind":"pages","folder":"public"}"#,
    ] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.shown());
    }
    let page = repo.read("page.html");
    assert!(page.contains("<li>pages: public;"), "{page}");
    let runs = green(&repo, &["runs", "--format", "json"]).stdout;
    assert!(
        runs.contains(r#""kind":"release","tag_name":"v1.2""#),
        "{runs}"
    );
    let files = green(&repo, &["artifacts", "ls"]).stdout;
    assert!(files.contains("pages"), "{files}");
}

#[test]
fn what_failed_leaves_nothing() {
    let repo = repository(
        "a: {script: [exit 1], environment: {name: prod, url: 'https://x'}, allow_failure: true}\n",
    );
    let ended = green(&repo, &["run"]);
    assert!(!ended.stderr.contains("environment"), "{}", ended.shown());
}

#[test]
fn a_stop_job_that_is_not_in_the_run_is_said() {
    let repo = project();
    let ended = green(&repo, &["run", "deploy_review"]);
    let line = "; its stop job stop_review is not in this run\n";
    assert!(ended.stderr.contains(line), "{}", ended.shown());
}
