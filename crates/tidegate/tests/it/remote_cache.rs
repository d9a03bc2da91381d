//! A cache shared by machines: two data directories that have nothing in common but a remote cache.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tidegate_testkit::{Ended, Sandbox};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::{never_says, repository, says};

/// A producer that runs where its cache is missing, and a consumer that says what it finds.
pub(crate) const PIPELINE: &str = "\
stages: [prepare, test]
make:
  stage: prepare
  rules: [{cache: missing}]
  cache: {key: {files: [lock], prefix: p}, paths: [deps/]}
  script: [mkdir -p deps/sub, cp lock deps/sub/content, ln -s sub/content deps/link, 'echo \"made $(cat lock)\"']
use:
  stage: test
  needs: [make]
  cache: {key: {files: [lock], prefix: p}, paths: [deps/], policy: pull}
  script: ['echo \"used $(cat deps/link)\"']
";

/// A project with the settings of its remote cache.
pub(crate) fn project(configuration: &str, settings: &str) -> Sandbox {
    let repo = repository(configuration);
    repo.write("lock", "1\n");
    repo.write(".gitignore", "deps\n");
    repo.write("tidegate.toml", settings);
    repo.commit("lock file");
    repo
}

/// A shared directory beside the project's data, and the settings for it.
pub(crate) fn shared(repo: &Sandbox, more: &str) -> PathBuf {
    let place = repo.data().with_file_name("shared");
    std::fs::create_dir(&place).unwrap();
    let settings = format!("[cache.remote]\npath = \"{}\"\n{more}", place.display());
    repo.write("tidegate.toml", settings);
    place
}

/// Runs Tidegate as another machine would: with a data directory of its own.
pub(crate) fn on(machine: &str, repo: &Sandbox, args: &[&str]) -> Ended {
    Ended::of(command_on(machine, repo, args).output().unwrap())
}

pub(crate) fn command_on(machine: &str, repo: &Sandbox, args: &[&str]) -> Command {
    let mut command = repo.command(args);
    command.env("TIDEGATE_DATA_DIR", repo.data().with_file_name(machine));
    command
}

#[track_caller]
pub(crate) fn green(ended: Ended) -> Ended {
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    ended
}

#[track_caller]
fn passes(ended: Ended) {
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
}

