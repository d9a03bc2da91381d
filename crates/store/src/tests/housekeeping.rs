//! Settling, power cuts, superseding, eviction, sweeping, verifying.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use super::*;
use crate::{Depth, EntryKind, KeyState, Node, Problem, Quota, RunId, StoreError};

const LONG: Duration = Duration::from_secs(60);

fn later(seconds: u64) -> SystemTime {
    SystemTime::now() + Duration::from_secs(seconds)
}

fn text(store: &Store, key: &str) -> Option<Vec<String>> {
    store
        .find_cache("p", key)
        .unwrap()
        .map(|entry| listing(&entry))
}

fn trees_on_disk(store: &Store) -> usize {
    fs::read_dir(store.directory().join("trees"))
        .unwrap()
        .count()
}

#[test]
fn a_large_tree_is_settled_beside_the_caller_once_it_is_saved() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let before = Store::with_boot(&data, "boot-1");
    assert!(before.settle_soon(1 << 20, None).is_none(), "it can wait");
    let left = before.settle_soon(1 << 30, None).unwrap();
    save(&before, "lost", &[("a", "nobody said that it is saved")]);
    drop(left);
    let settling = before.settle_soon(1 << 30, None).unwrap();
    save(&before, "k", &[("a", "large")]);
    settling.saved();
    let until = std::time::Instant::now() + LONG;
    let is_settled = || {
        let after = Store::with_boot(&data, "boot-2");
        text(&after, "k").is_some()
    };
    while !is_settled() {
        assert!(std::time::Instant::now() < until, "it settles");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(before.is_maintenance_due(SystemTime::now()).unwrap());
    assert_eq!(before.settle().unwrap(), 0, "nothing is left to do");
}

#[test]
fn after_a_power_cut_a_key_points_at_its_last_settled_entry() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let before = Store::with_boot(&data, "boot-1");
    save(&before, "k", &[("a", "settled")]);
    assert_eq!(before.settle().unwrap(), 1);
    let newer = save(&before, "k", &[("a", "lost")]);
    save_delta(&before, "d", &newer, &[("b", "lost too")], &[]);
    save(&before, "fresh", &[("a", "lost")]);
    assert_eq!(
        text(&before, "k").unwrap(),
        ["a=lost"],
        "believed during its boot"
    );
    drop(before);

    let after = Store::with_boot(&data, "boot-2");
    assert_eq!(text(&after, "k").unwrap(), ["a=settled"]);
    assert_eq!(
        after.cache_states("p", &["k", "d", "fresh"]).unwrap(),
        [KeyState::Present, KeyState::Missing, KeyState::Missing]
    );
    assert_eq!(after.entries(EntryKind::Cache, None).unwrap().len(), 1);
    let done = after.maintain(LONG).unwrap();
    assert_eq!(
        (done.superseded, done.settled, done.trash_empty),
        (3, 0, true)
    );
    assert_eq!(trees_on_disk(&after), 1);
    assert_eq!(text(&after, "k").unwrap(), ["a=settled"]);
    assert_eq!(after.verify(Depth::Lstat).unwrap().problems, []);
}

#[test]
fn when_the_disk_cannot_sync_only_settled_entries_stay() {
    let (_dir, store) = store();
    save(&store, "k", &[("a", "settled")]);
    store.settle().unwrap();
    let newer = save(&store, "k", &[("a", "doubtful")]);
    save_delta(&store, "d", &newer, &[("b", "doubtful")], &[]);
    let staging = store.staging().unwrap();
    let new = crate::NewArtifact {
        run: RunId(1),
        job: "j",
        attempt: 1,
        name: "n",
        r#type: "archive",
        expire_in: None,
    };
    store
        .put_artifacts(new, staging.tree("t").unwrap())
        .unwrap();
    // What `settle` does after an error of `syncfs`.
    store.drop_unsettled(i64::MAX).unwrap();
    assert_eq!(text(&store, "k").unwrap(), ["a=settled"]);
    assert_eq!(store.find_cache("p", "d").unwrap(), None);
    assert_eq!(
        store
            .find_artifacts(crate::ArtifactFilter::default())
            .unwrap(),
        []
    );
    assert_eq!(trees_on_disk(&store), 1);
    assert_eq!(store.verify(Depth::Lstat).unwrap().problems, []);
}

#[test]
fn a_superseded_entry_goes_when_the_newer_is_settled_and_it_is_not_leased() {
    let (_dir, store) = store();
    let old = save(&store, "k", &[("a", "1")]);
    let lease = store.lease(&old, RunId(1)).unwrap();
    save(&store, "k", &[("a", "2")]);
    assert_eq!(store.maintain(LONG).unwrap().superseded, 0);
    assert!(old.layers[0].join("a").exists());
    drop(lease);
    assert_eq!(store.maintain(LONG).unwrap().superseded, 1);
    assert!(!old.layers[0].exists());
    assert_eq!(text(&store, "k").unwrap(), ["a=2"]);
}

