//! Caches of child pipelines and of pipelines of other projects: kept for the run that relies on them, and shared with other machines.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tidegate_testkit::{Ended, Sandbox};

use crate::{repository, wait_until};

/// A pipeline that makes a cache where it is missing, waits for `go`, and cannot do without the cache.
const CACHED: &str = "\
stages: [prepare, wait, test]
make:
  stage: prepare
  rules: [{cache: missing}]
  cache: {key: k, paths: [deps/]}
  script: [mkdir -p deps, echo kept > deps/content, echo ma''de]
gate:
  stage: wait
  rules: [{if: $PLACE}]
  timeout: 20s
  script: ['touch $PLACE/waiting; until test -e $PLACE/go; do sleep 0.02; done']
use:
  stage: test
  rules: [{when: always}]
  cache: {key: k, paths: [deps/], policy: pull, on_miss: fail}
  script: ['echo \"used $(cat deps/content)\"']
";

/// A project whose trigger job starts `CACHED`: as a child pipeline, or as the pipeline of a project beside it.
fn project(elsewhere: bool) -> Sandbox {
    let trigger = if elsewhere {
        "project: g/other"
    } else {
        "include: child.yml"
    };
    let repo = repository(&format!(
        "t: {{trigger: {{{trigger}, strategy: depend, forward: {{pipeline_variables: true}}}}}}\n"
    ));
    repo.write(".gitignore", "deps\n");
    if elsewhere {
        let other = beside(&repo);
        std::fs::create_dir(&other).unwrap();
        std::fs::write(other.join(".gitlab-ci.yml"), CACHED).unwrap();
        let place = other.to_str().unwrap();
        for args in [
            &["init", "--quiet", "--initial-branch", "main"][..],
            &["add", "--all"],
            &["commit", "--quiet", "--message", "first"],
        ] {
            repo.git(&[&["-C", place], args].concat());
        }
        repo.write(
            "tidegate.toml",
            "[includes.projects]\n\"g/other\" = { path = \"../other\" }\n",
        );
    } else {
        repo.write("child.yml", CACHED);
    }
    repo.commit("files");
    repo
}

/// The directory of the other project.
fn beside(repo: &Sandbox) -> PathBuf {
    repo.project().with_file_name("other")
}

/// Where the gate looks; `open` lets it through at once.
fn gate(repo: &Sandbox, open: bool) -> PathBuf {
    let place = repo.data().with_file_name("place");
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir(&place).unwrap();
    if open {
        std::fs::write(place.join("go"), "").unwrap();
    }
    place
}

