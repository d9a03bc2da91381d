//! Runs: ids, event logs with torn tails, job logs.

use std::fs;
use std::io::Read;

use super::*;
use crate::{NewRun, NextRecord, RunId, StoreError};

fn new_run(project: &str) -> NewRun<'_> {
    NewRun {
        project,
        parent: None,
        note: "n",
    }
}

#[test]
fn ids_rise_globally_and_iids_per_project() {
    let (_dir, store) = store();
    let ids: Vec<(u64, u64)> = ["a", "b", "a"]
        .iter()
        .map(|project| {
            let (record, _log) = store.begin_run(new_run(project)).unwrap();
            (record.id.0, record.iid)
        })
        .collect();
    assert_eq!(ids, [(1, 1), (2, 1), (3, 2)]);
    assert_eq!(store.allocate_job_ids(3).unwrap(), 1);
    assert_eq!(store.allocate_job_ids(1).unwrap(), 4);
    store.remove_run(RunId(3)).unwrap();
    let (record, _log) = store.begin_run(new_run("a")).unwrap();
    assert_eq!(
        (record.id.0, record.iid),
        (4, 3),
        "ids of removed runs are not given again"
    );
}

#[test]
fn runs_are_listed_newest_first_with_their_end() {
    let (_dir, store) = store();
    for project in ["a", "b", "a"] {
        store.begin_run(new_run(project)).unwrap();
    }
    store.finish_run(RunId(1), "success").unwrap();
    let ids = |project, limit| -> Vec<u64> {
        store
            .runs(project, limit)
            .unwrap()
            .iter()
            .map(|run| run.id.0)
            .collect()
    };
    assert_eq!(ids(None, 10), [3, 2, 1]);
    assert_eq!(ids(Some("a"), 1), [3]);
    let first = store.run(RunId(1)).unwrap().unwrap();
    assert_eq!(first.status, "success");
    assert!(first.finished.is_some());
    assert_eq!(store.run(RunId(9)).unwrap(), None);
    let error = store.set_run_status(RunId(9), "x").unwrap_err();
    assert!(matches!(error, StoreError::Gone { .. }), "{error}");
}

#[test]
fn a_reader_follows_a_writer() {
    let (_dir, store) = store();
    let (record, mut log) = store.begin_run(new_run("a")).unwrap();
    let mut reader = store.read_run_log(record.id).unwrap();
    assert_eq!(reader.next_record().unwrap(), NextRecord::End);
    log.append(b"one").unwrap();
    assert_eq!(reader.next_record().unwrap(), NextRecord::End, "buffered");
    log.commit().unwrap();
    log.append(b"").unwrap();
    log.flush().unwrap();
    assert_eq!(
        reader.next_record().unwrap(),
        NextRecord::Record(b"one".to_vec())
    );
    assert_eq!(reader.next_record().unwrap(), NextRecord::Record(vec![]));
    assert_eq!(reader.next_record().unwrap(), NextRecord::End);
}

#[test]
fn a_run_has_one_writer_and_is_live_while_it_has() {
    let (_dir, store) = store();
    let (record, log) = store.begin_run(new_run("a")).unwrap();
    assert!(store.is_run_live(record.id).unwrap());
    assert!(matches!(
        store.open_run_log(record.id),
        Err(StoreError::RunBusy { run: 1 })
    ));
    assert!(matches!(
        store.remove_run(record.id),
        Err(StoreError::RunBusy { run: 1 })
    ));
    drop(log);
    assert!(!store.is_run_live(record.id).unwrap());
    store.open_run_log(record.id).unwrap();
    assert!(matches!(
        store.open_run_log(RunId(77)),
        Err(StoreError::Gone { .. })
    ));
}

#[test]
fn a_torn_tail_is_cut_at_every_length_and_nothing_before_it() {
    let (_dir, store) = store();
    let (record, mut log) = store.begin_run(new_run("a")).unwrap();
    for event in ["first", "second", "third"] {
        log.append(event.as_bytes()).unwrap();
    }
    drop(log);
    let path = store.directory().join("runs/1/events");
    let whole = fs::read(&path).unwrap();
    let ends: [usize; 4] = [0, 17, 35, 52];
    for length in 0..=whole.len() {
        for tail in [&b""[..], &[0; 40], b"garbage that is no record at all"] {
            let mut bytes = whole[..length].to_vec();
            bytes.extend_from_slice(tail);
            fs::write(&path, &bytes).unwrap();
            let kept = ends.iter().filter(|end| **end <= length).count() - 1;
            let mut log = store.open_run_log(record.id).unwrap();
            log.append(b"after").unwrap();
            log.commit().unwrap();
            let mut reader = store.read_run_log(record.id).unwrap();
            let events = reader.drain().unwrap();
            assert_eq!(
                reader.next_record().unwrap(),
                NextRecord::End,
                "nothing torn is left"
            );
            let mut expected: Vec<&[u8]> = vec![b"first", b"second", b"third"];
            expected.truncate(kept);
            expected.push(b"after");
            assert_eq!(events, expected, "length {length}");
        }
    }
    let torn = fs::read(store.directory().join("runs/1/events.torn")).unwrap();
    assert!(
        torn.ends_with(b"garbage that is no record at all"),
        "what is cut off is kept"
    );
}

