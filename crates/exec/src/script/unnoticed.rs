//! Whether a body can do without the subshell of the runner's frame.
//!
//! The subshell is a third of what a short stage costs. It exists so that the body reads an empty input, traps TERM itself and
//! ends by its own exit rules; a shell that is told its input anew (`exec < /dev/null`) and has nothing after the body does the
//! same. What is left to tell them apart: the ids and depth of processes, what replaces or ends the shell
//! itself, and job control. A body that speaks of any of it, or reads text this program does not see, keeps the subshell.

/// Whatever holds one of these might tell; that a word only looks like it costs no more than the subshell.
const TELLING: [&str; 15] = [
    "$$", "BASH", "PPID", "coproc", "disown", "enable", "eval", "exec", "jobs", "kill", "set -",
    "set +", "shopt", "source", "trap",
];

/// Whether `body` runs in the shell itself as it would in a subshell of it.
pub(super) fn needs_no_subshell(body: &str) -> bool {
    let is_dot = |word: &str| {
        let before = word.strip_suffix('.').map(|rest| rest.chars().next_back());
        before.is_some_and(|before| before.is_none_or(|last| "({;&|!`".contains(last)))
    };
    !TELLING.iter().any(|word| body.contains(word)) && !body.split_whitespace().any(is_dot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_commands_need_none() {
        for body in [
            "true",
            "cargo build --release\ncargo test",
            "for f in *.txt; do echo \"$f\"; done",
            "./configure && make -j4 > log 2>&1",
            "find src -name '*.c'",
        ] {
            assert!(needs_no_subshell(body), "{body}");
        }
    }

    #[test]
    fn what_could_tell_keeps_it() {
        for body in [
            "echo $BASHPID",
            "echo $$",
            "exec ./server",
            "pkill -f me",
            ". ./env",
            "true;. env",
            "(. env)",
            "source env",
            "trap 'rm x' EXIT",
            "set -m",
        ] {
            assert!(!needs_no_subshell(body), "{body}");
        }
    }
}
