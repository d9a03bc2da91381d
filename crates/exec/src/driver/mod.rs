//! Drives one job through its stages, in the thread of that job.
//!
//! Order, and what runs after what failed: reference `runner.md` §2.1. Timeouts and cancellation:
//! §2.7, §7.3.

mod failure;
mod phase;
mod prepare;
mod results;
mod scripts;
mod stage;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tidegate_pipeline::Status;

use crate::cancel::Canceller;
use crate::feature::Features;
use crate::job::{JobRun, Outcome, Remains};
use crate::login::{self, Login, Logins};
use crate::script::{Exports, Scripts};
use crate::settings::Settings;
use crate::supervisor::birth::{Births, Parent};
use crate::supervisor::owner::Supervisor;
use crate::supervisor::protocol::JobStart;
use crate::trace::{Secrets, TOKEN_PREFIXES, Trace, TraceWriter};
use crate::variables::JobVariables;

use failure::{ErrorKind, JobError};

/// A job on its way.
pub(crate) struct Driver {
    run: JobRun,
    births: Births,
    logins: Logins,
    /// What was known before the stage that runs.
    login: Option<Arc<Login>>,
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

impl Driver {
    pub(crate) fn new(
        mut run: JobRun,
        births: Births,
        logins: Logins,
        canceller: Canceller,
    ) -> io::Result<Self> {
        let features = Features::of(&run.spec.variables);
        let dirs = Dirs {
            project: utf8(&run.project_dir)?.into(),
            temp: utf8(&run.temp_dir)?.into(),
        };
        let variables = std::mem::take(&mut run.variables);
        let settings = Settings::of(&variables, run.spec.timeout);
        let login = logins.known(run.spec.shell, &run.environment);
        let trace = trace(&mut run, &variables, &features);
        Ok(Self {
            run,
            births,
            login,
            logins,
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
                let in_order = self.leftovers == 0 && !self.leaky;
                let remains = Remains::of((!broken).then_some(supervisor), in_order);
                (result, remains)
            }
            Err(error) => (
                Err(JobError::system(error.to_string())),
                Remains::of(None, false),
            ),
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
        let version = format!("Running with tidegate {}", self.run.version);
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
        let shell = login::name(self.run.spec.shell);
        let mut writer = self.writer();
        writer.section_start("prepare_executor", "Preparing the \"shell\" executor");
        writer.line(&format!("Using Shell ({shell}) executor..."));
        let parent = match &self.run.ground {
            Some(ground) => Parent::Ground(ground.clone()),
            None => Parent::Zygote(self.births.clone()),
        };
        let start = JobStart {
            shell: shell.into(),
            program: match &self.login {
                Some(login) => login.program(),
                None => login::program(shell, &self.run.environment),
            },
            work_dir: self.run.builds_dir.clone(),
            temp_dir: self.run.temp_dir.clone(),
            env_file: self.env_file().into(),
        };
        let rested = self.run.rested.take().map(|rested| rested.supervisor);
        let supervisor = match rested.filter(|rested| rested.serves(&start)) {
            Some(rested) => Ok(rested),
            None => Supervisor::start(parent, start),
        };
        self.writer().section_end("prepare_executor");
        if let (Some(_), Ok(supervisor)) = (&self.run.ground, &supervisor) {
            self.root = format!("/proc/{}/root", supervisor.pid()).into();
        }
        supervisor
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

    /// The path under which this process reaches a file of the job.
    fn reachable(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn writer(&mut self) -> TraceWriter<'_> {
        TraceWriter::holding(&mut self.trace, self.run.trace.sections)
    }

    /// The file that carries variables from stage to stage.
    fn env_file(&self) -> String {
        self.scripts(Exports::Written).env_file()
    }

    fn scripts(&self, exports: Exports) -> Scripts<'_> {
        Scripts {
            shell: self.run.spec.shell,
            features: &self.features,
            variables: &self.variables,
            exports,
            project_dir: &self.dirs.project,
            temp_dir: &self.dirs.temp,
            sections: self.run.trace.sections,
            debug_trace: self.settings.debug_trace,
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

fn utf8(path: &Path) -> io::Result<&str> {
    path.to_str().ok_or_else(|| {
        let text = format!(
            "the path {} is not valid UTF-8, but scripts are",
            path.display()
        );
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })
}
