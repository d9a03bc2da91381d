//! Two machines with stores of their own and one shared directory between them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tidegate_store::{Entry, NewEntry, Store};

use crate::{
    Access, Format, Limits, Naming, Place, Remote, RemoteError, RemoteSetup, Rights, Timeouts,
    UnpackError,
};

const KEY: &str = "deps-non_protected";

struct Shared {
    root: tempfile::TempDir,
    format: Format,
}

impl Shared {
    fn new(format: Format) -> Shared {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("bucket")).unwrap();
        Shared { root, format }
    }

    fn bucket(&self) -> PathBuf {
        self.root.path().join("bucket")
    }

    fn setup(&self) -> RemoteSetup {
        RemoteSetup {
            place: Place::Directory(self.bucket()),
            naming: Naming {
                prefix: "team".to_owned(),
                runner: None,
                project: crate::ProjectName::Number(7),
                hashed_keys: false,
            },
            format: self.format,
            access: Access::ReadWrite,
            rights: Rights::All,
            limits: Limits {
                bytes: 64 << 20,
                entries: 1000,
            },
            timeouts: Timeouts {
                question: Duration::from_secs(5),
                transfer: Duration::from_secs(60),
            },
        }
    }

    fn remote(&self) -> Remote {
        Remote::open(self.setup()).unwrap()
    }

    fn store(&self, machine: &str) -> Store {
        Store::open(&self.root.path().join(machine)).unwrap()
    }

    /// Every object, sorted.
    fn objects(&self) -> Vec<PathBuf> {
        fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => walk(&path, found),
                    false => found.push(path),
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.bucket(), &mut found);
        found.sort();
        found
    }
}

/// Bytes that do not pack and do not repeat.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Saves a cache of a few megabytes in a store; `changed` is in one of its files.
fn saved(store: &Store, key: &str, changed: &str) -> Entry {
    let staging = store.staging().unwrap();
    let tree = staging.tree("tree").unwrap();
    fs::create_dir_all(tree.path().join("deps/empty")).unwrap();
    for at in 0..40 {
        let content = noise(at, 150_000);
        fs::write(tree.path().join(format!("deps/file-{at:02}")), content).unwrap();
    }
    fs::write(tree.path().join("deps/file-20.changed"), changed).unwrap();
    std::os::unix::fs::symlink("file-00", tree.path().join("deps/link")).unwrap();
    let new = NewEntry {
        project: "p",
        key,
        note: "job build\n",
    };
    store.put_cache(new, tree).unwrap()
}

fn read(entry: &Entry, path: &str) -> Vec<u8> {
    fs::read(entry.layers[0].join(path)).unwrap()
}

#[test]
fn what_one_machine_keeps_another_fetches_in_each_format() {
    for format in [Format::Tidegate, Format::GitlabRunner] {
        let shared = Shared::new(format);
        let (here, there) = (shared.store("here"), shared.store("there"));
        let kept = saved(&here, KEY, "one");
        assert_eq!(shared.remote().facts(KEY).unwrap(), None);
        assert!(shared.remote().fetch(&there, "p", KEY).unwrap().is_none());
        shared.remote().keep(&kept, &here, &|| false).unwrap();
        assert!(shared.remote().facts(KEY).unwrap().is_some());
        let arrived = shared.remote().fetch(&there, "p", KEY).unwrap().unwrap();
        let entry = arrived.entry;
        assert_eq!(
            (entry.files, entry.bytes),
            (kept.files, kept.bytes),
            "{format:?}"
        );
        assert_eq!(read(&entry, "deps/file-07"), noise(7, 150_000));
        assert_eq!(read(&entry, "deps/file-20.changed"), b"one");
        let link = fs::read_link(entry.layers[0].join("deps/link")).unwrap();
        assert_eq!(link, Path::new("file-00"));
        assert!(entry.layers[0].join("deps/empty").is_dir());
        let time = |entry: &Entry| {
            let meta = fs::metadata(entry.layers[0].join("deps/file-01")).unwrap();
            meta.modified()
                .unwrap()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
                .as_secs()
        };
        assert_eq!(time(&entry), time(&kept), "{format:?}");
        let again = there.find_cache("p", KEY).unwrap().unwrap();
        assert_eq!(again.id, entry.id, "it is in the local store now");
        let listed = shared.remote().list().unwrap();
        assert_eq!(
            listed.iter().map(|one| &*one.key).collect::<Vec<_>>(),
            [KEY]
        );
    }
}

