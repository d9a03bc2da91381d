//! Nothing that comes out of a cache, an artifact or an archive is written outside of the work tree it is for.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use tidegate_testkit::Sandbox;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::{green, repository};

/// A directory beside the project with one file that nobody may touch.
fn beside(repo: &Sandbox) -> PathBuf {
    let place = repo.data().with_file_name("beside");
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("file"), "untouched").unwrap();
    place
}

#[track_caller]
fn untouched(place: &Path) {
    assert_eq!(std::fs::read_dir(place).unwrap().count(), 1, "{place:?}");
    let text = std::fs::read_to_string(place.join("file")).unwrap();
    assert_eq!(text, "untouched");
}

/// Each backend that works here; copies always do.
fn on_each_backend(test: impl Fn(&str)) {
    for backend in ["overlay-root", "overlay-user", "reflink", "copy"] {
        let probe = repository("job: {script: ['true']}\n");
        let ended = probe.run(&["run", "--workspace", backend]);
        if backend == "copy" || !ended.stderr.contains("failed to make work trees") {
            test(backend);
        }
    }
}

/// One cache holds a link that leads out, the other a file below a directory of that name.
#[test]
fn a_link_of_one_cache_does_not_lead_the_files_of_another_out() {
    on_each_backend(|backend| {
        for [first, second] in [["link", "file"], ["file", "link"]] {
            let repo = repository(&format!(
                "stages: [fill, use]\n\
                 link: {{stage: fill, cache: {{key: link, paths: [d], policy: push}}, script: ['ln -s \"$BESIDE\" d']}}\n\
                 file: {{stage: fill, cache: {{key: file, paths: [d], policy: push}}, script: [mkdir d, echo evil > d/file, echo evil > d/more]}}\n\
                 use:\n  stage: use\n  cache: [{{key: {first}, paths: [d]}}, {{key: {second}, paths: [d]}}]\n  script: [ls -ld d, 'rm -rf d', 'mkdir -p d', 'echo x > d/file']\n"
            ));
            let place = beside(&repo);
            let variable = format!("BESIDE={}", place.display());
            let run = ["run", "--workspace", backend, "--variable", &variable];
            let _ = green(&repo, &run);
            untouched(&place);
            let _ = green(&repo, &run);
            untouched(&place);
        }
    });
}

#[test]
fn links_in_artifacts_stay_links_wherever_they_are_taken() {
    on_each_backend(|backend| {
        let repo = repository(
            "stages: [a, b, c]\n\
             link: {stage: a, artifacts: {paths: [d]}, script: ['ln -s \"$BESIDE\" d']}\n\
             file: {stage: b, needs: [], artifacts: {paths: [d]}, script: [mkdir d, echo evil > d/file, echo evil > d/more]}\n\
             use: {stage: c, artifacts: {paths: [d]}, script: [ls -ld d]}\n",
        );
        let place = beside(&repo);
        let variable = format!("BESIDE={}", place.display());
        let _ = green(
            &repo,
            &["run", "--workspace", backend, "--variable", &variable],
        );
        untouched(&place);
        let target = repo.data().with_file_name("taken");
        let _ = green(
            &repo,
            &["artifacts", "get", "link", target.to_str().unwrap()],
        );
        assert!(target.join("d").is_symlink());
        let opened = repo.run(&["artifacts", "open", "link", "d/file"]);
        assert_ne!(opened.code, Some(0), "{}", opened.shown());
        untouched(&place);
    });
}

