//! One measurement: a process that carries out one workload and says what it cost.

use std::ffi::OsStr;
use std::io;
use std::process::Command;
use std::time::Instant;

use crate::{baseline, pipelines, runs};

/// The private word of a process that carries out one workload.
pub(crate) const PERFORM: &str = "__perform";
/// Kernel ticks a second, in which `/proc` counts CPU time; the same on all Linux architectures.
const TICKS: f64 = 100.0;

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Workload {
    /// So many bare `bash -c true`, two at a time.
    Bare(u32),
    /// The same with `bash -l`, which GitLab's runner and Tidegate start.
    Login(u32),
    /// So many jobs of `true` in one stage, two at a time.
    Stage(u32),
    /// So many jobs, each needing the one before.
    Chain(u32),
    /// `bash -c cat` of 200 000 lines.
    Cat,
    /// The same as a job.
    Lines,
}

/// What a workload cost.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Cost {
    pub(crate) wall_ms: f64,
    /// User and system time, of ended children too.
    pub(crate) cpu_ms: f64,
    /// Most memory the process itself had resident.
    pub(crate) peak_kb: f64,
}

impl Workload {
    pub(crate) fn name(self) -> String {
        match self {
            Workload::Bare(count) => format!("bare-{count}"),
            Workload::Login(count) => format!("login-{count}"),
            Workload::Stage(count) => format!("stage-{count}"),
            Workload::Chain(count) => format!("chain-{count}"),
            Workload::Cat => "cat".to_owned(),
            Workload::Lines => "lines".to_owned(),
        }
    }

    pub(crate) fn named(name: &OsStr) -> Option<Workload> {
        let name = name.to_str()?;
        let Some((kind, count)) = name.split_once('-') else {
            return match name {
                "cat" => Some(Workload::Cat),
                "lines" => Some(Workload::Lines),
                _ => None,
            };
        };
        let count = count.parse().ok()?;
        match kind {
            "bare" => Some(Workload::Bare(count)),
            "login" => Some(Workload::Login(count)),
            "stage" => Some(Workload::Stage(count)),
            "chain" => Some(Workload::Chain(count)),
            _ => None,
        }
    }
}

impl Cost {
    pub(crate) fn line(self) -> String {
        format!("{} {} {}", self.wall_ms, self.cpu_ms, self.peak_kb)
    }

    fn of_line(line: &str) -> Option<Cost> {
        let mut numbers = line.split_whitespace().map(|word| word.parse().ok());
        Some(Cost {
            wall_ms: numbers.next()??,
            cpu_ms: numbers.next()??,
            peak_kb: numbers.next()??,
        })
    }
}

/// Carries a workload out in a process of its own.
pub(crate) fn measure(workload: Workload) -> io::Result<Cost> {
    let home = tempfile::tempdir()?;
    let output = Command::new(std::env::current_exe()?)
        .args([PERFORM, &workload.name()])
        .env("HOME", home.path())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Cost::of_line(&text).ok_or_else(|| io::Error::other(format!("{}: {text}", workload.name())))
}

/// Carries a workload out in this process.
pub(crate) fn perform(workload: Workload) -> io::Result<Cost> {
    let place = tempfile::tempdir()?;
    let lines = || baseline::lines(place.path());
    let wall_ms = match workload {
        Workload::Bare(count) => timed(|| baseline::shells(count, &["-c", "true"]))?,
        Workload::Login(count) => timed(|| baseline::shells(count, &["-l", "-c", "true"]))?,
        Workload::Stage(count) => {
            let setup = runs::setup(place.path(), pipelines::stage(count))?;
            timed(|| runs::run(setup))?
        }
        Workload::Chain(count) => {
            let setup = runs::setup(place.path(), pipelines::chain(count))?;
            timed(|| runs::run(setup))?
        }
        Workload::Cat => {
            let file = lines()?;
            timed(|| baseline::cat(&file))?
        }
        Workload::Lines => {
            let file = lines()?;
            let setup = runs::setup(place.path(), pipelines::cat(&file))?;
            timed(|| runs::run(setup))?
        }
    };
    Ok(Cost {
        wall_ms,
        cpu_ms: cpu_ms()?,
        peak_kb: peak_kb()?,
    })
}

/// The cost in the middle, by time.
pub(crate) fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|a, b| a.wall_ms.total_cmp(&b.wall_ms));
    let none = Cost {
        wall_ms: f64::NAN,
        cpu_ms: f64::NAN,
        peak_kb: f64::NAN,
    };
    costs.get(costs.len() / 2).copied().unwrap_or(none)
}

pub(crate) fn timed(work: impl FnOnce() -> io::Result<()>) -> io::Result<f64> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

fn cpu_ms() -> io::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name may hold anything; after its bracket come plain fields, the third of all first.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(4);
    let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS * 1e3)
}

fn peak_kb() -> io::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = peak.and_then(|text| text.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| io::Error::other("/proc/self/status names no VmHWM"))
}
