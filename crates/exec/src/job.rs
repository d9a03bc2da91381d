//! One try of one job: what it needs, how it ended, and the handle on it while it runs.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tidegate_expr::Pattern;
use tidegate_pipeline::{FailureReason, JobSpec, Status};

use crate::cancel::Canceller;
use crate::driver::Driver;
use crate::environment::Environment;
use crate::login::Logins;
use crate::storage::Storage;
use crate::supervisor::birth::{Births, Ground};
use crate::supervisor::owner::{Supervisor, SupervisorCommand};
use crate::trace::{TraceOptions, TraceSink};
use crate::variables::JobVariables;

/// Everything a job needs to run under the shell executor.
pub struct JobRun {
    /// The job.
    pub spec: Arc<JobSpec>,
    /// The work tree, as the job sees it.
    pub project_dir: PathBuf,
    /// Where work trees are; the scripts' first directory. It exists.
    pub builds_dir: PathBuf,
    /// Private directory beside the work tree; made before the first script and removed with the
    /// last process.
    pub temp_dir: PathBuf,
    /// Where its mounts are; `None`: it needs none.
    pub ground: Option<Ground>,
    /// What an earlier job in the same place left.
    pub rested: Option<Rested>,
    /// Environment of the shells.
    pub environment: Environment,
    /// Its variables as its scripts see them, made of `spec` and the directories above.
    pub variables: JobVariables,
    /// What the log says of the version of this runner.
    pub version: String,
    /// How its log looks.
    pub trace: TraceOptions,
    /// Where its log goes.
    pub sink: Box<dyn TraceSink>,
    /// Its caches and artifacts.
    pub storage: Box<dyn Storage>,
    /// Pattern of its coverage.
    pub coverage: Option<Pattern>,
    /// What processes get between TERM and KILL when they are asked to end; ten minutes at GitLab.
    pub grace: Duration,
}

impl std::fmt::Debug for JobRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobRun")
            .field("name", &self.spec.name)
            .finish_non_exhaustive()
    }
}

/// How a job ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// `success`, `failed` or `canceled`.
    pub status: Status,
    /// Exit code of the shell that failed the job; `None` where none did, or a signal ended it.
    pub exit_code: Option<i32>,
    /// Why it failed; `None` unless it failed.
    pub failure_reason: Option<FailureReason>,
    /// What stands after `Job failed: ` in its log.
    pub message: Option<String>,
    /// From its first to its last line of log.
    pub duration: Duration,
    /// Coverage found in its log.
    pub coverage: Option<String>,
    /// A process outside its tree kept its output open after a stage.
    pub leaky: bool,
    /// Processes that were ended because they outlived the shell of their stage.
    pub leftovers: u32,
}

/// Runs jobs with the shell of this machine; clones share the parent of their supervisors and what they learn of logins.
#[derive(Clone, Debug)]
pub struct ShellExecutor {
    births: Births,
    logins: Logins,
}

impl ShellExecutor {
    /// An executor whose supervisors are started with this command.
    pub fn new(supervisor: SupervisorCommand) -> Self {
        Self {
            births: Births::new(supervisor),
            logins: Logins::default(),
        }
    }

    /// An executor whose supervisors are the running binary, called with `word`.
    pub fn of_this_binary(word: &str) -> io::Result<Self> {
        let program = std::env::current_exe()?;
        Ok(Self::new(SupervisorCommand {
            program,
            word: word.into(),
        }))
    }

    /// Starts what every job needs while there is something else to do; without this the first job waits for it.
    ///
    /// # Errors
    /// No process could be started.
    pub fn start_early(&self) -> io::Result<()> {
        self.births.start()
    }

    /// Makes the mounts jobs need; `plan` are opaque words, handed to the `enter` of
    /// [`supervisor_main`](crate::supervisor_main).
    ///
    /// # Errors
    /// What `enter` says, or no process could be started.
    pub fn ground(&self, plan: Vec<OsString>) -> io::Result<Ground> {
        self.births.ground(plan)
    }

    /// Starts a job in a thread of its own.
    ///
    /// What goes wrong with the job is in its [`Outcome`] and its log; an error means that no job
    /// was started.
    pub fn start(&self, run: JobRun) -> io::Result<Running> {
        let canceller = Canceller::new()?;
        let driver = self.driver(run, &canceller)?;
        let started = Instant::now();
        let thread = std::thread::Builder::new()
            .name("job".to_owned())
            .spawn(move || driver.drive().0)?;
        Ok(Running {
            canceller,
            thread,
            started,
        })
    }

    /// Runs a job in this thread; `cancellable` is handed what ends it before its time.
    ///
    /// The job is over when this returns: nothing of it runs and its log is complete. What it ran in still goes; see [`Remains`].
    /// Errors as for [`ShellExecutor::start`].
    pub fn run(
        &self,
        run: JobRun,
        cancellable: impl FnOnce(Canceller),
    ) -> io::Result<(Outcome, Remains)> {
        let canceller = Canceller::new()?;
        let driver = self.driver(run, &canceller)?;
        cancellable(canceller);
        Ok(driver.drive())
    }

    fn driver(&self, run: JobRun, canceller: &Canceller) -> io::Result<Driver> {
        let (births, logins) = (self.births.clone(), self.logins.clone());
        Driver::new(run, births, logins, canceller.clone())
    }
}

/// What a job that is over ran in: its supervisor, with mounts and temporary directory. Dropping it waits until they are gone.
#[derive(Debug)]
#[must_use = "dropping it waits"]
pub struct Remains {
    supervisor: Option<Supervisor>,
    in_order: bool,
}

impl Remains {
    /// Nothing unforeseen has happened: the supervisor lives, and no process outlived its script.
    pub fn are_in_order(&self) -> bool {
        self.in_order
    }

    /// Keeps the supervisor for another job in the same place where this one has left it as it was; else waits until it is gone.
    pub fn rest(self) -> Option<Rested> {
        let mut supervisor = self.supervisor.filter(|_| self.in_order)?;
        supervisor.rest().then_some(Rested { supervisor })
    }

    pub(crate) fn of(supervisor: Option<Supervisor>, in_order: bool) -> Self {
        Self {
            in_order: in_order && supervisor.is_some(),
            supervisor,
        }
    }
}

/// A supervisor without a job. The next one in the same place need not wait for a new one; dropping it waits until it is gone.
#[derive(Debug)]
pub struct Rested {
    pub(crate) supervisor: Supervisor,
}

/// A job that runs. Dropping the handle leaves it running.
#[derive(Debug)]
pub struct Running {
    canceller: Canceller,
    thread: JoinHandle<Outcome>,
    started: Instant,
}

impl Running {
    /// What ends the job before its time; may be kept and sent anywhere.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Returns whether [`Running::wait`] would return at once.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the end of the job.
    pub fn wait(self) -> Outcome {
        let started = self.started;
        self.thread.join().unwrap_or_else(|_| Outcome {
            status: Status::Failed,
            exit_code: None,
            failure_reason: Some(FailureReason::RunnerSystemFailure),
            message: Some("the thread of the job panicked".to_owned()),
            duration: started.elapsed(),
            coverage: None,
            leaky: false,
            leftovers: 0,
        })
    }
}
