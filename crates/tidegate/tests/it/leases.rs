//! What a run relies on stays until the run ends, whatever others do to the store meanwhile.

use std::path::PathBuf;
use std::process::{Child, Stdio};

use tidegate_testkit::{Ended, Sandbox};

use crate::{green, repository, wait_until};

/// `gate` runs until the file `go` beside the store exists; `use` comes after it and cannot do without the cache.
const PIPELINE: &str = "\
stages: [prepare, wait, test]
make:
  stage: prepare
  rules: [{cache: missing}]
  cache: {key: k, paths: [deps/]}
  script: [mkdir -p deps, echo kept > deps/content, echo ma''de]
gate:
  stage: wait
  script: ['touch $PLACE/waiting; until test -e $PLACE/go; do sleep 0.02; done']
use:
  stage: test
  cache: {key: k, paths: [deps/], policy: pull, on_miss: ON_MISS}
  script: ['echo \"used $(cat deps/content)\"']
";

fn project(on_miss: &str) -> Sandbox {
    let repo = repository(&PIPELINE.replace("ON_MISS", on_miss));
    repo.write(".gitignore", "deps\n");
    repo.commit("ignore what is cached");
    repo
}

/// A run that waits in its job `gate`.
struct Waiting {
    child: Child,
    place: PathBuf,
}

impl Waiting {
    fn start(repo: &Sandbox) -> Waiting {
        let place = repo.data().with_file_name("place");
        let _ = std::fs::remove_dir_all(&place);
        std::fs::create_dir(&place).unwrap();
        let variable = format!("PLACE={}", place.display());
        let mut command = repo.command(&["run", "--variable", &variable]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        wait_until("the gate", || place.join("waiting").exists());
        Waiting { child, place }
    }

    fn finish(self) -> Ended {
        std::fs::write(self.place.join("go"), "").unwrap();
        Ended::of(self.child.wait_with_output().unwrap())
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::fs::write(self.place.join("go"), "").unwrap();
    }

    /// Kills the run and goes on with it in another process, to the same job.
    fn killed_and_resumed(self, repo: &Sandbox) -> Waiting {
        let place = self.place.clone();
        self.kill();
        std::fs::remove_file(place.join("go")).unwrap();
        std::fs::remove_file(place.join("waiting")).unwrap();
        let mut command = repo.command(&["run", "--resume"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        wait_until("the gate again", || place.join("waiting").exists());
        Waiting { child, place }
    }
}

/// Fills the cache, so that the next run leaves `make` out.
fn warm(repo: &Sandbox) {
    let place = repo.data().with_file_name("open");
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("go"), "").unwrap();
    let variable = format!("PLACE={}", place.display());
    let ended = green(repo, &["run", "--variable", &variable]);
    assert!(ended.stdout.contains("| made"), "{}", ended.shown());
}

#[track_caller]
fn used_without_making(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(ended.stdout.contains("used kept"), "{}", ended.shown());
    assert!(!ended.stdout.contains("| made"), "{}", ended.shown());
}

#[test]
fn a_cache_the_plan_relied_on_is_not_pruned_while_the_run_waits() {
    let repo = project("fail");
    warm(&repo);
    let waiting = Waiting::start(&repo);
    let pruned = green(&repo, &["cache", "prune", "--max-size", "1"]);
    assert!(
        pruned.stdout.starts_with("0 caches, 1 snapshots"),
        "{}",
        pruned.shown()
    );
    let aged = green(&repo, &["cache", "prune", "--max-age-days", "0"]);
    assert!(
        aged.stdout.starts_with("0 caches, 0 snapshots"),
        "{}",
        aged.shown()
    );
    let runs = green(&repo, &["cache", "prune", "--max-run-age-days", "0"]);
    assert!(runs.stdout.contains(" 1 runs "), "{}", runs.shown());
    used_without_making(&waiting.finish());
    // Nothing holds it any more, nor the trees of the two runs.
    let pruned = green(&repo, &["cache", "prune", "--max-size", "1"]);
    let text = "1 caches, 2 snapshots";
    assert!(pruned.stdout.starts_with(text), "{}", pruned.shown());
    assert_eq!(green(&repo, &["cache", "ls"]).stdout, "no caches\n");
}

#[test]
fn a_cache_the_plan_relied_on_is_used_to_the_end_although_it_was_removed() {
    let repo = project("fail");
    warm(&repo);
    let waiting = Waiting::start(&repo);
    let removed = green(&repo, &["cache", "rm", "--all"]);
    assert!(
        removed
            .stderr
            .contains("a run that relies on it uses it until that ends"),
        "{}",
        removed.shown()
    );
    assert_eq!(green(&repo, &["cache", "ls"]).stdout, "no caches\n");
    let _ = green(&repo, &["cache", "prune"]);
    used_without_making(&waiting.finish());
    let _ = green(&repo, &["cache", "prune"]);
    let healthy = green(&repo, &["cache", "verify"]).stdout;
    assert!(healthy.starts_with("no problems"), "{healthy}");
    // The next run does not find it: it was removed.
    let waiting = Waiting::start(&repo);
    let next = waiting.finish();
    assert!(next.stdout.contains("| made"), "{}", next.shown());
}

#[test]
fn what_a_job_saved_is_kept_for_the_jobs_after_it() {
    let repo = project("fail");
    let waiting = Waiting::start(&repo);
    let pruned = green(&repo, &["cache", "prune", "--max-size", "1"]);
    assert!(
        pruned.stdout.starts_with("0 caches, 0 snapshots"),
        "{}",
        pruned.shown()
    );
    let _ = green(&repo, &["cache", "rm", "--all"]);
    let ended = waiting.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(ended.stdout.contains("used kept"), "{}", ended.shown());
}

#[test]
fn a_resumed_run_keeps_what_the_stopped_one_relied_on() {
    let repo = project("fail");
    warm(&repo);
    let resumed = Waiting::start(&repo).killed_and_resumed(&repo);
    let _ = green(&repo, &["cache", "rm", "--all"]);
    used_without_making(&resumed.finish());
}

/// No event says such a key.
#[test]
fn a_resumed_run_keeps_what_its_jobs_saved_under_a_key_with_a_masked_value() {
    let pipeline = PIPELINE.replace("key: k", "key: k-$TOKEN");
    let repo = repository(&pipeline.replace("ON_MISS", "fail"));
    repo.write(".gitignore", "deps\n");
    let settings = "[variables.project]\nTOKEN = { value = \"s3cretvalue\", masked = true }\n";
    repo.write("tidegate.toml", settings);
    repo.commit("a masked variable");
    let resumed = Waiting::start(&repo).killed_and_resumed(&repo);
    let events = std::fs::read(repo.data().join("runs/1/events")).unwrap();
    let secret = b"s3cretvalue";
    assert!(!events.windows(secret.len()).any(|part| part == secret));
    let _ = green(&repo, &["cache", "rm", "--all"]);
    used_without_making(&resumed.finish());
}

#[test]
fn what_went_while_nobody_had_the_run_in_hand_is_produced_late() {
    let repo = project("produce");
    warm(&repo);
    let waiting = Waiting::start(&repo);
    waiting.kill();
    let _ = green(&repo, &["cache", "rm", "--all"]);
    let resumed = green(&repo, &["run", "--resume"]);
    assert!(resumed.stdout.contains("| made"), "{}", resumed.shown());
    assert!(resumed.stdout.contains("used kept"), "{}", resumed.shown());
}
