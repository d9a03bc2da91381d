//! Tests from outside: the binary on temporary repositories.

mod artifact_keywords;
mod auto_cancel;
mod broken;
mod buckets;
mod cache;
mod cache_keywords;
mod downstream;
mod downstream_caches;
mod downstream_words;
mod durability;
mod files;
mod hostile;
mod interrupt;
mod job_inputs;
mod leases;
mod list;
mod live;
mod past;
mod predefined;
mod quickstart;
mod recording;
mod remote_cache;
mod remote_newer;
mod results;
mod resume;
mod run;
mod scenario;
mod script_tables;
mod scripts;
mod secrets;
mod selection;
mod served;
mod settings;
mod shell;
mod sites;
mod sources;
mod store_commands;
mod store_versions;
mod store_words;
mod upkeep;
mod variables;
mod views;
mod watch;
mod wish1;
mod wish1_more;
mod wish1_rest;
mod wish2;
mod wish3;

use tidegate_testkit::{Ended, Sandbox};

/// The binary under test; `TIDEGATE_TEST_BINARY` names another one, say of a release build.
fn binary() -> std::path::PathBuf {
    std::env::var_os("TIDEGATE_TEST_BINARY")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_tidegate").into())
        .into()
}

/// A repository with this configuration.
fn repository(configuration: &str) -> Sandbox {
    Sandbox::repository(binary(), configuration)
}

/// How a command ended that has to succeed.
#[track_caller]
fn green(repo: &Sandbox, args: &[&str]) -> Ended {
    let ended = repo.run(args);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    ended
}

#[track_caller]
fn says(ended: &Ended, text: &str) {
    assert!(ended.stdout.contains(text), "{text}: {}", ended.shown());
}

#[track_caller]
fn never_says(ended: &Ended, text: &str) {
    assert!(!ended.stdout.contains(text), "{text}: {}", ended.shown());
}

/// A plain directory without anything.
fn directory() -> Sandbox {
    Sandbox::new(binary())
}

/// Standard output without durations, which differ from run to run.
fn steady(ended: &Ended) -> String {
    let mut text = String::new();
    for word in ended.shown().split_inclusive([' ', '\n']) {
        let bare = word.trim_end();
        let number = bare.strip_suffix(':').unwrap_or(bare).strip_suffix('s');
        let is_duration = number.is_some_and(|n| n.contains('.') && n.parse::<f64>().is_ok());
        if is_duration {
            text.push_str(&word.replace(bare.trim_end_matches(':'), "[TIME]"));
        } else {
            text.push_str(word);
        }
    }
    text
}

/// Whether any process has this text in its command line.
fn is_running(marker: &str) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return false;
    };
    processes.flatten().any(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(marker)
    })
}

/// Waits until `done` holds; fails the test when it does not within ten seconds.
fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !done() {
        assert!(
            began.elapsed() < std::time::Duration::from_secs(10),
            "still waiting for {what}"
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
