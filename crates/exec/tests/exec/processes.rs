//! Nothing a job starts outlives it, nor the engine.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tidegate_pipeline::{FailureReason, Status};

use crate::job::spec;
use crate::kit::{ground, host, run, run_with, start_with, wait_until};

/// A number of seconds no other process sleeps for.
fn mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "1{:07}{:03}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::SeqCst)
    )
}

/// Command lines that hold a text, of processes that have not ended.
fn processes_with(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc")
        .expect("/proc is there")
        .flatten();
    let line = |entry: std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    };
    entries
        .filter_map(line)
        .filter(|line| line.contains(text))
        .collect()
}

/// Six kinds of children that outlive a careless runner.
fn stubborn_children(mark: &str) -> String {
    format!(
        "sleep {mark} & \
         setsid sleep {mark} & \
         (setsid sh -c 'sleep {mark} & exit' &) ; \
         sh -c 'trap \"\" TERM; sleep {mark}; sleep {mark}' & \
         setsid bash -c 'trap \"\" TERM HUP; while :; do sleep {mark}; done' >/dev/null 2>&1 & \
         sh -c 'kill -STOP $$; sleep {mark}' & \
         sleep 0.3; echo started"
    )
}

#[test]
fn children_of_every_kind_are_gone_after_the_job() {
    let mark = mark();
    let ended = run(spec(&[&stubborn_children(&mark)]));
    assert_eq!(ended.outcome.status, Status::Success);
    assert!(ended.log.contains("started"), "{}", ended.log);
    assert_eq!(processes_with(&mark), Vec::<String>::new());
    assert!(ended.outcome.leftovers >= 6, "{:?}", ended.outcome);
    assert!(!ended.outcome.leaky);
}

#[test]
fn everything_is_gone_two_seconds_after_the_engine_was_killed() {
    let mark = mark();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let command = format!("{}; sleep {mark}", stubborn_children(&mark));
    let mut engine = Command::new(host())
        .arg("engine")
        .arg(dir.path())
        .arg(&command)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the host binary starts");
    let log = BufReader::new(engine.stdout.take().expect("a pipe"));
    let started = log
        .lines()
        .map_while(Result::ok)
        .any(|line| line == "started");
    assert!(started);
    let name = dir.path().to_str().expect("a plain path");
    assert!(!processes_with(&mark).is_empty());
    engine.kill().expect("the engine can be killed");
    engine.wait().expect("the engine ended");
    let killed = Instant::now();
    let temp_dir = dir.path().join("project.tmp");
    assert!(temp_dir.exists());
    // The supervisor removes it last of all.
    wait_until("the end of all processes", || {
        processes_with(&mark).is_empty() && processes_with(name).is_empty() && !temp_dir.exists()
    });
    assert!(
        killed.elapsed() < Duration::from_secs(2),
        "{:?}",
        killed.elapsed()
    );
}

#[test]
fn a_job_that_kills_its_supervisor_fails_and_leaves_no_group_behind() {
    let mark = mark();
    let ended = run(spec(&[&format!(
        "sleep {mark} & kill -KILL $PPID; sleep {mark}"
    )]));
    assert_eq!(
        ended.outcome.failure_reason,
        Some(FailureReason::RunnerSystemFailure)
    );
    assert!(
        ended
            .log
            .contains("Job failed (system failure): the supervisor of the job was killed")
    );
    wait_until("the end of the group", || processes_with(&mark).is_empty());
}

#[test]
fn a_supervisor_that_is_told_to_end_takes_the_job_with_it() {
    let mark = mark();
    let ended = run(spec(&[&format!(
        "setsid sleep {mark} & kill -TERM $PPID; sleep {mark}"
    )]));
    assert_eq!(
        ended.outcome.failure_reason,
        Some(FailureReason::RunnerSystemFailure)
    );
    assert_eq!(processes_with(&mark), Vec::<String>::new());
}

#[test]
fn a_stranger_that_holds_the_output_makes_a_job_leaky_and_does_not_hang_it() {
    let started = start_with(spec(&["echo pid $$ .; sleep 1; echo end"]), |_| {});
    started.wait_for(" .\n");
    let log = started.log();
    let pid = log
        .lines()
        .find_map(|line| line.strip_prefix("pid ")?.strip_suffix(" ."));
    let path = format!("/proc/{}/fd/1", pid.expect("the job printed it"));
    let held = std::fs::File::options()
        .write(true)
        .open(path)
        .expect("our own process");
    let ended = started.wait();
    assert!(ended.outcome.leaky);
    assert_eq!(ended.outcome.status, Status::Success);
    assert!(ended.log.contains("\nend\n"));
    assert!(ended.outcome.duration < Duration::from_secs(5));
    drop(held);
}

