//! `secrets`, `id_tokens`, `inputs` and `run` of jobs.

use tidegate_testkit::{Ended, Sandbox};

use crate::repository;

const PIPELINE: &str = "\
job:
  id_tokens: {TOKEN: {aud: [https://a.example, https://b.example]}}
  variables: {DERIVED: 'see $TOKEN'}
  secrets:
    PASSWORD: {vault: production/db/password@ops, file: false, token: $TOKEN}
    KEY_FILE: {gcp_secret_manager: {name: tls}, token: $TOKEN}
    NAMED: {azure_key_vault: {name: n}, file: false}
  script:
    - test \"$PASSWORD\" = vault-production/db/password@ops-PASSWORD-made-for-https://a.example,https://b.example
    - echo \"password $PASSWORD\"
    - cat \"$KEY_FILE\"
    - echo \"named $NAMED $DERIVED\"
    - env | grep -c ^TIDEGATE_ || true
";

const SETTINGS: &str = r#"
[id_tokens]
"TOK*" = { command = 'echo "made-for-$TIDEGATE_ID_TOKEN_AUD"' }

[secrets]
"vault:production/*" = { command = 'echo "$TIDEGATE_SECRET_PROVIDER-$TIDEGATE_SECRET_ADDRESS-$TIDEGATE_SECRET_NAME-$TIDEGATE_SECRET_TOKEN"' }
"gcp_secret_manager:tls" = { file = "../tls.pem" }
NAMED = { variable = "MINE" }
"#;

fn project(settings: &str) -> Sandbox {
    let repo = repository(PIPELINE);
    repo.write("tidegate.toml", settings);
    repo.write("../tls.pem", "first-secret-line\nsecond-secret-line\n");
    repo
}

fn run(repo: &Sandbox) -> Ended {
    let mut command = repo.command(&["run"]);
    command.env("MINE", "from-my-environment");
    Ended::of(command.output().expect("the binary starts"))
}

#[test]
fn values_come_from_where_the_settings_say_and_are_masked() {
    let repo = project(SETTINGS);
    let ended = run(&repo);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    for line in [
        "job | password [MASKED]\n",
        "job | [MASKED]$ echo",
        "job | named [MASKED] see [MASKED]\n",
        "job | 0\n",
    ] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.shown());
    }
    assert!(!ended.shown().contains("made-for"), "{}", ended.shown());
    for secret in ["secret-line", "my-environment"] {
        assert!(!ended.shown().contains(secret), "{}", ended.shown());
        let kept = std::process::Command::new("grep")
            .args(["-rla", secret])
            .arg(repo.data())
            .output()
            .expect("grep is here");
        let files = String::from_utf8_lossy(&kept.stdout).into_owned();
        let only_of_the_tree = files.lines().all(|file| file.ends_with("tidegate.toml"));
        assert!(only_of_the_tree, "{secret} is kept in {files}");
    }
}

#[test]
fn a_shell_has_them_too() {
    let repo = project(SETTINGS);
    let mut command = repo.command(&[
        "shell",
        "job",
        "--",
        "sh",
        "-c",
        "cat $KEY_FILE; echo \" $NAMED\"",
    ]);
    command.env("MINE", "mine");
    let ended = Ended::of(command.output().expect("the binary starts"));
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert_eq!(ended.stdout, "first-secret-line\nsecond-secret-line mine\n");
}

#[test]
fn what_nothing_provides_is_an_error_with_its_line_before_anything_runs() {
    let repo = project("[secrets]\n\"vault:other/*\" = { variable = \"X\" }\n");
    let ended = run(&repo);
    assert_eq!(ended.code, Some(2), "{}", ended.shown());
    for text in [
        "`id_tokens` of the job `job`: nothing says where `TOKEN` comes from",
        "`secrets` of the job `job`: nothing says where `PASSWORD` comes from",
        "\"vault:production/db/password@ops\" = { variable = \"…\" }",
        ".gitlab-ci.yml:5",
    ] {
        assert!(ended.stderr.contains(text), "{text}: {}", ended.shown());
    }
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_source_that_gives_nothing_fails_the_job_and_says_why() {
    for (source, why) in [
        (
            "{ variable = \"NOT_THERE\" }",
            "there is no variable `NOT_THERE`",
        ),
        ("{ file = \"nowhere\" }", "No such file"),
        (
            "{ command = \"echo secret; exit 4\" }",
            "it ended with exit status: 4",
        ),
        ("{ command = \"true\" }", "it is empty"),
    ] {
        let repo = repository("a: {secrets: {S: {vault: a/b}}, script: [echo never]}\n");
        repo.write("tidegate.toml", format!("[secrets]\n\"*\" = {source}\n"));
        let ended = repo.run(&["run"]);
        assert_eq!(ended.code, Some(1), "{}", ended.shown());
        let text = "ERROR: Job failed (system failure): get `S` of `secrets`:";
        assert!(ended.stdout.contains(text), "{}", ended.shown());
        assert!(ended.stdout.contains(why), "{why}: {}", ended.shown());
    }
}

#[test]
fn inputs_of_a_job_have_their_default_values() {
    let repo = repository(
        "a:\n  inputs: {who: {default: world}, n: {type: number, default: 2}}\n  script: ['echo hello ${{ job.inputs.who }} ${{job.inputs.n}}']\n  artifacts: {paths: ['${{ job.inputs.who }}']}\n",
    );
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(
        ended.stdout.contains("a | hello world 2\n"),
        "{}",
        ended.shown()
    );
    assert!(
        ended
            .stdout
            .contains("a | WARNING: world: no matching files"),
        "{}",
        ended.shown()
    );
    let other =
        repository("a: {inputs: {x: {default: y}}, script: ['echo ${{ str(job.inputs.x) }}']}\n");
    let ended = other.run(&["run"]);
    assert_eq!(ended.code, Some(2), "{}", ended.shown());
    let text = "`${{ str(job.inputs.x) }}` is no declared input";
    assert!(ended.stderr.contains(text), "{}", ended.shown());
}

#[test]
fn steps_with_scripts_run_one_after_the_other_in_shells_of_their_own() {
    let repo = repository(
        "a:\n  run:\n    - {name: first, script: 'X=1; echo one > file', env: {GREETING: \"it's me\"}}\n    - {name: second, script: 'echo two $(cat file) [$X] $GREETING', env: {GREETING: hello}}\n    - {name: third, script: exit 3}\n    - {name: fourth, script: echo never}\n",
    );
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    for text in [
        "a | Executing \"step_second\" stage of the job script\n",
        "a | two one [] hello\n",
        "failed: a, exit code 3\n",
    ] {
        assert!(ended.shown().contains(text), "{text}: {}", ended.shown());
    }
    assert!(!ended.stdout.contains("| never"), "{}", ended.shown());
    let function = repository("a: {run: [{name: s, step: ./x}]}\n");
    let ended = function.run(&["run"]);
    assert_eq!(ended.code, Some(2), "{}", ended.shown());
    let text = "the step `s` is a function; only steps with `script` are run";
    assert!(ended.stderr.contains(text), "{}", ended.shown());
}

#[test]
fn what_only_the_server_can_do_is_named_with_its_line() {
    let repo = repository(
        "a: {script: x, identity: google_cloud}\nb: {script: x, dast_configuration: {site_profile: p}}\n",
    );
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(2), "{}", ended.shown());
    for text in [
        "nothing here can sign in at Google Cloud",
        ".gitlab-ci.yml:1:",
        "its profiles are kept by GitLab's server",
        ".gitlab-ci.yml:2:",
    ] {
        assert!(ended.stderr.contains(text), "{text}: {}", ended.shown());
    }
}
