//! Includes from servers: HTTPS with a company's own certificate, and projects over ssh.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tidegate_testkit::{Ended, Sandbox, skip};

use crate::repository;

/// How long a server may take to begin.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that ends with the test.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// Starts `command` and waits until somebody listens on the port.
    fn start(command: &mut Command, port: u16) -> Server {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        let process = command.stderr(Stdio::null()).spawn().unwrap();
        let server = Server { process, port };
        let until = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "nobody listens on port {port}");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port nobody listens on now.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Where a program is; servers stand in directories that are not in everybody's `PATH`.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    directories.push("/usr/sbin".into());
    let mut all = directories
        .into_iter()
        .map(|directory| directory.join(name));
    all.find(|path| path.is_file())
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// A key and a certificate for `localhost` that signs itself; the certificate's path.
fn certificate(openssl: &Path, directory: &Path) -> PathBuf {
    let certificate = directory.join("cert.pem");
    done(
        Command::new(openssl)
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            ])
            .args(["-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(directory.join("key.pem"))
            .arg("-out")
            .arg(&certificate),
    );
    certificate
}

#[test]
fn https_works_with_a_certificate_the_machine_trusts_and_no_other() {
    let Some(openssl) = program("openssl") else {
        return skip("openssl is not installed");
    };
    let served = tempfile::tempdir().unwrap();
    let certificate = certificate(&openssl, served.path());
    std::fs::write(served.path().join("jobs.yml"), "served: {script: [echo]}\n").unwrap();
    let port = free_port();
    let server = Server::start(
        Command::new(openssl)
            .args([
                "s_server", "-quiet", "-WWW", "-cert", "cert.pem", "-key", "key.pem",
            ])
            .args(["-accept", &format!("127.0.0.1:{port}")])
            .current_dir(served.path()),
        port,
    );
    let repo = repository(&format!(
        "include: 'https://localhost:{}/jobs.yml'\n",
        server.port
    ));
    let refused = Ended::of(repo.command(&["list"]).output().unwrap());
    assert_eq!(refused.code, Some(1), "{}", refused.shown());
    assert!(
        refused.stderr.contains("the connection is not safe"),
        "{}",
        refused.stderr
    );
    let mut trusting = repo.command(&["list"]);
    let listed = Ended::of(trusting.env("SSL_CERT_FILE", certificate).output().unwrap());
    assert_eq!(listed.code, Some(0), "{}", listed.shown());
    assert!(listed.stdout.contains("served"), "{}", listed.stdout);
    assert!(repo.read("tidegate.lock").contains("localhost"));
    drop(server);
    let offline = repo.run(&["list", "--offline"]);
    assert_eq!(offline.code, Some(0), "{}", offline.shown());
}

/// A project with a file to include, as a bare repository.
fn bare_project(directory: &Path) -> PathBuf {
    let bare = directory.join("shared.git");
    let source = Sandbox::repository("", "unused: {script: [echo]}\n");
    source.write("jobs.yml", "over_ssh: {script: [echo]}\n");
    source.commit("jobs");
    source.git(&["clone", "--quiet", "--bare", ".", &bare.to_string_lossy()]);
    bare
}

/// An ssh server that knows one key, and the command with which git reaches it.
fn ssh_server(sshd: &Path, directory: &Path) -> (Server, String) {
    for name in ["host", "user"] {
        done(
            Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(directory.join(name)),
        );
    }
    // Debian's sshd wants this directory where it runs as root.
    let _ = std::fs::create_dir_all("/run/sshd");
    let at = |name: &str| directory.join(name).display().to_string();
    let port = free_port();
    let configuration = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\n\
         PasswordAuthentication no\nPermitRootLogin yes\nPidFile none\nUsePAM no\n",
        at("host"),
        at("user.pub")
    );
    std::fs::write(directory.join("sshd_config"), configuration).unwrap();
    let mut command = Command::new(sshd);
    let server = Server::start(command.args(["-D", "-f", &at("sshd_config")]), port);
    let ssh = format!(
        "ssh -F none -i {} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile={}",
        at("user"),
        at("known_hosts")
    );
    (server, ssh)
}

#[test]
fn a_project_is_included_over_ssh() {
    let (Some(sshd), Some(_)) = (program("sshd"), program("ssh-keygen")) else {
        return skip("no ssh server is installed");
    };
    let directory = tempfile::tempdir().unwrap();
    let bare = bare_project(directory.path());
    let (server, ssh) = ssh_server(&sshd, directory.path());
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let user = String::from_utf8(user).unwrap();
    let repo = repository("include: {project: group/shared, file: jobs.yml}\n");
    let url = format!(
        "ssh://{}@127.0.0.1:{}{}",
        user.trim(),
        server.port,
        bare.display()
    );
    repo.write(
        "tidegate.toml",
        format!("[includes.projects]\n\"group/shared\" = {{ url = \"{url}\" }}\n"),
    );
    let mut list = repo.command(&["list"]);
    let listed = Ended::of(list.env("GIT_SSH_COMMAND", &ssh).output().unwrap());
    assert_eq!(listed.code, Some(0), "{}", listed.shown());
    assert!(listed.stdout.contains("over_ssh"), "{}", listed.stdout);
    drop(server);
    let offline = repo.run(&["list", "--offline"]);
    assert_eq!(offline.code, Some(0), "{}", offline.shown());
    let mut update = repo.command(&["list", "--update"]);
    let unreachable = Ended::of(update.env("GIT_SSH_COMMAND", &ssh).output().unwrap());
    assert_ne!(unreachable.code, Some(0), "{}", unreachable.shown());
    assert!(
        unreachable.stderr.contains("group/shared")
            && unreachable.stderr.contains(".gitlab-ci.yml"),
        "{}",
        unreachable.stderr
    );
}
