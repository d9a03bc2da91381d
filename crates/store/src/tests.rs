//! Behaviour of the whole store, on a directory of its own for each test.

mod crash;
mod entries;
mod full_disk;
mod housekeeping;
mod layers;
mod runs;

use std::fs;
use std::path::Path;

use crate::{Entry, NewEntry, Store};

pub(crate) fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("data")).unwrap();
    (dir, store)
}

pub(crate) fn new(key: &str) -> NewEntry<'_> {
    NewEntry {
        project: "p",
        key,
        note: "",
    }
}

/// Fills a tree: `path` ending in `/` makes a directory.
pub(crate) fn fill(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path_in = root.join(path);
        fs::create_dir_all(path_in.parent().unwrap()).unwrap();
        match path.ends_with('/') {
            true => fs::create_dir_all(path_in).unwrap(),
            false => fs::write(path_in, text).unwrap(),
        }
    }
}

pub(crate) fn save(store: &Store, key: &str, files: &[(&str, &str)]) -> Entry {
    let staging = store.staging().unwrap();
    let tree = staging.tree("upper").unwrap();
    fill(tree.path(), files);
    store.put_cache(new(key), tree).unwrap()
}

pub(crate) fn save_delta(
    store: &Store,
    key: &str,
    base: &Entry,
    files: &[(&str, &str)],
    deleted: &[&str],
) -> Entry {
    let staging = store.staging().unwrap();
    let tree = staging.tree("upper").unwrap();
    fill(tree.path(), files);
    let deleted: Vec<_> = deleted.iter().map(Into::into).collect();
    store
        .put_cache_delta(new(key), base, tree, &deleted)
        .unwrap()
}

/// The merged tree as `path=content` and `path/`, sorted.
pub(crate) fn listing(entry: &Entry) -> Vec<String> {
    let copy = tempfile::tempdir().unwrap();
    entry.copy_to(copy.path()).unwrap();
    let mut lines = Vec::new();
    list(copy.path(), copy.path(), &mut lines);
    lines.sort();
    lines
}

fn list(root: &Path, directory: &Path, lines: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if path.is_symlink() {
            lines.push(format!(
                "{name}->{}",
                fs::read_link(&path).unwrap().display()
            ));
        } else if path.is_dir() {
            lines.push(format!("{name}/"));
            list(root, &path, lines);
        } else {
            lines.push(format!("{name}={}", fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Skips with a reason, which is a failure where everything is required.
pub(crate) fn skipped(reason: &str) {
    assert!(
        std::env::var_os("TIDEGATE_REQUIRE_ALL").is_none_or(|value| value != "1"),
        "skipped: {reason}"
    );
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}
