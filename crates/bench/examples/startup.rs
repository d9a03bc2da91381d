//! What starting the program costs: `cargo run --release -p tidegate-bench --example startup [-- BINARY]`.
//!
//! Runs the binary (by default `target/release/tidegate`) many times on small and larger projects and divides the CPU time of
//! all runs, children included, which is finer than the clock of one. `true` is run the same way: what any process costs.

#![expect(
    clippy::print_stdout,
    reason = "results go to the person at the terminal"
)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tidegate_bench::generated;

/// Runs of each command.
const RUNS: u32 = 40;
/// Most milliseconds of CPU time for `list` of ten jobs.
const MOST: f64 = 15.0;
/// `/proc` counts in hundredths of a second on every Linux there is.
const TICK: Duration = Duration::from_millis(10);

fn main() -> Result<(), Box<dyn Error>> {
    let binary = match std::env::args_os().nth(1) {
        Some(path) => PathBuf::from(path),
        None => beside_this()?,
    };
    let small = tempfile::tempdir()?;
    generated::write(small.path(), 10, 0)?;
    let large = tempfile::tempdir()?;
    generated::write(large.path(), 1_000, 0)?;
    let home = tempfile::tempdir()?;
    let bare = cost(Path::new("true"), &[], small.path(), home.path())?;
    println!("what                     CPU   of bar      wall");
    show("true", bare);
    for (name, arguments, directory) in [
        ("--version", &["--version"] as &[&str], &small),
        ("list, 10 jobs", &["list"], &small),
        ("lint, 10 jobs", &["lint"], &small),
        ("list, 1 000 jobs", &["list"], &large),
        ("lint, 1 000 jobs", &["lint"], &large),
    ] {
        show(
            name,
            cost(&binary, arguments, directory.path(), home.path())?,
        );
    }
    Ok(())
}

fn beside_this() -> Result<PathBuf, Box<dyn Error>> {
    let itself = std::env::current_exe()?;
    let folder = itself.parent().and_then(Path::parent).ok_or("no folder")?;
    Ok(folder.join("tidegate"))
}

/// What one run takes on average.
struct Cost {
    cpu: Duration,
    wall: Duration,
}

fn show(name: &str, cost: Cost) {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{name:18} {:6.2} ms {:7.2}× {:6.2} ms",
        millis(cost.cpu),
        millis(cost.cpu) / MOST,
        millis(cost.wall)
    );
}

fn cost(
    binary: &Path,
    arguments: &[&str],
    directory: &Path,
    home: &Path,
) -> Result<Cost, Box<dyn Error>> {
    let run = || {
        let mut command = Command::new(binary);
        command.args(arguments).current_dir(directory);
        command.env("HOME", home).env_remove("XDG_CONFIG_HOME");
        command.stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    if !run()?.success() {
        return Err(format!("{} {arguments:?} failed", binary.display()).into());
    }
    let (before, started) = (children_cpu()?, Instant::now());
    for _ in 0..RUNS {
        run()?;
    }
    Ok(Cost {
        cpu: (children_cpu()? - before) / RUNS,
        wall: started.elapsed() / RUNS,
    })
}

/// CPU time of all children that ended, theirs included.
fn children_cpu() -> Result<Duration, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    // Behind the name stands field 3; `cutime` and `cstime` are fields 16 and 17.
    let fields = fields.split_whitespace().skip(16 - 3).take(2);
    let ticks: u32 = fields.map(str::parse::<u32>).sum::<Result<_, _>>()?;
    Ok(TICK * ticks)
}
