//! Drives one job through its stages, in the thread of that job.
//!
//! Order, and what runs after what failed: reference `runner.md` §2.1. Timeouts and cancellation:
//! §2.7, §7.3.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tidegate_pipeline::{
    CacheSpec, CacheWhen, FailureReason, JobSpec, ShellKind, Status, StepSpec,
};

use crate::cancel::{CancelReason, Canceller};
use crate::duration;
use crate::feature::Features;
use crate::job::{JobRun, Outcome, Remains};
use crate::profile::Profile;
use crate::script::{self, Scripts, Source};
use crate::settings::{Settings, Strategy};
use crate::storage::{StorageContext, StorageFailure};
use crate::supervisor::owner::{Bounds, Interrupt, StageEnd, Start, Supervisor, SupervisorCommand};
use crate::supervisor::protocol::ShellEnd;
use crate::trace::{Secrets, Stream, TOKEN_PREFIXES, Trace, TraceWriter};
use crate::variables::JobVariables;

/// A job on its way.
pub(crate) struct Driver {
    run: JobRun,
    command: SupervisorCommand,
    profile: Profile,
    canceller: Canceller,
    features: Features,
    settings: Settings,
    variables: JobVariables,
    dirs: Dirs,
    trace: Trace,
    started: Instant,
    /// Where this process finds the job's files: `/`, or the root of the job's mount namespace.
    root: PathBuf,
    /// Why nothing more may start: the job's time is over, or it was stopped for good.
    dead: Option<JobError>,
    leaky: bool,
    leftovers: u32,
}

/// Paths as text, which scripts are.
struct Dirs {
    project: String,
    temp: String,
}

/// Why a job is not successful.
#[derive(Clone, Debug)]
struct JobError {
    message: String,
    kind: ErrorKind,
    exit_code: Option<i32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ErrorKind {
    /// A script or a storage step failed.
    Failed(FailureReason),
    /// What runs the job is broken, or ends.
    System,
    TimedOut,
    Canceled,
}

/// What bounds a stage beside the job's own time.
#[derive(Clone, Copy)]
struct StageBounds {
    deadline: Option<Instant>,
    phase: Phase,
}

/// Where in the job a stage stands, which decides what a cancel does (reference `runner.md` §7.3).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before the scripts of the user: a cancel stops everything.
    Before,
    /// Among the scripts: a cancel ends them; `after_script` and what follows still run.
    Scripts,
    /// After the scripts: a cancel has no effect.
    After,
}

impl Phase {
    /// The mildest reason that ends a stage.
    fn heeds(self) -> CancelReason {
        match self {
            Self::Before | Self::Scripts => CancelReason::Canceled,
            Self::After => CancelReason::Interrupted,
        }
    }

    /// Nothing more of the job may run once this reason has ended a stage.
    fn dies_of(self, reason: CancelReason) -> bool {
        self == Self::Before || reason > CancelReason::Canceled
    }
}

impl Driver {
    pub(crate) fn new(
        run: JobRun,
        command: SupervisorCommand,
        profile: Profile,
        canceller: Canceller,
    ) -> io::Result<Self> {
        let features = Features::of(&run.spec.variables);
        let dirs = Dirs {
            project: utf8(&run.project_dir)?.into(),
            temp: utf8(&run.temp_dir)?.into(),
        };
        let variables = JobVariables::of(
            &run.spec,
            &features,
            &run.runner,
            utf8(&run.builds_dir)?,
            &dirs.project,
            &dirs.temp,
        );
        let settings = Settings::of(&variables, run.spec.timeout);
        let mut run = run;
        let trace = trace(&mut run, &variables, &features);
        Ok(Self {
            run,
            command,
            profile,
            canceller,
            features,
            settings,
            variables,
            dirs,
            trace,
            started: Instant::now(),
            root: PathBuf::from("/"),
            dead: None,
            leaky: false,
            leftovers: 0,
        })
    }

