//! Layers against a model, and against the kernel's overlayfs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::*;

/// A file system of files only: what `listing` shows, without directories.
type Model = BTreeMap<String, String>;

fn files_of(entry: &Entry) -> Model {
    let lines = listing(entry).into_iter();
    lines
        .filter_map(|line| line.split_once('=').map(|(a, b)| (a.into(), b.into())))
        .collect()
}

/// Paths two levels deep, so that files, directories and deletions meet.
fn change() -> impl Strategy<Value = (BTreeMap<String, String>, BTreeSet<String>)> {
    let path = || "[ab](/[ab](/[ab])?)?".prop_map(String::from);
    (
        prop::collection::btree_map(path(), "[0-9]{0,3}", 0..4),
        prop::collection::btree_set(path(), 0..3),
    )
}

/// Leaves out what cannot be: a path below a file, a path both deleted and written.
fn possible(
    model: &Model,
    written: BTreeMap<String, String>,
    deleted: BTreeSet<String>,
) -> (Model, BTreeSet<String>) {
    let related = |a: &str, b: &str| {
        a == b || a.starts_with(&format!("{b}/")) || b.starts_with(&format!("{a}/"))
    };
    let mut files = Model::new();
    for (path, text) in written {
        let clash = files
            .keys()
            .chain(model.keys())
            .any(|p| p != &path && related(p, &path));
        if !clash {
            files.insert(path, text);
        }
    }
    let deleted: BTreeSet<String> = deleted
        .into_iter()
        .filter(|path| !files.keys().any(|p| related(p, path)))
        .collect();
    (files, deleted)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_stack_of_deltas_is_the_tree_they_were_made_from(
        base in prop_oneof![Just(0), Just(60)],
        changes in prop::collection::vec(change(), 1..14)
    ) {
        let (_dir, store) = store();
        // Enough that merging keeps the base, and paths for the changes to meet.
        let mut model: Model = (0..base).map(|i| (format!("z{i}"), String::new())).collect();
        model.extend(["a/a", "a/b/a", "b/a/b"].map(|path| (path.to_owned(), "0".to_owned())));
        let files: Vec<_> = model.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let mut entry = save(&store, "k", &files);
        for (written, deleted) in changes {
            let (files, deleted) = possible(&model, written, deleted);
            model.retain(|path, _| {
                !deleted.iter().any(|gone| path == gone || path.starts_with(&format!("{gone}/")))
            });
            model.extend(files.clone());
            let files: Vec<_> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            let deleted: Vec<_> = deleted.iter().map(String::as_str).collect();
            entry = save_delta(&store, "k", &entry, &files, &deleted);
            prop_assert_eq!(files_of(&entry), model.clone());
            prop_assert_eq!(entry.files, model.len() as u64);
            prop_assert_eq!(entry.bytes, model.values().map(|text| text.len() as u64).sum::<u64>());
        }
        let _ = store.maintain(std::time::Duration::from_secs(9)).unwrap();
        prop_assert_eq!(store.verify(crate::Depth::Lstat).unwrap().problems, []);
    }
}

struct Overlay<'a>(&'a Path);

impl<'a> Overlay<'a> {
    fn mount(at: &'a Path, entry: &Entry, staging: &Path) -> rustix::io::Result<Self> {
        let lower: Vec<String> = entry
            .layers
            .iter()
            .map(|layer| layer.display().to_string())
            .collect();
        let (upper, work) = (staging.join("upper"), staging.join("work"));
        fs::create_dir_all(&upper).unwrap();
        fs::create_dir_all(&work).unwrap();
        let options = format!(
            "lowerdir={},upperdir={},workdir={},redirect_dir=off,metacopy=off",
            lower.join(":"),
            upper.display(),
            work.display()
        );
        let options = std::ffi::CString::new(options).unwrap();
        mount(
            "overlay",
            at,
            "overlay",
            MountFlags::empty(),
            options.as_c_str(),
        )?;
        Ok(Self(at))
    }
}