#[test]
fn only_what_is_missing_travels_up_and_down() {
    let shared = Shared::new(Format::Tidegate);
    let (here, there) = (shared.store("here"), shared.store("there"));
    let remote = shared.remote();
    let first = remote
        .keep(&saved(&here, KEY, "one"), &here, &|| false)
        .unwrap();
    assert_eq!(first.known, 0);
    let all = remote.fetch(&there, "p", KEY).unwrap().unwrap();
    assert!(all.bytes > 6_000_000, "{}", all.bytes);
    let second = saved(&here, "next-non_protected", "two");
    let sent = remote.keep(&second, &here, &|| false).unwrap();
    assert!(
        sent.known + 3 >= first.objects && sent.objects <= 4,
        "{sent:?} after {first:?}"
    );
    // The other machine has a similar cache, so it needs hardly more than the index.
    let next = remote
        .fetch(&there, "p", "next-non_protected")
        .unwrap()
        .unwrap();
    assert!(
        next.bytes * 2 < all.bytes,
        "{} of {}",
        next.bytes,
        all.bytes
    );
    assert_eq!(read(&next.entry, "deps/file-20.changed"), b"two");
    assert_eq!(read(&next.entry, "deps/file-39"), noise(39, 150_000));
}

#[test]
fn damage_anywhere_is_noticed_and_nothing_is_kept_of_it() {
    let shared = Shared::new(Format::Tidegate);
    let here = shared.store("here");
    shared
        .remote()
        .keep(&saved(&here, KEY, "one"), &here, &|| false)
        .unwrap();
    for (at, object) in shared.objects().into_iter().enumerate() {
        let whole = fs::read(&object).unwrap();
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        let replaced = [damaged, whole[..middle].to_vec(), Vec::new()];
        for content in replaced {
            fs::write(&object, content).unwrap();
            let there = shared.store(&format!("there-{at}"));
            let fetched = shared.remote().fetch(&there, "p", KEY);
            let error = fetched.unwrap_err();
            assert!(matches!(error, RemoteError::Damaged { .. }), "{error}");
            assert!(there.find_cache("p", KEY).unwrap().is_none());
        }
        fs::remove_file(&object).unwrap();
        let there = shared.store(&format!("there-{at}"));
        let fetched = shared.remote().fetch(&there, "p", KEY);
        // Without its index there is no cache; without a part there is a damaged one.
        let is_index = object.parent().unwrap().ends_with("keys");
        match fetched {
            Ok(None) => assert!(is_index),
            Err(RemoteError::Damaged { why, .. }) => assert!(why.contains("missing") && !is_index),
            other => panic!("{other:?}"),
        }
        fs::write(&object, whole).unwrap();
    }
}

#[test]
fn an_index_under_the_name_of_another_key_is_refused() {
    let shared = Shared::new(Format::Tidegate);
    let here = shared.store("here");
    shared
        .remote()
        .keep(&saved(&here, KEY, "one"), &here, &|| false)
        .unwrap();
    let keys = shared
        .bucket()
        .join("team/tidegate-1/project/7/shared/keys");
    fs::copy(keys.join(KEY), keys.join("other-non_protected")).unwrap();
    let there = shared.store("there");
    let error = shared
        .remote()
        .fetch(&there, "p", "other-non_protected")
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it is the index of `deps-non_protected`"),
        "{error}"
    );
}

#[test]
fn without_the_right_nobody_reads_or_writes_what_protected_refs_use() {
    for format in [Format::Tidegate, Format::GitlabRunner] {
        let shared = Shared::new(format);
        let here = shared.store("here");
        let key = "deps-protected";
        let kept = saved(&here, key, "secret");
        shared.remote().keep(&kept, &here, &|| false).unwrap();
        let unprotected = Remote::open(RemoteSetup {
            rights: Rights::Unprotected,
            ..shared.setup()
        });
        let unprotected = unprotected.unwrap();
        let is_refused = |error: RemoteError| matches!(error, RemoteError::Protected(_));
        assert!(is_refused(unprotected.facts(key).unwrap_err()));
        assert!(is_refused(unprotected.fetch(&here, "p", key).unwrap_err()));
        assert!(is_refused(
            unprotected.keep(&kept, &here, &|| false).unwrap_err()
        ));
        assert!(is_refused(unprotected.remove(key).unwrap_err()));
        assert_eq!(unprotected.list().unwrap(), []);
        assert_eq!(unprotected.prune(Some(Duration::ZERO)).unwrap().caches, 0);
        assert_eq!(shared.remote().list().unwrap().len(), 1, "{format:?}");
    }
}

#[test]
fn where_only_reading_is_allowed_nothing_is_written() {
    let shared = Shared::new(Format::Tidegate);
    let here = shared.store("here");
    let kept = saved(&here, KEY, "one");
    let reader = Remote::open(RemoteSetup {
        access: Access::ReadOnly,
        ..shared.setup()
    });
    let reader = reader.unwrap();
    assert!(matches!(
        reader.keep(&kept, &here, &|| false),
        Err(RemoteError::ReadOnly)
    ));
    assert!(matches!(reader.remove(KEY), Err(RemoteError::ReadOnly)));
    assert!(matches!(reader.prune(None), Err(RemoteError::ReadOnly)));
    assert_eq!(shared.objects(), Vec::<PathBuf>::new());
}