    /// Runs the job to its end.
    pub(crate) fn drive(mut self) -> (Outcome, Remains) {
        self.started = Instant::now();
        self.header();
        let (result, remains) = match self.prepare_executor() {
            Ok(mut supervisor) => {
                let result = self.stages(&mut supervisor);
                // Every stage ends all its processes, so an idle supervisor may go later; after a fault of its own it has to end
                // whatever is left of the job before that is called over.
                let broken = result.as_ref().is_err_and(JobError::is_of_system);
                let remains = Remains::of((!broken).then_some(supervisor));
                (result, remains)
            }
            Err(error) => (Err(JobError::system(error.to_string())), Remains::of(None)),
        };
        self.footer(&result);
        let error = result.err();
        let outcome = Outcome {
            status: match error.as_ref().map(|error| error.kind) {
                None => Status::Success,
                Some(ErrorKind::Canceled) => Status::Canceled,
                Some(_) => Status::Failed,
            },
            exit_code: error.as_ref().and_then(|error| error.exit_code),
            failure_reason: error.as_ref().and_then(|error| error.kind.reason()),
            message: error.map(|error| error.message),
            duration: self.started.elapsed(),
            coverage: self.trace.finish(),
            leaky: self.leaky,
            leftovers: self.leftovers,
        };
        (outcome, remains)
    }

    fn stages(&mut self, supervisor: &mut Supervisor) -> Result<(), JobError> {
        self.prepare_script(supervisor)?;
        let scripts = self
            .sources(supervisor)
            .and_then(|()| self.scripts_of_user(supervisor));
        let cache = self.save_cache(scripts.is_ok());
        let upload = self.upload_artifacts(scripts.is_ok());
        self.cleanup(supervisor);
        scripts.and(cache).and(upload)
    }

    fn header(&mut self) {
        let version = format!("Running with tidegate {}", self.run.runner.version);
        let complaints: Vec<String> = self
            .features
            .complaints
            .iter()
            .chain(&self.settings.complaints)
            .cloned()
            .collect();
        let mut writer = self.writer();
        writer.line(&version);
        for complaint in &complaints {
            writer.warning(complaint);
        }
    }

    fn prepare_executor(&mut self) -> io::Result<Supervisor> {
        let shell = shell_name(self.run.spec.shell);
        let mut writer = self.writer();
        writer.section_start("prepare_executor", "Preparing the \"shell\" executor");
        writer.line(&format!("Using Shell ({shell}) executor..."));
        let supervisor = Supervisor::start(&Start {
            command: &self.command,
            shell,
            work_dir: &self.run.builds_dir,
            temp_dir: &self.run.temp_dir,
            enter: self.run.enter.as_deref(),
            environment: self.run.environment.variables(),
        });
        self.writer().section_end("prepare_executor");
        if let (Some(_), Ok(supervisor)) = (&self.run.enter, &supervisor) {
            self.root = format!("/proc/{}/root", supervisor.pid()).into();
        }
        supervisor
    }

    fn prepare_script(&mut self, supervisor: &mut Supervisor) -> Result<(), JobError> {
        let (name, headline) = ("prepare_script", "Preparing environment");
        if let Some(greeting) = self.greeting() {
            // What an earlier job left in a directory that was not removed; mostly there is nothing.
            let _ = std::fs::remove_file(self.reachable(self.scripts().env_file().as_ref()));
            return self.spoken(name, headline, &greeting, Phase::Before);
        }
        let script = self.scripts().prepare();
        let bounds = StageBounds::before_scripts();
        let mut printed = Vec::new();
        let prepared = self.stage_heard(
            supervisor,
            (name, headline),
            &script,
            bounds,
            &mut |bytes| {
                printed.extend_from_slice(bytes);
            },
        );
        if prepared.is_ok() {
            let (shell, environment) = (self.run.spec.shell, &self.run.environment);
            self.profile.heard(shell, environment, &printed);
        }
        prepared.map_err(|error| match error.kind {
            ErrorKind::Failed(_) => JobError::system(format!(
                "prepare environment: {}. Check https://docs.gitlab.com/runner/shells/\
                 #shell-profile-loading for more information",
                error.message
            )),
            _ => error,
        })
    }

    /// What `prepare_script` prints where no shell has to be asked: its profile is silent, and so is the trace of the shell.
    fn greeting(&self) -> Option<Arc<[u8]>> {
        let traced = self.settings.debug_trace;
        self.profile
            .greeting(self.run.spec.shell, &self.run.environment)
            .filter(|_| !traced)
    }

    /// Everything before the first script of the user.
    fn sources(&mut self, supervisor: &mut Supervisor) -> Result<(), JobError> {
        let spec = self.run.spec.clone();
        let source = match self.settings.strategy {
            Strategy::Snapshot => Source::Snapshot { sha: &spec.git.sha },
            Strategy::None => Source::None,
            Strategy::Empty => Source::Empty,
        };
        let (name, headline) = ("get_sources", "Getting source from Git repository");
        if let Some(notice) = self.only_notice(source, &spec) {
            self.spoken(name, headline, notice.as_bytes(), Phase::Before)?;
        } else {
            let script = self
                .scripts()
                .get_sources(source, &spec.pre_get_sources_script);
            let bounds = StageBounds::before_scripts();
            self.stage(supervisor, name, headline, &script, bounds)?;
        }
        self.restore_cache()?;
        self.download_artifacts()
    }

