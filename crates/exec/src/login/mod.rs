//! What logging in does to a shell, found out once and kept while nothing changes.
//!
//! The runner starts a login shell for every stage (reference `runner.md` §3.1), and the profile such a shell reads often costs
//! more than the stage. So the first job's `prepare_script` also asks its shell what the profile has made of it ([`state`]). A
//! profile that is silent and has only changed the environment can be replaced by that environment, and that this is so is not
//! guessed: a shell without profile, started with that environment, must give the very same account of itself. Wherever it does
//! not, or the shell is not bash, every stage goes on reading the profile. What is known holds until one of the files a login
//! reads changes ([`files`]); a job that installs something for later logins is seen by the next stage.
//!
//! Not seen: what a profile does outside the shell, such as appending to a file each time, and answers it takes from programs
//! that change while a run goes on.
//!
//! Stages in which only the runner speaks need no shell at all once the profile is known to be silent.

mod files;
mod state;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use tidegate_pipeline::ShellKind;

use crate::environment::Environment;
use crate::supervisor::protocol::ShellStart;
use files::Files;
pub(crate) use state::{ACCOUNT, Account};

/// Begins the only line of `prepare_script`.
const GREETING: &[u8] = b"Running on ";

/// Remembers what is known of one shell in one environment; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logins {
    known: Arc<Mutex<Option<Arc<Login>>>>,
    /// Held by who is finding out.
    asking: Arc<Mutex<()>>,
}

/// What logging in comes to.
#[derive(Debug)]
pub(crate) struct Login {
    shell: ShellKind,
    environment: Environment,
    /// What is executed for the shell.
    program: PathBuf,
    files: Files,
    greeting: Arc<[u8]>,
    /// What to start a shell with that need not log in.
    without: Option<Arc<[u8]>>,
}

/// How to start the shells of a stage.
#[derive(Clone, Debug)]
pub(crate) struct ShellEnvironment {
    pub(crate) start: ShellStart,
    /// Each variable as `KEY=VALUE` and a zero byte.
    pub(crate) variables: Arc<[u8]>,
}

impl Logins {
    /// What is known and still holds.
    pub(crate) fn known(&self, shell: ShellKind, environment: &Environment) -> Option<Arc<Login>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let login = known.as_ref().filter(|login| {
            login.shell == shell && login.environment == *environment && login.files.are_unchanged()
        });
        login.map(Arc::clone)
    }

    /// Calls `ask` unless somebody else is asking already; one is enough.
    pub(crate) fn ask_once<T>(&self, ask: impl FnOnce() -> T) -> Option<T> {
        let _asking = match self.asking.try_lock() {
            Ok(asking) => asking,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(ask())
    }

    /// Takes note of a login.
    pub(crate) fn learn(&self, login: Login) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(login));
    }
}

impl Login {
    /// The login of a shell whose `prepare_script` printed this and no more; `None` where it is not silent.
    ///
    /// `files` are those seen before the shell was started.
    pub(crate) fn silent(
        shell: ShellKind,
        environment: &Environment,
        files: Files,
        printed: &[u8],
    ) -> Option<Login> {
        let line = printed.strip_suffix(b"\n")?;
        let silent = line.starts_with(GREETING) && !line.contains(&b'\n');
        silent.then(|| Login {
            shell,
            environment: environment.clone(),
            program: program(name(shell), environment),
            files,
            greeting: printed.into(),
            without: None,
        })
    }

    /// The same, with shells that need not log in because this environment comes to the same.
    pub(crate) fn replaced_by(self, environment: &[u8]) -> Login {
        Login {
            without: Some(environment.into()),
            ..self
        }
    }

    /// What is executed for the shell.
    pub(crate) fn program(&self) -> PathBuf {
        self.program.clone()
    }

    /// What `prepare_script` prints.
    pub(crate) fn greeting(&self) -> Arc<[u8]> {
        Arc::clone(&self.greeting)
    }

    /// What to start a shell with that need not log in.
    pub(crate) fn without(&self) -> Option<ShellEnvironment> {
        self.without.as_ref().map(|variables| ShellEnvironment {
            start: ShellStart::WithoutProfile,
            variables: Arc::clone(variables),
        })
    }
}

impl ShellEnvironment {
    /// A shell that logs in from this environment.
    pub(crate) fn login(environment: &Environment) -> Self {
        Self {
            start: ShellStart::Login,
            variables: bytes(environment.variables()).into(),
        }
    }
}

/// The files a login reads in this environment, as they are now.
pub(crate) fn files(environment: &Environment) -> Files {
    Files::of(variable(environment, "HOME").map(PathBuf::from))
}

/// What a shell is called, as the runner calls it.
pub(crate) fn name(shell: ShellKind) -> &'static str {
    match shell {
        ShellKind::Bash => "bash",
        ShellKind::Sh => "sh",
    }
}

/// The file a shell's name stands for on the `PATH` of the environment; the name itself where there is none.
pub(crate) fn program(name: &str, environment: &Environment) -> PathBuf {
    let path = variable(environment, "PATH").unwrap_or_default();
    let executable = |file: &PathBuf| {
        file.is_absolute()
            && file.is_file()
            && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
    };
    let mut candidates = std::env::split_paths(&path).map(|dir| dir.join(name));
    candidates.find(executable).unwrap_or_else(|| name.into())
}

fn variable(environment: &Environment, name: &str) -> Option<OsString> {
    let mut variables = environment.variables().iter();
    variables
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.clone())
}

fn bytes(variables: &[(OsString, OsString)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in variables {
        bytes.extend_from_slice(key.as_bytes());
        bytes.push(b'=');
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login_of(printed: &[u8]) -> Option<Login> {
        let environment = Environment::default();
        Login::silent(ShellKind::Bash, &environment, files(&environment), printed)
    }

    #[test]
    fn only_the_greeting_alone_proves_a_silent_profile() {
        let greeting = b"Running on host...\n";
        let login = login_of(greeting).expect("silent");
        assert_eq!(&*login.greeting(), greeting);
        for noisy in [
            "",
            "hello\nRunning on host...\n",
            "Running on host...\nbye\n",
        ] {
            assert!(login_of(noisy.as_bytes()).is_none(), "{noisy:?}");
        }
    }

    #[test]
    fn another_shell_or_environment_has_another_login() {
        let (logins, empty) = (Logins::default(), Environment::default());
        logins.learn(login_of(b"Running on host...\n").expect("silent"));
        let other = Environment::inherited([("HOME".into(), "/other".into())]);
        assert!(logins.known(ShellKind::Bash, &empty).is_some());
        assert!(logins.known(ShellKind::Sh, &empty).is_none());
        assert!(logins.known(ShellKind::Bash, &other).is_none());
    }

    #[test]
    fn a_login_is_forgotten_when_a_file_it_reads_changes() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let of_home = [("HOME".into(), home.path().into())];
        let environment = Environment::inherited(of_home);
        let logins = Logins::default();
        let seen = files(&environment);
        let login = Login::silent(ShellKind::Bash, &environment, seen, b"Running on h...\n");
        logins.learn(login.expect("silent"));
        assert!(logins.known(ShellKind::Bash, &environment).is_some());
        std::fs::write(home.path().join(".profile"), "export A=1\n").expect("a profile");
        assert!(logins.known(ShellKind::Bash, &environment).is_none());
    }
}
