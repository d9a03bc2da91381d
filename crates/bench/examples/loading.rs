//! What loading a configuration costs: `cargo run --release -p tidegate-bench --example loading`.
//!
//! Every size is loaded in a process of its own, so that peak memory is its own, and several times there: the least CPU time
//! counts, since a busy machine only adds to it. Files are in memory; reading them is not measured.

#![expect(
    clippy::print_stdout,
    reason = "results go to the person at the terminal"
)]

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tidegate_bench::generated;
use tidegate_config::{RootFile, Settings, load};
use tidegate_scenario::{FixtureWorld, Scenario};

/// Jobs, includes and the most milliseconds of CPU time loading may take.
const SIZES: [(usize, usize, Option<u32>); 5] = [
    (100, 100, Some(30)),
    (1_000, 0, Some(20)),
    (5_000, 100, Some(100)),
    (20_000, 100, None),
    (50_000, 100, None),
];
const TIMES: usize = 7;
/// Peak memory may be so many times the size of the files, and so much more.
const MEMORY_FACTOR: f64 = 10.0;
const MEMORY_BASE: f64 = 20.0;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [directory] => one(Path::new(directory)),
        _ => all(),
    }
}

fn all() -> Result<(), Box<dyn Error>> {
    println!(
        "  jobs includes      files       CPU  per job      bar  of bar     peak      bar  of bar"
    );
    let itself = std::env::current_exe()?;
    for (jobs, includes, most) in SIZES {
        let directory = tempfile::tempdir()?;
        let bytes = generated::write(directory.path(), jobs, includes)?;
        let output = Command::new(&itself).arg(directory.path()).output()?;
        let text = String::from_utf8(output.stdout)?;
        let mut figures = text.split_whitespace().map(str::parse::<f64>);
        let (Some(Ok(seconds)), Some(Ok(peak))) = (figures.next(), figures.next()) else {
            return Err(format!("{jobs} jobs: {}", String::from_utf8_lossy(&output.stderr)).into());
        };
        let (millis, megabytes) = (seconds * 1e3, bytes as f64 / 1e6);
        let bar = most.map_or_else(
            || "       –       –".to_owned(),
            |most| format!("{most:5} ms {:6.2}×", millis / f64::from(most)),
        );
        let room = megabytes * MEMORY_FACTOR + MEMORY_BASE;
        println!(
            "{jobs:6} {includes:8} {megabytes:7.2} MB {millis:6.1} ms {:5.1} µs {bar} {peak:5.1} MB {room:5.1} MB {:6.2}×",
            millis * 1e3 / jobs as f64,
            peak / room,
        );
    }
    Ok(())
}

/// Loads what stands in `directory` and prints the seconds of CPU time that took and the peak of memory in megabytes.
fn one(directory: &Path) -> Result<(), Box<dyn Error>> {
    let mut world = FixtureWorld::default();
    if let Ok(files) = std::fs::read_dir(directory.join("ci")) {
        for file in files {
            let path = file?.path();
            let name = path.strip_prefix(directory)?.to_string_lossy().into_owned();
            world.files.insert(name, std::fs::read_to_string(&path)?);
        }
    }
    let root = RootFile {
        name: ".gitlab-ci.yml".to_owned(),
        bytes: std::fs::read(directory.join(".gitlab-ci.yml"))?.into(),
    };
    // As `list` and `run` load.
    let settings = Settings {
        keep_written: false,
        ..Settings::default()
    };
    let scenario = Scenario::push("main");
    let mut least = Duration::MAX;
    for _ in 0..TIMES {
        let before = cpu_time()?;
        let loaded = load(&root, &scenario, &world, &settings)?;
        least = least.min(cpu_time()?.saturating_sub(before));
        if !loaded.is_valid() {
            return Err("the configuration is not valid".into());
        }
    }
    println!("{} {}", least.as_secs_f64(), peak_memory()?);
    Ok(())
}

fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Ok(Duration::new(
        time.tv_sec.try_into()?,
        time.tv_nsec.try_into()?,
    ))
}

/// The most memory this process had, in megabytes.
fn peak_memory() -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    Ok(figure.ok_or("no VmHWM")?.parse::<f64>()? * 1024.0 / 1e6)
}