    /// What `get_sources` prints where it does nothing else and its exports cannot fail.
    fn only_notice(&self, source: Source<'_>, spec: &JobSpec) -> Option<String> {
        let silent = self.greeting().is_some() && spec.pre_get_sources_script.is_empty();
        let exportable = || {
            self.variables
                .iter()
                .all(|variable| is_exportable(&variable.key))
        };
        match source {
            Source::Snapshot { sha } if silent && exportable() => Some(script::snapshot_line(sha)),
            _ => None,
        }
    }

    fn restore_cache(&mut self) -> Result<(), JobError> {
        let spec = self.run.spec.clone();
        let caches: Vec<_> = spec
            .caches
            .iter()
            .filter(|cache| names_files(cache))
            .collect();
        if caches.is_empty() {
            return Ok(());
        }
        self.storage_stage(
            ("restore_cache", "Restoring cache"),
            Phase::Before,
            true,
            |storage, context, trace| storage.restore_cache(&caches, context, trace),
        )
    }

    fn download_artifacts(&mut self) -> Result<(), JobError> {
        let spec = self.run.spec.clone();
        if spec.dependencies.is_empty() {
            return Ok(());
        }
        self.storage_stage(
            ("download_artifacts", "Downloading artifacts"),
            Phase::Before,
            true,
            |storage, context, trace| {
                storage.download_artifacts(&spec.dependencies, context, trace)
            },
        )
    }

    /// The steps in order up to the first failure, then `after_script` whatever happened.
    fn scripts_of_user(&mut self, supervisor: &mut Supervisor) -> Result<(), JobError> {
        let spec = self.run.spec.clone();
        let is_after = |step: &&StepSpec| &*step.name == "after_script";
        let deadline = self
            .settings
            .script_timeout
            .map(|timeout| Instant::now() + timeout);
        let bounds = StageBounds {
            deadline,
            phase: Phase::Scripts,
        };
        let mut result = Ok(());
        for step in spec.steps.iter().filter(|step| !is_after(step)) {
            result = self.step(supervisor, step, bounds);
            if result.is_err() {
                break;
            }
        }
        if let Err(error) = &result
            && error.kind == ErrorKind::Canceled
            && self.dead.is_none()
        {
            self.writer()
                .warning("script canceled externally (UI, API)");
        }
        for step in spec.steps.iter().filter(is_after) {
            let after = self.after_script(supervisor, step, &result);
            result = result.and(after);
        }
        result
    }

    fn step(
        &mut self,
        supervisor: &mut Supervisor,
        step: &StepSpec,
        bounds: StageBounds,
    ) -> Result<(), JobError> {
        let script = self.scripts().step(&step.name, &step.script);
        let name = format!("step_{}", step.name);
        let headline = format!("Executing \"{name}\" stage of the job script");
        self.stage(supervisor, &name, &headline, &script, bounds)
    }

    fn after_script(
        &mut self,
        supervisor: &mut Supervisor,
        step: &StepSpec,
        scripts: &Result<(), JobError>,
    ) -> Result<(), JobError> {
        if step.script.is_empty() || self.dead.is_some() {
            return Ok(());
        }
        let status = match scripts.as_ref().err().map(|error| error.kind) {
            None => "success",
            Some(ErrorKind::TimedOut) => "timedout",
            Some(ErrorKind::Canceled) => "canceled",
            Some(ErrorKind::Failed(_) | ErrorKind::System) => "failed",
        };
        self.variables.set("CI_JOB_STATUS", status);
        let script = self.scripts().after_script(&step.script);
        let bounds = StageBounds {
            deadline: Some(Instant::now() + self.settings.after_script_timeout),
            phase: Phase::After,
        };
        let result = self.stage(
            supervisor,
            "after_script",
            "Running after_script",
            &script,
            bounds,
        );
        let Err(error) = result else {
            return Ok(());
        };
        if self.dead.is_some() || !self.settings.after_script_ignore_errors {
            return Err(error);
        }
        self.writer().warning(&format!(
            "after_script failed, but job will continue unaffected: {}",
            error.message
        ));
        Ok(())
    }

