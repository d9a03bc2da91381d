//! What jobs see and may touch.

use crate::repository;

#[test]
fn jobs_see_the_work_tree_and_cannot_change_it() {
    let repo = repository(
        "job:\n  script:\n    - cat changed new\n    - test ! -e ignored.log\n    - echo job > changed\n    - rm new\n    - echo more > made\n",
    );
    repo.write(".gitignore", "*.log\n");
    repo.write("changed", "old\n");
    repo.commit("second");
    repo.write("changed", "edited\n");
    repo.write("new", "untracked\n");
    repo.write("ignored.log", "x\n");
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(
        ended.stdout.contains("job | edited\njob | untracked\n"),
        "{}",
        ended.stdout
    );
    assert_eq!(repo.read("changed"), "edited\n");
    assert_eq!(repo.read("new"), "untracked\n");
    assert!(!repo.project().join("made").exists());
    assert_eq!(repo.git(&["status", "--porcelain"]), "M changed\n?? new");
}

#[test]
fn committed_runs_see_the_last_commit() {
    let repo = repository("job: {script: [cat file, test ! -e new]}\n");
    repo.write("file", "committed\n");
    repo.commit("second");
    repo.write("file", "edited\n");
    repo.write("new", "x\n");
    let ended = repo.run(&["run", "--committed"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(
        ended.stdout.contains("job | committed\n"),
        "{}",
        ended.stdout
    );
}

#[test]
fn jobs_do_not_see_each_others_files() {
    let repo =
        repository("a: {stage: build, script: [touch mine]}\nb: {script: [test ! -e mine]}\n");
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
}

#[test]
fn a_masked_secret_does_not_reach_the_log() {
    // Until settings files are read, tokens are what is masked without being told.
    let repo = repository("job: {script: ['echo glpat-abcdefghijklmnopqrst']}\n");
    let ended = repo.run(&["run"]);
    assert!(
        !ended.stdout.contains("abcdefghijklmnop"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("[MASKED]"), "{}", ended.stdout);
}

#[test]
fn every_backend_gives_the_same_result() {
    let repo = repository(
        "make: {stage: build, script: [echo made > file], artifacts: {paths: [file]}}\nuse: {script: [cat file]}\n",
    );
    for backend in ["overlay", "copy"] {
        let ended = repo.run(&["run", "--workspace", backend]);
        if ended.stderr.contains("failed to make work trees") {
            tidegate_testkit::skip(&format!("no {backend} here: {}", ended.stderr));
            continue;
        }
        assert_eq!(ended.code, Some(0), "{backend}: {}", ended.shown());
        assert!(
            ended.stdout.contains("use  | made\n"),
            "{backend}: {}",
            ended.stdout
        );
    }
}
