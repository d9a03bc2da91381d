//! Loads a configuration from a directory a few times and prints how long it takes.
//!
//! `cargo run --release -p tidegate-config --example load_time -- DIR [TIMES]`; `DIR` holds `.gitlab-ci.yml` and the local
//! files it includes.

#![expect(clippy::print_stdout, reason = "the time is what one runs this for")]

use std::path::Path;
use std::time::Instant;

use tidegate_config::{ParsedFiles, RootFile, Settings, load, load_with};
use tidegate_scenario::{FixtureWorld, Scenario};
use tidegate_source::Severity;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("which directory?")?;
    let times: u32 = arguments.next().map_or(Ok(5), |times| times.parse())?;
    let directory = Path::new(&directory);
    let mut world = FixtureWorld::default();
    collect(directory, directory, &mut world)?;
    let root = RootFile {
        name: ".gitlab-ci.yml".to_owned(),
        bytes: std::fs::read(directory.join(".gitlab-ci.yml"))?.into(),
    };
    let scenario = Scenario::push("main");
    let settings = Settings::default();
    let mut parsed = ParsedFiles::new();
    for _ in 0..times {
        let started = Instant::now();
        let loaded = load(&root, &scenario, &world, &settings)?;
        let whole = started.elapsed();
        let started = Instant::now();
        load_with(&mut parsed, &root, &scenario, &world, &settings)?;
        let jobs = loaded.config.as_ref().map_or(0, |config| config.jobs.len());
        println!(
            "{jobs} jobs, {} includes: {whole:?}, with parsed files {:?}",
            loaded.includes.len(),
            started.elapsed()
        );
        for problem in loaded.diagnostics.of(Severity::Error).take(3) {
            println!("  {}", problem.message);
        }
    }
    Ok(())
}

fn collect(root: &Path, directory: &Path, world: &mut FixtureWorld) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let Ok(name) = path.strip_prefix(root) else {
            continue;
        };
        let name = name.to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with(".git") {
            collect(root, &path, world)?;
        } else if path
            .extension()
            .is_some_and(|it| it == "yml" || it == "yaml")
        {
            world.files.insert(name, std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}
