//! The scripts of the user: the steps, then `after_script` whatever happened.

use std::time::Instant;

use tidegate_pipeline::StepSpec;

use super::Driver;
use super::failure::{ErrorKind, JobError};
use super::phase::{Phase, StageBounds};
use crate::supervisor::owner::Supervisor;

impl Driver {
    /// The steps in order up to the first failure, then `after_script` whatever happened.
    pub(super) fn scripts_of_user(&mut self, supervisor: &mut Supervisor) -> Result<(), JobError> {
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
        let script = self.script(|scripts| scripts.step(&step.name, &step.script));
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
        let script = self.script(|scripts| scripts.after_script(&step.script));
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
}