    fn save_cache(&mut self, succeeded: bool) -> Result<(), JobError> {
        let spec = self.run.spec.clone();
        let caches: Vec<_> = spec
            .caches
            .iter()
            .filter(|cache| names_files(cache) && fits(cache.when, succeeded))
            .collect();
        if caches.is_empty() {
            return Ok(());
        }
        let names = match succeeded {
            true => ("archive_cache", "Saving cache for successful job"),
            false => ("archive_cache_on_failure", "Saving cache for failed job"),
        };
        self.storage_stage(names, Phase::After, succeeded, |storage, context, trace| {
            storage.save_cache(&caches, context, trace)
        })
    }

    fn upload_artifacts(&mut self, succeeded: bool) -> Result<(), JobError> {
        let spec = self.run.spec.clone();
        let artifacts: Vec<_> = spec
            .artifacts
            .iter()
            .filter(|artifact| fits(artifact.when, succeeded))
            .collect();
        if artifacts.is_empty() {
            return Ok(());
        }
        let names = match succeeded {
            true => (
                "upload_artifacts_on_success",
                "Uploading artifacts for successful job",
            ),
            false => (
                "upload_artifacts_on_failure",
                "Uploading artifacts for failed job",
            ),
        };
        self.storage_stage(names, Phase::After, succeeded, |storage, context, trace| {
            storage.upload_artifacts(&artifacts, context, trace)
        })
    }

    fn cleanup(&mut self, supervisor: &mut Supervisor) {
        let (name, headline) = (
            "cleanup_file_variables",
            "Cleaning up project directory and file based variables",
        );
        if self.greeting().is_some() {
            let _ = self.spoken(name, headline, b"", Phase::After);
            return;
        }
        let script = self.scripts().cleanup();
        let bounds = StageBounds {
            deadline: None,
            phase: Phase::After,
        };
        // Nothing depends on it: the directory goes with the supervisor.
        let _ = self.stage(supervisor, name, headline, &script, bounds);
    }

    fn footer(&mut self, result: &Result<(), JobError>) {
        let mut writer = self.writer();
        match result {
            Ok(()) => writer.info("Job succeeded"),
            Err(error) if error.kind == ErrorKind::System => {
                writer.error(&format!("Job failed (system failure): {}", error.message));
            }
            Err(error) => writer.error(&format!("Job failed: {}", error.message)),
        }
    }

    /// A stage of which the runner knows without a shell what it prints.
    fn spoken(
        &mut self,
        name: &str,
        headline: &str,
        text: &[u8],
        phase: Phase,
    ) -> Result<(), JobError> {
        self.still_alive(phase)?;
        self.writer().section_start(name, headline);
        self.trace.write(Stream::Script, text);
        self.trace.flush();
        self.writer().section_end(name);
        Ok(())
    }

    /// Runs one stage in its section.
    fn stage(
        &mut self,
        supervisor: &mut Supervisor,
        name: &str,
        headline: &str,
        script: &str,
        bounds: StageBounds,
    ) -> Result<(), JobError> {
        self.stage_heard(supervisor, (name, headline), script, bounds, &mut |_| {})
    }

    /// As [`Driver::stage`]; `heard` gets what the stage prints too.
    fn stage_heard(
        &mut self,
        supervisor: &mut Supervisor,
        (name, headline): (&str, &str),
        script: &str,
        bounds: StageBounds,
        heard: &mut dyn FnMut(&[u8]),
    ) -> Result<(), JobError> {
        self.still_alive(bounds.phase)?;
        self.writer().section_start(name, headline);
        let job_deadline = self.deadline();
        let deadline = bounds
            .deadline
            .map_or(job_deadline, |own| own.min(job_deadline));
        let ended = supervisor.run(
            script.as_bytes(),
            &Bounds {
                deadline,
                canceller: &self.canceller,
                heeds: bounds.phase.heeds(),
                grace: self.run.grace,
            },
            &mut |bytes| {
                heard(bytes);
                self.trace.write(Stream::Script, bytes);
            },
        );
        self.trace.flush();
        let result = match ended {
            Ok(end) => self.judge(name, bounds.phase, &end),
            Err(error) => self.die(JobError::system(error.to_string())),
        };
        self.writer().section_end(name);
        result
    }