impl Drop for Overlay<'_> {
    fn drop(&mut self) {
        let _ = unmount(self.0, UnmountFlags::DETACH);
    }
}

#[test]
fn merged_deltas_go_on_hiding_what_each_of_them_hid() {
    let (_dir, store) = store();
    let many: Vec<String> = (0..60).map(|i| format!("z{i}")).collect();
    let mut files: Vec<_> = many.iter().map(|path| (path.as_str(), "")).collect();
    files.extend([("d/old", "1"), ("e/old", "1")]);
    let mut entry = save(&store, "k", &files);
    entry = save_delta(&store, "k", &entry, &[("e", "a file")], &["d"]);
    entry = save_delta(&store, "k", &entry, &[("d/new", "2")], &["e"]);
    entry = save_delta(&store, "k", &entry, &[("e/new", "2")], &[]);
    for round in 0..crate::compact::LONGEST {
        entry = save_delta(&store, "k", &entry, &[("n", &round.to_string())], &[]);
    }
    assert!(
        entry.layers.len() < crate::compact::LONGEST,
        "it was merged"
    );
    let mut lines = listing(&entry);
    lines.retain(|line| !line.starts_with('z'));
    assert_eq!(lines, ["d/", "d/new=2", "e/", "e/new=2", "n=7"]);
}

#[test]
fn what_the_kernel_leaves_in_an_upper_layer_is_a_delta() {
    let (dir, store) = store();
    let at = dir.path().join("mnt");
    fs::create_dir(&at).unwrap();
    let mut entry = save(
        &store,
        "k",
        &[("d/a", "1"), ("d/b", "2"), ("e/x/y", "3"), ("f", "4")],
    );
    let steps: [fn(&Path); 12] = [
        |m| fs::write(m.join("d/a"), "one").unwrap(),
        |m| fs::remove_file(m.join("d/b")).unwrap(),
        |m| fs::remove_dir_all(m.join("e")).unwrap(),
        |m| fill(m, &[("e/z", "again")]),
        |m| fs::remove_file(m.join("f")).unwrap(),
        |m| fill(m, &[("f/now/a", "directory")]),
        |m| fs::rename(m.join("d/a"), m.join("moved")).unwrap(),
        |m| fs::remove_dir_all(m.join("f")).unwrap(),
        |m| fs::write(m.join("f"), "file again").unwrap(),
        |m| fill(m, &[("d/new/deep", "x"), ("d/new/deeper", "y")]),
        |m| fs::remove_file(m.join("d/new/deep")).unwrap(),
        |m| fs::remove_dir_all(m.join("d")).unwrap(),
    ];
    for (index, step) in steps.into_iter().enumerate() {
        let staging = store.staging().unwrap();
        let mounted = match Overlay::mount(&at, &entry, staging.path()) {
            Ok(mounted) => mounted,
            Err(error) => return skipped(&format!("mounting an overlay: {error}")),
        };
        step(&at);
        let mut expected = Vec::new();
        list(&at, &at, &mut expected);
        expected.sort();
        drop(mounted);
        let tree = staging.tree("upper").unwrap();
        entry = store.put_cache_delta(new("k"), &entry, tree, &[]).unwrap();
        assert_eq!(listing(&entry), expected, "step {index}");
        let files = expected.iter().filter(|line| line.contains('=')).count();
        assert_eq!(entry.files, files as u64, "step {index}");

        // And the kernel sees the stored layers as we do.
        let again = store.staging().unwrap();
        let mounted = Overlay::mount(&at, &entry, again.path()).unwrap();
        let mut seen = Vec::new();
        list(&at, &at, &mut seen);
        seen.sort();
        assert_eq!(seen, expected, "step {index}");
        drop(mounted);
    }
    assert_eq!(store.verify(crate::Depth::Lstat).unwrap().problems, []);
}
