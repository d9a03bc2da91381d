//! What running a job costs beside its script: `cargo run --release -p tidegate-bench --bin overhead`.
//!
//! Every measurement is a process of its own, so that time, CPU time and peak memory are its own; what jobs are compared with
//! (bare shells) is measured between them, again and again, so that a busy machine hits both. The median counts. With
//! `--binary FILE` a pipeline is also run by that `tidegate`, from its configuration file on. `HOME` is an empty directory: the
//! profile a login shell reads is the user's affair and can cost more than all the rest.

#![expect(
    clippy::print_stdout,
    reason = "results go to the person at the terminal"
)]

mod baseline;
mod measure;
mod pipelines;
mod runs;
mod whole;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use measure::{Cost, Workload, median};
use tidegate_workspace::MountPlan;

/// How often each workload is measured.
const ROUNDS: usize = 3;
/// Jobs of the stage everything is compared in.
const STAGE: u32 = 200;
const CHAIN: u32 = 50;
const MANY: u32 = 1000;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let done = match args.next() {
        Some(word) if word == runs::SUPERVISE => {
            return tidegate_exec::supervisor_main(args, enter);
        }
        Some(word) if word == measure::PERFORM => perform(args),
        Some(word) if word == "--binary" => report(args.next().as_deref().map(Path::new)),
        Some(word) if word == "--only" => only(args),
        _ => report(None),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn enter(words: &[OsString]) -> io::Result<()> {
    let plan = MountPlan::from_args(words).map_err(io::Error::other)?;
    plan.enter().map_err(io::Error::other)
}

/// Carries out one workload in this process and prints what it cost.
fn perform(mut args: impl Iterator<Item = OsString>) -> io::Result<()> {
    let workload = args.next().and_then(|word| Workload::named(&word));
    let workload = workload.ok_or_else(|| io::Error::other("no such workload"))?;
    let cost = measure::perform(workload)?;
    println!("{}", cost.line());
    Ok(())
}

/// Measures one workload again and again; what a profiler is pointed at.
fn only(mut args: impl Iterator<Item = OsString>) -> io::Result<()> {
    let workload = args.next().and_then(|word| Workload::named(&word));
    let workload = workload.ok_or_else(|| io::Error::other("no such workload"))?;
    let costs = (0..ROUNDS).map(|_| measure::measure(workload));
    show(workload.name(), median(costs.collect::<io::Result<_>>()?));
    Ok(())
}

fn report(binary: Option<&Path>) -> io::Result<()> {
    // Whole runs start elsewhere.
    let binary = binary.map(Path::canonicalize).transpose()?;
    let all = [
        Workload::Bare(STAGE),
        Workload::Login(STAGE),
        Workload::Stage(STAGE),
        Workload::Chain(CHAIN),
        Workload::Stage(MANY),
        Workload::Cat,
        Workload::Lines,
    ];
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); all.len()];
    let mut whole = Vec::new();
    for _ in 0..ROUNDS {
        for (workload, costs) in all.iter().zip(&mut costs) {
            costs.push(measure::measure(*workload)?);
        }
        if let Some(binary) = &binary {
            whole.push(whole::stage(binary, STAGE)?);
        }
    }
    let costs: Vec<Cost> = costs.into_iter().map(median).collect();
    for (workload, cost) in all.iter().zip(&costs) {
        show(workload.name(), *cost);
    }
    let [bare, login, stage, chain, many, cat, lines] = costs[..] else {
        return Ok(());
    };
    let per_job = |cost: Cost, jobs: u32| cost.wall_ms / f64::from(jobs);
    println!();
    println!(
        "stage / bare shells          {:8.2}   (target: below 3)",
        stage.wall_ms / bare.wall_ms
    );
    println!(
        "stage / login shells         {:8.2}",
        stage.wall_ms / login.wall_ms
    );
    println!(
        "CPU: stage / bare shells     {:8.2}",
        stage.cpu_ms / bare.cpu_ms
    );
    println!(
        "a job of the stage           {:8.2} ms",
        per_job(stage, STAGE)
    );
    println!(
        "a hop of the chain           {:8.2} ms (target: below 10)",
        per_job(chain, CHAIN)
    );
    println!(
        "200 000 lines over cat       {:8.3} s  (target: below 0.2)",
        (lines.wall_ms - cat.wall_ms) / 1e3
    );
    println!(
        "peak memory, 1000 jobs       {:8.1} MB (target: below 60)",
        many.peak_kb / 1e3
    );
    if !whole.is_empty() {
        let whole = median(whole);
        println!(
            "whole process / bare shells  {:8.2}   (target: below 3)",
            whole.wall_ms / bare.wall_ms
        );
    }
    Ok(())
}

fn show(name: String, cost: Cost) {
    let Cost {
        wall_ms,
        cpu_ms,
        peak_kb,
    } = cost;
    println!(
        "{name:28} {wall_ms:9.1} ms wall {cpu_ms:9.1} ms cpu {:8.1} MB",
        peak_kb / 1e3
    );
}
