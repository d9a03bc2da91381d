//! What is done for the store when a run is over, however it was begun.

use std::path::Path;

use tidegate_testkit::Sandbox;

use crate::{green, repository};

/// Numbers of the runs, newest first.
fn runs(repo: &Sandbox) -> Vec<u64> {
    let listed = green(repo, &["runs", "--format", "json"]).stdout;
    let parts = listed.split("\"id\":").skip(1);
    parts
        .filter_map(|part| part.split(',').next()?.parse().ok())
        .collect()
}

/// Makes it look as if nobody had tidied up for long: a cache beyond 64 MiB is always worth it.
fn heavy(extra: &str) -> Sandbox {
    let repo = repository(&format!(
        "job: {{cache: {{key: $KEY, paths: [f]}}, script: ['head -c 68000000 /dev/zero > f', 'echo $KEY >> f']}}\n{extra}"
    ));
    repo.write(".gitignore", "f\n");
    repo.commit("ignore the cache");
    repo
}

#[test]
fn old_runs_go_and_their_files_with_them() {
    let repo = repository("job: {script: [echo hi > f], artifacts: {paths: [f]}}\n");
    for _ in 0..4 {
        let _ = green(&repo, &["run"]);
    }
    let pruned = green(&repo, &["cache", "prune", "--keep-runs", "3"]);
    assert!(pruned.stdout.contains(" 1 runs "), "{}", pruned.shown());
    assert_eq!(runs(&repo), [4, 3, 2]);
    assert!(!repo.data().join("runs/1").exists());
    repo.write("tidegate.toml", "[run]\nkeep_runs = 1\n");
    let pruned = green(&repo, &["cache", "prune", "--format", "json"]);
    assert!(pruned.stdout.contains("\"runs\":2"), "{}", pruned.shown());
    assert_eq!(runs(&repo), [4]);
    let kept = green(&repo, &["artifacts", "ls"]);
    assert!(kept.stdout.contains("job"), "{}", kept.shown());
    let healthy = green(&repo, &["cache", "verify"]).stdout;
    assert!(healthy.starts_with("no problems"), "{healthy}");
    // Three deltas of nothing: what the runs alone had is gone from the disk, too.
    let trees = std::fs::read_dir(repo.data().join("trees"))
        .unwrap()
        .count();
    assert!(trees <= 3, "{trees} trees are left");
}

#[test]
fn a_run_keeps_the_limits_of_the_settings() {
    let repo = heavy("");
    repo.write(
        "tidegate.toml",
        "[run]\nkeep_runs = 2\n[cache]\nmax_project_size = \"100MB\"\n",
    );
    for key in ["a", "b", "c"] {
        let _ = green(&repo, &["run", "--variable", &format!("KEY={key}")]);
    }
    assert_eq!(runs(&repo), [3, 2]);
    let caches = green(&repo, &["cache", "ls"]).stdout;
    assert_eq!(caches.lines().count(), 1, "{caches}");
    assert!(caches.starts_with("c-"), "{caches}");
}

#[test]
fn retrying_and_playing_keep_the_limits_too() {
    let repo = heavy("play: {when: manual, script: [echo played]}\n");
    let _ = green(&repo, &["run", "--variable", "KEY=a"]);
    let _ = green(&repo, &["run", "--variable", "KEY=b"]);
    repo.write("tidegate.toml", "[cache]\nmax_project_size = \"100MB\"\n");
    let _ = green(&repo, &["run", "--play", "play"]);
    let caches = green(&repo, &["cache", "ls"]).stdout;
    assert_eq!(caches.lines().count(), 1, "{caches}");
    repo.write("tidegate.toml", "[run]\nkeep_runs = 1\n");
    let _ = green(&repo, &["run", "--retry", "job"]);
    assert_eq!(runs(&repo), [2]);
}

/// The project is the same for both runs, so both want their tree at the same path.
#[test]
fn a_job_can_run_tidegate_on_its_own_project() {
    let binary = env!("CARGO_BIN_EXE_tidegate");
    for backend in ["overlay", "copy"] {
        let repo = repository(
            "outer:\n  rules: [{if: $INNER, when: never}, {when: always}]\n  script: ['\"$BINARY\" --data-dir \"$DATA\" run --variable INNER=1', 'echo \"outer $(cat file)\"']\n\
             inner:\n  rules: [{if: $INNER}]\n  script: ['echo \"inner $(cat file)\"', 'echo changed > file']\n",
        );
        repo.git(&[
            "remote",
            "add",
            "origin",
            "https://gitlab.example.com/g/p.git",
        ]);
        repo.write("file", "same\n");
        repo.commit("a file");
        let data = repo.data();
        let set = [
            format!("BINARY={binary}"),
            format!("DATA={}", Path::new(&data).display()),
        ];
        let ended = repo.run(&[
            "run",
            "--workspace",
            backend,
            "--variable",
            &set[0],
            "--variable",
            &set[1],
        ]);
        if ended.stderr.contains("failed to make work trees") {
            tidegate_testkit::skip(&format!("no {backend} here: {}", ended.stderr));
            continue;
        }
        assert_eq!(ended.code, Some(0), "{backend}: {}", ended.shown());
        for text in ["inner | inner same", "outer | outer same"] {
            assert!(
                ended.stdout.contains(text),
                "{backend}: {text}: {}",
                ended.shown()
            );
        }
    }
}
