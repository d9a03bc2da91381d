//! Stopping and killing at every write point; processes saving at once.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::*;
use crate::failpoint::{Action, Point, arm};
use crate::{Depth, NewRun, Quota, StoreError};

const LONG: Duration = Duration::from_secs(60);
const OLD: &[(&str, &str)] = &[("d/a", "old"), ("d/b", "old")];
const NEW: &[(&str, &str)] = &[("d/a", "new"), ("d/b", "new"), ("e", "new")];

/// Saves, settles, hashes, removes: passes every write point.
fn everything(store: &Store) -> Result<(), StoreError> {
    let staging = store.staging()?;
    let tree = staging.tree("upper")?;
    fill(tree.path(), NEW);
    store.put_cache(new("k"), tree)?;
    store.settle()?;
    store.hash_pending(LONG)?;
    store.maintain(LONG)?;
    Ok(())
}

/// The key shows the old or the new tree whole, and after housekeeping nothing is wrong.
fn assert_sound(store: &Store, at: &str) -> Vec<String> {
    let entry = store
        .find_cache("p", "k")
        .unwrap()
        .expect("a tree was saved before");
    let lines = listing(&entry);
    let old = ["d/", "d/a=old", "d/b=old"];
    let new = ["d/", "d/a=new", "d/b=new", "e=new"];
    assert!(lines == old || lines == new, "{at}: {lines:?}");
    store.maintain(LONG).unwrap();
    assert_eq!(store.verify(Depth::Contents).unwrap().problems, [], "{at}");
    assert_eq!(
        listing(&store.find_cache("p", "k").unwrap().unwrap()),
        lines,
        "{at}"
    );
    assert_eq!(
        fs::read_dir(store.directory().join("trees"))
            .unwrap()
            .count(),
        1,
        "{at}"
    );
    assert_eq!(
        fs::read_dir(store.directory().join("trash"))
            .unwrap()
            .count(),
        0,
        "{at}"
    );
    lines
}

#[test]
fn an_error_at_every_write_point_leaves_the_old_or_the_new() {
    for point in Point::ALL {
        let (dir, store) = store();
        save(&store, "k", OLD);
        arm(Some((point, Action::Fail)));
        let result = everything(&store);
        arm(None);
        let error = result.unwrap_err();
        if matches!(point, Point::Adopted | Point::RowsWritten) {
            let trees = fs::read_dir(store.directory().join("trees"))
                .unwrap()
                .count();
            assert_eq!(trees, 1, "{point:?}: a failed save cleans up at once");
        }
        assert!(
            matches!(error, StoreError::Injected(at) if at == point),
            "{point:?}: {error}"
        );
        drop(store);
        let again = Store::open(&dir.path().join("data")).unwrap();
        let lines = assert_sound(&again, &format!("{point:?}"));
        let committed = matches!(
            point,
            Point::Committed | Point::Synced | Point::RowsDeleted | Point::DigestsWritten
        );
        assert_eq!(lines.len() == 4, committed, "{point:?}");
    }
}

#[test]
fn a_kill_at_every_write_point_leaves_the_old_or_the_new() {
    for point in Point::ALL {
        let (dir, store) = store();
        save(&store, "k", OLD);
        drop(store);
        let data = dir.path().join("data");
        let mut child = child(&format!("kill {point:?}"), &data);
        let status = child.wait().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(9), "{point:?}: {status}");
        assert_sound(&Store::open(&data).unwrap(), &format!("{point:?}"));
    }
}

#[test]
fn a_kill_at_any_time_leaves_the_old_or_the_new() {
    let (dir, store) = store();
    save(&store, "k", OLD);
    drop(store);
    let data = dir.path().join("data");
    let rounds = 25;
    for round in 0..rounds {
        let mut child = child("save", &data);
        // From before its first save to after several.
        std::thread::sleep(Duration::from_micros(3_000 + round * 1_700));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_sound(&Store::open(&data).unwrap(), &format!("round {round}"));
    }
}

#[test]
fn processes_saving_one_key_at_once_both_succeed_and_one_wins_whole() {
    let (dir, store) = store();
    let data = dir.path().join("data");
    let mut children: Vec<Child> = (0..3).map(|_| child("save", &data)).collect();
    for child in &mut children {
        let output = BufReader::new(child.stdout.take().unwrap());
        let saved = output
            .lines()
            .map_while(Result::ok)
            .filter(|line| line.ends_with("saved"));
        assert_eq!(saved.take(10).count(), 10);
        let _ = child.kill();
        child.wait().unwrap();
    }
    assert_sound(&store, "three at once");
}

#[test]
fn ids_of_several_processes_never_collide() {
    let (dir, store) = store();
    let data = dir.path().join("data");
    let mut ids: Vec<u64> = Vec::new();
    let mut children: Vec<Child> = (0..3).map(|_| child("runs", &data)).collect();
    for child in &mut children {
        let output = BufReader::new(child.stdout.take().unwrap());
        ids.extend(output.lines().map_while(Result::ok).filter_map(|line| {
            line.rsplit(' ')
                .next()
                .and_then(|id| id.parse::<u64>().ok())
                .filter(|_| line.contains("run "))
        }));
        assert!(child.wait().unwrap().success());
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=30).collect::<Vec<_>>());
    assert_eq!(store.runs(Some("p"), 99).unwrap().len(), 30);
}

#[test]
fn threads_save_lease_and_evict_at_once() {
    let (_dir, store) = store();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = store.clone();
            scope.spawn(move || {
                for round in 0..10 {
                    let key = format!("k{}", (thread + round) % 3);
                    let entry = save(&store, &key, NEW);
                    // Another thread may have superseded and evicted it already.
                    if let Ok(_lease) = store.lease(&entry, crate::RunId(1)) {
                        assert_eq!(listing(&entry).len(), 4);
                    }
                    let quota = Quota {
                        bytes: Some(18),
                        ..Quota::default()
                    };
                    store.prune(&quota, std::time::SystemTime::now()).unwrap();
                    store.maintain(LONG).unwrap();
                }
            });
        }
    });
    store.maintain(LONG).unwrap();
    assert_eq!(store.verify(Depth::Lstat).unwrap().problems, []);
}

/// Runs this very test binary as another process.
fn child(what: &str, data: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "tests::crash::as_a_child_process",
            "--ignored",
            "--nocapture",
        ])
        .env("TIDEGATE_STORE_TEST_CHILD", what)
        .env("TIDEGATE_STORE_TEST_DATA", data)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "the other process of the tests above"]
fn as_a_child_process() {
    let Ok(what) = std::env::var("TIDEGATE_STORE_TEST_CHILD") else {
        return;
    };
    let data = PathBuf::from(std::env::var_os("TIDEGATE_STORE_TEST_DATA").unwrap());
    let store = Store::open(&data).unwrap();
    let mut output = std::io::stdout();
    match what.as_str() {
        "save" => loop {
            save(&store, "k", NEW);
            writeln!(output, " saved").unwrap();
        },
        "runs" => {
            for _ in 0..10 {
                let new = NewRun {
                    project: "p",
                    parent: None,
                    note: "",
                };
                let (record, _log) = store.begin_run(new).unwrap();
                writeln!(output, "\nrun {}", record.id).unwrap();
            }
        }
        kill => {
            let named = |point: &Point| kill == format!("kill {point:?}");
            let point = Point::ALL.into_iter().find(named).unwrap();
            arm(Some((point, Action::Kill)));
            everything(&store).unwrap();
        }
    }
}
