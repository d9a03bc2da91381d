//! Random layers and random jobs: every backend ends with the same tree, and tells the changes a
//! naive comparison of the two trees tells.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use tidegate_workspace::{Backend, Entry, Kind, Layer, What, Workspace};

use crate::stage::{Stage, job, shell, works};

/// One command of a job; it may fail, as long as it fails alike everywhere.
#[derive(Debug, Clone)]
struct Step(String);

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4).prop_map(|p| p.join("/"))
}

fn step() -> impl Strategy<Value = Step> {
    let text = prop_oneof![
        4 => (path(), "[xyz]{0,3}").prop_map(|(p, text)| {
            format!("[ -d {p} ] || echo {text} > {p}")
        }),
        3 => path().prop_map(|p| format!("mkdir -p {p}")),
        2 => path().prop_map(|p| format!("rm -rf {p}")),
        2 => (path(), path()).prop_map(|(p, q)| format!("mv -T {p} {q}")),
        1 => (path(), path()).prop_map(|(p, q)| format!(
            // Into itself, `cp` copies what the order of the directory happens to show it.
            "case {q}/ in {p}/*) ;; *) rm -rf {q}; cp -a {p} {q} ;; esac"
        )),
        1 => (path(), path()).prop_map(|(p, q)| format!("ln -sfn {p} {q}")),
        // Of a file the job has written: see the limit named at `Workspace`.
        1 => (path(), path()).prop_map(|(p, q)| format!("rm {p} && echo new > {p} && ln {p} {q}")),
        1 => path().prop_map(|p| format!("[ -L {p} ] || chmod 700 {p}")),
        1 => path().prop_map(|p| format!("[ -L {p} ] || [ -d {p} ] || echo more >> {p}")),
        1 => path().prop_map(|p| format!("touch -ch -d 2010-01-01 {p}")),
        1 => path().prop_map(|p| format!(
            "[ -f {p} ] && [ ! -L {p} ] && t=$(stat -c %y {p}) && cp {p} {p}.new && \
             cat {p}.new > {p} && rm {p}.new && touch -d \"$t\" {p}"
        )),
    ];
    text.prop_map(Step)
}

fn script(steps: &[Step]) -> String {
    steps
        .iter()
        .map(|Step(text)| format!("{{ {text} ; }} 2>/dev/null || true\n"))
        .collect()
}

type Tree = BTreeMap<PathBuf, (Kind, u32, Vec<u8>, (i64, u32))>;

/// The tree as a union shows it; without the mtimes of directories, nor of what a job has written.
fn tree(workspace: &Workspace) -> Tree {
    let union = workspace.union().unwrap();
    let walk = union.walk(Path::new("")).unwrap();
    assert!(walk.entries.is_sorted_by(|a, b| a.path < b.path));
    let entries = walk.entries.into_iter().map(|entry| {
        let content = match entry.kind {
            Kind::File => union.read(&entry.path).unwrap(),
            Kind::Symlink => union.link_target(&entry).unwrap().into_bytes(),
            _ => Vec::new(),
        };
        let looked_up = union.lookup(&entry.path).unwrap();
        // What is in a directory only a walk sees.
        let inside = entry.inside;
        let seen = looked_up.map(|found| Entry { inside, ..found });
        assert_eq!(seen.as_ref(), Some(&entry));
        let old = entry.kind != Kind::Dir && entry.mtime.seconds < 1_500_000_000;
        let mtime = if old {
            (entry.mtime.seconds, entry.mtime.nanos)
        } else {
            (0, 0)
        };
        (entry.path, (entry.kind, entry.mode, content, mtime))
    });
    entries.collect()
}

/// The tree on disk, by the standard library alone.
fn disk(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(at) = dirs.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let mode = meta.permissions().mode();
            let mtime = (meta.mtime(), meta.mtime_nsec());
            let text = if meta.is_dir() {
                dirs.push(path.clone());
                format!("dir {mode:o}")
            } else if meta.is_symlink() {
                format!("link {mtime:?} {:?}", fs::read_link(&path).unwrap())
            } else {
                format!("file {mode:o} {mtime:?} {:?}", fs::read(&path).unwrap())
            };
            all.insert(path.strip_prefix(dir).unwrap().to_path_buf(), text);
        }
    }
    all
}

