//! Variables of the project's settings: files of them, scopes, files, raw values.

use crate::repository;

#[test]
fn a_file_of_variables_stands_for_the_projects_settings() {
    let repo = repository(
        "variables: {A: yaml, B: yaml}\n\
         job: {script: ['echo \"[$A][$B][$C][$D]\"'], rules: [{if: '$A == \"file\"'}]}\n",
    );
    repo.write(
        "vars.env",
        "# a comment\nA=file\n\nC=with space = and sign\nD=\n",
    );
    let ended = repo.run(&["run", "--env-file", "vars.env"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let text = "job | [file][yaml][with space = and sign][]\n";
    assert!(ended.stdout.contains(text), "{}", ended.stdout);
    let ended = repo.run(&["run", "--env-file", "vars.env", "--variable", "B=given"]);
    assert!(ended.stdout.contains("[file][given]"), "{}", ended.stdout);
}

#[test]
fn a_line_of_an_env_file_that_is_no_variable_is_named() {
    let repo = repository("job: {script: [echo]}\n");
    repo.write("vars.env", "A=1\nnonsense\n");
    let ended = repo.run(&["list", "--env-file", "vars.env"]);
    assert_eq!(ended.code, Some(2), "{}", ended.shown());
    assert!(ended.stderr.contains("vars.env:2"), "{}", ended.stderr);
    let ended = repo.run(&["list", "--env-file", "none.env"]);
    assert_eq!(ended.code, Some(2), "{}", ended.shown());
    assert!(ended.stderr.contains("none.env"), "{}", ended.stderr);
}

#[test]
fn an_environment_scope_chooses_who_sees_a_variable() {
    let repo = repository(
        "none: {script: ['echo \"[$V]\"']}\n\
         review: {environment: review/one, script: ['echo \"[$V]\"']}\n\
         live: {environment: production, script: ['echo \"[$V]\"'], rules: [{if: '$V == \"live\"'}]}\n",
    );
    repo.write(
        "tidegate.toml",
        "[variables.project]\nV = [\n  { value = \"all\" },\n  { value = \"review\", environment_scope = \"review/*\" },\n  { value = \"live\", environment_scope = \"production\" },\n]\n",
    );
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    for line in [
        "none   | [all]\n",
        "review | [review]\n",
        "live   | [live]\n",
    ] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
    }
}

#[test]
fn a_file_variable_is_a_path_and_a_raw_one_is_not_expanded() {
    let repo = repository(
        "variables: {WORD: word}\n\
         job:\n  script:\n    - 'echo \"content $(cat \"$CONFIG\")\"'\n    - 'echo \"raw $RAW expanded $EXPANDED\"'\n",
    );
    repo.write(
        "tidegate.toml",
        "[variables.project]\nCONFIG = { value = \"inside $WORD\", file = true }\nRAW = { value = \"a $WORD\", raw = true }\nEXPANDED = \"a $WORD\"\n",
    );
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    for line in ["| raw a $WORD expanded a word\n", "| content inside"] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
    }
}
