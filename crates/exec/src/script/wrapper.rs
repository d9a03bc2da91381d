//! The frame around the body of every stage.

use tidegate_pipeline::ShellKind;

use super::quote::Quoting;
use super::unnoticed::needs_no_subshell;

pub(super) struct Frame<'a> {
    pub(super) shell: ShellKind,
    pub(super) quoting: Quoting,
    pub(super) debug_trace: bool,
    pub(super) legacy_eval: bool,
    pub(super) body: &'a str,
    /// Runs after the body, in the shell itself.
    pub(super) account: &'a str,
}

/// The text of a stage, which a shell reads on its standard input.
#[derive(Debug)]
pub struct StageText {
    /// The text itself.
    pub source: String,
    /// Which process carries out the body.
    pub body: BodyIn,
}

/// Which process carries out the body of a stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyIn {
    /// A subshell, as in the runner's frame.
    Subshell,
    /// The shell that reads the frame, where that makes no difference to the body.
    Shell,
}

/// Returns the text the shell reads on its standard input (reference `runner.md` §2.2).
///
/// The body is one quoted word, so the shell has read all of its standard input that matters before
/// a command runs, and commands see an empty one. The trap makes a shell that is told to end exit
/// with 1 rather than die of the signal.
pub(super) fn wrap(frame: &Frame<'_>) -> StageText {
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
    let body_in = body_in(frame);
    let body = frame.quoting.quote(frame.body);
    let run = match (frame.legacy_eval, body_in) {
        (true, _) => format!(": | eval {body}\n"),
        (false, BodyIn::Subshell) => {
            format!("(trap 'exit 1' TERM; eval {body}) < /dev/null\n")
        }
        // On the line it would have in a subshell, which errors name.
        (false, BodyIn::Shell) => format!("exec < /dev/null; eval {body}\n"),
    };
    text.push_str(&run);
    // Nothing may follow a body in the shell itself: its status is the shell's.
    if body_in == BodyIn::Subshell {
        text.push_str(frame.account);
        text.push_str("exit 0\n");
    }
    StageText {
        source: text,
        body: body_in,
    }
}

/// Only bash goes on reading a frame whose input it was told anew, and only a trace shows what stands in the frame.
fn body_in(frame: &Frame<'_>) -> BodyIn {
    let ordinary = frame.shell == ShellKind::Bash && !frame.debug_trace && !frame.legacy_eval;
    match ordinary && frame.account.is_empty() && needs_no_subshell(frame.body) {
        true => BodyIn::Shell,
        false => BodyIn::Subshell,
    }
}