fn naive_changes(
    before: &BTreeMap<PathBuf, String>,
    after: &BTreeMap<PathBuf, String>,
) -> BTreeMap<PathBuf, What> {
    let mut changes = BTreeMap::new();
    for (path, text) in after {
        match before.get(path) {
            None => changes.insert(path.clone(), What::Added),
            Some(was) if was != text => changes.insert(path.clone(), What::Modified),
            Some(_) => None,
        };
    }
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    changes.extend(gone.map(|path| (path.clone(), What::Deleted)));
    changes
}

fn told_changes(workspace: &Workspace) -> BTreeMap<PathBuf, What> {
    let changes = workspace.changes().unwrap();
    assert!(changes.is_sorted_by(|a, b| a.path < b.path), "{changes:?}");
    changes
        .into_iter()
        .map(|change| (change.path, change.what))
        .collect()
}

fn check(layers: &[Vec<Step>], steps: &[Step], backends: &[Backend]) {
    let mut stage = Stage::new();
    for layer in layers {
        stage.layer(&format!(
            "{}find . -mindepth 1 -exec touch -h -d 2001-01-01 {{}} +",
            script(layer)
        ));
    }
    let copy = stage.workspace("copy", Backend::Copy);
    let before = disk(&copy.spec().dir);
    job(&copy, &script(steps));
    let expected = naive_changes(&before, &disk(&copy.spec().dir));
    assert_eq!(told_changes(&copy), expected, "copy");
    for backend in backends {
        let workspace = stage.workspace(backend.name(), *backend);
        job(&workspace, &script(steps));
        assert_eq!(tree(&workspace), tree(&copy), "{backend}");
        assert_eq!(told_changes(&workspace), expected, "{backend}");
    }
}

#[test]
fn backends_agree_on_random_layers_and_jobs() {
    let others = Backend::ALL
        .into_iter()
        .filter(|backend| *backend != Backend::Copy);
    let backends: Vec<Backend> = others.filter(|backend| works(*backend)).collect();
    let layer = || prop::collection::vec(step(), 0..12);
    let input = (
        prop::collection::vec(layer(), 1..4),
        prop::collection::vec(step(), 0..12),
    );
    let config = Config {
        cases: 48,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&input, |(layers, steps)| {
            check(&layers, &steps, &backends);
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_raw_upper_directory_of_one_job_is_a_layer_of_the_next() {
    for backend in [Backend::OverlayRoot, Backend::OverlayUser]
        .into_iter()
        .filter(|b| works(*b))
    {
        let mut stage = Stage::new();
        stage.layer("mkdir -p a b c; touch a/1 a/2 b/1 c/1 f");
        let first = stage.workspace("first", backend);
        job(
            &first,
            "rm a/1 f; rm -r b; mkdir b; echo 2 > b/2; rm -r c; echo 1 > c",
        );
        stage.layers.push(Layer::stored(first.upper().unwrap()));
        let seen = "./a\n./a/2\n./b\n./b/2\n./c\n";
        for next in [backend, Backend::Copy] {
            let workspace = stage.workspace(&format!("next-{next}"), next);
            let list = "find . -mindepth 1 | sort";
            assert_eq!(job(&workspace, list), seen, "{backend} {next}");
            let walk = workspace.union().unwrap().walk(Path::new("")).unwrap();
            assert_eq!(walk.entries.len(), 5, "{backend} {next}");
        }
    }
}

#[test]
fn whiteouts_by_attribute_hide_files() {
    let mut stage = Stage::new();
    stage.layer("mkdir d; touch d/hidden d/kept");
    let top = stage.layer("mkdir d; touch d/hidden");
    let set = |path: PathBuf, name: &str, value: &[u8]| {
        rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty())
    };
    if let Err(errno) = set(top.join("d"), "user.overlay.opaque", b"x") {
        assert_eq!(
            errno,
            rustix::io::Errno::OPNOTSUPP,
            "no user attributes here"
        );
        return;
    }
    set(top.join("d/hidden"), "user.overlay.whiteout", b"y").unwrap();
    let workspace = stage.workspace("job", Backend::Copy);
    assert_eq!(job(&workspace, "ls d"), "kept\n");
    assert!(
        workspace
            .base()
            .unwrap()
            .lookup("d/hidden".as_ref())
            .unwrap()
            .is_none()
    );
    shell(&top, "test -e d/hidden");
}
