//! One stage: its section, its bounds, its end.

use std::time::{Duration, Instant};

use super::Driver;
use super::failure::{ErrorKind, JobError};
use super::phase::{Phase, StageBounds};
use crate::cancel::CancelReason;
use crate::login::{Account, ShellEnvironment};
use crate::script::{BodyIn, Exports, Scripts, StageText};
use crate::storage::{StorageContext, StorageFailure};
use crate::supervisor::owner::{Bounds, Interrupt, Stage, StageEnd, Supervisor};
use crate::supervisor::protocol::{ShellEnd, ShellStart};
use crate::trace::{Stream, TraceWriter};
use crate::variables::JobVariables;

/// The script of a stage, and the shell it is written for.
pub(super) struct StageScript {
    pub(super) shell: ShellEnvironment,
    pub(super) text: StageText,
}

impl StageScript {
    fn stage(&self) -> Stage<'_> {
        Stage {
            shell: self.shell.start,
            script: self.text.source.as_bytes(),
            environment: &self.shell.variables,
        }
    }

    /// The end as the runner's frame would have it: of a subshell that died of a signal the shell around it makes an exit code.
    fn as_framed(&self, end: StageEnd) -> StageEnd {
        match (self.text.body, end.shell) {
            (BodyIn::Shell, ShellEnd::Signal(signal)) => StageEnd {
                shell: ShellEnd::Code(128 + signal),
                ..end
            },
            _ => end,
        }
    }
}

impl Driver {
    /// The script of a stage for the shell that is to be started now.
    pub(super) fn script(&mut self, write: impl FnOnce(&Scripts<'_>) -> StageText) -> StageScript {
        let mut shell = self.shell_environment();
        // A profile must not see what the runner's would not, and a trace has to show what the runner's shows.
        if shell.start == ShellStart::Login || self.settings.debug_trace {
            let text = write(&self.scripts(Exports::Written));
            return StageScript { shell, text };
        }
        let scripts = self.scripts(Exports::Passed);
        shell.variables = [&*shell.variables, &scripts.passed()].concat().into();
        let text = write(&scripts);
        StageScript { shell, text }
    }

    /// A stage of which the runner knows without a shell what it prints.
    pub(super) fn spoken(
        &mut self,
        name: &str,
        headline: &str,
        text: &[u8],
        phase: Phase,
    ) -> Result<(), JobError> {
        self.still_alive(phase)?;
        self.writer().section_start(name, headline);
        self.trace.hold(Stream::Script, text);
        self.trace.let_go();
        self.writer().section_end(name);
        Ok(())
    }

    /// Runs one stage in its section.
    pub(super) fn stage(
        &mut self,
        supervisor: &mut Supervisor,
        name: &str,
        headline: &str,
        script: &StageScript,
        bounds: StageBounds,
    ) -> Result<(), JobError> {
        let mut nobody = Heard::nothing();
        self.stage_heard(supervisor, (name, headline), script, bounds, &mut nobody)
    }

    /// As [`Driver::stage`]; `heard` gets what the stage prints too, and keeps an account to itself.
    pub(super) fn stage_heard(
        &mut self,
        supervisor: &mut Supervisor,
        (name, headline): (&str, &str),
        script: &StageScript,
        bounds: StageBounds,
        heard: &mut Heard,
    ) -> Result<(), JobError> {
        self.still_alive(bounds.phase)?;
        self.writer().section_start(name, headline);
        let job_deadline = self.deadline();
        let deadline = bounds
            .deadline
            .map_or(job_deadline, |own| own.min(job_deadline));
        self.trace.show();
        let ended = supervisor.run(
            &script.stage(),
            &Bounds {
                deadline,
                canceller: &self.canceller,
                heeds: bounds.phase.heeds(),
                grace: self.run.grace,
            },
            &mut |bytes| self.trace.write(Stream::Script, heard.hear(bytes)),
        );
        self.trace.hold(Stream::Script, heard.rest());
        self.trace.let_go();
        let result = match ended {
            Ok(end) => self.judge(name, bounds.phase, &script.as_framed(end)),
            Err(error) => self.die(JobError::system(error.to_string())),
        };
        self.writer().section_end(name);
        result
    }

    /// Runs a script of the runner's own that nobody hears of; `None` unless it succeeded and left nothing.
    pub(super) fn silently(
        &mut self,
        supervisor: &mut Supervisor,
        script: &StageScript,
        output: &mut Vec<u8>,
    ) -> Option<()> {
        let ended = supervisor.run(
            &script.stage(),
            &Bounds {
                deadline: self.deadline(),
                canceller: &self.canceller,
                heeds: Phase::Before.heeds(),
                grace: self.run.grace,
            },
            &mut |bytes| output.extend_from_slice(bytes),
        );
        let end = ended.ok()?;
        let whole = end.interrupted.is_none() && end.leftovers == 0 && !end.leaky;
        (whole && end.shell == ShellEnd::Code(0)).then_some(())
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

    pub(super) fn storage_stage(
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
        self.trace.show();
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
        let text =
            std::fs::read_to_string(self.reachable(self.env_file().as_ref())).unwrap_or_default();
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        for (key, value) in complete.lines().filter_map(|line| line.split_once('=')) {
            variables.set(key.trim_start(), value.trim_end());
        }
        variables
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
}

/// What a stage printed, up to its account of itself and with it.
#[derive(Default)]
pub(super) struct Heard {
    output: Vec<u8>,
    /// Of the output, that much went to the log.
    passed_on: usize,
    deaf: bool,
}

impl Heard {
    /// Keeps nothing.
    pub(super) fn nothing() -> Self {
        Self {
            deaf: true,
            ..Self::default()
        }
    }

    /// Takes the next piece; returns what of all so far goes to the log now.
    fn hear<'a>(&'a mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.deaf {
            return bytes;
        }
        self.output.extend_from_slice(bytes);
        let until = Account::may_begin_at(&self.output).max(self.passed_on);
        let from = std::mem::replace(&mut self.passed_on, until);
        self.output.get(from..until).unwrap_or_default()
    }

    /// What was held back as the possible beginning of an account that did not come.
    fn rest(&mut self) -> &[u8] {
        let until = match Account::begins_in(&self.output) {
            true => self.passed_on,
            false => self.output.len(),
        };
        let from = std::mem::replace(&mut self.passed_on, until);
        self.output.get(from..until).unwrap_or_default()
    }

    /// What went to the log.
    pub(super) fn printed(&self) -> &[u8] {
        self.output.get(..self.passed_on).unwrap_or_default()
    }

    /// Everything.
    pub(super) fn all(&self) -> &[u8] {
        &self.output
    }
}