#[test]
fn a_cache_that_is_too_large_is_not_fetched() {
    for format in [Format::Tidegate, Format::GitlabRunner] {
        let shared = Shared::new(format);
        let (here, there) = (shared.store("here"), shared.store("there"));
        shared
            .remote()
            .keep(&saved(&here, KEY, "one"), &here, &|| false)
            .unwrap();
        for limits in [
            Limits {
                bytes: 1 << 20,
                entries: 1000,
            },
            Limits {
                bytes: 64 << 20,
                entries: 10,
            },
        ] {
            let small = Remote::open(RemoteSetup {
                limits,
                ..shared.setup()
            });
            let error = small.unwrap().fetch(&there, "p", KEY).unwrap_err();
            let too_much = matches!(
                error,
                RemoteError::Unpack(UnpackError::TooMuch { .. }) | RemoteError::Failed(_)
            );
            assert!(too_much, "{format:?}: {error}");
        }
    }
}

#[test]
fn pruning_keeps_what_caches_need_and_what_may_be_on_its_way() {
    let shared = Shared::new(Format::Tidegate);
    let here = shared.store("here");
    let remote = shared.remote();
    remote
        .keep(&saved(&here, KEY, "one"), &here, &|| false)
        .unwrap();
    assert!(remote.remove(KEY).unwrap());
    assert!(!remote.remove(KEY).unwrap());
    let chunks = shared.objects();
    assert_eq!(remote.prune(None).unwrap().chunks, 0, "they are new");
    let old = SystemTime::now() - Duration::from_secs(3 * 86_400);
    for chunk in &chunks {
        let file = fs::File::options().write(true).open(chunk).unwrap();
        file.set_modified(old).unwrap();
    }
    // A new cache that needs old chunks writes them again.
    let other = saved(&here, "other-non_protected", "two");
    remote.keep(&other, &here, &|| false).unwrap();
    let pruned = remote.prune(None).unwrap();
    assert!((1..=3).contains(&pruned.chunks), "{pruned:?}");
    let there = shared.store("there");
    assert!(
        remote
            .fetch(&there, "p", "other-non_protected")
            .unwrap()
            .is_some()
    );
    let pruned = remote.prune(Some(Duration::ZERO)).unwrap();
    assert_eq!(pruned.caches, 1);
}

#[test]
fn a_directory_that_is_not_there_is_an_outage_and_not_an_empty_cache() {
    let shared = Shared::new(Format::Tidegate);
    let remote = shared.remote();
    fs::remove_dir_all(shared.bucket()).unwrap();
    let error = remote.facts(KEY).unwrap_err();
    assert!(matches!(error, RemoteError::Unreachable(_)), "{error}");
    let here = shared.store("here");
    assert!(
        remote
            .keep(&saved(&here, KEY, "one"), &here, &|| false)
            .is_err()
    );
    assert!(!shared.bucket().exists(), "nothing was made in its place");
    // It is not asked again at once.
    fs::create_dir(shared.bucket()).unwrap();
    assert!(remote.facts(KEY).is_err());
    assert_eq!(shared.remote().facts(KEY).unwrap(), None);
}

#[test]
fn what_nobody_waits_for_is_given_up_and_leaves_no_cache() {
    for format in [Format::Tidegate, Format::GitlabRunner] {
        let shared = Shared::new(format);
        let here = shared.store("here");
        let kept = saved(&here, KEY, "one");
        let error = shared.remote().keep(&kept, &here, &|| true).unwrap_err();
        assert!(matches!(error, RemoteError::Stopped), "{error}");
        assert_eq!(shared.remote().facts(KEY).unwrap(), None);
    }
}

#[test]
fn a_link_in_the_shared_directory_leads_nobody_out_of_it() {
    for format in [Format::Tidegate, Format::GitlabRunner] {
        let shared = Shared::new(format);
        let here = shared.store("here");
        let kept = saved(&here, KEY, "one");
        let outside = shared.root.path().join("outside");
        fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, shared.bucket().join("team")).unwrap();
        let remote = shared.remote();
        remote.keep(&kept, &here, &|| false).unwrap_err();
        assert!(remote.facts(KEY).is_err());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{format:?}");
    }
}

#[test]
fn a_failed_write_leaves_the_older_one_and_no_rest() {
    let shared = Shared::new(Format::GitlabRunner);
    let here = shared.store("here");
    let remote = shared.remote();
    remote
        .keep(&saved(&here, KEY, "one"), &here, &|| false)
        .unwrap();
    let before = fs::read(&shared.objects()[0]).unwrap();
    let gone = saved(&here, "gone", "two");
    let moved = Entry {
        key: KEY.to_owned(),
        layers: vec!["/nonexistent/tree".into()],
        ..gone
    };
    remote.keep(&moved, &here, &|| false).unwrap_err();
    let objects = shared.objects();
    assert_eq!(objects.len(), 1);
    assert_eq!(fs::read(&objects[0]).unwrap(), before);
}