/// A zip with entries of these names, each with `evil` in it; a name that ends in ` -> target` is a link.
fn archive(names: &[&str]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    for name in names {
        match name.split_once(" -> ") {
            Some((name, target)) => writer.add_symlink(name, target, options).unwrap(),
            None => {
                writer.start_file(*name, options).unwrap();
                writer.write_all(b"evil").unwrap();
            }
        }
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn an_archive_that_leads_out_is_refused_and_leaves_nothing() {
    let repo = repository("job: {cache: {key: k, paths: [d]}, script: ['ls -la d']}\n");
    let place = beside(&repo);
    let outside = place.display().to_string();
    let absolute = format!("{outside}/more");
    let link = format!("d -> {outside}");
    let cases: [&[&str]; 5] = [
        &["../beside/more"],
        &["d/../../beside/more"],
        &[&absolute],
        &[&link, "d/more"],
        &["d -> ../..", "d/beside/more"],
    ];
    for names in cases {
        std::fs::write(repo.project().join("evil.zip"), archive(names)).unwrap();
        let ended = repo.run(&["cache", "put", "k-non_protected", "--zip", "evil.zip"]);
        untouched(&place);
        assert_eq!(ended.code, Some(2), "{names:?}: {}", ended.shown());
        assert!(ended.stderr.contains("evil.zip"), "{}", ended.shown());
    }
    assert_eq!(green(&repo, &["cache", "ls"]).stdout, "no caches\n");
    let healthy = green(&repo, &["cache", "verify"]).stdout;
    assert!(healthy.starts_with("no problems"), "{healthy}");
    assert!(!repo.data().with_file_name("more").exists());
}

#[test]
fn an_archive_of_a_runner_becomes_a_cache() {
    let repo =
        repository("job: {cache: {key: k, paths: [d]}, script: ['cat d/A d/a', 'readlink d/l']}\n");
    let zip = archive(&["d/A", "d/a", "d/l -> A"]);
    std::fs::write(repo.project().join("cache.zip"), zip).unwrap();
    let put = green(
        &repo,
        &["cache", "put", "k-non_protected", "--zip", "cache.zip"],
    );
    assert!(put.stderr.contains("3 files saved"), "{}", put.shown());
    let ended = green(&repo, &["run"]);
    assert!(ended.stdout.contains("job | evilevil"), "{}", ended.shown());
    assert!(ended.stdout.contains("job | A\n"), "{}", ended.shown());
    let missing = repo.run(&["cache", "put", "k", "--zip", "nothing.zip"]);
    assert_eq!(missing.code, Some(2), "{}", missing.shown());
}

#[test]
fn devices_pipes_and_sockets_are_not_stored() {
    on_each_backend(|backend| {
        let repo = repository(
            "job: {cache: {key: k, paths: [d]}, artifacts: {paths: [d]}, script: [mkdir -p d, echo fine > d/file, rm -f d/pipe, mkfifo d/pipe, 'mknod d/zero c 1 5 || true']}\n",
        );
        let ended = green(&repo, &["run", "--workspace", backend]);
        assert!(
            ended.stdout.contains("a named pipe cannot be stored"),
            "{backend}: {}",
            ended.shown()
        );
        let files = green(&repo, &["cache", "inspect", "k-non_protected", "--files"]).stdout;
        assert!(files.contains("  d/file\n"), "{files}");
        assert!(
            !files.contains("pipe") && !files.contains("zero"),
            "{files}"
        );
    });
}

#[test]
fn patterns_that_lead_out_of_the_tree_mean_nothing() {
    let repo = repository(
        "job: {cache: {key: k, paths: ['../beside', '$BESIDE', 'd/../../beside/*']}, artifacts: {paths: ['../beside/file']}, script: ['true']}\n",
    );
    let place = beside(&repo);
    let variable = format!("BESIDE={}", place.display());
    let ended = green(&repo, &["run", "--variable", &variable]);
    let text = "artifact path is not a subpath of project directory: ../beside";
    assert!(ended.stdout.contains(text), "{}", ended.shown());
    assert!(
        ended.stdout.contains("No files to cache."),
        "{}",
        ended.shown()
    );
    assert!(
        ended.stdout.contains("No files to upload"),
        "{}",
        ended.shown()
    );
    assert_eq!(green(&repo, &["cache", "ls"]).stdout, "no caches\n");
}

#[test]
fn a_manifest_or_tree_that_was_tampered_with_is_told_and_leads_nothing_out() {
    let repo = repository(
        "job: {cache: {key: k, paths: [d]}, script: [mkdir -p d, 'echo 1 > d/f', 'ls d/']}\n",
    );
    let place = beside(&repo);
    let _ = green(&repo, &["run"]);
    let objects = std::fs::read_dir(repo.data().join("trees")).unwrap();
    let object = objects
        .map(|object| object.unwrap().path())
        .find(|object| object.join("tree/d/f").exists())
        .unwrap();
    // A directory of the tree leads out now.
    std::fs::rename(object.join("tree/d"), object.join("d")).unwrap();
    std::os::unix::fs::symlink(&place, object.join("tree/d")).unwrap();
    let found = repo.run(&["cache", "verify"]);
    assert_eq!(found.code, Some(1), "{}", found.shown());
    assert!(found.stdout.contains("d: "), "{}", found.shown());
    let target = repo.data().with_file_name("copy");
    let _ = green(
        &repo,
        &["cache", "get", "k-non_protected", target.to_str().unwrap()],
    );
    assert!(
        target.join("d").is_symlink(),
        "what is there is copied as it is"
    );
    untouched(&place);
    std::fs::remove_file(object.join("tree/d")).unwrap();
    std::fs::rename(object.join("d"), object.join("tree/d")).unwrap();
    let manifest = std::fs::read_dir(&object)
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|file| file.is_file())
        .unwrap();
    std::fs::write(&manifest, b"../../../../etc/passwd").unwrap();
    let found = repo.run(&["cache", "verify"]);
    assert_eq!(found.code, Some(1), "{}", found.shown());
    assert!(found.stdout.contains("manifest"), "{}", found.shown());
    let inspected = repo.run(&["cache", "inspect", "k-non_protected", "--files"]);
    assert_eq!(inspected.code, Some(2), "{}", inspected.shown());
}
