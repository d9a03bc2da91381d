//! `tidegate cache`, `artifacts` and `doctor`.

use tidegate_testkit::Sandbox;

use crate::{green, repository};

const PIPELINE: &str = "\
build:
  cache: {key: {files: [lock], prefix: p}, paths: [deps/]}
  artifacts: {paths: [out/], expire_in: 3 days}
  script: [mkdir -p deps/a out, cp lock deps/a/f, ln -s a/f deps/link, 'echo hi > out/it', chmod 750 out/it]
";

fn built() -> Sandbox {
    let repo = repository(PIPELINE);
    repo.write("lock", "1\n");
    let ended = repo.run(&["run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    repo
}

/// The key of the only cache.
fn key(repo: &Sandbox) -> String {
    let listed = green(repo, &["cache", "ls"]).stdout;
    let key = listed.split_whitespace().next().unwrap_or_default();
    assert!(key.starts_with("p-"), "{listed}");
    key.to_owned()
}

#[test]
fn caches_are_listed_and_inspected() {
    let repo = built();
    let key = key(&repo);
    let listed = green(&repo, &["cache", "ls", "--format", "json"]).stdout;
    assert!(listed.contains(&format!("\"key\":\"{key}\"")), "{listed}");
    assert!(listed.contains("\"files\":2"), "{listed}");
    assert!(listed.contains("\"job\":\"build\""), "{listed}");
    let inspected = green(&repo, &["cache", "inspect", &key, "--files"]).stdout;
    for line in [
        "saved     now by build\n",
        "pattern   deps/ (4 files and directories)\n",
        "  deps/a/f\n",
        "  deps/link -> a/f\n",
    ] {
        assert!(inspected.contains(line), "{line}: {inspected}");
    }
    let unknown = repo.run(&["cache", "inspect", "p-other"]);
    assert_eq!(unknown.code, Some(1), "{}", unknown.shown());
    assert!(unknown.stderr.contains(&key), "{}", unknown.shown());
}

#[test]
fn caches_are_copied_out_and_in() {
    let repo = built();
    let key = key(&repo);
    let target = repo.data().with_file_name("copy");
    let target = target.to_str().unwrap();
    let _ = green(&repo, &["cache", "get", &key, target]);
    assert_eq!(
        std::fs::read_to_string(format!("{target}/deps/link")).unwrap(),
        "1\n"
    );
    let again = repo.run(&["cache", "get", &key, target]);
    assert_eq!(again.code, Some(2), "{}", again.shown());
    repo.write("mine/file", "x");
    let _ = green(&repo, &["cache", "put", "hand", "mine"]);
    let shown = green(&repo, &["cache", "inspect", "hand", "--files"]).stdout;
    assert!(
        shown.contains("  mine/file\n") && shown.contains("by hand\n"),
        "{shown}"
    );
    let climbing = repo.run(&["cache", "put", "hand", "../home"]);
    assert_eq!(climbing.code, Some(2), "{}", climbing.shown());
}

#[test]
fn why_shows_how_a_key_comes_about_and_what_comes_near() {
    let repo = built();
    let key = key(&repo);
    let present = green(&repo, &["cache", "why", "build"]).stdout;
    assert!(present.contains("file         lock  "), "{present}");
    assert!(
        present.contains(&format!("final key    {key}\n")),
        "{present}"
    );
    assert!(present.contains("state        present\n"), "{present}");
    repo.write("lock", "2\n");
    let missing = green(&repo, &["cache", "why", "build"]).stdout;
    assert!(missing.contains("state        missing\n"), "{missing}");
    assert!(
        missing.contains(&format!("near         {key}  (has ")),
        "{missing}"
    );
    let json = green(&repo, &["cache", "why", "build", "--format", "json"]).stdout;
    assert!(json.contains("\"state\":\"missing\""), "{json}");
    assert_eq!(repo.run(&["cache", "why", "nobody"]).code, Some(2));
}

#[test]
fn caches_are_pruned_removed_and_verified() {
    let repo = built();
    let key = key(&repo);
    let healthy = green(&repo, &["cache", "verify", "--contents"]).stdout;
    assert!(healthy.starts_with("no problems in "), "{healthy}");
    let pruned = green(&repo, &["cache", "prune", "--max-project-size", "1"]).stdout;
    assert!(!pruned.starts_with("0 caches"), "{pruned}");
    assert_eq!(green(&repo, &["cache", "ls"]).stdout, "no caches\n");
    let gone = repo.run(&["cache", "rm", &key]);
    assert_eq!(gone.code, Some(1), "{}", gone.shown());
    assert_eq!(
        repo.run(&["cache", "prune", "--max-size", "much"]).code,
        Some(2)
    );
}

#[test]
fn damage_is_found() {
    let repo = built();
    let mut trees = std::fs::read_dir(repo.data().join("trees"))
        .unwrap()
        .flatten();
    let file = trees
        .find_map(|tree| {
            let file = tree.path().join("tree/deps/a/f");
            file.exists().then_some(file)
        })
        .unwrap();
    std::fs::write(file, "something else").unwrap();
    let found = repo.run(&["cache", "verify"]);
    assert_eq!(found.code, Some(1), "{}", found.shown());
    assert!(found.stdout.contains("deps/a/f"), "{}", found.shown());
    let doctor = repo.run(&["doctor"]);
    assert_eq!(doctor.code, Some(1), "{}", doctor.shown());
}

#[test]
fn artifacts_are_listed_copied_and_packed() {
    let repo = built();
    let listed = green(&repo, &["artifacts", "ls"]).stdout;
    assert!(listed.contains("build  archive"), "{listed}");
    assert!(
        listed.contains("expires in 2 d") || listed.contains("expires in 3 d"),
        "{listed}"
    );
    let json = green(&repo, &["artifacts", "ls", "--format", "json"]).stdout;
    assert!(json.contains("\"kind\":\"archive\""), "{json}");
    let target = repo.data().with_file_name("copy");
    let _ = green(
        &repo,
        &["artifacts", "get", "build", target.to_str().unwrap()],
    );
    assert_eq!(
        std::fs::read_to_string(target.join("out/it")).unwrap(),
        "hi\n"
    );
    let place = green(&repo, &["artifacts", "open", "build", "out/it"]).stdout;
    assert_eq!(std::fs::read_to_string(place.trim()).unwrap(), "hi\n");
    let _ = green(&repo, &["artifacts", "export", "build"]);
    let packed = std::fs::read(repo.project().join("artifacts.zip")).unwrap();
    assert!(packed.starts_with(b"PK\x03\x04"), "a zip");
    for args in [
        &["artifacts", "get", "nobody", "x"][..],
        &["artifacts", "open", "build", "nothing"],
        &["artifacts", "export", "build", "--kind", "junit"],
    ] {
        let ended = repo.run(args);
        assert_eq!(ended.code, Some(1), "{args:?}: {}", ended.shown());
    }
}

#[test]
fn doctor_says_what_there_is_and_what_the_pipeline_misses() {
    let repo = repository("job: {image: alpine, script: [echo]}\n");
    let ended = green(&repo, &["doctor"]);
    for what in [
        "git",
        "bash",
        "engine",
        "overlay-root",
        "copy",
        "work trees",
        "store",
    ] {
        assert!(
            ended.stdout.contains(&format!("  {what} ")),
            "{what}: {}",
            ended.shown()
        );
    }
    assert!(
        ended.stdout.contains("`image` of the job `job`"),
        "{}",
        ended.shown()
    );
    let json = green(&repo, &["doctor", "--format", "json"]).stdout;
    assert!(json.starts_with("{\"healthy\":true,"), "{json}");
}
