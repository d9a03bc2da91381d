//! Going on with a run: after `kill -9` at any moment, by retry, by play.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tidegate_testkit::Sandbox;

use crate::{is_running, repository, wait_until};

/// Jobs of the pipeline that is killed.
const JOBS: usize = 60;

/// Twenty jobs in each of three stages; every job writes down that it ran, hands on an artifact and reads one.
fn many_jobs(trace: &str, marker: &str) -> String {
    let mut text = String::from("stages: [a, b, c]\n");
    for job in 0..JOBS {
        let stage = ["a", "b", "c"][job / 20];
        let before = match job.checked_sub(20) {
            Some(before) => format!("needs: [job{before}], "),
            None => String::new(),
        };
        let check = match job.checked_sub(20) {
            Some(before) => {
                format!("'grep -q ^{before}$ out{before}', 'test \"$V{before}\" = {before}', ")
            }
            None => String::new(),
        };
        text.push_str(&format!(
            "job{job}: {{stage: {stage}, {before}script: [{check}'sleep 0.0{marker}{job}', 'echo {job} > out{job}', \
             'echo V{job}={job} > env{job}', 'echo {job} >> {trace}'], \
             artifacts: {{paths: [out{job}], reports: {{dotenv: env{job}}}}}}}\n"
        ));
    }
    text
}

fn started(repo: &Sandbox, args: &[&str]) -> Child {
    let mut command = repo.command(args);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the binary starts")
}

/// How often each job wrote down that it ran.
fn ran(trace: &std::path::Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in std::fs::read_to_string(trace).unwrap_or_default().lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

/// Names of the jobs that had succeeded by the log of the run.
fn finished(repo: &Sandbox) -> Vec<String> {
    let events = std::fs::read(repo.data().join("runs/1/events")).unwrap_or_default();
    let text = String::from_utf8_lossy(&events).into_owned();
    let mut jobs: Vec<String> = text
        .split("\"type\":\"job_succeeded\",\"job\":")
        .skip(1)
        .filter_map(|rest| rest.split(',').next().map(str::to_owned))
        .collect();
    jobs.dedup();
    jobs
}

/// Kills a run after `delay`, resumes it, and holds everything that must hold; returns how many jobs had finished at the kill.
fn kill_and_resume(delay: Duration, marker: &str) -> usize {
    let outside = tempfile::tempdir().expect("a directory");
    let trace = outside.path().join("trace");
    let repo = repository(&many_jobs(&trace.to_string_lossy(), marker));
    let mut child = started(&repo, &["run", "--jobs", "8"]);
    std::thread::sleep(delay);
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    let killed = Instant::now();
    let data = repo.data().to_string_lossy().into_owned();
    while is_running(&data) || is_running(&format!("sleep\x000.0{marker}")) {
        assert!(
            killed.elapsed() < Duration::from_secs(2),
            "a process of a job is left two seconds after the kill ({delay:?})"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let before = finished(&repo);
    let ran_before = ran(&trace);
    let began = repo.data().join("runs/1/run.json").exists();
    let resumed = if began {
        repo.run(&["run", "--resume", "--jobs", "8"])
    } else {
        repo.run(&["run", "--jobs", "8"])
    };
    if began && before.len() == JOBS && resumed.code == Some(2) {
        // It had ended before it was killed.
        assert!(
            resumed.stderr.contains("stopped before its end"),
            "{}",
            resumed.shown()
        );
        return before.len();
    }
    assert_eq!(
        resumed.code,
        Some(0),
        "killed after {delay:?}: {}",
        resumed.shown()
    );
    assert!(resumed.stderr.contains("60 passed"), "{}", resumed.stderr);
    let ran_after = ran(&trace);
    assert_eq!(ran_after.len(), JOBS);
    for job in &before {
        assert_eq!(
            ran_after.get(job),
            ran_before.get(job),
            "job {job} was finished and ran again"
        );
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("Linux");
    assert!(!mounts.contains(&data), "{mounts}");
    for place in ["staging", "trash"] {
        let left: Vec<_> = std::fs::read_dir(repo.data().join(place))
            .expect("it is there")
            .flatten()
            .map(|entry| entry.file_name())
            .filter(|name| name != ".gate")
            .collect();
        assert!(left.is_empty() || !began, "{place}: {left:?}");
    }
    before.len()
}

/// Moments spread over a run of about `span`, none twice the same.
fn moments(count: u32, span: Duration) -> impl Iterator<Item = Duration> {
    // Not random: what failed can be run again. The golden ratio spreads them evenly, whatever their number.
    (1..=count).map(move |n| span.mul_f64((f64::from(n) * 0.618_033_988_75) % 1.0))
}

#[test]
fn a_run_killed_at_any_moment_goes_on_and_repeats_no_finished_job() {
    // Killed in the ordinary suite a dozen times, with TIDEGATE_LONG=1 two hundred times.
    let (count, span, threads) = match std::env::var_os("TIDEGATE_LONG") {
        Some(_) => (200, Duration::from_millis(12_000), 4),
        None => (12, Duration::from_millis(6000), 2),
    };
    let trials: Vec<(usize, Duration)> = moments(count, span).enumerate().collect();
    let next = AtomicUsize::new(0);
    let finished: Mutex<Vec<usize>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((number, delay)) = trials.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let jobs = kill_and_resume(*delay, &format!("{}", 10_000 + number));
                    let mut all = finished.lock().expect("no trial panics with it");
                    all.push(jobs);
                    #[expect(clippy::print_stderr, reason = "the long form takes half an hour")]
                    {
                        eprintln!("{} of {count}: killed with {jobs} jobs finished", all.len());
                    }
                }
            });
        }
    });
    let finished = finished.into_inner().expect("no trial panics with it");
    assert_eq!(finished.len(), trials.len());
    assert!(
        finished.iter().any(|jobs| (1..JOBS).contains(jobs)),
        "no kill met a run: {finished:?}"
    );
}

