//! One stage: its section, its bounds, its end.

use std::time::{Duration, Instant};

use super::Driver;
use super::failure::{ErrorKind, JobError};
use super::phase::{Phase, StageBounds};
use crate::cancel::CancelReason;
use crate::storage::{StorageContext, StorageFailure};
use crate::supervisor::owner::{Bounds, Interrupt, StageEnd, Supervisor};
use crate::supervisor::protocol::ShellEnd;
use crate::trace::{Stream, TraceWriter};
use crate::variables::JobVariables;

impl Driver {
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
        self.trace.write(Stream::Script, text);
        self.trace.flush();
        self.writer().section_end(name);
        Ok(())
    }

    /// Runs one stage in its section.
    pub(super) fn stage(
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
    pub(super) fn stage_heard(
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