#[test]
fn a_reader_says_that_a_tail_is_torn() {
    let (_dir, store) = store();
    let (record, mut log) = store.begin_run(new_run("a")).unwrap();
    log.append(b"first").unwrap();
    drop(log);
    let path = store.directory().join("runs/1/events");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(&[0; 64]);
    fs::write(&path, bytes).unwrap();
    let mut reader = store.read_run_log(record.id).unwrap();
    assert_eq!(
        reader.next_record().unwrap(),
        NextRecord::Record(b"first".to_vec())
    );
    assert_eq!(reader.next_record().unwrap(), NextRecord::Torn);
    assert_eq!(reader.next_record().unwrap(), NextRecord::Torn);
}

/// What a reader has to say from where it is.
fn text_of(reader: &mut impl Read) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn short_logs_share_a_file_and_grow_before_their_readers() {
    let (_dir, store) = store();
    let (record, _run_log) = store.begin_run(new_run("a")).unwrap();
    let (logs, read) = (store.job_logs(record.id), store.read_job_logs(record.id));
    assert!(read.open(12, 1).unwrap().is_none(), "nobody wrote yet");
    let mut first = logs.append_to(12, 1).unwrap();
    let mut second = logs.append_to(13, 1).unwrap();
    first.append(b"hello ").unwrap();
    second.append(b"other").unwrap();
    let mut reader = read.open(12, 1).unwrap().unwrap();
    assert_eq!(text_of(&mut reader), "hello ");
    first.append(b"world").unwrap();
    assert_eq!(text_of(&mut reader), "world");
    assert_eq!(text_of(&mut reader), "");
    assert_eq!(text_of(&mut read.open(13, 1).unwrap().unwrap()), "other");
    assert!(read.open(12, 2).unwrap().is_none());
    assert!(read.open(14, 1).unwrap().is_none());
    let names = fs::read_dir(store.directory().join("runs/1/logs")).unwrap();
    assert_eq!(names.count(), 1);
}

#[test]
fn a_long_log_goes_on_in_a_file_of_its_own() {
    let (_dir, store) = store();
    let (record, _run_log) = store.begin_run(new_run("a")).unwrap();
    let (logs, read) = (store.job_logs(record.id), store.read_job_logs(record.id));
    let mut log = logs.append_to(12, 1).unwrap();
    log.append(b"begin ").unwrap();
    let mut reader = read.open(12, 1).unwrap().unwrap();
    let mut seen = text_of(&mut reader);
    let mut whole = "begin ".to_owned();
    for at in 0..2000 {
        let line = format!("line {at}\n");
        log.append(line.as_bytes()).unwrap();
        whole.push_str(&line);
        if at % 7 == 0 {
            seen.push_str(&text_of(&mut reader));
        }
    }
    seen.push_str(&text_of(&mut reader));
    assert_eq!(seen, whole);
    assert!(store.directory().join("runs/1/logs/12.1.log").exists());
    // Who goes on with it later appends behind its end.
    let mut again = store.job_logs(record.id).append_to(12, 1).unwrap();
    again.append(b"again").unwrap();
    assert_eq!(text_of(&mut reader), "again");
    let mut reader = store.read_job_logs(record.id).open(12, 1).unwrap().unwrap();
    assert_eq!(text_of(&mut reader), whole + "again");
}

#[test]
fn a_long_log_reads_the_same_packed_and_can_be_gone_on_with() {
    let (_dir, store) = store();
    let (record, run_log) = store.begin_run(new_run("a")).unwrap();
    let mut log = store.job_logs(record.id).append_to(12, 1).unwrap();
    let long = "a line that is there again and again\n".repeat(1000);
    log.append(b"begin\n").unwrap();
    log.append(long.as_bytes()).unwrap();
    assert!(matches!(
        store.pack_job_logs(record.id),
        Err(StoreError::RunBusy { .. })
    ));
    drop(run_log);
    let patience = std::time::Duration::from_secs(60);
    assert_eq!(
        store.pack_logs_of_ended_runs(patience).unwrap(),
        0,
        "it may go on"
    );
    store.finish_run(record.id, "success").unwrap();
    assert_eq!(store.pack_logs_of_ended_runs(patience).unwrap(), 1);
    assert_eq!(store.pack_job_logs(record.id).unwrap(), 0);
    let plain = store.directory().join("runs/1/logs/12.1.log");
    assert!(!plain.exists());
    let read = || text_of(&mut store.read_job_logs(record.id).open(12, 1).unwrap().unwrap());
    assert_eq!(read(), format!("begin\n{long}"));
    let mut log = store.job_logs(record.id).append_to(12, 1).unwrap();
    log.append(b"end").unwrap();
    assert_eq!(read(), format!("begin\n{long}end"));
    assert_eq!(store.pack_job_logs(record.id).unwrap(), 1);
    assert_eq!(read(), format!("begin\n{long}end"));
}

#[test]
fn what_a_crash_tore_of_the_short_logs_is_cut_off_by_the_next_writer() {
    let (_dir, store) = store();
    let (record, _run_log) = store.begin_run(new_run("a")).unwrap();
    let mut log = store.job_logs(record.id).append_to(12, 1).unwrap();
    log.append(b"first ").unwrap();
    let path = store.directory().join("runs/1/logs/short");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(&[7; 30]);
    fs::write(&path, bytes).unwrap();
    let read = || text_of(&mut store.read_job_logs(record.id).open(12, 1).unwrap().unwrap());
    assert_eq!(read(), "first ");
    let mut log = store.job_logs(record.id).append_to(12, 1).unwrap();
    log.append(b"second").unwrap();
    assert_eq!(read(), "first second");
}
