//! Runs a job from outside the crate and keeps its log.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tidegate_exec::{Ground, JobRun, Outcome, Running};
use tidegate_pipeline::JobSpec;

use crate::job;

/// A directory, a job that runs in it, and its log so far.
pub(crate) struct Started {
    pub(crate) dir: TempDir,
    pub(crate) running: Option<Running>,
    log: Arc<Mutex<Vec<u8>>>,
}

/// What is left of a job.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) log: String,
    pub(crate) dir: TempDir,
}

pub(crate) fn host() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_tidegate-exec-host"))
}

/// Where a plan leads: "fail" or "mark FILE", which the host binary understands.
pub(crate) fn ground(plan: &[&str]) -> std::io::Result<Ground> {
    job::executor(host()).ground(plan.iter().map(Into::into).collect())
}

pub(crate) fn start_with(spec: JobSpec, change: impl FnOnce(&mut JobRun)) -> Started {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let log = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&log);
    let sink = move |bytes: &[u8]| sink.lock().expect("the log").extend_from_slice(bytes);
    let mut run = job::run(dir.path(), spec, Box::new(sink));
    change(&mut run);
    let running = job::executor(host()).start(run).expect("the job starts");
    Started {
        dir,
        running: Some(running),
        log,
    }
}

impl Started {
    pub(crate) fn log(&self) -> String {
        String::from_utf8(self.log.lock().expect("the log").clone()).expect("logs are UTF-8")
    }

    pub(crate) fn wait_for(&self, text: &str) {
        wait_until(text, || self.log().contains(text));
    }

    pub(crate) fn wait(mut self) -> Ended {
        let outcome = self.running.take().expect("waited for once").wait();
        let log = self.log();
        Ended {
            outcome,
            log,
            dir: self.dir,
        }
    }
}

impl Ended {
    /// What the scripts printed: no sections, no echo of commands, no words of the runner.
    pub(crate) fn output(&self) -> String {
        let own = |line: &&str| {
            !line.contains('\u{1b}') && !line.starts_with("Running on ") && !line.is_empty()
        };
        let without_marker = |line| -> &str {
            let line: &str = line;
            line.find("section_").map_or(line, |marker| &line[..marker])
        };
        self.log
            .split(['\n', '\r'])
            .map(without_marker)
            .filter(own)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

pub(crate) fn run_with(spec: JobSpec, change: impl FnOnce(&mut JobRun)) -> Ended {
    start_with(spec, change).wait()
}

pub(crate) fn run(spec: JobSpec) -> Ended {
    run_with(spec, |_| {})
}

#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !holds() {
        assert!(
            started.elapsed().as_secs() < 20,
            "waited in vain for {what}"
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