/// The final key of the first cache of `make`.
fn key(repo: &Sandbox) -> String {
    let why = green(on(
        "asking",
        repo,
        &["cache", "why", "make", "--format", "json"],
    ));
    let found = why.stdout.split("\"key\":\"").nth(1).unwrap();
    found.split('"').next().unwrap().to_owned()
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

#[test]
fn what_one_machine_makes_another_uses_in_each_format() {
    for format in ["tidegate", "gitlab-runner"] {
        let repo = project(PIPELINE, "");
        shared(&repo, &format!("format = \"{format}\"\nproject = 7\n"));
        let first = green(on("one", &repo, &["run"]));
        says(&first, "made 1");
        says(&first, "Saved in the remote cache: ");
        says(&first, "used 1");
        // The remote cache answers `rules:cache`, and the job finds what it promised.
        let second = green(on("two", &repo, &["run"]));
        never_says(&second, "made");
        says(&second, "Fetched from the remote cache: 2 files");
        says(&second, "used 1");
        let third = green(on("two", &repo, &["run"]));
        never_says(&third, "Fetched from the remote cache");
        says(&third, "used 1");
    }
}

#[test]
fn a_machine_that_only_reads_leaves_nothing() {
    let repo = project(PIPELINE, "");
    let place = shared(&repo, "access = \"read-only\"\n");
    let ended = green(on("one", &repo, &["run"]));
    says(&ended, "made 1");
    never_says(&ended, "remote cache");
    assert_eq!(files(&place), Vec::<PathBuf>::new());
    passes(on("one", &repo, &["cache", "rm", "--all"]));
    passes(on("one", &repo, &["run", "--remote-cache", "read-write"]));
    assert!(
        !files(&place).is_empty(),
        "the flag stands above the settings"
    );
    let off = green(on("two", &repo, &["run", "--remote-cache", "off"]));
    says(&off, "made 1");
}

#[test]
fn a_remote_cache_that_is_down_costs_a_warning_and_nothing_else() {
    let repo = project(PIPELINE, "");
    let place = shared(&repo, "");
    std::fs::remove_dir(&place).unwrap();
    let ended = green(on("one", &repo, &["run"]));
    says(&ended, "made 1");
    says(&ended, "failed to reach the remote cache");
    says(&ended, "The cache is kept on this machine only");
    says(&ended, "used 1");
    let why = green(on("two", &repo, &["explain", "make"]));
    says(&why, "failed to reach the remote cache");
    let health = on("one", &repo, &["doctor"]);
    says(&health, "failed to reach the remote cache");
}

#[test]
fn a_bucket_that_nobody_answers_for_is_given_up_in_time() {
    // A port that was free a moment ago, so that connecting is refused.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let settings = format!(
        "[cache.remote]\nurl = \"s3://bucket/ci\"\nendpoint = \"http://127.0.0.1:{port}\"\nquestion_timeout = \"1s\"\n"
    );
    let repo = project(PIPELINE, &settings);
    let began = Instant::now();
    let mut command = command_on("one", &repo, &["run"]);
    command.env("AWS_ACCESS_KEY_ID", "someone");
    command.env("AWS_SECRET_ACCESS_KEY", "hush-hush-hush");
    let ended = green(Ended::of(command.output().unwrap()));
    says(&ended, "made 1");
    says(&ended, "The cache is kept on this machine only");
    assert!(!ended.shown().contains("hush-hush"), "{}", ended.shown());
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    // Without credentials it is not used, which is told.
    let without = green(on("two", &repo, &["run"]));
    assert!(
        without.stderr.contains("set AWS_ACCESS_KEY_ID"),
        "{}",
        without.shown()
    );
    says(&without, "made 1");
}

#[test]
fn a_servers_name_in_the_projects_file_is_not_trusted_with_credentials() {
    let settings =
        "[cache.remote]\nurl = \"s3://bucket\"\nendpoint = \"https://evil.example.com\"\n";
    let repo = project(PIPELINE, settings);
    let ended = green(on("one", &repo, &["run"]));
    assert!(
        ended.stderr.contains("your own settings do not trust"),
        "{}",
        ended.shown()
    );
    says(&ended, "made 1");
}

/// A zip byte by byte as GitLab's runner writes it: entries in order, sizes behind the contents, times (`UT`) and owners (`ux`) in
/// extra fields, files stored where packing does not pay.
fn as_a_runner_packs_it(content: &str) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    let entries = [
        ("deps/", 0o040_755, ""),
        ("deps/link", 0o120_777, "sub/content"),
        ("deps/sub/", 0o040_755, ""),
        ("deps/sub/content", 0o100_640, content),
    ];
    let mut extra = vec![0x55, 0x54, 5, 0, 1];
    extra.extend(1_700_000_000_u32.to_le_bytes());
    extra.extend([0x75, 0x78, 11, 0, 1, 4, 0xe8, 3, 0, 0, 4, 0xe8, 3, 0, 0]);
    for (name, mode, content) in entries {
        let offset = archive.len() as u32;
        let sizes_behind: u16 = if content.is_empty() { 0 } else { 8 };
        let names = [name.len() as u16, extra.len() as u16];
        let mut fixed = Vec::new();
        // Needs version 2.0; UTF-8 names; stored; a day in 2023.
        for number in [20, 0x800 | sizes_behind, 0, 0, 0x576e] {
            fixed.extend(u16::to_le_bytes(number));
        }
        let sums = [
            crc32(content.as_bytes()),
            content.len() as u32,
            content.len() as u32,
        ];
        let sums: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        let names: Vec<u8> = names
            .iter()
            .flat_map(|length| length.to_le_bytes())
            .collect();
        archive.extend(b"PK\x03\x04");
        archive.extend(&fixed);
        archive.extend(if content.is_empty() {
            &sums[..]
        } else {
            &[0; 12]
        });
        archive.extend(&names);
        archive.extend(name.as_bytes());
        archive.extend(&extra);
        archive.extend(content.as_bytes());
        if !content.is_empty() {
            archive.extend(b"PK\x07\x08");
            archive.extend(&sums);
        }
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(&fixed);
        directory.extend(&sums);
        directory.extend(&names);
        // No comment, first disk, no internal attributes.
        directory.extend([0; 6]);
        directory.extend(u32::to_le_bytes(mode << 16));
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
        directory.extend(&extra);
    }
    let place = archive.len() as u32;
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0\x04\0\x04\0");
    archive.extend((directory.len() as u32).to_le_bytes());
    archive.extend(place.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(!0, step)
}