#[test]
fn a_running_job_starts_again_as_the_same_try_and_its_log_says_so() {
    let repo = repository("slow: {script: ['echo begun; sleep 1.98764; echo over']}\n");
    let mut child = started(&repo, &["run"]);
    wait_until("the job", || {
        let log = std::fs::read(repo.data().join("runs/1/logs/short")).unwrap_or_default();
        // The echo of the command, then what it prints.
        String::from_utf8_lossy(&log).matches("begun").count() == 2
    });
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    let ended = repo.run(&["run", "--resume"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let log = repo.run(&["logs", "slow"]);
    assert_eq!(log.stdout.matches("\nbegun\n").count(), 2, "{}", log.stdout);
    assert!(log.stdout.contains("it starts again"), "{}", log.stdout);
    let again = repo.run(&["run", "--resume"]);
    assert_eq!(again.code, Some(2), "{}", again.shown());
}

#[test]
fn a_failed_job_is_retried_with_the_files_and_variables_of_its_run() {
    let repo = repository(
        "make: {stage: build, script: [echo V=7 > v, cp input out], artifacts: {paths: [out], reports: {dotenv: v}}}\n\
         use: {stage: test, script: ['cat out input', 'echo value $V', 'test \"$CI_JOB_ID\" -gt 1000']}\n",
    );
    repo.write("input", "first\n");
    let failed = repo.run(&["run"]);
    assert_eq!(failed.code, Some(1), "{}", failed.shown());
    // Jobs of a run see the files it began with, whatever became of them since.
    repo.write("input", "second\n");
    let retried = repo.run(&["run", "--retry", "use"]);
    assert_eq!(retried.code, Some(0), "{}", retried.shown());
    assert!(
        retried.stdout.contains("use  | first\nuse  | first\n"),
        "{}",
        retried.stdout
    );
    assert!(
        retried.stdout.contains("use  | value 7\n"),
        "{}",
        retried.stdout
    );
    assert!(!retried.stdout.contains("make |"), "{}", retried.stdout);
}

#[test]
fn a_manual_job_is_hinted_at_and_played_later() {
    let repo = repository(
        "first: {stage: build, script: [echo first]}\n\
         deploy: {stage: test, script: [echo deployed], when: manual, allow_failure: false}\n\
         after: {stage: deploy, script: [echo after]}\n",
    );
    let waits = repo.run(&["run"]);
    assert_eq!(waits.code, Some(0), "{}", waits.shown());
    let hint = "hint: `tidegate run --play JOB` starts a job that waits for you: `deploy`\n";
    assert!(waits.stderr.ends_with(hint), "{}", waits.stderr);
    let played = repo.run(&["run", "--play", "deploy"]);
    assert_eq!(played.code, Some(0), "{}", played.shown());
    assert!(
        played.stdout.contains("after  | after\n"),
        "{}",
        played.stdout
    );
    assert!(played.stderr.contains("3 passed"), "{}", played.stderr);
    let refused = repo.run(&["run", "--play", "deploy"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused
            .stderr
            .contains("failed to play `deploy` of run 1: it is success"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_delay_goes_on_where_it_was() {
    let repo = repository("soon: {script: [echo ran], when: delayed, start_in: 4 seconds}\n");
    let mut child = started(&repo, &["run"]);
    let events = repo.data().join("runs/1/events");
    wait_until("the delay", || {
        let log = std::fs::read(&events).unwrap_or_default();
        String::from_utf8_lossy(&log).contains("scheduled")
    });
    let began = Instant::now();
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    std::thread::sleep(Duration::from_secs(5));
    let resumed = Instant::now();
    let ended = repo.run(&["run", "--resume"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(ended.stdout.contains("soon | ran\n"), "{}", ended.stdout);
    assert!(
        resumed.elapsed() < Duration::from_secs(4),
        "it waited again: {:?}",
        began.elapsed()
    );
}

#[test]
fn secrets_are_kept_for_the_user_alone_and_never_in_events() {
    use std::os::unix::fs::PermissionsExt;
    let repo = repository("job: {script: [echo hello]}\n");
    let ended = repo.run(&["run", "--variable", "TOKEN=very-secret-value"]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let run = repo.data().join("runs/1");
    let plan = std::fs::metadata(run.join("pipeline.json")).expect("it is kept");
    assert_eq!(plan.permissions().mode() & 0o777, 0o600);
    let events = std::fs::read(run.join("events")).expect("it is there");
    assert!(!String::from_utf8_lossy(&events).contains("very-secret-value"));
}

#[test]
fn a_log_that_names_a_trigger_job_it_does_not_have_is_refused() {
    for parent in ["[7,0,1]", "[1,9,1]"] {
        let repo = repository("a: {script: ['true']}\nt: {trigger: {include: c.yml}}\n");
        repo.write("c.yml", "c: {script: ['true']}\n");
        assert_eq!(repo.run(&["run"]).code, Some(0));
        let store = tidegate_store::Store::open(&repo.data()).expect("a store");
        let mut log = store
            .open_run_log(tidegate_store::RunId(1))
            .expect("its log");
        let event = format!(
            r#"{{"v":1,"at":1,"pipeline":2,"what":{{"type":"pipeline_created","parent":{parent},"jobs":["c"]}}}}"#
        );
        log.append(event.as_bytes()).expect("room");
        drop(log);
        let refused = repo.run(&["run", "--retry", "a"]);
        assert_eq!(refused.code, Some(2), "{}", refused.shown());
        let why = "which the log does not have; it was changed";
        assert!(refused.stderr.contains(why), "{}", refused.shown());
    }
}
