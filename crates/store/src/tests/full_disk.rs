//! A full disk, on a small tmpfs. Needs to be allowed to mount.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::*;
use crate::{Depth, StoreError};

struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: &Path, options: &str) -> rustix::io::Result<Self> {
        let options = std::ffi::CString::new(options).unwrap();
        mount(
            "tidegate-test",
            at,
            "tmpfs",
            MountFlags::empty(),
            options.as_c_str(),
        )?;
        Ok(Self(at.to_owned()))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

#[test]
fn a_full_disk_is_named_and_harms_nothing_that_was_stored() {
    let dir = tempfile::tempdir().unwrap();
    let tmpfs = match Tmpfs::mount(dir.path(), "size=2m") {
        Ok(tmpfs) => tmpfs,
        Err(error) => return skipped(&format!("mounting a tmpfs: {error}")),
    };
    let store = Store::open(&dir.path().join("data")).unwrap();
    save(&store, "k", &[("a", "old")]);
    store.settle().unwrap();
    let (run, mut log) = store
        .begin_run(crate::NewRun {
            project: "p",
            parent: None,
            note: "",
        })
        .unwrap();
    log.append(b"before").unwrap();
    log.commit().unwrap();

    let staging = store.staging().unwrap();
    let tree = staging.tree("upper").unwrap();
    fill(tree.path(), &[("a", "new")]);
    let filler = dir.path().join("filler");
    let _ = fs::write(&filler, vec![1; 4 << 20]);

    let error = store.put_cache(new("k"), tree).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    assert!(error.to_string().contains("no space left"), "{error}");
    let entry = store.find_cache("p", "k").unwrap().unwrap();
    assert_eq!(
        fs::read_to_string(entry.layers[0].join("a")).unwrap(),
        "old"
    );
    let error = (0..1000).find_map(|_| log.append(&[7; 1000]).and_then(|()| log.commit()).err());
    assert!(
        matches!(error, Some(StoreError::DiskFull { .. })),
        "{error:?}"
    );

    fs::remove_file(&filler).unwrap();
    log.commit().unwrap();
    let events = store.read_run_log(run.id).unwrap().drain().unwrap();
    assert_eq!(events.first().map(Vec::as_slice), Some(&b"before"[..]));
    assert_eq!(events.last().map(Vec::as_slice), Some(&[7; 1000][..]));
    save(&store, "k", &[("a", "new")]);
    assert_eq!(store.verify(Depth::Lstat).unwrap().problems, []);
    drop((log, staging, store, tmpfs));
}
