//! A store that another version of Tidegate wrote: refused before anything in it is touched, with both versions and a way out.

use std::path::Path;

use tidegate_testkit::Sandbox;

use crate::{green, repository};

/// Commands that need the store.
const COMMANDS: &[&[&str]] = &[
    &["run"],
    &["run", "--resume"],
    &["runs"],
    &["logs", "job"],
    &["cache", "ls"],
    &["cache", "why", "job"],
    &["cache", "prune"],
    &["cache", "rm", "--all"],
    &["cache", "verify"],
    &["artifacts", "ls"],
];

fn project() -> Sandbox {
    let repo = repository("job: {cache: {key: k, paths: [f]}, script: [touch f]}\n");
    let _ = green(&repo, &["run"]);
    repo
}

/// Every file of the store with its bytes.
fn content(directory: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => found.extend(content(&path)),
            false => found.push((path.clone(), std::fs::read(&path).unwrap())),
        }
    }
    found.sort_unstable();
    found
}

#[track_caller]
fn is_refused(repo: &Sandbox, texts: &[&str]) {
    let before = content(&repo.data());
    for command in COMMANDS {
        let ended = repo.run(command);
        assert_eq!(ended.code, Some(2), "{command:?}: {}", ended.shown());
        for text in texts {
            assert!(
                ended.stderr.contains(text),
                "{command:?}: {text}: {}",
                ended.shown()
            );
        }
    }
    assert!(content(&repo.data()) == before, "the store is as it was");
    let health = repo.run(&["doctor"]);
    assert_eq!(health.code, Some(1), "{}", health.shown());
    assert!(health.stdout.contains(texts[0]), "{}", health.shown());
    // What needs no store goes on.
    let _ = green(repo, &["list"]);
    // Another place does.
    let other = repo.data().with_file_name("other-store");
    let _ = green(repo, &["--data-dir", other.to_str().unwrap(), "run"]);
    std::fs::remove_dir_all(other).unwrap();
}

const ELSEWHERE: &str = "hint: `--data-dir DIR` or `data_dir` of the settings names another one";

#[test]
fn the_store_of_another_version_is_refused_and_left_alone() {
    for (version, way_out) in [
        ("0", "use an older Tidegate"),
        ("2", "use a newer Tidegate"),
        ("4000", "use a newer Tidegate"),
    ] {
        let repo = project();
        std::fs::write(
            repo.data().join("format"),
            format!("tidegate-store {version}\n"),
        )
        .unwrap();
        let found = format!(
            "its format is {version}, this version of Tidegate reads format 1; {way_out} or another data directory"
        );
        is_refused(&repo, &[&found, ELSEWHERE]);
        // It is whole: the right version goes on with it.
        std::fs::write(repo.data().join("format"), "tidegate-store 1\n").unwrap();
        let again = green(&repo, &["run"]).stdout;
        assert!(again.contains("Successfully extracted cache"), "{again}");
    }
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let repo = project();
    std::fs::write(repo.data().join("format"), "something else\n").unwrap();
    is_refused(
        &repo,
        &["its `format` file is not readable as one", ELSEWHERE],
    );
    let repo = repository("job: {script: [touch f]}\n");
    std::fs::create_dir(repo.data()).unwrap();
    std::fs::write(repo.data().join("thesis.tex"), "x").unwrap();
    is_refused(
        &repo,
        &["the directory is not empty and holds no store", ELSEWHERE],
    );
}

/// SQLite keeps the version of the schema in its header: four bytes at 60, the highest first.
#[test]
fn an_index_of_another_version_is_refused() {
    let repo = project();
    let index = repo.data().join("index.db");
    let mut bytes = std::fs::read(&index).unwrap();
    assert_eq!(bytes[60..64], [0, 0, 0, 1]);
    bytes[63] = 9;
    std::fs::write(&index, &bytes).unwrap();
    for command in [&["cache", "ls"][..], &["runs"], &["run"]] {
        let ended = repo.run(command);
        assert_eq!(ended.code, Some(2), "{command:?}: {}", ended.shown());
        let text = "its format is 9, this version of Tidegate reads format 1; use a newer Tidegate";
        assert!(
            ended.stderr.contains(text),
            "{command:?}: {}",
            ended.shown()
        );
    }
    bytes[63] = 1;
    std::fs::write(&index, &bytes).unwrap();
    assert!(
        green(&repo, &["cache", "ls"])
            .stdout
            .starts_with("k-non_protected ")
    );
}