#[test]
fn a_cache_that_a_runner_left_is_found_and_used() {
    let repo = project(PIPELINE, "[project]\nid = 42\n");
    let key = key(&repo);
    assert!(key.ends_with("-non_protected"), "{key}");
    let place = shared(
        &repo,
        "format = \"gitlab-runner\"\nrunner = \"abcd1234\"\nproject = 42\n",
    );
    let object = place.join("runner/abcd1234/project/42").join(&key);
    std::fs::create_dir_all(object.parent().unwrap()).unwrap();
    std::fs::write(&object, as_a_runner_packs_it("from a runner\n")).unwrap();
    let ended = green(on("one", &repo, &["run"]));
    never_says(&ended, "made");
    says(&ended, "used from a runner");
    // What is saved lies where a runner looks for it, and is a zip.
    std::fs::remove_file(&object).unwrap();
    let made = green(on("two", &repo, &["run"]));
    says(&made, "made 1");
    let bytes = std::fs::read(&object).unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let names: Vec<String> = (0..archive.len())
        .map(|at| archive.by_index(at).unwrap().name().unwrap().into_owned())
        .collect();
    assert_eq!(
        names,
        ["deps/", "deps/link", "deps/sub/", "deps/sub/content"]
    );
}

#[test]
fn a_hostile_or_broken_archive_is_refused_and_the_job_goes_without() {
    let pipeline = "\
job:
  cache: {key: k, paths: [deps/], policy: pull}
  script: ['test ! -e deps', 'echo went without']
";
    let repo = project(pipeline, "");
    let place = shared(&repo, "format = \"gitlab-runner\"\nproject = 7\n");
    let object = place.join("project/7/k-non_protected");
    std::fs::create_dir_all(object.parent().unwrap()).unwrap();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let plain = SimpleFileOptions::default();
    writer.start_file("deps/fine", plain).unwrap();
    writer.start_file("../../../escaped", plain).unwrap();
    let climbing = writer.finish().unwrap().into_inner();
    let mut broken = as_a_runner_packs_it("x");
    broken.truncate(60);
    let tar = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0];
    for (content, told) in [
        (climbing, "the path climbs"),
        (broken, "failed to read the archive"),
        (b"no archive".to_vec(), "failed to read the archive"),
        (tar, "packed with tar and zstd"),
    ] {
        std::fs::write(&object, content).unwrap();
        let ended = green(on("one", &repo, &["run"]));
        says(&ended, told);
        says(&ended, "went without");
    }
    let root = repo.data();
    let root = root.parent().unwrap();
    let escaped = files(root)
        .into_iter()
        .find(|path| path.ends_with("escaped"));
    assert_eq!(escaped, None);
}

#[test]
fn fallback_keys_are_looked_for_in_order_here_and_there() {
    let make = "\
make: {cache: {key: $WHICH, paths: [f]}, script: ['echo $WHICH > f']}
";
    let repo = project(make, "");
    shared(&repo, "");
    for key in ["second", "third"] {
        let which = format!("WHICH={key}");
        passes(on("one", &repo, &["run", "--variable", &which]));
    }
    // The second is only there, the third here as well: the order of the keys counts.
    passes(on("two", &repo, &["run", "--variable", "WHICH=third"]));
    repo.write(
        ".gitlab-ci.yml",
        "use: {cache: {key: first, fallback_keys: [second, third], paths: [f], policy: pull}, script: [cat f]}\n",
    );
    let ended = green(on("two", &repo, &["run"]));
    says(&ended, "use | second\n");
    says(&ended, "Checking cache for first-non_protected...");
}