fn started(repo: &Sandbox, machine: &str, place: &Path, more: &[&str]) -> Child {
    let variable = format!("PLACE={}", place.display());
    let mut command: Command = repo.command(&[&["run", "--variable", &variable], more].concat());
    command.env("TIDEGATE_DATA_DIR", repo.data().with_file_name(machine));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn run_through(repo: &Sandbox, machine: &str) -> Ended {
    let place = gate(repo, true);
    let ended = Ended::of(
        started(repo, machine, &place, &[])
            .wait_with_output()
            .unwrap(),
    );
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(ended.stdout.contains("| used kept"), "{}", ended.shown());
    ended
}

fn made(ended: &Ended) -> bool {
    ended.stdout.contains("| made\n")
}

/// Removes the caches of the project whose pipeline has them.
fn remove_caches(repo: &Sandbox, elsewhere: bool, machine: &str) {
    let directory = if elsewhere {
        beside(repo)
    } else {
        repo.project()
    };
    let data = repo.data().with_file_name(machine);
    let args = [
        "--data-dir",
        data.to_str().unwrap(),
        "-C",
        directory.to_str().unwrap(),
    ];
    let removed = repo.run(&[&args[..], &["cache", "rm", "--all"]].concat());
    assert_eq!(removed.code, Some(0), "{}", removed.shown());
    assert!(
        removed.stderr.contains("removed k-non_protected"),
        "{}",
        removed.shown()
    );
}

#[test]
fn what_a_downstream_plan_relied_on_is_kept_to_the_end_of_the_run() {
    for elsewhere in [false, true] {
        let repo = project(elsewhere);
        assert!(made(&run_through(&repo, "one")));
        let place = gate(&repo, false);
        let running = started(&repo, "one", &place, &[]);
        wait_until("the gate", || place.join("waiting").exists());
        remove_caches(&repo, elsewhere, "one");
        let data = repo.data().with_file_name("one");
        let pruned = repo.run(&[
            "--data-dir",
            data.to_str().unwrap(),
            "cache",
            "prune",
            "--max-size",
            "1",
        ]);
        assert_eq!(pruned.code, Some(0), "{}", pruned.shown());
        std::fs::write(place.join("go"), "").unwrap();
        let ended = Ended::of(running.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(0), "{}", ended.shown());
        assert!(!made(&ended), "{}", ended.shown());
        assert!(ended.stdout.contains("| used kept"), "{}", ended.shown());
        // The next run finds it removed.
        assert!(made(&run_through(&repo, "one")), "elsewhere: {elsewhere}");
    }
}

/// Names the shared directory in the settings of the user, so that all projects of the machine have it.
fn share(repo: &Sandbox) -> PathBuf {
    let place = repo.data().with_file_name("shared");
    std::fs::create_dir(&place).unwrap();
    let user = repo.data().with_file_name("home").join(".config/tidegate");
    std::fs::create_dir_all(&user).unwrap();
    let text = format!("[cache.remote]\npath = \"{}\"\n", place.display());
    std::fs::write(user.join("config.toml"), text).unwrap();
    place
}

fn owners(place: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(place.join("tidegate-1/project"));
    let names = entries.into_iter().flatten().flatten();
    let mut names: Vec<String> = names
        .map(|name| name.file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn downstream_plans_ask_the_remote_cache_of_their_project() {
    for (elsewhere, owner) in [(false, "local%2Fproject"), (true, "local%2Fother")] {
        let repo = project(elsewhere);
        let place = share(&repo);
        assert!(made(&run_through(&repo, "one")));
        assert_eq!(owners(&place), [owner]);
        let there = run_through(&repo, "two");
        assert!(!made(&there), "{}", there.shown());
        let text = "Fetched from the remote cache: 1 files";
        assert!(there.stdout.contains(text), "{}", there.shown());
    }
}

/// The jobs of a run that another process goes on with put their caches where those of their own project are.
#[test]
fn a_resumed_run_shares_the_caches_of_each_project_in_its_place() {
    let repo = project(true);
    let place = share(&repo);
    let other = beside(&repo).join(".gitlab-ci.yml");
    let text = CACHED
        .replace("stage: prepare", "stage: test")
        .replace("on_miss: fail", "on_miss: continue");
    std::fs::write(other, text).unwrap();
    let directory = beside(&repo);
    repo.git(&[
        "-C",
        directory.to_str().unwrap(),
        "commit",
        "--quiet",
        "--all",
        "--message",
        "later",
    ]);
    let waits = gate(&repo, false);
    let mut running = started(&repo, "one", &waits, &[]);
    wait_until("the gate", || waits.join("waiting").exists());
    running.kill().unwrap();
    running.wait().unwrap();
    std::fs::write(waits.join("go"), "").unwrap();
    let mut command = repo.command(&["run", "--resume"]);
    command.env("TIDEGATE_DATA_DIR", repo.data().with_file_name("one"));
    let ended = Ended::of(command.output().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(made(&ended), "{}", ended.shown());
    assert_eq!(owners(&place), ["local%2Fother"]);
}

/// Without a number two projects do not get each other's caches.
#[test]
fn projects_without_a_number_do_not_share_what_the_remote_cache_has() {
    let repo = repository(
        "job: {cache: {key: k, paths: [f]}, script: ['cat f || echo noth${EMPTY}ing', echo mine > f]}\n",
    );
    let place = share(&repo);
    let first = crate::green(&repo, &["run"]);
    assert!(
        first.stdout.contains("Saved in the remote cache"),
        "{}",
        first.shown()
    );
    let copy = beside(&repo);
    std::fs::create_dir(&copy).unwrap();
    std::fs::write(copy.join(".gitlab-ci.yml"), repo.read(".gitlab-ci.yml")).unwrap();
    let there = crate::green(&repo, &["-C", copy.to_str().unwrap(), "run"]);
    assert!(there.stdout.contains("| nothing\n"), "{}", there.shown());
    assert_eq!(owners(&place), ["local%2Fother", "local%2Fproject"]);
    // GitLab's runner knows projects by their numbers alone.
    repo.write(
        "tidegate.toml",
        "[cache.remote]\nformat = \"gitlab-runner\"\n",
    );
    let refused = crate::green(&repo, &["run"]);
    let text = "set `project` of `[cache.remote]`, or `id` of `[project]`";
    assert!(refused.stderr.contains(text), "{}", refused.shown());
    repo.write(
        "tidegate.toml",
        "[project]\nid = 5\n[cache.remote]\nformat = \"gitlab-runner\"\n",
    );
    let _ = crate::green(&repo, &["run"]);
    assert!(place.join("project/5/k-non_protected").is_file());
}