#[test]
fn a_base_stays_while_a_delta_stands_on_it() {
    let (_dir, store) = store();
    let base = save(&store, "k", &[("a", "1")]);
    save_delta(&store, "k", &base, &[("b", "2")], &[]);
    assert_eq!(store.maintain(LONG).unwrap().superseded, 1);
    assert_eq!(text(&store, "k").unwrap(), ["a=1", "b=2"]);
}

#[test]
fn eviction_takes_the_least_recently_used_and_spares_leases() {
    let (_dir, store) = store();
    let entries: Vec<_> = ["a", "b", "c", "d"]
        .iter()
        .map(|key| save(&store, key, &[("f", "0123456789")]))
        .collect();
    let _used = store.lease(&entries[0], RunId(1)).unwrap();
    drop(store.lease(&entries[1], RunId(1)).unwrap());
    let quota = Quota {
        bytes: Some(20),
        ..Quota::default()
    };
    let pruned = store.prune(&quota, later(0)).unwrap();
    assert_eq!((pruned.caches, pruned.bytes), (2, 20));
    let states = store.cache_states("p", &["a", "b", "c", "d"]).unwrap();
    use KeyState::{Missing, Present};
    assert_eq!(states, [Present, Present, Missing, Missing]);

    let quota = Quota {
        bytes: Some(0),
        age: Some(Duration::ZERO),
        ..Quota::default()
    };
    store.prune(&quota, later(9)).unwrap();
    let states = store.cache_states("p", &["a", "b"]).unwrap();
    assert_eq!(
        states,
        [Present, Missing],
        "a leased entry is never evicted"
    );
}

#[test]
fn eviction_by_age_and_by_project_keeps_to_what_is_asked() {
    let (_dir, store) = store();
    for (project, key) in [("p", "1"), ("p", "2"), ("q", "1")] {
        let staging = store.staging().unwrap();
        let tree = staging.tree("t").unwrap();
        fill(tree.path(), &[("f", "0123456789")]);
        store
            .put_cache(
                NewEntry {
                    project,
                    key,
                    note: "",
                },
                tree,
            )
            .unwrap();
    }
    let day = Some(Duration::from_secs(86_400));
    let quota = Quota {
        project_bytes: Some(10),
        age: day,
        ..Quota::default()
    };
    assert_eq!(store.prune(&quota, later(0)).unwrap().caches, 1);
    assert_eq!(store.find_cache("p", "1").unwrap(), None);
    assert!(store.find_cache("q", "1").unwrap().is_some());
    assert_eq!(store.prune(&quota, later(86_500)).unwrap().caches, 2);
}

#[test]
fn a_lease_of_a_dead_process_lapses() {
    let (_dir, store) = store();
    let entry = save(&store, "k", &[("a", "1")]);
    store
        .write(|t| {
            let add = "INSERT INTO leases (owner, run, entry) VALUES ('1-dead', 1, ?)";
            Ok(t.execute(add, [entry.id.0])?)
        })
        .unwrap();
    let quota = Quota {
        bytes: Some(0),
        ..Quota::default()
    };
    assert_eq!(store.prune(&quota, later(0)).unwrap().caches, 0);
    assert_eq!(store.maintain(LONG).unwrap().leases, 1);
    assert_eq!(store.prune(&quota, later(0)).unwrap().caches, 1);
}