#[test]
fn other_refs_neither_read_nor_write_what_protected_refs_use() {
    let pipeline = "job: {cache: {key: k, paths: [f]}, script: ['cat f || true', 'echo $CI_COMMIT_BRANCH > f']}\n";
    let repo = project(pipeline, "");
    let place = shared(&repo, "");
    let settings = repo.read("tidegate.toml");
    repo.write(
        "tidegate.toml",
        format!("{settings}[project]\nprotected_branches = [\"main\"]\n"),
    );
    passes(on("one", &repo, &["run"]));
    let protected: Vec<PathBuf> = files(&place);
    assert!(
        protected
            .iter()
            .all(|path| path.to_string_lossy().contains("/protected/"))
    );
    repo.git(&["checkout", "--quiet", "-b", "feature"]);
    let feature = green(on("two", &repo, &["run"]));
    never_says(&feature, "job | main\n");
    // Not by name either: neither as a key, nor as the fallback of all jobs, however it is written.
    for fallback in [
        "k-protected",
        "k-protected/",
        "k-protected%2e",
        "x/../k-protected",
    ] {
        let variable = format!("CACHE_FALLBACK_KEY={fallback}");
        let ended = green(on(
            "three",
            &repo,
            &[
                "run",
                "--variable",
                &variable,
                "--remote-cache",
                "read-only",
            ],
        ));
        never_says(&ended, "job | main\n");
    }
    let key = repo
        .read(".gitlab-ci.yml")
        .replace("key: k,", "key: k-protected,");
    repo.write(".gitlab-ci.yml", key);
    never_says(&green(on("three", &repo, &["run"])), "job | main\n");
    let before: Vec<(PathBuf, Vec<u8>)> = protected
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    assert!(!before.is_empty());
    // With the policy switched off they share.
    let settings = repo.read("tidegate.toml");
    repo.write(
        "tidegate.toml",
        settings.replacen(
            "[cache.remote]",
            "[cache]\nprotected = \"off\"\n[cache.remote]",
            1,
        ),
    );
    passes(on("three", &repo, &["run"]));
    repo.git(&["stash", "--quiet"]);
    repo.git(&["checkout", "--quiet", "main"]);
    repo.git(&["stash", "pop", "--quiet"]);
    says(&green(on("four", &repo, &["run"])), "job | feature\n");
}

#[test]
fn the_cache_command_looks_into_the_remote_cache() {
    let repo = project(PIPELINE, "");
    shared(&repo, "");
    passes(on("one", &repo, &["run"]));
    let key = key(&repo);
    let listed = green(on("two", &repo, &["cache", "ls", "--remote"]));
    says(&listed, &key);
    let why = green(on("two", &repo, &["cache", "why", "make"]));
    says(&why, "here         missing");
    says(&why, "remote       present");
    let into = repo.data().with_file_name("copied");
    let into = into.to_str().unwrap();
    passes(on("two", &repo, &["cache", "get", "--remote", &key, into]));
    let copied = std::fs::read_to_string(format!("{into}/deps/sub/content")).unwrap();
    assert_eq!(copied, "1\n");
    repo.write("deps/by-hand", "x");
    passes(on(
        "two",
        &repo,
        &["cache", "put", "--remote", "mine", "deps"],
    ));
    says(
        &green(on("three", &repo, &["cache", "ls", "--remote"])),
        "mine",
    );
    passes(on("three", &repo, &["cache", "rm", "--remote", "mine"]));
    never_says(
        &green(on("three", &repo, &["cache", "ls", "--remote"])),
        "mine",
    );
    let pruned = green(on(
        "three",
        &repo,
        &["cache", "prune", "--remote", "--max-age-days", "0"],
    ));
    says(&pruned, "1 caches");
    says(
        &green(on("three", &repo, &["cache", "ls", "--remote"])),
        "no caches",
    );
    let health = on("one", &repo, &["doctor"]);
    says(&health, "remote cache");
}
