//! Ending everything that descends from this process, which is its reaper.
//!
//! A group kill leaves what called `setsid`, and a daemon leaves its parent; but as child subreaper
//! this process becomes the parent of every orphan below it, so repeating "end all descendants,
//! reap" until there is no child ends them all.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use crate::processes;

/// How long to go on killing what does not go, such as a process in an uninterruptible sleep.
const GIVE_UP: Duration = Duration::from_secs(10);

/// Collects ended children; hands the status of each to `seen`. Returns whether there are children
/// left.
pub(super) fn reap(mut seen: impl FnMut(Pid, WaitStatus)) -> bool {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => seen(pid, status),
            Ok(None) => return true,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// Ends all descendants: TERM, up to `grace`, then KILL until none is left. Returns how many there
/// were at first.
pub(super) fn end_all(grace: Duration, mut seen: impl FnMut(Pid, WaitStatus)) -> u32 {
    if !reap(&mut seen) {
        return 0;
    }
    let found = all();
    let count = u32::try_from(found.len()).unwrap_or(u32::MAX);
    if !grace.is_zero() {
        signal(&found, Signal::TERM);
        // A stopped process takes the signal only when it goes on.
        signal(&found, Signal::CONT);
        if !wait_until_gone(grace, &mut seen) {
            return count;
        }
    }
    let started = Instant::now();
    while reap(&mut seen) && started.elapsed() < GIVE_UP {
        signal(&all(), Signal::KILL);
        if !wait_until_gone(Duration::from_millis(20), &mut seen) {
            break;
        }
    }
    count
}

/// Waits until no child is left, at most `limit`; returns whether some are.
pub(super) fn wait_until_gone(limit: Duration, mut seen: impl FnMut(Pid, WaitStatus)) -> bool {
    let started = Instant::now();
    let mut pause = Duration::from_micros(200);
    while reap(&mut seen) {
        if started.elapsed() >= limit {
            return true;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
    false
}

fn signal(pids: &[Pid], signal: Signal) {
    for pid in pids {
        // Gone already, or not ours to end (set-user-id): the caller looks again.
        let _ = rustix::process::kill_process(*pid, signal);
    }
}

/// All descendants, ended but not yet reaped ones left out.
fn all() -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<(i32, bool)>> = HashMap::new();
    for pid in processes::all() {
        if let Some((parent, zombie)) = processes::parent_of(pid) {
            children.entry(parent).or_default().push((pid, zombie));
        }
    }
    let mut found = Vec::new();
    let mut open = vec![rustix::process::getpid().as_raw_nonzero().get()];
    while let Some(parent) = open.pop() {
        for (pid, zombie) in children.remove(&parent).unwrap_or_default() {
            open.push(pid);
            if !zombie {
                found.extend(Pid::from_raw(pid));
            }
        }
    }
    found
}
