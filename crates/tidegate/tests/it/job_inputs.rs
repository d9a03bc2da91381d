//! `--job-input`: other values for the inputs of jobs that are started by hand.

use tidegate_testkit::Sandbox;

use crate::{green, never_says, repository, says};

const JOB: &str = "\
\x20 when: manual
  inputs:
    env: {default: staging, options: [staging, production]}
    replicas: {type: number, default: 1}
    dry: {type: boolean, default: true}
    tag: {default: v1, regex: '^v[0-9]+$'}
    hosts: {type: array, default: [a]}
  script:
    - echo 'to ${{ job.inputs.env }} x${{ job.inputs.replicas }} dry=${{ job.inputs.dry }} ${{ job.inputs.tag }} ${{ job.inputs.hosts }}'
";

fn project() -> Sandbox {
    repository(&format!(
        "build: {{script: [echo built]}}\nplain: {{when: manual, script: [echo plain]}}\ndeploy:\n{JOB}"
    ))
}

#[track_caller]
fn refused(repo: &Sandbox, args: &[&str], parts: &[&str]) {
    let ended = repo.run(args);
    assert_eq!(ended.code, Some(2), "{}", ended.shown());
    assert_eq!(ended.stdout, "");
    for part in parts {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.shown());
    }
}

#[test]
fn a_manual_job_starts_with_other_values_and_keeps_them() {
    let repo = project();
    drop(green(&repo, &["run"]));
    let values = [
        "run",
        "--play",
        "deploy",
        "--job-input",
        "env=production",
        "--job-input",
        "replicas=3",
        "--job-input",
        "dry=false",
        "--job-input",
        "hosts=[\"x\", \"y\"]",
    ];
    let played = green(&repo, &values);
    says(
        &played,
        "deploy | to production x3 dry=false v1 [\"x\",\"y\"]\n",
    );
    // A retry has the values of the try before, as at GitLab, but for those that are given.
    let again = green(&repo, &["run", "--retry", "deploy"]);
    says(
        &again,
        "deploy | to production x3 dry=false v1 [\"x\",\"y\"]\n",
    );
    let changed = green(
        &repo,
        &["run", "--retry", "deploy", "--job-input", "env=staging"],
    );
    says(
        &changed,
        "deploy | to staging x3 dry=false v1 [\"x\",\"y\"]\n",
    );
    // Another run begins with the defaults.
    drop(green(&repo, &["run"]));
    let fresh = green(&repo, &["run", "--play", "deploy"]);
    says(&fresh, "deploy | to staging x1 dry=true v1 [\"a\"]\n");
}

#[test]
fn a_value_that_does_not_fit_is_told_in_gitlabs_words_and_changes_nothing() {
    let repo = project();
    drop(green(&repo, &["run"]));
    for (values, parts) in [
        (
            &["env=prod"][..],
            &[
                "the job `deploy`: `env` input: `prod` cannot be used because it is not in the list of allowed options",
            ][..],
        ),
        (
            &["replicas=many"],
            &["`replicas` input: provided value is not a number"],
        ),
        (
            &["dry=perhaps"],
            &["`dry` input: provided value is not a boolean"],
        ),
        (
            &["hosts=x"],
            &["`hosts` input: provided value is not an array"],
        ),
        (
            &["tag=latest"],
            &["`tag` input: provided value does not match required RegEx pattern"],
        ),
        (
            &["replica=2"],
            &[
                "unknown input arguments: replica",
                "did you mean `replicas`?",
            ],
        ),
        (
            &["zone=2"],
            &[
                "unknown input arguments: zone",
                "its inputs are env, replicas, dry, tag, hosts",
            ],
        ),
        (
            &["env=production", "tag=x"],
            &["`tag` input: provided value does not match required RegEx pattern"],
        ),
        (&["env"], &["--job-input env: expected NAME=VALUE"]),
    ] {
        let mut args = vec!["run", "--play", "deploy"];
        for value in values {
            args.extend(["--job-input", value]);
        }
        refused(&repo, &args, parts);
    }
    let plain = ["run", "--play", "plain", "--job-input", "env=staging"];
    refused(
        &repo,
        &plain,
        &["unknown input arguments: env", "`plain` has no `inputs`"],
    );
    // What cannot be done now keeps no values either.
    let early = ["run", "--retry", "deploy", "--job-input", "env=production"];
    refused(&repo, &early, &["failed to retry `deploy`", "it is manual"]);
    let played = green(&repo, &["run", "--play", "deploy"]);
    says(&played, "deploy | to staging x1 dry=true v1 [\"a\"]\n");
}

#[test]
fn a_named_job_has_them_from_the_start() {
    let repo = project();
    let text = repo.read(".gitlab-ci.yml").replace("  when: manual\n", "");
    repo.write(".gitlab-ci.yml", text);
    let ended = green(&repo, &["run", "deploy", "--job-input", "env=production"]);
    says(&ended, "deploy | to production x1");
    never_says(&ended, "built");
    refused(
        &repo,
        &["run", "--job-input", "env=production"],
        &["--job-input: no job is named"],
    );
    refused(
        &repo,
        &["run", "deploy", "--job-input", "env=x"],
        &["the job `deploy`: `env` input: `x` cannot be used"],
    );
}

#[test]
fn jobs_of_downstream_pipelines_have_them_too() {
    let repo = project();
    repo.write("child.yml", repo.read(".gitlab-ci.yml"));
    repo.write(".gitlab-ci.yml", "sub: {trigger: {include: child.yml}}\n");
    drop(green(&repo, &["run"]));
    let played = green(
        &repo,
        &["run", "--play", "sub/deploy", "--job-input", "replicas=9"],
    );
    says(&played, "sub/deploy | to staging x9");
    refused(
        &repo,
        &["run", "--play", "sub/build", "--job-input", "replicas=9"],
        &["unknown input arguments: replicas"],
    );
}
