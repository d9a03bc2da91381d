//! Runs a command of the user's settings for what it prints: a secret, a token.

mod kin;

use std::ffi::OsString;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use rustix::process::Pid;
use thiserror::Error;

/// A command that gave nothing usable. What it printed to standard error may hold secrets and is not part of this.
#[derive(Debug, Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("start it: {0}")]
    Start(#[source] std::io::Error),
    /// It ended otherwise than with success.
    #[error("it ended with {0}")]
    Failed(std::process::ExitStatus),
    /// It took too long and was ended.
    #[error("it took longer than {} s", .0.as_secs())]
    TooLong(Duration),
    /// It printed more than anybody needs.
    #[error("it printed more than {0} bytes")]
    TooMuch(u64),
}

/// Most bytes of an answer.
const MOST: u64 = 1 << 20;

/// Returns what `command`, read by `sh`, prints to standard output within `limit`.
///
/// It runs in the process group of this program, so that it can ask the person at the terminal; its standard error is ours. When it
/// takes too long or prints too much, everything it started ends with it; what it leaves behind otherwise, such as an agent, stays.
///
/// # Errors
/// It could not be started, failed, took too long or printed too much.
pub fn output_of(
    command: &str,
    directory: &Path,
    environment: &[(OsString, OsString)],
    limit: Duration,
) -> Result<Vec<u8>, CommandError> {
    let mark = kin::mark();
    let mut child = Command::new("sh")
        .args(["-c", command])
        .current_dir(directory)
        .env_clear()
        .envs(environment.iter().map(|(key, value)| (key, value)))
        .env(kin::VARIABLE, &mark)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(CommandError::Start)?;
    let stdout = child.stdout.take();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stdout) = stdout {
            // A broken pipe shows in the exit status.
            let _ = stdout.take(MOST + 1).read_to_end(&mut bytes);
        }
        // An error says that nobody waits any more.
        let _ = sender.send(bytes);
    });
    let Ok(bytes) = receiver.recv_timeout(limit) else {
        end(&mut child, &mark);
        return Err(CommandError::TooLong(limit));
    };
    if bytes.len() as u64 > MOST {
        end(&mut child, &mark);
        return Err(CommandError::TooMuch(MOST));
    }
    let status = child.wait().map_err(CommandError::Start)?;
    if status.success() {
        Ok(bytes)
    } else {
        Err(CommandError::Failed(status))
    }
}

fn end(child: &mut Child, mark: &str) {
    kin::end(Pid::from_child(child), mark);
    // An error says that it is gone already.
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Instant;

    use super::*;

    fn output(command: &str, limit: Duration) -> Result<Vec<u8>, CommandError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let environment = [("PATH".into(), path), ("GIVEN".into(), "value".into())];
        output_of(command, Path::new("/"), &environment, limit)
    }

    #[test]
    fn what_a_command_prints_is_returned_if_it_succeeds_in_time() {
        let minute = Duration::from_secs(60);
        let printed = output("printf '%s in %s' \"$GIVEN\" \"$PWD\"", minute);
        assert_eq!(printed.expect("it succeeds"), b"value in /");
        let failed = output("echo secret; exit 3", minute).expect_err("it fails");
        assert_eq!(failed.to_string(), "it ended with exit status: 3");
        let slow = output("sleep 30", Duration::from_millis(50)).expect_err("it is slow");
        assert!(matches!(slow, CommandError::TooLong(_)), "{slow}");
        let much = output("yes", minute).expect_err("it never ends");
        assert!(matches!(much, CommandError::TooMuch(_)), "{much}");
    }

    #[test]
    fn nothing_of_a_command_that_takes_too_long_is_left() {
        let place = tempfile::tempdir().expect("a directory can be made");
        let command = format!(
            "cd '{}'; sleep 600 & echo $! > plain; setsid sh -c 'echo $$ > session; sleep 600' & \
             (setsid sleep 600 & echo $! > daemon) & env -i sh -c 'echo $$ > bare; /bin/sleep 600'",
            place.path().display()
        );
        let slow = output(&command, Duration::from_secs(2)).expect_err("it is slow");
        assert!(matches!(slow, CommandError::TooLong(_)), "{slow}");
        for name in ["plain", "session", "daemon", "bare"] {
            let pid = std::fs::read_to_string(place.path().join(name)).expect("it was written");
            let process = PathBuf::from(format!("/proc/{}/stat", pid.trim()));
            let ended = || match std::fs::read_to_string(&process) {
                Ok(stat) => stat.contains(") Z "),
                Err(_) => true,
            };
            let began = Instant::now();
            while !ended() {
                assert!(began.elapsed() < Duration::from_secs(5), "{name} is left");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    #[test]
    fn what_a_command_that_succeeds_leaves_behind_stays() {
        let agent = "sleep 60 >/dev/null 2>&1 & echo $!";
        let pid = output(agent, Duration::from_secs(60)).expect("it succeeds");
        let pid: i32 = String::from_utf8_lossy(&pid)
            .trim()
            .parse()
            .expect("a number");
        let pid = rustix::process::Pid::from_raw(pid).expect("a process");
        let ended = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        assert!(ended.is_ok(), "it is not there: {ended:?}");
    }
}
