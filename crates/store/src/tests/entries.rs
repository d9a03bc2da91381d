//! Saving, finding, layering, leasing and removing entries; artifacts; blobs.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::manifest::PathFault;
use crate::{ArtifactFilter, EntryKind, KeyState, NewArtifact, RunId, StoreError};

#[test]
fn a_saved_tree_is_found_by_its_key_in_another_handle() {
    let (dir, store) = store();
    let saved = save(&store, "deps/../x", &[("a/b", "one"), ("c", "four")]);
    assert_eq!((saved.bytes, saved.files), (7, 2));
    drop(store);

    let again = Store::open(&dir.path().join("data")).unwrap();
    let found = again.find_cache("p", "deps/../x").unwrap().unwrap();
    assert_eq!(found, saved);
    assert_eq!(listing(&found), ["a/", "a/b=one", "c=four"]);
    assert_eq!(again.find_cache("other", "deps/../x").unwrap(), None);
    assert_eq!(again.find_cache("p", "deps").unwrap(), None);
    assert_eq!(again.find_snapshot("p", "deps/../x").unwrap(), None);
}

#[test]
fn opening_does_not_touch_the_index() {
    let (dir, store) = store();
    assert!(!dir.path().join("data/index.db").exists());
    let started = Instant::now();
    for _ in 0..50 {
        Store::open(store.directory()).unwrap();
    }
    assert!(
        started.elapsed() < Duration::from_millis(100),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn the_newest_entry_of_a_key_wins() {
    let (_dir, store) = store();
    save(&store, "k", &[("a", "old")]);
    save(&store, "k", &[("a", "new")]);
    let found = store.find_cache("p", "k").unwrap().unwrap();
    assert_eq!(listing(&found), ["a=new"]);
    assert_eq!(store.entries(EntryKind::Cache, None).unwrap(), [found]);
}

#[test]
fn states_come_in_the_order_asked() {
    let (_dir, store) = store();
    save(&store, "b", &[]);
    let states = store.cache_states("p", &["a", "b", "b", "c"]).unwrap();
    let (present, missing) = (KeyState::Present, KeyState::Missing);
    assert_eq!(states, [missing, present, present, missing]);
}

#[test]
fn modes_times_and_links_come_back() {
    let (_dir, store) = store();
    let staging = store.staging().unwrap();
    let tree = staging.tree("t").unwrap();
    fill(tree.path(), &[("bin/run", "#!"), ("empty/", "")]);
    fs::set_permissions(
        tree.path().join("bin/run"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    fs::set_permissions(tree.path().join("empty"), fs::Permissions::from_mode(0o555)).unwrap();
    symlink("/etc/passwd", tree.path().join("link")).unwrap();
    let mtime = fs::metadata(tree.path().join("bin/run"))
        .unwrap()
        .mtime_nsec();
    let entry = store.put_cache(new("k"), tree).unwrap();

    let copy = tempfile::tempdir().unwrap();
    entry.copy_to(copy.path()).unwrap();
    let run = fs::metadata(copy.path().join("bin/run")).unwrap();
    assert_eq!((run.mode() & 0o7777, run.mtime_nsec()), (0o755, mtime));
    assert_eq!(
        fs::metadata(copy.path().join("empty")).unwrap().mode() & 0o7777,
        0o555
    );
    assert_eq!(
        fs::read_link(copy.path().join("link")).unwrap(),
        Path::new("/etc/passwd")
    );
}

#[test]
fn a_delta_changes_adds_and_deletes() {
    let (_dir, store) = store();
    let base = save(
        &store,
        "k",
        &[
            ("d/a", "1"),
            ("d/b", "22"),
            ("e/x", "333"),
            ("e/y/z", "4444"),
        ],
    );
    let next = save_delta(
        &store,
        "k",
        &base,
        &[("d/a", "one"), ("n/m", "new")],
        &["d/b", "e"],
    );
    assert_eq!(listing(&next), ["d/", "d/a=one", "n/", "n/m=new"]);
    assert_eq!((next.bytes, next.files), (6, 2));
    assert_eq!(next.layers.len(), 2);
    assert_eq!(next.layers[1], base.layers[0]);
    assert_eq!(store.find_cache("p", "k").unwrap(), Some(next));
    assert_eq!(listing(&base).len(), 7, "the base is as it was");
}

#[test]
fn deleting_what_is_not_there_leaves_no_mark() {
    let (_dir, store) = store();
    let base = save(&store, "k", &[("a", "1")]);
    let next = save_delta(&store, "k", &base, &[], &["b"]);
    assert_eq!(fs::read_dir(&next.layers[0]).unwrap().count(), 0);
}

#[test]
fn a_directory_deleted_and_made_anew_shows_nothing_old() {
    let (_dir, store) = store();
    let base = save(&store, "k", &[("d/a", "1"), ("d/b", "1"), ("e/a", "1")]);
    let next = save_delta(
        &store,
        "k",
        &base,
        &[("d/c", "1"), ("e", "f")],
        &["d", "d/a", "e/a"],
    );
    assert_eq!(listing(&next), ["d/", "d/c=1", "e=f"]);
    assert_eq!(next.files, 2);
}

#[test]
fn a_path_to_delete_cannot_leave_the_tree() {
    let (_dir, store) = store();
    let base = save(&store, "k", &[("a", "1")]);
    for path in ["../a", "/a", "b/../../a"] {
        let staging = store.staging().unwrap();
        let tree = staging.tree("t").unwrap();
        let error = store
            .put_cache_delta(new("k"), &base, tree, &[path.into()])
            .unwrap_err();
        assert!(matches!(error, StoreError::Path { .. }), "{error}");
    }
}

#[test]
fn a_base_loses_deletion_marks_so_that_it_cannot_hide_a_checkout() {
    let (_dir, store) = store();
    let staging = store.staging().unwrap();
    let tree = staging.tree("t").unwrap();
    fill(tree.path(), &[("d/a", "1")]);
    crate::overlay::make_whiteout(&tree.path().join("d/gone")).unwrap();
    let marked = crate::overlay::make_opaque(&tree.path().join("d")).is_ok();
    let entry = store.put_cache(new("k"), tree).unwrap();
    assert_eq!(fs::read_dir(entry.layers[0].join("d")).unwrap().count(), 1);
    if marked {
        assert!(!crate::overlay::is_opaque(&entry.layers[0].join("d")).unwrap());
    } else {
        skipped("no extended attributes on the temporary directory");
    }
}

#[test]
fn an_opaque_directory_hides_the_base() {
    let (_dir, store) = store();
    let base = save(&store, "k", &[("d/a", "1"), ("d/b", "1"), ("e", "1")]);
    let staging = store.staging().unwrap();
    let tree = staging.tree("t").unwrap();
    fill(tree.path(), &[("d/c", "55555")]);
    if let Err(error) = crate::overlay::make_opaque(&tree.path().join("d")) {
        return skipped(&error.to_string());
    }
    let next = store.put_cache_delta(new("k"), &base, tree, &[]).unwrap();
    assert_eq!(listing(&next), ["d/", "d/c=55555", "e=1"]);
    assert_eq!((next.bytes, next.files), (6, 2));
}

#[test]
fn a_long_stack_is_merged_and_looks_the_same() {
    let (_dir, store) = store();
    let many: Vec<(String, String)> = (0..100).map(|i| (format!("d/f{i}"), "x".into())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let mut entry = save(&store, "k", &many);
    for round in 0..30 {
        let name = format!("d/f{round}");
        let gone = format!("d/f{}", 99 - round);
        entry = save_delta(&store, "k", &entry, &[(&name, "changed")], &[&gone]);
        assert!(entry.layers.len() <= crate::compact::LONGEST);
        assert_eq!(entry.files, 99 - round, "round {round}");
    }
    let lines = listing(&entry);
    assert_eq!(lines.len(), 71);
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.ends_with("=changed"))
            .count(),
        30
    );
    assert_eq!(entry.bytes, 30 * 7 + 40);
    assert_eq!(store.find_cache("p", "k").unwrap(), Some(entry));
}

#[test]
fn deltas_heavier_than_the_base_become_a_new_base() {
    let (_dir, store) = store();
    let mut entry = save(&store, "k", &[("a", "0")]);
    for round in 0..crate::compact::LONGEST {
        entry = save_delta(&store, "k", &entry, &[(&format!("n{round}"), "1")], &[]);
    }
    assert_eq!(entry.layers.len(), 1);
    assert_eq!(listing(&entry).len(), 1 + crate::compact::LONGEST);
}

#[test]
fn sockets_and_pipes_are_dropped_and_devices_refused() {
    let (_dir, store) = store();
    let staging = store.staging().unwrap();
    let tree = staging.tree("t").unwrap();
    fill(tree.path(), &[("a", "1")]);
    let _socket = std::os::unix::net::UnixListener::bind(tree.path().join("s")).unwrap();
    let entry = store.put_cache(new("k"), tree).unwrap();
    assert_eq!(listing(&entry), ["a=1"]);

    let tree = staging.tree("u").unwrap();
    let null = tree.path().join("null");
    let device = rustix::fs::makedev(1, 3);
    let kind = rustix::fs::FileType::CharacterDevice;
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    if rustix::fs::mknodat(rustix::fs::CWD, &null, kind, mode, device).is_err() {
        return skipped("device nodes cannot be made here");
    }
    let error = store.put_cache(new("k2"), tree).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Path {
                fault: PathFault::Device,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(store.find_cache("p", "k2").unwrap(), None);
}

#[test]
fn only_a_directory_directly_in_staging_can_be_adopted() {
    let (_dir, store) = store();
    let staging = store.staging().unwrap();
    for name in ["../up", "/abs", "a/b", "..", ""] {
        let error = staging.tree(name).unwrap_err();
        assert!(matches!(error, StoreError::Path { .. }), "{name}: {error}");
    }
    symlink("/tmp", staging.path().join("link")).unwrap();
    assert!(staging.tree("link").is_err());
}

#[test]
fn a_dropped_staging_directory_is_gone() {
    let (_dir, store) = store();
    let staging = store.staging().unwrap();
    let path = staging.path().to_owned();
    fill(&path, &[("a/b", "1")]);
    drop(staging);
    assert!(!path.exists());
}

#[test]
fn a_lease_of_a_removed_entry_fails_and_a_leased_one_stays_on_disk() {
    let (_dir, store) = store();
    let entry = save(&store, "k", &[("a", "1")]);
    let lease = store.lease(&entry, RunId(1)).unwrap();
    store.remove_entry(entry.id).unwrap();
    assert_eq!(store.find_cache("p", "k").unwrap(), None);
    assert!(entry.layers[0].join("a").exists());
    drop(lease);

    let entry = save(&store, "k", &[("a", "1")]);
    store.remove_entry(entry.id).unwrap();
    assert!(!entry.layers[0].exists());
    let error = store.lease(&entry, RunId(1)).unwrap_err();
    assert!(matches!(error, StoreError::Gone { .. }), "{error}");
}

#[test]
fn removing_an_entry_does_not_show_an_older_one() {
    let (_dir, store) = store();
    save(&store, "k", &[("a", "1")]);
    let newer = save(&store, "k", &[("a", "2")]);
    store.remove_entry(newer.id).unwrap();
    assert_eq!(store.find_cache("p", "k").unwrap(), None);
}

#[test]
fn a_delta_on_a_base_that_has_gone_is_refused() {
    let (_dir, store) = store();
    let base = save(&store, "k", &[("a", "1")]);
    store.remove_entry(base.id).unwrap();
    let staging = store.staging().unwrap();
    let tree = staging.tree("t").unwrap();
    fill(tree.path(), &[("b", "1")]);
    let error = store
        .put_cache_delta(new("k"), &base, tree, &[])
        .unwrap_err();
    assert!(
        matches!(error, StoreError::Gone { .. } | StoreError::Io { .. }),
        "{error}"
    );
    assert_eq!(store.find_cache("p", "k").unwrap(), None);
}

#[test]
fn a_layer_removed_by_hand_is_damage_not_a_hit() {
    let (_dir, store) = store();
    let entry = save(&store, "k", &[("a", "1")]);
    fs::remove_dir_all(&entry.layers[0]).unwrap();
    let error = store.find_cache("p", "k").unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[test]
fn the_nearest_keys_share_a_prefix_and_differ_little() {
    let (_dir, store) = store();
    for key in ["0_yarn-aaaa", "0_yarn-abcf", "1_gems-abcd", "main"] {
        save(&store, key, &[]);
    }
    let near = store.nearest_cache_keys("p", "0_yarn-abcd", 2).unwrap();
    assert_eq!(near, ["0_yarn-abcf", "0_yarn-aaaa"]);
}

fn artifact(job: &str, expire_in: Option<Duration>) -> NewArtifact<'_> {
    NewArtifact {
        run: RunId(3),
        job,
        attempt: 1,
        name: "out",
        r#type: "archive",
        expire_in,
    }
}

#[test]
fn artifacts_are_found_by_what_is_asked() {
    let (_dir, store) = store();
    let staging = store.staging().unwrap();
    for (tree, new) in [
        ("a", artifact("build", None)),
        (
            "b",
            NewArtifact {
                r#type: "dotenv",
                ..artifact("build", None)
            },
        ),
        (
            "c",
            NewArtifact {
                attempt: 2,
                ..artifact("build", None)
            },
        ),
        ("d", artifact("test", None)),
    ] {
        let tree = staging.tree(tree).unwrap();
        fill(tree.path(), &[("f", "12345")]);
        store.put_artifacts(new, tree).unwrap();
    }
    let count = |filter| store.find_artifacts(filter).unwrap().len();
    let all = ArtifactFilter::default();
    assert_eq!(count(all), 4);
    assert_eq!(
        count(ArtifactFilter {
            job: Some("build"),
            ..all
        }),
        3
    );
    assert_eq!(
        count(ArtifactFilter {
            run: Some(RunId(4)),
            ..all
        }),
        0
    );
    let one = ArtifactFilter {
        r#type: Some("dotenv"),
        attempt: Some(1),
        ..all
    };
    let found = store.find_artifacts(one).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].bytes, found[0].files), (5, 1));
    assert_eq!(
        fs::read_to_string(found[0].tree.join("f")).unwrap(),
        "12345"
    );
}

#[test]
fn artifacts_expire_unless_leased() {
    let (_dir, store) = store();
    let staging = store.staging().unwrap();
    let hour = Some(Duration::from_secs(3600));
    let short = store
        .put_artifacts(artifact("a", hour), staging.tree("a").unwrap())
        .unwrap();
    let held = store
        .put_artifacts(artifact("b", hour), staging.tree("b").unwrap())
        .unwrap();
    store
        .put_artifacts(artifact("c", None), staging.tree("c").unwrap())
        .unwrap();
    let lease = store.lease_artifact(&held, RunId(3)).unwrap();

    let now = SystemTime::now();
    assert_eq!(store.expire_artifacts(now).unwrap(), 0);
    assert_eq!(
        store
            .expire_artifacts(now + Duration::from_secs(3601))
            .unwrap(),
        1
    );
    assert!(!short.tree.exists());
    assert!(held.tree.exists());
    drop(lease);
    assert_eq!(
        store
            .expire_artifacts(now + Duration::from_secs(3601))
            .unwrap(),
        1
    );
    assert_eq!(
        store
            .find_artifacts(ArtifactFilter::default())
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn blobs_come_back_and_names_can_move() {
    let (_dir, store) = store();
    let digest = store.put_blob(b"include: []").unwrap();
    assert_eq!(
        store.blob(digest).unwrap().as_deref(),
        Some(&b"include: []"[..])
    );
    assert_eq!(store.blob(crate::Digest::of(b"other")).unwrap(), None);

    store
        .remember("remote", "https://example.com/a.yml", b"one")
        .unwrap();
    store
        .remember("remote", "https://example.com/a.yml", b"two")
        .unwrap();
    let found = store
        .recall("remote", "https://example.com/a.yml")
        .unwrap()
        .unwrap();
    assert_eq!(found.bytes, b"two");
    assert_eq!(
        store
            .recall("project", "https://example.com/a.yml")
            .unwrap(),
        None
    );
    assert_eq!(
        store
            .forget_before(SystemTime::now() + Duration::from_secs(9))
            .unwrap(),
        1
    );
    assert_eq!(store.blob(digest).unwrap(), None);
}
