//! What jobs are compared with: the same work by bare processes.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Lines of the large log.
const LINES: u32 = 200_000;

/// Runs `bash` so often, two at a time.
pub(crate) fn shells(count: u32, args: &[&str]) -> io::Result<()> {
    let run = |count: u32| -> io::Result<()> {
        for _ in 0..count {
            Command::new("bash")
                .args(args)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .status()?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| run(count / 2));
        run(count - count / 2)?;
        other
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
    })
}

/// Writes the large log to be printed; returns its path.
pub(crate) fn lines(dir: &Path) -> io::Result<PathBuf> {
    let path = dir.join("lines");
    let mut file = io::BufWriter::new(std::fs::File::create(&path)?);
    for line in 0..LINES {
        writeln!(file, "line {line} of a log as compilers write them")?;
    }
    file.flush()?;
    Ok(path)
}

/// Prints a file through a pipe and throws the bytes away.
pub(crate) fn cat(file: &Path) -> io::Result<()> {
    let mut child = Command::new("bash")
        .args(["-c", "cat \"$0\""])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut output) = child.stdout.take() {
        let mut block = vec![0; 1 << 18];
        while output.read(&mut block)? > 0 {}
    }
    child.wait().map(drop)
}