    /// Turns the end of a stage into a result; remembers what ends the whole job.
    fn judge(&mut self, name: &str, phase: Phase, end: &StageEnd) -> Result<(), JobError> {
        self.leaky |= end.leaky;
        self.leftovers = self.leftovers.saturating_add(end.leftovers);
        match end.interrupted {
            Some(Interrupt::Deadline) => {
                self.writer().warning(&format!(
                    "{name} could not run to completion because the timeout was exceeded. For more \
                     control over job and script timeouts see: https://docs.gitlab.com/ci/runners/\
                     configure_runners/#set-script-and-after_script-timeouts"
                ));
                if self.deadline() <= Instant::now() {
                    return self.die(JobError::job_timeout(self.run.spec.timeout));
                }
                Err(JobError::stage_timeout(name))
            }
            Some(Interrupt::Cancel(reason)) => self.canceled(phase, reason),
            None => match end.shell {
                ShellEnd::Code(0) => Ok(()),
                shell => Err(JobError::of_shell(shell)),
            },
        }
    }

    fn storage_stage(
        &mut self,
        (name, headline): (&str, &str),
        phase: Phase,
        succeeded: bool,
        call: impl FnOnce(
            &mut dyn crate::storage::Storage,
            &StorageContext<'_>,
            &mut TraceWriter<'_>,
        ) -> Result<(), StorageFailure>,
    ) -> Result<(), JobError> {
        self.still_alive(phase)?;
        self.writer().section_start(name, headline);
        let variables = self.variables_with_env_file();
        let project_dir = self.reachable(&self.run.project_dir);
        let context = StorageContext {
            variables: &variables,
            project_dir: &project_dir,
            succeeded,
            deadline: self.deadline(),
            canceller: &self.canceller,
        };
        let mut writer = TraceWriter::new(&mut self.trace, self.run.trace.sections);
        let result = call(&mut *self.run.storage, &context, &mut writer);
        self.trace.flush();
        self.writer().section_end(name);
        result.map_err(|failure| JobError {
            message: failure.message,
            kind: ErrorKind::Failed(failure.reason),
            exit_code: Some(1),
        })
    }

    /// Variables with those a script appended to `GITLAB_ENV`; lines that are no assignment are no
    /// variables.
    fn variables_with_env_file(&self) -> JobVariables {
        let mut variables = self.variables.clone();
        let text = std::fs::read_to_string(self.reachable(self.scripts().env_file().as_ref()))
            .unwrap_or_default();
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        for (key, value) in complete.lines().filter_map(|line| line.split_once('=')) {
            variables.set(key.trim_start(), value.trim_end());
        }
        variables
    }

    /// The path under which this process reaches a file of the job.
    fn reachable(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Refuses to start anything once the job is over for good.
    fn still_alive(&mut self, phase: Phase) -> Result<(), JobError> {
        if let Some(error) = &self.dead {
            return Err(error.clone());
        }
        if let Some(reason) = self
            .canceller
            .reason()
            .filter(|reason| *reason >= phase.heeds())
        {
            return self.canceled(phase, reason);
        }
        if self.deadline() <= Instant::now() {
            return self.die(JobError::job_timeout(self.run.spec.timeout));
        }
        Ok(())
    }

    fn canceled(&mut self, phase: Phase, reason: CancelReason) -> Result<(), JobError> {
        let error = JobError::canceled(reason);
        match phase.dies_of(reason) {
            true => self.die(error),
            false => Err(error),
        }
    }

    fn die(&mut self, error: JobError) -> Result<(), JobError> {
        self.dead = Some(error.clone());
        Err(error)
    }

    fn deadline(&self) -> Instant {
        // A timeout beyond what the clock can say is none.
        let far = Duration::from_secs(100 * 365 * 24 * 3600);
        self.started + self.run.spec.timeout.min(far)
    }

    fn writer(&mut self) -> TraceWriter<'_> {
        TraceWriter::new(&mut self.trace, self.run.trace.sections)
    }

    fn scripts(&self) -> Scripts<'_> {
        Scripts {
            shell: self.run.spec.shell,
            features: &self.features,
            variables: &self.variables,
            project_dir: &self.dirs.project,
            temp_dir: &self.dirs.temp,
            sections: self.run.trace.sections,
            debug_trace: self.settings.debug_trace,
        }
    }
}

impl StageBounds {
    /// Before the scripts of the user, a cancel stops everything.
    fn before_scripts() -> Self {
        Self {
            deadline: None,
            phase: Phase::Before,
        }
    }
}

