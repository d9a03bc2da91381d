//! An S3 server for the tests of the remote cache: moto, from the Python package index, in an environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the server's program to the tests.
pub(crate) const VARIABLE: &str = "TIDEGATE_MOTO_SERVER";

const PACKAGES: [&str; 3] = ["moto[s3]==5.*", "flask", "flask-cors"];

/// The server's program: what the environment names, else one below `target/`, installed there if it is missing.
pub(crate) fn program(root: &Path) -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        return Ok(named.into());
    }
    let place = root.join("target/moto");
    let program = place.join("bin/moto_server");
    if program.is_file() {
        return Ok(program);
    }
    println!(
        "installing: {} into {}",
        PACKAGES.join(" "),
        place.display()
    );
    crate::run(Command::new("python3").args(["-m", "venv"]).arg(&place))?;
    let mut pip = Command::new(place.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    crate::run(pip.args(PACKAGES))?;
    Ok(program)
}

/// Whether Python can make environments; Debian has that in a package of its own.
pub(crate) fn has_venv() -> bool {
    let output = Command::new("python3")
        .args(["-c", "import ensurepip"])
        .output();
    output.is_ok_and(|output| output.status.success())
}
