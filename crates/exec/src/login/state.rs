//! A bash's account of itself: everything a profile may have changed in it.

/// Shell source that prints the account; comes last in a stage.
///
/// Left out is what differs from shell to shell by itself (`$RANDOM`, process ids, clocks), the table of programs found so far,
/// and what the last pattern matched. `declare` says a variable's attributes as well; `echo /proc/self/fd/*` names the open
/// descriptors without a process.
pub(crate) const ACCOUNT: &str = r#"printf '\0tidegate-account\0'
builtin trap -p
(
set +o errexit
for tidegate_name in $(builtin compgen -v); do
case $tidegate_name in
BASHPID|BASH_ARGV0|BASH_CMDS|BASH_REMATCH|BASH_MONOSECONDS|EPOCHREALTIME|EPOCHSECONDS|HISTCMD|LINENO|PPID|RANDOM|SECONDS|SRANDOM|_|tidegate_name) ;;
*) builtin declare -p "$tidegate_name" ;;
esac
done
builtin declare -f; builtin declare -F; builtin alias -p; builtin shopt -p; builtin set +o; builtin complete -p
builtin enable -n; builtin umask; builtin pwd; builtin dirs -p; builtin ulimit -Sa; builtin ulimit -Ha; builtin jobs
builtin echo /proc/self/fd/*
printf '\0tidegate-environment\0'
command env -0
printf 'tidegate-end\0'
) 2>&1 || :
"#;

const BEGIN: &[u8] = b"\0tidegate-account\0";
const ENVIRONMENT: &[u8] = b"\0tidegate-environment\0";
const END: &[u8] = b"tidegate-end\0";

/// Variables a shell sets anew from what it is started with, so that its own values must not be handed on.
const OF_THE_SHELL: [&str; 4] = ["_", "SHLVL", "PWD", "OLDPWD"];

/// What a stage that ended with [`ACCOUNT`] printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Account<'a> {
    /// By the stage itself.
    pub(crate) printed: &'a [u8],
    state: &'a [u8],
    environment: &'a [u8],
}

impl<'a> Account<'a> {
    /// Splits it; `None` where the account is missing, torn, or followed by something.
    pub(crate) fn of(output: &'a [u8]) -> Option<Self> {
        let (printed, rest) = split(output, BEGIN)?;
        let (state, rest) = split(rest, ENVIRONMENT)?;
        let environment = rest.strip_suffix(END)?;
        // Without `compgen` no variable would be compared.
        let compared = contains(state, b"declare -x PATH=") && environment.ends_with(b"\0");
        compared.then_some(Self {
            printed,
            state,
            environment,
        })
    }

    /// Whether an account begins in this output.
    pub(crate) fn begins_in(output: &[u8]) -> bool {
        split(output, BEGIN).is_some()
    }

    /// How much of an output is no part of an account, whatever follows.
    pub(crate) fn may_begin_at(output: &[u8]) -> usize {
        if let Some((printed, _)) = split(output, BEGIN) {
            return printed.len();
        }
        let longest = output.len().min(BEGIN.len() - 1);
        let held = (1..=longest).rev().find(|length| {
            let end = output.get(output.len() - length..);
            end.is_some_and(|end| BEGIN.starts_with(end))
        });
        output.len() - held.unwrap_or(0)
    }

    /// Both shells are in the same state, as far as scripts can tell.
    pub(crate) fn agrees_with(&self, other: &Account<'_>) -> bool {
        self.state == other.state && self.printed == other.printed
    }

    /// What a shell without profile is to be started with, where this one was started with `given`.
    pub(crate) fn environment(&self, given: &[u8]) -> Vec<u8> {
        let own = |variable: &&[u8]| OF_THE_SHELL.iter().any(|name| is_of(variable, name));
        let variables = |bytes: &'a [u8]| bytes.split_inclusive(|byte| *byte == 0);
        let mut environment: Vec<u8> = variables(self.environment)
            .filter(|variable| !own(variable))
            .flatten()
            .copied()
            .collect();
        for variable in given.split_inclusive(|byte| *byte == 0).filter(own) {
            environment.extend_from_slice(variable);
        }
        environment
    }
}

fn is_of(variable: &[u8], name: &str) -> bool {
    let rest = variable.strip_prefix(name.as_bytes());
    rest.is_some_and(|rest| rest.starts_with(b"="))
}

fn split<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|part| part == mark)?;
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(printed: &str, state: &str, environment: &str) -> Vec<u8> {
        format!(
            "{printed}\0tidegate-account\0declare -x PATH=\"/bin\"\n{state}\0tidegate-environment\0{environment}tidegate-end\0"
        )
        .into_bytes()
    }

    #[test]
    fn the_environment_keeps_what_the_shell_was_given_of_its_own_variables() {
        let output = output("", "", "PATH=/bin\0SHLVL=3\0_=/usr/bin/env\0PWD=/b\0");
        let account = Account::of(&output).expect("an account");
        let environment = account.environment(b"HOME=/h\0SHLVL=2\0");
        assert_eq!(environment, b"PATH=/bin\0SHLVL=2\0");
    }

    #[test]
    fn another_state_or_other_words_do_not_agree() {
        let outputs = [
            output("a", "umask 22\n", "A=1\0"),
            output("a", "umask 77\n", "A=1\0"),
            output("b", "umask 22\n", "A=1\0"),
        ];
        let [first, second, third] = outputs.each_ref().map(|output| Account::of(output));
        assert!(first.is_some_and(|first| first.agrees_with(&first)));
        assert!(!first.unwrap().agrees_with(&second.unwrap()));
        assert!(!first.unwrap().agrees_with(&third.unwrap()));
    }

    #[test]
    fn an_account_with_something_behind_it_is_none() {
        let mut output = output("", "", "A=1\0");
        assert!(Account::of(&output).is_some());
        output.extend_from_slice(b"said at exit");
        assert!(Account::of(&output).is_none());
        assert!(Account::of(b"Running on host...\n").is_none());
    }
}
