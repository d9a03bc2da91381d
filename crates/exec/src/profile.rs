//! What is known of the profile a login shell reads before it reads a stage's script.
//!
//! The runner starts a login shell for every stage (reference `runner.md` §3.1), also for those in which only the runner speaks.
//! Such a stage needs a shell for one reason only: the profile may print, or fail, and the log shows it. So the first job asks a
//! real shell; once that one has said nothing but the greeting, later stages of this kind are spoken by the runner itself.

use std::sync::{Arc, Mutex, PoisonError};

use tidegate_pipeline::ShellKind;

use crate::environment::Environment;

/// Begins the only line of `prepare_script`.
const GREETING: &[u8] = b"Running on ";

/// Remembers a silent profile; clones share what they know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    silent: Arc<Mutex<Option<Arc<Silent>>>>,
}

/// A shell, and an environment in which its profile prints nothing and succeeds.
#[derive(Debug)]
struct Silent {
    shell: ShellKind,
    environment: Environment,
    greeting: Arc<[u8]>,
}

impl Profile {
    /// What `prepare_script` prints where the profile is known to be silent.
    pub(crate) fn greeting(
        &self,
        shell: ShellKind,
        environment: &Environment,
    ) -> Option<Arc<[u8]>> {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent
            .as_ref()
            .filter(|known| known.shell == shell && known.environment == *environment)
            .map(|known| Arc::clone(&known.greeting))
    }

    /// Takes note of all that a successful `prepare_script` has printed.
    pub(crate) fn heard(&self, shell: ShellKind, environment: &Environment, printed: &[u8]) {
        let line = printed.strip_suffix(b"\n").unwrap_or_default();
        if !line.starts_with(GREETING) || line.contains(&b'\n') {
            return;
        }
        let silent = Silent {
            shell,
            environment: environment.clone(),
            greeting: printed.into(),
        };
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(silent));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known_after(printed: &[u8]) -> Option<Arc<[u8]>> {
        let (profile, environment) = (Profile::default(), Environment::default());
        profile.heard(ShellKind::Bash, &environment, printed);
        profile.greeting(ShellKind::Bash, &environment)
    }

    #[test]
    fn only_the_greeting_alone_proves_a_silent_profile() {
        let greeting = b"Running on host...\n";
        assert_eq!(known_after(greeting).as_deref(), Some(&greeting[..]));
        for noisy in [
            "",
            "hello\nRunning on host...\n",
            "Running on host...\nbye\n",
        ] {
            assert_eq!(known_after(noisy.as_bytes()), None, "{noisy:?}");
        }
    }

    #[test]
    fn another_shell_or_environment_has_another_profile() {
        let (profile, empty) = (Profile::default(), Environment::default());
        profile.heard(ShellKind::Bash, &empty, b"Running on host...\n");
        let other = Environment::inherited([("HOME".into(), "/other".into())]);
        assert_eq!(profile.greeting(ShellKind::Sh, &empty), None);
        assert_eq!(profile.greeting(ShellKind::Bash, &other), None);
    }
}