impl JobError {
    fn of_shell(end: ShellEnd) -> Self {
        let (message, exit_code) = match end {
            ShellEnd::Code(code) => (format!("exit status {code}"), Some(code)),
            ShellEnd::Signal(signal) => (format!("signal: {}", signal_name(signal)), None),
        };
        Self {
            message,
            kind: ErrorKind::Failed(FailureReason::ScriptFailure),
            exit_code,
        }
    }

    fn is_of_system(&self) -> bool {
        self.kind == ErrorKind::System
    }

    fn system(message: String) -> Self {
        Self {
            message,
            kind: ErrorKind::System,
            exit_code: None,
        }
    }

    fn job_timeout(timeout: Duration) -> Self {
        let message = format!(
            "execution took longer than {} seconds",
            duration::text(timeout)
        );
        Self {
            message,
            kind: ErrorKind::TimedOut,
            exit_code: None,
        }
    }

    fn stage_timeout(name: &str) -> Self {
        let message = match name {
            "after_script" => "context deadline exceeded".to_owned(),
            _ => "script timeout: context deadline exceeded".to_owned(),
        };
        Self {
            message,
            kind: ErrorKind::TimedOut,
            exit_code: None,
        }
    }

    fn canceled(reason: CancelReason) -> Self {
        let (message, kind) = match reason {
            CancelReason::Canceled | CancelReason::Forced => ("canceled", ErrorKind::Canceled),
            CancelReason::Interrupted => ("aborted: interrupt", ErrorKind::Canceled),
            CancelReason::Terminated => ("aborted: terminated", ErrorKind::Canceled),
        };
        Self {
            message: message.to_owned(),
            kind,
            exit_code: None,
        }
    }
}

impl ErrorKind {
    fn reason(self) -> Option<FailureReason> {
        match self {
            Self::Failed(reason) => Some(reason),
            Self::System => Some(FailureReason::RunnerSystemFailure),
            Self::TimedOut => Some(FailureReason::JobExecutionTimeout),
            Self::Canceled => None,
        }
    }
}

fn trace(run: &mut JobRun, variables: &JobVariables, features: &Features) -> Trace {
    let values: Vec<&str> = variables.masked_values().collect();
    let own = if features.is_on("FF_MASK_ALL_DEFAULT_TOKENS") {
        &TOKEN_PREFIXES[..]
    } else {
        &TOKEN_PREFIXES[..1]
    };
    let prefixes: Vec<&str> = own
        .iter()
        .copied()
        .chain(run.trace.token_prefixes.iter().map(String::as_str))
        .collect();
    let sink = std::mem::replace(&mut run.sink, Box::new(|_: &[u8]| {}));
    let secrets = Secrets {
        values: &values,
        token_prefixes: &prefixes,
    };
    let trace = Trace::new(secrets, run.trace.limit, run.coverage.take(), sink);
    match run
        .trace
        .timestamps
        .unwrap_or_else(|| features.is_on("FF_TIMESTAMPS"))
    {
        true => trace.with_timestamps(SystemTime::now),
        false => trace,
    }
}

/// Whether the cache means any files. One that only goes one way by its policy still has its section, which says so.
fn names_files(cache: &CacheSpec) -> bool {
    !cache.paths.is_empty() || cache.untracked
}

fn fits(when: CacheWhen, succeeded: bool) -> bool {
    match when {
        CacheWhen::OnSuccess => succeeded,
        CacheWhen::OnFailure => !succeeded,
        CacheWhen::Always => true,
    }
}

fn shell_name(shell: ShellKind) -> &'static str {
    match shell {
        ShellKind::Bash => "bash",
        ShellKind::Sh => "sh",
    }
}

/// Whether `export` takes the name in every shell; of the others `get_sources` fails already.
fn is_exportable(name: &str) -> bool {
    let mut bytes = name.bytes();
    let starts = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let goes_on = bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    starts && goes_on && !READ_ONLY.contains(&name)
}

/// Names of variables that bash does not let anyone set.
const READ_ONLY: [&str; 6] = [
    "BASHOPTS",
    "BASH_VERSINFO",
    "EUID",
    "PPID",
    "SHELLOPTS",
    "UID",
];

/// Names as Go prints them.
fn signal_name(signal: i32) -> String {
    match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        6 => "aborted",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return format!("signal {other}"),
    }
    .to_owned()
}

fn utf8(path: &Path) -> io::Result<&str> {
    path.to_str().ok_or_else(|| {
        let text = format!(
            "the path {} is not valid UTF-8, but scripts are",
            path.display()
        );
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })
}
