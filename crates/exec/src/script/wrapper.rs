//! The frame around the body of every stage.

use tidegate_pipeline::ShellKind;

use super::quote::Quoting;

pub(super) struct Frame<'a> {
    pub(super) shell: ShellKind,
    pub(super) quoting: Quoting,
    pub(super) debug_trace: bool,
    pub(super) legacy_eval: bool,
    pub(super) body: &'a str,
    /// Runs after the body, in the shell itself.
    pub(super) account: &'a str,
}

/// Returns the text the shell reads on its standard input (reference `runner.md` §2.2).
///
/// The body is one quoted word, so the shell has read all of its standard input that matters before
/// a command runs, and commands see an empty one. The trap makes a shell that is told to end exit
/// with 1 rather than die of the signal.
pub(super) fn wrap(frame: &Frame<'_>) -> String {
    let shell = match frame.shell {
        ShellKind::Bash => "bash",
        ShellKind::Sh => "sh",
    };
    let mut text = format!("#!/usr/bin/env {shell}\n\ntrap 'exit 1' TERM\n\n");
    if frame.debug_trace {
        text.push_str("set -o xtrace\n");
    }
    text.push_str(match frame.shell {
        // Every bash knows it, so no subshell needs to ask.
        ShellKind::Bash => "set -o pipefail\n",
        ShellKind::Sh => "case \"$(set -o)\" in *pipefail*) set -o pipefail ;; esac\n",
    });
    text.push_str("set -o errexit\nset +o noclobber\n");
    let body = frame.quoting.quote(frame.body);
    match frame.legacy_eval {
        true => text.push_str(&format!(": | eval {body}\n")),
        false => text.push_str(&format!("(trap 'exit 1' TERM; eval {body}) < /dev/null\n")),
    }
    text.push_str(frame.account);
    text.push_str("exit 0\n");
    text
}
