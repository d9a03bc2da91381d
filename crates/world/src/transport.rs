//! Git over the network: bounded in time, without prompts, with credentials only from its helpers and its environment.
//!
//! The process has a group of its own, since git starts further ones for its transports; all of them end with the deadline.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tidegate_scenario::Why;

use crate::credentials::Credentials;
use crate::git::foreign;

/// Why a repository gave no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum TransportError {
    /// There is no such repository.
    NoRepository,
    /// The server does not have what was asked for, or does not give it away by id.
    NoObject(String),
    /// Everything else.
    Unknown(Why),
}

/// A git command that may talk to the server of `url`.
pub(crate) fn remote_command(dir: &Path, url: &str, credentials: &Credentials) -> Command {
    let mut command = foreign(dir);
    // Nobody is there to answer; a question would wait for the deadline.
    command
        .env("GIT_ASKPASS", "")
        .env("SSH_ASKPASS", "false")
        .env("SSH_ASKPASS_REQUIRE", "force");
    // Mappings may come from a repository that is only being looked at: transports that run commands stay out.
    if std::env::var_os("GIT_ALLOW_PROTOCOL").is_none() {
        command.env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh");
    }
    let fixed = [
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("core.hooksPath", "/dev/null"),
        ("fetch.recurseSubmodules", "false"),
        ("transfer.bundleURI", "false"),
    ];
    let mut pairs: Vec<(String, String)> = fixed
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    pairs.extend(credentials.header_for(url));
    configure(&mut command, &pairs);
    command
}

/// Adds configuration behind what the environment already holds.
fn configure(command: &mut Command, pairs: &[(String, String)]) {
    let count = std::env::var("GIT_CONFIG_COUNT").ok();
    let first: usize = count.and_then(|count| count.parse().ok()).unwrap_or(0);
    for (at, (key, value)) in pairs.iter().enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{}", first + at), key);
        command.env(format!("GIT_CONFIG_VALUE_{}", first + at), value);
    }
    command.env("GIT_CONFIG_COUNT", (first + pairs.len()).to_string());
}

/// Runs such a command to its end or its deadline and returns its standard output.
pub(crate) fn run(
    mut command: Command,
    within: Duration,
    credentials: &Credentials,
) -> Result<Vec<u8>, TransportError> {
    let failed = |text: String| TransportError::Unknown(Why::Failed(text));
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command
        .spawn()
        .map_err(|error| failed(format!("git does not start: {error}")))?;
    let output = drain(child.stdout.take());
    let errors = drain(child.stderr.take());
    let Some(success) = wait(&mut child, within).map_err(|error| failed(error.to_string()))? else {
        return Err(TransportError::Unknown(Why::TimedOut));
    };
    // The pipes end with the last process of the group; one that outlives git is not waited for.
    let grace = Duration::from_secs(2);
    let output = output.recv_timeout(grace);
    let errors = errors.recv_timeout(grace).unwrap_or_default();
    match output {
        Ok(output) if success => Ok(output),
        _ => {
            let message = credentials.masked(String::from_utf8_lossy(&errors).trim());
            Err(refusal(&message))
        }
    }
}

/// Reads a pipe to its end in a thread, which ends with the pipe.
fn drain(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is still the best there is.
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = sender.send(bytes);
    });
    receiver
}

/// Whether the process succeeded; `None` where it was killed at the deadline.
fn wait(child: &mut Child, within: Duration) -> std::io::Result<Option<bool>> {
    let deadline = Instant::now() + within;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
                // It may have ended just now.
                let _ = kill_process_group(group, Signal::KILL);
            }
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// What git's words mean. They are stable enough: `LC_ALL=C`, and the same for many years.
fn refusal(message: &str) -> TransportError {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let short = || last_line(message);
    if says(&[
        "could not read Username",
        "could not read Password",
        "Authentication failed",
        "HTTP Basic: Access denied",
        "Permission denied",
        "Host key verification failed",
        "error: 401",
        "error: 403",
    ]) {
        return TransportError::Unknown(Why::Refused(short()));
    }
    if says(&[
        "not our ref",
        "Server does not allow request for unadvertised object",
        "couldn't find remote ref",
        "remote did not send all necessary objects",
    ]) {
        return TransportError::NoObject(short());
    }
    let is_missing = |line: &str| line.contains("epository") && line.contains("not found");
    let missing = message.lines().any(is_missing);
    if missing
        || says(&[
            "does not appear to be a git repository",
            "does not exist",
            "could not be found",
            "error: 404",
        ])
    {
        return TransportError::NoRepository;
    }
    TransportError::Unknown(Why::Failed(short()))
}

