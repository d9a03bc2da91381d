//! The whole program: from a configuration file to the end of the pipeline.

use std::fmt::Write;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::measure::{Cost, timed};

/// Runs so many jobs of `true` in one stage by `binary run --jobs 2`, in a repository of its own.
pub(crate) fn stage(binary: &Path, jobs: u32) -> io::Result<Cost> {
    let place = tempfile::tempdir()?;
    let home = tempfile::tempdir()?;
    let mut text = String::new();
    for at in 0..jobs {
        // Writing to a text does not fail.
        let _ = writeln!(text, "job {at}:\n  script: \"true\"");
    }
    std::fs::write(place.path().join(".gitlab-ci.yml"), text)?;
    let command = |program: &Path, args: &[&str]| -> io::Result<()> {
        let status = Command::new(program)
            .args(args)
            .current_dir(place.path())
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        let failed = || io::Error::other(format!("{} {args:?}: {status}", program.display()));
        status.success().then_some(()).ok_or_else(failed)
    };
    let git = |args: &[&str]| command(Path::new("git"), args);
    git(&["init", "-q"])?;
    git(&["add", "."])?;
    git(&[
        "-c",
        "user.name=b",
        "-c",
        "user.email=b@example.com",
        "commit",
        "-qm",
        "bench",
    ])?;
    let data = home.path().join("data");
    let data = data.to_string_lossy();
    let wall_ms = timed(|| command(binary, &["run", "--jobs", "2", "--data-dir", &data]))?;
    Ok(Cost {
        wall_ms,
        cpu_ms: f64::NAN,
        peak_kb: f64::NAN,
    })
}