#[test]
fn jobs_that_run_at_once_do_not_mix() {
    let jobs: Vec<_> = (0..12)
        .map(|n| start_with(spec(&[&format!("seq {n}00 {n}99; exit {n}")]), |_| {}))
        .collect();
    for (n, job) in jobs.into_iter().enumerate() {
        let ended = job.wait();
        let expected: Vec<String> = (n * 100..n * 100 + 100).map(|n| n.to_string()).collect();
        assert_eq!(ended.output(), expected.join("\n"));
        assert_eq!(
            ended.outcome.exit_code.unwrap_or(0),
            i32::try_from(n).expect("small")
        );
    }
}

#[test]
fn a_job_that_starts_daemons_one_after_the_other_leaves_none() {
    let mark = mark();
    let command = format!("for i in $(seq 300); do (setsid sleep {mark} >/dev/null 2>&1 &); done");
    let ended = run(spec(&[&command]));
    assert_eq!(ended.outcome.status, Status::Success);
    assert_eq!(ended.outcome.leftovers, 300);
    assert_eq!(processes_with(&mark), Vec::<String>::new());
}

#[test]
fn output_before_the_end_is_complete_whatever_its_size() {
    let ended = run_with(spec(&["seq 1 300000"]), |run| run.trace.limit = 1 << 30);
    let lines: Vec<&str> = ended
        .log
        .lines()
        .filter(|line| line.parse::<u32>().is_ok())
        .collect();
    assert_eq!(lines.len(), 300_000);
    assert_eq!(lines.last(), Some(&"300000"));
}

#[test]
fn a_script_that_closes_its_output_still_ends() {
    let ended = run(spec(&["echo before; exec >&- 2>&-; sleep 0.2; exit 4"]));
    assert_eq!(ended.outcome.exit_code, Some(4));
    assert_eq!(ended.output(), "before");
}

#[test]
fn a_job_gets_no_descriptor_of_the_engines_own() {
    let ended = run(spec(&["ls /proc/$$/fd"]));
    // Whoever started this test may have left it some that survive every exec.
    let outlives_exec = |number: &str| {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}"));
        let flags = info.ok().and_then(|info| {
            let flags = info
                .lines()
                .find_map(|line| line.strip_prefix("flags:"))?
                .trim()
                .to_owned();
            u32::from_str_radix(&flags, 8).ok()
        });
        flags.is_some_and(|flags| flags & 0o2_000_000 == 0)
    };
    let output = ended.output();
    let own: Vec<&str> = output
        .lines()
        .filter(|number| !outlives_exec(number))
        .collect();
    assert_eq!(own, Vec::<&str>::new());
    assert!(output.lines().count() >= 3);
}

#[test]
fn the_mount_plan_is_entered_before_the_first_script() {
    let ended = run_with(spec(&["cat \"$CI_BUILDS_DIR/mark\""]), |run| {
        let file = run.builds_dir.join("mark");
        run.ground = ground(&["mark", file.to_str().expect("a plain path")]).ok();
    });
    assert_eq!(ended.output(), "entered");
}

#[test]
fn a_mount_plan_that_fails_says_why() {
    let failed = ground(&["fail"])
        .map(drop)
        .map_err(|error| error.to_string());
    let expected = "cannot enter the work tree: told to fail";
    assert_eq!(failed, Err(expected.to_owned()));
}

#[test]
fn jobs_on_one_ground_run_one_after_the_other_and_at_once() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mark = dir.path().join("entered");
    let here = ground(&["mark", mark.to_str().expect("a plain path")]).expect("a ground");
    std::fs::remove_file(&mark).expect("it was entered");
    let job = |n: usize| {
        start_with(spec(&[&format!("exit {n}")]), |run| {
            run.ground = Some(here.clone())
        })
    };
    for round in 0..3 {
        let jobs: Vec<_> = (0..4).map(|n| job(round + n)).collect();
        for (n, job) in jobs.into_iter().enumerate() {
            let code = i32::try_from(round + n).expect("small");
            assert_eq!(job.wait().outcome.exit_code.unwrap_or(0), code);
        }
    }
    assert!(!mark.exists(), "it was entered once");
}

#[test]
fn the_temporary_directory_is_private_and_goes_with_the_job() {
    let ended = run(spec(&["stat -c %a \"$RUNNER_TEMP_PROJECT_DIR\""]));
    assert_eq!(ended.output(), "700");
    assert!(!ended.dir.path().join("project.tmp").exists());
}