/// The line that says it: the first that begins with `fatal:` or `ERROR:`, else the last.
fn last_line(message: &str) -> String {
    let told = message
        .lines()
        .find(|line| line.starts_with("fatal:") || line.contains("ERROR:"));
    let line = told
        .or_else(|| message.lines().last())
        .unwrap_or("git failed");
    line.trim_start_matches("fatal:").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        let find = |name: &str| (name == "GITLAB_TOKEN").then(|| "glpat-secret".to_owned());
        Credentials::from_environment(find, &[])
    }

    fn variables(command: &Command) -> Vec<(String, String)> {
        let text = |value: &std::ffi::OsStr| value.to_string_lossy().into_owned();
        command
            .get_envs()
            .filter_map(|(name, value)| Some((text(name), text(value?))))
            .collect()
    }

    #[test]
    fn the_token_is_in_the_environment_and_not_in_the_arguments() {
        let mut command =
            remote_command(Path::new("."), "https://gitlab.com/a/b.git", &credentials());
        command.args(["ls-remote", "https://gitlab.com/a/b.git"]);
        let encoded = "b2F1dGgyOmdscGF0LXNlY3JldA==";
        let seen = variables(&command);
        assert!(
            seen.iter().any(|(_, value)| value.ends_with(encoded)),
            "{seen:?}"
        );
        let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
        assert!(
            !arguments
                .iter()
                .any(|a| a.contains("secret") || a.contains(encoded))
        );
        let other = remote_command(Path::new("."), "https://evil.org/a/b.git", &credentials());
        assert!(
            !variables(&other)
                .iter()
                .any(|(_, value)| value.contains(encoded))
        );
    }

    #[test]
    fn a_running_process_shows_no_token_among_its_arguments() {
        let mut command =
            remote_command(Path::new("/"), "https://gitlab.com/a.git", &credentials());
        // It waits for its standard input, so that it can be looked at.
        command
            .args(["hash-object", "--stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let mut child = command.spawn().expect("git is here");
        // The child may not have become git yet.
        let deadline = Instant::now() + Duration::from_secs(10);
        let read = loop {
            let read = std::fs::read(format!("/proc/{}/cmdline", child.id()));
            let is_git = |line: &Vec<u8>| String::from_utf8_lossy(line).contains("hash-object");
            if read.as_ref().map_or(true, is_git) || Instant::now() > deadline {
                break read;
            }
            thread::sleep(Duration::from_millis(1));
        };
        drop(child.stdin.take());
        child.wait().expect("it ends with its input");
        // Only Linux shows a process so.
        let Ok(line) = read else { return };
        let line = String::from_utf8_lossy(&line);
        assert!(line.contains("hash-object"), "{line}");
        assert!(
            !line.contains("glpat") && !line.contains("b2F1dGgy"),
            "{line}"
        );
    }

    #[test]
    fn the_deadline_ends_the_whole_group() {
        let started = Instant::now();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 30 & sleep 30"]);
        let ended = run(command, Duration::from_millis(50), &Credentials::default());
        assert_eq!(ended, Err(TransportError::Unknown(Why::TimedOut)));
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn the_token_is_masked_in_what_git_says() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'fatal: bad glpat-secret' >&2; exit 1"]);
        let ended = run(command, Duration::from_secs(20), &credentials());
        let expected = Why::Failed("bad [MASKED]".to_owned());
        assert_eq!(ended, Err(TransportError::Unknown(expected)));
    }

    #[test]
    fn what_git_says_is_understood() {
        let not_found = "remote: The project you were looking for could not be found or you don't \
                         have permission to view it.\nfatal: repository 'https://h/a.git/' not found";
        assert_eq!(refusal(not_found), TransportError::NoRepository);
        let missing = "fatal: '/x' does not appear to be a git repository\nfatal: Could not read \
                       from remote repository.";
        assert_eq!(refusal(missing), TransportError::NoRepository);
        let text = "fatal: could not read Username for 'https://h': terminal prompts disabled";
        assert!(matches!(
            refusal(text),
            TransportError::Unknown(Why::Refused(_))
        ));
        let text = "git@h: Permission denied (publickey).\nfatal: Could not read from remote";
        assert!(matches!(
            refusal(text),
            TransportError::Unknown(Why::Refused(_))
        ));
        let text = "fatal: unable to access 'https://h/': Could not resolve host: h";
        let expected = "unable to access 'https://h/': Could not resolve host: h";
        let expected = TransportError::Unknown(Why::Failed(expected.to_owned()));
        assert_eq!(refusal(text), expected);
        let text = "sh: ssh: command not found\nfatal: Could not read from remote repository.";
        assert!(matches!(
            refusal(text),
            TransportError::Unknown(Why::Failed(_))
        ));
        let text = "fatal: remote error: upload-pack: not our ref 1111";
        assert!(matches!(refusal(text), TransportError::NoObject(_)));
    }
}