#[test]
fn the_trash_is_emptied_even_of_read_only_directories_and_within_its_time() {
    let (_dir, store) = store();
    let entry = save(&store, "k", &[("d/a", "1")]);
    let closed = entry.layers[0].join("d");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
    store.remove_entry(entry.id).unwrap();
    assert!(!store.maintain(Duration::ZERO).unwrap().trash_empty);
    assert!(store.maintain(LONG).unwrap().trash_empty);
    assert_eq!(
        fs::read_dir(store.directory().join("trash"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn verify_names_every_kind_of_damage() {
    let (_dir, store) = store();
    type Hurt = fn(&Path);
    let damage: [(&str, Hurt); 5] = [
        ("its kind, size or target differs", |d| {
            fs::write(d.join("a"), "longer").unwrap()
        }),
        ("it is missing", |d| fs::remove_file(d.join("a")).unwrap()),
        ("it is not in the manifest", |d| {
            fs::write(d.join("z"), "").unwrap()
        }),
        ("its mode differs", |d| {
            fs::set_permissions(d.join("a"), fs::Permissions::from_mode(0o600)).unwrap();
        }),
        ("its time of modification differs", |d| {
            fs::write(d.join("a"), "12345").unwrap()
        }),
    ];
    for (expected, hurt) in damage {
        let entry = save(&store, "k", &[("a", "54321"), ("b", "1")]);
        store.check_entry(&entry).unwrap();
        std::thread::sleep(Duration::from_millis(12));
        hurt(&entry.layers[0]);
        let problems = store.verify(Depth::Lstat).unwrap().problems;
        assert_eq!(problems.len(), 1, "{expected}: {problems:?}");
        let Problem::Tree { why, .. } = &problems[0] else {
            panic!("{problems:?}")
        };
        assert!(why.contains(expected), "{why}");
        let error = store.check_entry(&entry).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        store.remove_entry(entry.id).unwrap();
    }
}

#[test]
fn contents_are_held_against_digests_once_they_have_been_read() {
    let (_dir, store) = store();
    let entry = save(&store, "k", &[("a", "12345"), ("d/b", "1")]);
    assert_eq!(
        store.verify(Depth::Contents).unwrap().bytes,
        0,
        "nothing is known yet"
    );
    assert_eq!(store.hash_pending(LONG).unwrap(), 1);
    assert_eq!(store.hash_pending(LONG).unwrap(), 0);
    let digest = store
        .manifest(&entry)
        .unwrap()
        .into_iter()
        .find_map(|path| match path.node {
            Node::File { digest, .. } => digest,
            _ => None,
        });
    assert_eq!(digest, Some(crate::Digest::of(b"12345")));
    let verified = store.verify(Depth::Contents).unwrap();
    assert_eq!(
        (verified.paths, verified.bytes, verified.problems.len()),
        (3, 6, 0)
    );

    // The same size and time: only the content tells.
    let file = entry.layers[0].join("a");
    let mtime = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, "54321").unwrap();
    fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_modified(mtime)
        .unwrap();
    assert_eq!(store.verify(Depth::Lstat).unwrap().problems, []);
    let problems = store.verify(Depth::Contents).unwrap().problems;
    assert!(
        matches!(&problems[..], [Problem::Tree { why, .. }] if why.contains("content differs")),
        "{problems:?}"
    );
}

#[test]
fn verify_finds_orphans_and_damaged_manifests() {
    let (_dir, store) = store();
    let entry = save(&store, "k", &[("a", "1")]);
    fs::create_dir_all(store.directory().join("trees/1-dead.0/tree")).unwrap();
    let object = entry.layers[0].parent().unwrap();
    let manifest = fs::read_dir(object)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_file())
        .unwrap();
    fs::write(&manifest, "nonsense").unwrap();
    let problems = store.verify(Depth::Lstat).unwrap().problems;
    assert!(
        matches!(&problems[..], [Problem::Tree { .. }, Problem::Orphan(_)]),
        "{problems:?}"
    );
    assert_eq!(store.maintain(LONG).unwrap().orphans, 1);
}

#[test]
fn a_damaged_tree_does_not_keep_others_from_being_hashed() {
    let (_dir, store) = store();
    let entry = save(&store, "a", &[("a", "1")]);
    save(&store, "b", &[("b", "1")]);
    fs::remove_file(entry.layers[0].join("a")).unwrap();
    assert!(store.hash_pending(LONG).is_err());
    store.remove_entry(entry.id).unwrap();
    assert_eq!(
        store.verify(Depth::Contents).unwrap().bytes,
        1,
        "the other one is hashed"
    );
}

#[test]
fn tidying_up_is_due_after_an_hour_or_when_much_could_be_lost() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("data")).unwrap();
    assert!(
        !store.is_maintenance_due(later(0)).unwrap(),
        "nothing ran yet"
    );
    let new = crate::NewRun {
        project: "p",
        parent: None,
        note: "",
    };
    store.begin_run(new).unwrap();
    assert!(!store.is_maintenance_due(later(3000)).unwrap());
    assert!(store.is_maintenance_due(later(3700)).unwrap());
    store.maintain(LONG).unwrap();
    assert!(!store.is_maintenance_due(later(3000)).unwrap());
    assert!(store.is_maintenance_due(later(3700)).unwrap());
    let staging = store.staging().unwrap();
    let tree = staging.tree("t").unwrap();
    let large = fs::File::create(tree.path().join("large")).unwrap();
    large.set_len(65 << 20).unwrap();
    let new = crate::NewEntry {
        project: "p",
        key: "k",
        note: "",
    };
    store.put_cache(new, tree).unwrap();
    assert!(store.is_maintenance_due(later(0)).unwrap());
    store.settle().unwrap();
    assert!(!store.is_maintenance_due(later(0)).unwrap());
}
