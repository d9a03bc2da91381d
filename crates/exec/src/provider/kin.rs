//! Ending a command with everything it started, without a process group of its own: it would lose the terminal with that.
//!
//! What it started carries a mark in its environment, also after `setsid` or after its parent has gone; what cleared its environment is
//! found below its parent.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::processes;

/// The variable that carries the mark.
pub(super) const VARIABLE: &str = "TIDEGATE_COMMAND";
/// How long to go on with what does not end, such as a process in an uninterruptible sleep.
const GIVE_UP: Duration = Duration::from_secs(2);

/// A mark that no other command of this machine has.
pub(super) fn mark() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}", std::process::id())
}

/// Kills the process `root`, everything below it and everything with the mark, until nothing is left. `root` becomes a zombie that its
/// parent still has to wait for.
pub(super) fn end(root: Pid, mark: &str) {
    let started = Instant::now();
    loop {
        let found = kin(root, mark);
        for pid in &found {
            // Gone already, or not ours to end (set-user-id).
            let _ = rustix::process::kill_process(*pid, Signal::KILL);
        }
        if found.is_empty() || started.elapsed() > GIVE_UP {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Those that live, each after the one it descends from.
fn kin(root: Pid, mark: &str) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    let mut open = vec![root.as_raw_nonzero().get()];
    for pid in processes::all() {
        if let Some(parent) = parent_of(pid) {
            children.entry(parent).or_default().push(pid);
        }
        if has_mark(pid, mark) {
            open.push(pid);
        }
    }
    let mut found = Vec::new();
    while let Some(pid) = open.pop() {
        if parent_of(pid).is_some() && !found.contains(&pid) {
            found.push(pid);
        }
        open.extend(children.remove(&pid).unwrap_or_default());
    }
    found.into_iter().filter_map(Pid::from_raw).collect()
}

/// Parent of a process; `None` where it has ended, also where nobody has taken note of it.
fn parent_of(pid: i32) -> Option<i32> {
    let (parent, ended) = processes::parent_of(pid)?;
    (!ended).then_some(parent)
}

fn has_mark(pid: i32, mark: &str) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let wanted = format!("{VARIABLE}={mark}");
    environment
        .split(|byte| *byte == 0)
        .any(|entry| entry == wanted.as_bytes())
}
